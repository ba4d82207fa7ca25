//! Charges of stored payment methods.

use adyen_simulator::{Fault, coded};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tests::{Answer, backend, browser};

use crate::shop::{
    SHOPPER, Shop, assert_paid, assert_problem, browser_of, charge, key, quick, with,
};

/// The body of the page's curl example of a recurring payment.
const BODY: &str = r#"{
       "amount":{
          "value":1000,
          "currency":"EUR"
       },
       "paymentMethod":{
          "type":"amazonpay",
          "storedPaymentMethodId":"7219687191761347"
       },
       "reference":"YOUR_ORDER_NUMBER",
       "merchantAccount":"YOUR_MERCHANT_ACCOUNT",
       "shopperReference":"YOUR_UNIQUE_SHOPPER_ID_IOfW3k9G2PvXFu2j",
       "shopperInteraction":"ContAuth",
       "recurringProcessingModel": "Subscription"
}"#;

#[tokio::test]
async fn example_charge_is_sent_with_only_a_return_url_added() {
    let shop = Shop::with(adyen_simulator::Options {
        merchant_account: "YOUR_MERCHANT_ACCOUNT".into(),
        ..quick()
    })
    .await;
    let id = shop.stored(SHOPPER, "FIRST").await;
    let body = BODY.replace("7219687191761347", &id);
    let request = shop
        .stack
        .request(Method::POST, "/payments")
        .bearer_auth(backend())
        .header(CONTENT_TYPE, "application/json")
        .body(body.clone());
    let answer = Answer::of(request).await;
    assert_paid(&answer, "authorised", 1);
    let sent = shop.adyen().books().calls.pop().unwrap().body;
    let page: Value = serde_json::from_str(&body).unwrap();
    let home = format!("{}/", shop.stack.bundle.url());
    assert_eq!(sent, with(page, json!({"returnUrl": home})));
}

#[tokio::test]
async fn charge_from_a_browser_is_rejected() {
    let (shop, id) = Shop::with_token().await;
    let body = charge(SHOPPER, "ORDER", &id);
    let as_if_present = with(body.clone(), json!({"shopperInteraction": "Ecommerce"}));
    let without =
        with(body.clone(), json!({"shopperInteraction": null, "recurringProcessingModel": null}));
    let own = browser_of(SHOPPER, "ORDER");
    for token in [own, browser_of("another-shopper", "ORDER"), browser("ORDER")] {
        for body in [&body, &as_if_present, &without] {
            let answer = shop.stack.post("/payments", &token, body).await;
            assert_problem(&answer, 403, "merchant_token_required");
        }
    }
    assert_eq!(shop.processed("ORDER"), 0);
    assert!(shop.order_is_unknown("ORDER").await);
}

#[tokio::test]
async fn charge_without_its_recurring_fields_is_rejected() {
    let (shop, id) = Shop::with_token().await;
    let calls = shop.calls("");
    let with_token = json!({"type": "amazonpay", "amazonPayToken": "AMZN"});
    let both = json!({"storedPaymentMethodId": id, "amazonPayToken": "AMZN"});
    for (members, code, field) in [
        (json!({"shopperInteraction": null}), "missing_field", "shopperInteraction"),
        (json!({"shopperInteraction": "Ecommerce"}), "invalid_field", "shopperInteraction"),
        (json!({"shopperInteraction": "Moto"}), "invalid_field", "shopperInteraction"),
        (json!({"recurringProcessingModel": null}), "missing_field", "recurringProcessingModel"),
        (
            json!({"recurringProcessingModel": "CardOnFile"}),
            "invalid_field",
            "recurringProcessingModel",
        ),
        (json!({"shopperReference": null}), "missing_field", "shopperReference"),
        (json!({"shopperReference": "ab"}), "invalid_field", "shopperReference"),
        (json!({"storePaymentMethod": true}), "invalid_field", "storePaymentMethod"),
        (json!({"paymentMethod": with_token}), "invalid_field", "shopperInteraction"),
        (json!({"paymentMethod": both}), "invalid_field", "paymentMethod"),
        (
            json!({"paymentMethod": {"storedPaymentMethodId": "x".repeat(65)}}),
            "invalid_field",
            "paymentMethod.storedPaymentMethodId",
        ),
    ] {
        let answer = shop.charge(&with(charge(SHOPPER, "ORDER", &id), members)).await;
        assert_problem(&answer, 422, code);
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    assert_eq!(shop.calls(""), calls);
}

#[tokio::test]
async fn caller_chooses_the_type_of_a_stored_payment_method() {
    let (shop, id) = Shop::with_token().await;
    for (reference, method) in [
        ("AMAZONPAY", json!({"type": "amazonpay", "storedPaymentMethodId": id})),
        ("SCHEME", json!({"type": "scheme", "storedPaymentMethodId": id})),
        ("NONE", json!({"storedPaymentMethodId": id})),
    ] {
        let body = with(charge(SHOPPER, reference, &id), json!({"paymentMethod": method}));
        assert_paid(&shop.charge(&body).await, "authorised", 1);
        let sent = shop.adyen().books().calls.pop().unwrap().body;
        assert_eq!(sent["paymentMethod"], method);
    }
}

#[tokio::test]
async fn token_of_another_shopper_is_not_charged() {
    let (shop, id) = Shop::with_token().await;
    let answer = shop.charge(&charge("another-shopper", "ORDER", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_wrong_shopper");
    assert_eq!(answer.body["field"], "paymentMethod.storedPaymentMethodId");
    assert_eq!(shop.calls("/payments"), 1);
    assert_eq!(shop.calls("/listRecurringDetails"), 0);
    assert!(shop.order_is_unknown("ORDER").await);
}

#[tokio::test]
async fn token_whose_webhook_was_lost_is_looked_up_and_charged() {
    let shop = Shop::open().await;
    let id = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    assert!(shop.token(SHOPPER, &id).await.is_none());
    for reference in ["MONTH-1", "MONTH-2"] {
        let answer = shop.charge(&charge(SHOPPER, reference, &id)).await;
        assert_paid(&answer, "authorised", 1);
    }
    assert_eq!(shop.calls("/listRecurringDetails"), 1);
}

#[tokio::test]
async fn unknown_token_is_not_charged() {
    let shop = Shop::open().await;
    shop.stored(SHOPPER, "FIRST").await;
    for shopper in [SHOPPER, "another-shopper"] {
        let answer = shop.charge(&charge(shopper, "ORDER", "M5N7TQ4TG5PFWR50")).await;
        assert_problem(&answer, 422, "stored_payment_method_unknown");
    }
    assert_eq!(shop.calls("/payments"), 1);
    assert_eq!(shop.calls("/listRecurringDetails"), 2);
    assert!(shop.order_is_unknown("ORDER").await);
}

#[tokio::test]
async fn token_is_not_charged_if_adyen_cannot_be_asked() {
    let shop = Shop::open().await;
    let id = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    let body = charge(SHOPPER, "ORDER", &id);
    for (fault, code) in [
        (Fault::status(500), "adyen_unavailable"),
        (Fault::Instead(coded("901")), "adyen_configuration"),
    ] {
        shop.adyen().inject(fault.on("/listRecurringDetails"));
        assert_problem(&shop.charge(&body).await, 502, code);
    }
    assert!(shop.order_is_unknown("ORDER").await);
    assert_eq!(shop.processed("ORDER"), 0);
}

#[tokio::test]
async fn contract_not_found_from_adyen_means_an_unknown_token() {
    let shop = Shop::open().await;
    shop.adyen().inject(Fault::Instead(coded("800")).on("/listRecurringDetails"));
    let answer = shop.charge(&charge(SHOPPER, "ORDER", "NONE")).await;
    assert_problem(&answer, 422, "stored_payment_method_unknown");
    assert!(shop.tokens.get(&key(SHOPPER, "NONE")).await.unwrap().is_none());
}
