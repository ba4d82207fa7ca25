//! Raw card data, which is never sent, stored or logged.

use serde_json::{Value, json};
use tests::{backend, browser};

use crate::shop::{Shop, card, with};

const NUMBER: &str = "4111111111111111";

#[tokio::test]
async fn raw_card_data_is_rejected_and_reaches_nobody() {
    let shop = Shop::open().await;
    let raw = json!({"type": "scheme", "number": NUMBER, "expiryMonth": "03", "expiryYear": "2030", "cvc": "737"});
    let mut nested = card(NUMBER);
    nested["details"] = json!([{"cvc": "737"}]);
    for method in [
        raw,
        json!({"type": "scheme", "encryptedCard": NUMBER}),
        json!({"type": "ideal", "number": NUMBER}),
        json!({"type": "ideal", "Number": NUMBER}),
        json!({"type": "ideal", "cardNumber": NUMBER}),
        json!({"type": "amazonpay", "amazonPayToken": "T", "cvc": "737"}),
        json!({"type": "scheme", "storedPaymentMethodId": "M", "cvc": "737"}),
        json!({"type": "networkToken", "encryptedCardNumber": "test_1"}),
        nested,
    ] {
        let answer = shop.pay("ORDER-1", method).await;
        assert_eq!((answer.status, answer.code()), (422, "raw_card_data"), "{answer:?}");
        assert!(!answer.body.to_string().contains(NUMBER));
        assert!(answer.body["field"].as_str().unwrap().starts_with("paymentMethod."));
    }
    for name in ["card", "number", "cvc", "expiryMonth", "expiryYear", "encryptedCard"] {
        let mut body = with(card(NUMBER));
        body[name] = json!(NUMBER);
        let answer = shop.stack.post("/payments", &browser("ORDER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "raw_card_data"), "{answer:?}");
        assert_eq!(answer.body["field"], name);
    }
    let mut body = with(card(NUMBER));
    body["bankAccount"] = json!({"iban": "NL13TEST0123456789", "cvc": "737"});
    let answer = shop.stack.post("/payments", &browser("ORDER-1"), &body).await;
    assert_eq!((answer.status, answer.code()), (422, "raw_card_data"), "{answer:?}");
    assert!(shop.sent().is_empty());
    let answer = shop.stack.get("/orders/ORDER-1", &tests::backend()).await;
    assert_eq!(answer.status, 404, "nothing was stored: {answer:?}");
}

#[tokio::test]
async fn value_of_the_wrong_type_is_not_repeated_in_the_answer() {
    let shop = Shop::open().await;
    let number = 4_111_111_111_111_111_u64;
    let pay = |member: &str, value: Value| {
        let mut body = with(card(NUMBER));
        body[member] = value;
        ("/payments", body)
    };
    let requests = [
        pay("paymentMethod", json!(NUMBER)),
        pay("paymentMethod", json!(number)),
        pay("paymentMethod", json!([NUMBER])),
        pay("paymentMethod", json!({"type": number})),
        pay("paymentMethod", json!({"type": "amazonpay", "amazonPayToken": number})),
        pay("paymentMethod", json!({"type": "amazonpay", "amazonPayToken": [NUMBER]})),
        pay("amount", json!(NUMBER)),
        pay("amount", json!({"currency": NUMBER, "value": 1000})),
        pay("amount", json!({"currency": "EUR", "value": NUMBER})),
        pay("browserInfo", json!(NUMBER)),
        pay("channel", json!(NUMBER)),
        pay("dateOfBirth", json!(number)),
        pay("installments", json!({"value": NUMBER})),
        pay("installments", json!({"value": -4_111_111_111_111_111_i64})),
        pay("lineItems", json!({"id": NUMBER})),
        pay("returnUrl", json!(number)),
        pay("shopperEmail", json!(NUMBER)),
        pay("storePaymentMethod", json!(NUMBER)),
        ("/payments/details", json!({"details": NUMBER})),
        ("/payments/details", json!({"details": {"redirectResult": number}})),
        ("/paymentMethods", json!({"countryCode": number})),
    ];
    for (path, body) in requests {
        let answer = shop.stack.post(path, &browser("ORDER-1"), &body).await;
        assert!(matches!(answer.code(), "invalid_field" | "amount_mismatch"), "{body}: {answer:?}");
        assert!(!answer.body.to_string().contains(NUMBER), "{body}: {answer:?}");
    }
    for body in [json!({"amount": NUMBER}), json!({"merchantRefundReason": NUMBER})] {
        let answer = shop.stack.post("/orders/ORDER-1/refunds", &backend(), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "invalid_field"), "{answer:?}");
        assert!(!answer.body.to_string().contains(NUMBER), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn encrypted_card_fields_are_not_stored() {
    let shop = Shop::open().await;
    let answer = shop.pay("ORDER-1", card(NUMBER)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = shop.stack.dynamodb().scan().table_name("orders").send().await.unwrap();
    assert!(items.count() > 0);
    let stored = format!("{:?}", items.items());
    assert!(!stored.contains(NUMBER) && !stored.contains("test_"), "{stored}");
}
