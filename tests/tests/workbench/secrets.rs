//! Secrets never appear in the workbench.

use local::keys;
use serde_json::{Value, json};
use tests::{backend, browser, in_browser, payment, with};

use crate::world::Bench;

#[tokio::test]
async fn secret_appears_nowhere() {
    let bench = Bench::with(&[
        ("ALLOWED_PAYMENT_METHODS", "amazonpay,scheme"),
        ("WEBHOOK_BASIC_AUTH", "adyen:SECRET-PASSWORD"),
    ])
    .await;
    let (shopper, merchant) = (browser("ORDER-1"), backend());
    let body = payment("ORDER-1", "SECRET-AMZN");
    bench.stack.post("/payments", &shopper, &body).await;
    let stored = json!({"shopperReference": "S", "storePaymentMethod": true,
                        "recurringProcessingModel": "Subscription"});
    bench
        .stack
        .post("/payments", &merchant, &with(payment("ORDER-2", "SECRET-AMZN2"), stored))
        .await;
    let card = json!({
        "paymentMethod": {
            "type": "scheme", "encryptedCardNumber": "test_4111111111111111SECRET",
            "encryptedExpiryMonth": "test_03SECRET", "encryptedExpiryYear": "test_2030SECRET",
            "encryptedSecurityCode": "test_737SECRET",
        },
    });
    let card = with(in_browser("ORDER-3", ""), card);
    bench.stack.post("/payments", &browser("ORDER-3"), &card).await;
    let amazon = bench.stack.bundle.amazon().unwrap();
    amazon.confirmed_for("ORDER-4", "S-4", "10.00", "EUR");
    let session = json!({"reference": "ORDER-4", "amount": {"currency": "EUR", "value": 1000},
        "paymentMethod": {"type": "amazonpay", "amazonCheckoutSessionId": "S-4"}});
    bench.stack.post("/payments", &browser("ORDER-4"), &session).await;
    let token = amazon.books().sessions["S-4"].amazon_pay_token().unwrap();
    let broken = bench.stack.request(reqwest::Method::POST, "/payments").bearer_auth(&shopper);
    let broken = broken.header("content-type", "application/json");
    tests::Answer::of(broken.body(r#"{"paymentMethod": {"amazonPayToken": "SECRET"#)).await;
    bench.stack.webhooks_delivered().await;

    let mut shown = vec![bench.get("state").await, bench.get("webhooks").await];
    for path in ["orders", "stored-payment-methods", "order-events", "sessions", "requests"] {
        shown.push(bench.get(path).await);
    }
    for number in 1..=4 {
        shown.push(bench.get(&format!("orders/ORDER-{number}")).await);
    }
    let entries = bench.requests("").await.into_iter().chain(bench.deliveries().await);
    for entry in entries.collect::<Vec<_>>() {
        shown.push(bench.get(&format!("entries/{}", entry["id"])).await);
    }

    assert!(shown.len() > 30, "{}", shown.len());
    let secrets = [
        "SECRET",
        &token,
        &shopper,
        &merchant,
        keys::ADYEN_API_KEY,
        keys::CHECKOUT_TOKEN_KEY,
        keys::MERCHANT_TOKEN_KEY,
        keys::STANDARD_HMAC_KEY,
        keys::TOKEN_HMAC_KEY,
    ];
    for value in &shown {
        let text = value.to_string();
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    let hidden = |value: &Value| value.to_string().contains("[hidden]");
    assert!(shown.iter().filter(|value| hidden(value)).count() >= 4);
}
