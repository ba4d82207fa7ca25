//! Accepted requests, which arrive at Adyen field by field.

use serde_json::{Value, json};
use tests::{Stack, backend, browser, browser_with, payment};

use crate::shop::{Shop, card, with};

/// Checks that every member of `expected` arrived as it is.
fn assert_arrived(sent: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name}");
    }
}

#[tokio::test]
async fn method_that_is_not_allowed_is_rejected_without_a_call() {
    let stack = Stack::start().await;
    for method in [json!({"type": "ideal"}), card("4111111111111111"), json!({"type": "paypal"})] {
        let answer = stack.post("/payments", &browser("ORDER-1"), &with(method)).await;
        assert_eq!((answer.status, answer.code()), (422, "payment_method_not_allowed"));
        assert_eq!(answer.body["field"], "paymentMethod.type");
    }
    assert!(stack.adyen().books().calls.is_empty());
}

#[tokio::test]
async fn amazon_pay_is_rejected_if_it_is_not_among_the_allowed_methods() {
    let stack = Stack::with_variables(&[("ALLOWED_PAYMENT_METHODS", "scheme,ideal")]).await;
    let answer =
        stack.post("/payments", &browser("ORDER-1"), &payment("ORDER-1", "160583287597AMZN")).await;
    assert_eq!((answer.status, answer.code()), (422, "payment_method_not_allowed"));
}

#[tokio::test]
async fn methods_of_adyens_examples_are_accepted_and_passed_on_unchanged() {
    let shop = Shop::open().await;
    let methods = [
        (card("4111111111111111"), "Authorised"),
        (
            json!({"type": "applepay", "applePayToken": "VNRWtuNlNEWkRCSm1xWndjMDFFbktkQU"}),
            "Authorised",
        ),
        (json!({"type": "googlepay", "googlePayToken": "==Payload as retrieved=="}), "Authorised"),
        (json!({"type": "ideal"}), "RedirectShopper"),
        (json!({"type": "klarna", "subtype": "redirect"}), "RedirectShopper"),
        (json!({"type": "paypal", "subtype": "sdk"}), "Pending"),
        (json!({"type": "mbway", "telephoneNumber": "+351213822199"}), "Pending"),
        (json!({"type": "wechatpayQR"}), "Pending"),
        (json!({"type": "multibanco"}), "PresentToShopper"),
        (json!({"type": "bankTransfer_IBAN"}), "Received"),
        (
            json!({"type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A. Klaassen"}),
            "Received",
        ),
    ];
    for (number, (method, result_code)) in methods.into_iter().enumerate() {
        let answer = shop.pay(&format!("ORDER-{number}"), method.clone()).await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        assert_eq!(answer.body["resultCode"], result_code, "{answer:?}");
        assert_eq!(shop.sent()[number]["paymentMethod"], method);
    }
}

#[tokio::test]
async fn null_members_of_a_payment_method_count_as_absent() {
    let shop = Shop::open().await;
    let method = json!({"type": "ideal", "issuer": null, "number": null, "sdkData": null});
    let answer = shop.pay("ORDER-1", method).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(shop.sent()[0]["paymentMethod"], json!({"type": "ideal"}));
}

#[tokio::test]
async fn data_of_adyens_browser_library_is_accepted() {
    let shop = Shop::open().await;
    let mut method = card("4111111111111111");
    method["checkoutAttemptId"] = json!("do-not-track");
    method["sdkData"] = json!("eyJzY2hlbWFWZXJzaW9uIjoxfQ==");
    let state = json!({
        "riskData": {"clientData": "eyJ2ZXJzaW9uIjoiMS4wLjAifQ=="},
        "paymentMethod": method,
        "browserInfo": {
            "acceptHeader": "*/*", "colorDepth": 24, "language": "nl-NL", "javaEnabled": false,
            "screenHeight": 723, "screenWidth": 1536, "userAgent": "Mozilla/5.0", "timeZoneOffset": 0,
        },
        "origin": "https://your-company.example.com",
        "clientStateDataIndicator": true,
    });
    let answer = shop.stack.post("/payments", &browser("ORDER-1"), &state).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    let sent = &shop.sent()[0];
    assert_eq!(sent["paymentMethod"], method);
    assert_eq!(sent["riskData"], state["riskData"]);
    assert!(sent.get("clientStateDataIndicator").is_none());
}

#[tokio::test]
async fn shoppers_fields_arrive_from_a_browser() {
    let shop = Shop::open().await;
    let shoppers = json!({
        "bankAccount": {"iban": "NL13TEST0123456789", "ownerName": "A. Klaassen", "countryCode": "NL"},
        "company": {"name": "Smith Ltd", "registrationNumber": "123", "taxId": "NL1"},
        "dateOfBirth": "1980-01-31",
        "deviceFingerprint": "DpqwU4zEdN0050000000000000",
        "installments": {"value": 3, "plan": "regular"},
        "lineItems": [
            {"id": "1", "quantity": 2, "amountIncludingTax": 331, "taxPercentage": 2100, "description": "Shoes"},
            {"quantity": 1, "amountExcludingTax": 300, "taxAmount": 38},
        ],
        "socialSecurityNumber": "0108",
        "telephoneNumber": "+46 840 839 298",
    });
    let mut body = with(json!({"type": "klarna"}));
    body.as_object_mut().unwrap().extend(shoppers.as_object().unwrap().clone());
    let answer = shop.stack.post("/payments", &browser("ORDER-1"), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_arrived(&shop.sent()[0], &shoppers);
}

#[tokio::test]
async fn line_items_that_do_not_add_up_to_the_amount_are_rejected() {
    let shop = Shop::open().await;
    for items in [
        json!([{"quantity": 1, "amountIncludingTax": 999}]),
        json!([{"quantity": 2, "amountIncludingTax": 1000}]),
        json!([{"quantity": 1, "description": "no amount"}]),
        json!([{"quantity": i64::MAX, "amountIncludingTax": i64::MAX}]),
    ] {
        let mut body = with(json!({"type": "klarna"}));
        body["lineItems"] = items;
        let answer = shop.stack.post("/payments", &browser("ORDER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "amount_mismatch"), "{answer:?}");
        assert_eq!(answer.body["field"], "lineItems");
    }
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn merchants_fields_come_from_the_tokens_claims_alone() {
    let shop = Shop::open().await;
    let merchants = json!({
        "captureDelayHours": 24,
        "deliverAt": "2026-12-24T12:00:00+01:00",
        "mandate": {"amount": "1000", "frequency": "monthly", "endsAt": "2027-12-31"},
        "sessionValidity": "2026-12-01T12:00:00+01:00",
        "splits": [{"type": "Commission", "amount": {"value": 100}, "reference": "fee"}],
        "store": "YOUR_STORE",
    });
    for (name, value) in merchants.as_object().unwrap() {
        let mut body = with(json!({"type": "ideal"}));
        body[name] = value.clone();
        let answer = shop.stack.post("/payments", &browser("ORDER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (403, "field_not_allowed"), "{name}");
        assert_eq!(answer.body["field"], *name);
    }
    let mut claims = json!({
        "reference": "ORDER-2", "amount": {"currency": "EUR", "value": 1000}, "countryCode": "NL",
    });
    claims.as_object_mut().unwrap().extend(merchants.as_object().unwrap().clone());
    let body = with(json!({"type": "ideal"}));
    let answer = shop.stack.post("/payments", &browser_with(claims), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_arrived(&shop.sent()[0], &merchants);
}

#[tokio::test]
async fn backend_may_set_the_shoppers_and_the_merchants_fields() {
    let shop = Shop::open().await;
    let body = json!({
        "amount": {"currency": "EUR", "value": 1000},
        "reference": "ORDER-1",
        "paymentMethod": {"type": "ideal"},
        "returnUrl": "https://your-company.example.com/checkout",
        "captureDelayHours": 1,
        "dateOfBirth": "1980-01-31",
    });
    let answer = shop.stack.post("/payments", &backend(), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_arrived(&shop.sent()[0], &body);
}

#[tokio::test]
async fn payment_method_that_is_too_large_or_too_deep_is_rejected() {
    let shop = Shop::open().await;
    let deep = json!({"a": {"b": {"c": {"d": {"e": 1}}}}});
    for method in [
        json!({"type": "ideal", "x": "x".repeat(101 * 1024)}),
        json!({"type": "ideal", "x": deep}),
        json!({"type": "x".repeat(65)}),
        json!({"type": "x".repeat(10_000)}),
        json!({"type": ""}),
        json!({"type": "ideal\u{0}"}),
        json!({"type": "\u{1b}[31mideal"}),
        json!({"type": ["ideal"]}),
        json!({"type": 1}),
        json!("ideal"),
    ] {
        let answer = shop.pay("ORDER-1", method).await;
        assert_eq!((answer.status, answer.code()), (422, "invalid_field"), "{answer:?}");
    }
    for kind in ["ideal\n", " ideal", "IDEAL", "ideäl"] {
        let answer = shop.pay("ORDER-1", json!({"type": kind})).await;
        assert_eq!((answer.status, answer.code()), (422, "payment_method_not_allowed"));
    }
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn card_without_its_encrypted_fields_is_rejected_by_name() {
    let shop = Shop::open().await;
    for name in ["encryptedCardNumber", "encryptedExpiryMonth", "encryptedExpiryYear"] {
        let mut method = card("4111111111111111");
        method.as_object_mut().unwrap().remove(name);
        let answer = shop.pay("ORDER-1", method).await;
        assert_eq!((answer.status, answer.code()), (422, "missing_field"), "{answer:?}");
        assert_eq!(answer.body["field"], format!("paymentMethod.{name}"));
    }
}

#[tokio::test]
async fn allowed_methods_are_listed_for_the_shopper() {
    let shop = Shop::open().await;
    let answer = shop.stack.post("/paymentMethods", &browser("ORDER-1"), &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let listed = answer.body["paymentMethods"].as_array().unwrap();
    for kind in ["amazonpay", "scheme", "ideal", "multibanco"] {
        assert!(listed.iter().any(|method| method["type"] == kind), "{kind}");
    }
}
