//! Storing a payment method along with a payment.

use std::time::Duration;

use adyen_simulator::webhook::Event;
use adyen_simulator::{WebhookFault, redirect_result};
use local::keys;
use serde_json::json;
use tests::{backend, browser, payment};

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, browser_of, charge, quick, with};

#[tokio::test]
async fn token_is_stored_with_3d_secure() {
    let shop = Shop::open().await;
    let body = with(
        payment("FIRST", "AMZN-3DS-REDIRECT"),
        json!({
            "storePaymentMethod": true,
            "recurringProcessingModel": "UnscheduledCardOnFile",
            "browserInfo": {
                "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
                "screenHeight": 1080, "screenWidth": 1920, "timeZoneOffset": -60,
                "userAgent": "Mozilla/5.0",
            },
        }),
    );
    let browser = browser_of(SHOPPER, "FIRST");
    let answer = shop.stack.post("/payments", &browser, &body).await;
    assert_paid(&answer, "pending", 1);
    let result = redirect_result(&answer.body["action"], "approved");
    let details = json!({"details": {"redirectResult": result}});
    let answer = shop.stack.post("/payments/details", &browser, &details).await;
    assert_paid(&answer, "authorised", 1);
    shop.webhooks_delivered().await;
    let ids = shop.ids(SHOPPER, "").await;
    assert_eq!(ids.len(), 1);
    let body = with(
        charge(SHOPPER, "MONTH-1", &ids[0]),
        json!({"recurringProcessingModel": "UnscheduledCardOnFile"}),
    );
    assert_paid(&shop.charge(&body).await, "authorised", 1);
}

#[tokio::test]
async fn backend_may_store_a_token() {
    let shop = Shop::open().await;
    let body = with(
        payment("FIRST", "AMZN"),
        json!({"storePaymentMethod": true, "shopperReference": SHOPPER}),
    );
    assert_paid(&shop.charge(&body).await, "authorised", 1);
    shop.webhooks_delivered().await;
    assert_eq!(shop.ids(SHOPPER, "").await.len(), 1);
}

#[tokio::test]
async fn storing_without_a_shopper_or_for_another_is_rejected() {
    let shop = Shop::open().await;
    let store = with(payment("FIRST", "AMZN"), json!({"storePaymentMethod": true}));
    for token in [browser("FIRST"), backend()] {
        let answer = shop.stack.post("/payments", &token, &store).await;
        assert_problem(&answer, 422, "missing_field");
        assert_eq!(answer.body["field"], "shopperReference");
    }
    let other = with(store, json!({"shopperReference": "another-shopper"}));
    for token in [browser("FIRST"), browser_of(SHOPPER, "FIRST")] {
        let answer = shop.stack.post("/payments", &token, &other).await;
        assert_problem(&answer, 403, "wrong_shopper");
    }
    assert_eq!(shop.calls("/payments"), 0);
}

#[tokio::test]
async fn failed_payment_stores_no_token() {
    let shop = Shop::open().await;
    shop.pay_and_store(SHOPPER, "FIRST", "AMZN-REFUSED").await;
    shop.webhooks_delivered().await;
    assert!(shop.ids(SHOPPER, "?status=all").await.is_empty());
}

#[tokio::test]
async fn token_may_appear_later_than_the_payment() {
    let shop = Shop::with(adyen_simulator::Options {
        token_webhook_delay: Duration::from_secs(60),
        ..quick()
    })
    .await;
    shop.adyen().hold_webhooks();
    shop.pay_and_store(SHOPPER, "FIRST", "AMZN").await;
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
    shop.adyen().release_webhooks(adyen_simulator::Release::Reversed).await;
    assert_eq!(shop.ids(SHOPPER, "").await.len(), 1);
}

#[tokio::test]
async fn token_from_a_manual_webhook_is_listed() {
    let shop = Shop::open().await;
    let event = Event {
        shopper_reference: SHOPPER.into(),
        stored_payment_method_id: "M5N7TQ4TG5PFWR50".into(),
        ..Event::new("recurring.token.created", keys::MERCHANT_ACCOUNT, "QBQQ9DLNRHHKGK38", "")
    };
    shop.adyen().inject_webhook(WebhookFault::Duplicate);
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(shop.ids(SHOPPER, "").await, ["M5N7TQ4TG5PFWR50"]);
}
