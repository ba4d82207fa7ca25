use std::collections::BTreeSet;

use amazon_pay_simulator::Options;
use serde_json::{Value, json};
use tests::{backend, browser, browser_with};

use crate::world::{RESULT, REVIEW, Shop, location, urls, urls_and};

fn payload(button: &Value) -> Value {
    serde_json::from_str(button["payloadJSON"].as_str().unwrap()).unwrap()
}

fn shopper() -> String {
    browser_with(json!({
        "reference": "ORDER-1",
        "amount": {"currency": "EUR", "value": 1250},
        "shopperReference": "shopper-1",
    }))
}

#[tokio::test]
async fn browser_receives_the_fields_of_amazon_pays_button() {
    let shop = Shop::open().await;

    let button = shop.create(&browser("ORDER-1"), &urls()).await;

    assert_eq!(button.status, 200, "{button:?}");
    let names: BTreeSet<_> = button.body.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "payloadJSON",
        "signature",
        "publicKeyId",
        "algorithm",
        "merchantId",
        "ledgerCurrency",
        "region",
        "sandbox",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
    let options = Options::default();
    assert_eq!(button.body["algorithm"], "AMZN-PAY-RSASSA-PSS-V2");
    assert_eq!(button.body["publicKeyId"], options.public_key_id);
    assert_eq!(button.body["merchantId"], options.merchant_id);
    assert_eq!(button.body["ledgerCurrency"], "EUR");
    assert_eq!(button.body["region"], "eu");
    assert_eq!(button.body["sandbox"], true);
    assert_eq!(
        payload(&button.body),
        json!({
            "webCheckoutDetails": {
                "checkoutReviewReturnUrl": REVIEW,
                "checkoutResultReturnUrl": RESULT,
            },
            "storeId": options.store_id,
            "scopes": ["name", "email", "phoneNumber", "billingAddress"],
        })
    );
    assert_eq!(button.headers["cache-control"], "no-store");
    // The signature covers exactly this text.
    let page = shop.press(&button.body).await;
    assert!(location(&page).contains("/checkout/"));
    assert!(shop.books().calls.is_empty(), "no call is needed");
}

#[tokio::test]
async fn changed_button_payload_is_rejected() {
    let shop = Shop::open().await;
    let button = shop.create(&browser("ORDER-1"), &urls()).await.body;
    let text = button["payloadJSON"].as_str().unwrap();
    let elsewhere = text.replace("https://shop.example/review", "https://evil.example/review");
    for (field, value) in [
        ("payloadJSON", elsewhere.as_str()),
        ("payloadJSON", &format!("{text} ")),
        ("algorithm", "AMZN-PAY-RSASSA-PSS"),
        ("publicKeyId", "SANDBOX-ANOTHER"),
        ("signature", "AAAA"),
    ] {
        let mut changed = button.clone();
        changed[field] = json!(value);
        assert_eq!(shop.press(&changed).await.status(), 400, "{field}");
    }
    assert_eq!(shop.books().refused_buttons.len(), 5);
    assert!(shop.books().sessions.is_empty());
}

#[tokio::test]
async fn storing_session_announces_later_payments() {
    let shop = Shop::open().await;
    let body = urls_and(json!({"storePaymentMethod": true}));

    let button = shop.create(&shopper(), &body).await;

    let payload_sent = payload(&button.body);
    assert_eq!(payload_sent["chargePermissionType"], "Recurring");
    assert_eq!(
        payload_sent["recurringMetadata"],
        json!({
            "frequency": {"unit": "Variable", "value": "0"},
            "amount": {"amount": "12.50", "currencyCode": "EUR"},
        })
    );

    let monthly = json!({"unit": "Month", "value": "3"});
    let body = urls_and(json!({
        "storePaymentMethod": true,
        "recurringMetadata": {"frequency": monthly},
    }));
    let button = shop.create(&shopper(), &body).await;
    assert_eq!(payload(&button.body)["recurringMetadata"]["frequency"], monthly);

    let page = location(&shop.press(&button.body).await);
    let text = shop.visit(&page).await.text().await.unwrap();
    assert!(text.contains("again later"), "{text}");
}

#[tokio::test]
async fn session_without_a_shopper_reference_stores_nothing() {
    let shop = Shop::open().await;
    let body = urls_and(json!({"storePaymentMethod": true}));

    let answer = shop.create(&browser("ORDER-1"), &body).await;
    assert_eq!((answer.status, answer.code()), (422, "missing_field"));
    assert_eq!(answer.body["field"], "shopperReference");
    let answer = shop.create(&backend(), &body).await;
    assert_eq!(answer.code(), "missing_field");

    let named = urls_and(json!({"storePaymentMethod": true, "shopperReference": "shopper-1"}));
    assert_eq!(shop.create(&backend(), &named).await.status, 200);
    // A browser may not choose the shopper who gets the stored payment method.
    let answer = shop.create(&browser("ORDER-1"), &named).await;
    assert_eq!((answer.status, answer.code()), (403, "wrong_shopper"));

    let frequency = json!({"recurringMetadata": {"frequency": {"unit": "Month", "value": "1"}}});
    let answer = shop.create(&shopper(), &urls_and(frequency)).await;
    assert_eq!(answer.code(), "invalid_field");
    assert_eq!(answer.body["field"], "recurringMetadata");
}

#[tokio::test]
async fn session_must_match_the_checkout_token() {
    let shop = Shop::open().await;
    let token = browser("ORDER-1");
    let amount = |value| json!({"amount": {"currency": "EUR", "value": value}});
    for (body, code) in [
        (amount(1), "amount_mismatch"),
        (json!({"reference": "ORDER-2"}), "wrong_order"),
        (json!({"countryCode": "US"}), "country_mismatch"),
    ] {
        let answer = shop.create(&token, &urls_and(body)).await;
        assert_eq!(answer.code(), code);
    }
    let same = urls_and(json!({
        "reference": "ORDER-1",
        "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL",
    }));
    assert_eq!(shop.create(&token, &same).await.status, 200);
}

#[tokio::test]
async fn session_return_urls_must_have_an_allowed_origin() {
    let shop =
        Shop::with(&[("ALLOWED_ORIGINS", "https://shop.example,https://m.shop.example")]).await;
    let token = browser("ORDER-1");
    assert_eq!(shop.create(&token, &urls()).await.status, 200);
    let mobile = urls_and(json!({"checkoutCancelUrl": "https://m.shop.example/"}));
    assert_eq!(shop.create(&token, &mobile).await.status, 200);
    for field in ["checkoutReviewReturnUrl", "checkoutResultReturnUrl", "checkoutCancelUrl"] {
        for url in [
            "https://evil.example/review",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://shop.example:8443/",
        ] {
            let mut body = urls();
            body[field] = json!(url);
            let answer = shop.create(&token, &body).await;
            assert_eq!((answer.status, answer.code()), (422, "return_url_not_allowed"), "{url}");
            assert_eq!(answer.body["field"], field);
            // Any URL is accepted from the backend.
            assert_eq!(shop.create(&backend(), &body).await.status, 200);
        }
    }
}

#[tokio::test]
async fn missing_or_malformed_session_fields_are_named() {
    let shop = Shop::open().await;
    let token = browser("ORDER-1");
    for (body, code, field) in [
        (json!({}), "missing_field", "checkoutReviewReturnUrl"),
        (json!({"checkoutReviewReturnUrl": REVIEW}), "missing_field", "checkoutResultReturnUrl"),
        (
            urls_and(json!({"checkoutReviewReturnUrl": "/review"})),
            "invalid_field",
            "checkoutReviewReturnUrl",
        ),
        (urls_and(json!({"storeId": "x"})), "unknown_field", "storeId"),
        (urls_and(json!({"scopes": ["everything"]})), "invalid_field", "scopes[0]"),
        (
            urls_and(
                json!({"recurringMetadata": {"frequency": {"unit": "Month", "value": "often"}}}),
            ),
            "invalid_field",
            "recurringMetadata.frequency.value",
        ),
    ] {
        let answer = shop.create(&token, &body).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{body}");
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
}

#[tokio::test]
async fn session_return_urls_are_https_or_loopback() {
    let shop = Shop::open().await;
    for field in ["checkoutReviewReturnUrl", "checkoutResultReturnUrl", "checkoutCancelUrl"] {
        for (url, allowed) in [
            ("https://shop.example/", true),
            ("http://localhost:3000/", true),
            ("http://127.0.0.1:3000/?at=review", true),
            ("http://[::1]/", true),
            ("http://shop.example/", false),
            ("http://localhost.example/", false),
            ("http://host.docker.internal/", false),
            ("shop-app://checkout/review", false),
            ("ws://shop.example/", false),
        ] {
            let mut body = urls();
            body[field] = json!(url);
            for token in [browser("ORDER-1"), backend()] {
                let answer = shop.create(&token, &body).await;
                if allowed {
                    assert_eq!(answer.status, 200, "{url}: {answer:?}");
                } else {
                    assert_eq!((answer.status, answer.code()), (422, "invalid_field"));
                    assert_eq!(answer.body["field"], field, "{url}");
                }
            }
        }
    }
}

#[tokio::test]
async fn frequency_of_zero_is_only_for_variable_recurrence() {
    let shop = Shop::open().await;
    for (unit, value, allowed) in [
        ("Variable", "0", true),
        ("Month", "1", true),
        ("Day", "0030", true),
        ("Variable", "1", false),
        ("Variable", "00", false),
        ("Month", "0", false),
        ("Year", "000", false),
    ] {
        let body = urls_and(json!({
            "storePaymentMethod": true,
            "recurringMetadata": {"frequency": {"unit": unit, "value": value}},
        }));
        let answer = shop.create(&shopper(), &body).await;
        if allowed {
            assert_eq!(answer.status, 200, "{unit} {value}: {answer:?}");
        } else {
            assert_eq!((answer.status, answer.code()), (422, "invalid_field"));
            assert_eq!(answer.body["field"], "recurringMetadata.frequency");
        }
    }
}

#[tokio::test]
async fn currency_without_payout_is_rejected() {
    let shop = Shop::open().await;
    let token = browser_with(json!({
        "reference": "ORDER-1",
        "amount": {"currency": "USD", "value": 1000},
    }));

    let answer = shop.create(&token, &urls()).await;
    assert_eq!((answer.status, answer.code()), (422, "currency_mismatch"));

    // The ledger currency defaults to the order's currency.
    let shop = Shop::with(&[("AMAZON_PAY_LEDGER_CURRENCY", "")]).await;
    let answer = shop.create(&token, &urls()).await;
    assert_eq!(answer.body["ledgerCurrency"], "USD");
}

#[tokio::test]
async fn caller_chooses_the_scopes() {
    let shop = Shop::open().await;
    let body = urls_and(json!({"scopes": ["name", "postalCode"]}));
    let button = shop.create(&browser("ORDER-1"), &body).await;
    assert_eq!(payload(&button.body)["scopes"], json!(["name", "postalCode"]));
}

#[tokio::test]
async fn session_without_a_token_is_unauthorised() {
    let shop = Shop::open().await;
    let answer = shop.create("nobody", &json!("not even an object")).await;
    assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
    let answer = shop.confirm("S", "nobody", None).await;
    assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
    assert!(shop.books().calls.is_empty());
}

#[tokio::test]
async fn routes_of_amazon_pay_return_501_without_its_configuration() {
    let stack = Shop::unregistered().await;
    let token = browser("ORDER-1");

    let answer = stack.post("/checkoutSessions", &token, &urls()).await;
    assert_eq!((answer.status, answer.code()), (501, "amazon_pay_not_configured"));
    let patch = stack.request(reqwest::Method::PATCH, "/checkoutSessions/S");
    let answer = tests::Answer::of(patch.bearer_auth(&token)).await;
    assert_eq!((answer.status, answer.code()), (501, "amazon_pay_not_configured"));
    let answer = stack.post("/checkoutSessions", "nobody", &urls()).await;
    assert_eq!(answer.status, 401);
}
