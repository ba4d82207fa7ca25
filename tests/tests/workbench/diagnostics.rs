//! A problem with its code and field, what Adyen said, and what is wrong with a token.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, backend, payment, with};

use crate::world::Bench;

#[tokio::test]
async fn rejected_request_has_code_and_field() {
    let bench = Bench::start().await;
    let body = with(payment("ORDER-1", "160583287597AMZN"), json!({"unheardOf": 1}));
    bench.stack.post("/payments", &backend(), &body).await;

    let request = bench.requests("api").await.remove(0);

    assert_eq!(request["status"], 422);
    assert_eq!(request["problem"]["code"], "unknown_field");
    assert_eq!(request["problem"]["field"], "unheardOf");
    assert_eq!(request["references"], json!(["ORDER-1"]));
}

#[tokio::test]
async fn rejected_call_has_adyens_error_code_and_message() {
    let bench = Bench::start().await;
    bench.stack.pay("ORDER-1", "160583287597AMZN-FAULT-905").await;

    let call = bench.requests("adyen").await.remove(0);

    assert_eq!(call["problem"]["code"], "905");
    assert_eq!(call["problem"]["detail"], "Payment details are not supported");
    let request = bench.requests("api").await.remove(0);
    assert_eq!(request["problem"]["said"], "905: Payment details are not supported");
    let timeline = bench.get("orders/ORDER-1").await["timeline"].clone();
    let named = |entry: &&Value| entry["problem"]["code"] == "905";
    assert_eq!(timeline.as_array().unwrap().iter().filter(named).count(), 1);
}

/// A token with these claims, signed with the development key.
fn signed(claims: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let key =
        ring::hmac::Key::new(ring::hmac::HMAC_SHA256, local::keys::CHECKOUT_TOKEN_KEY.as_bytes());
    let signature = ring::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn rejected_token_is_explained_by_its_claim() {
    let bench = Bench::start().await;
    let now = Timestamp::now().as_second();
    let right = json!({
        "aud": "checkout", "iat": now, "exp": now + 600, "reference": "ORDER-1",
        "amount": {"currency": "EUR", "value": 1000},
    });
    for (changed, claim) in [
        (json!({"amount": {"currency": "EUR", "value": "10"}}), Some("amount.value")),
        (json!({"amount": {"currency": "EUR"}}), Some("amount.value")),
        (json!({"reference": null}), Some("reference")),
        (json!({"countryCode": "Holland"}), Some("countryCode")),
        (json!({"aud": "shop"}), Some("aud")),
        (json!({"iat": "now"}), Some("iat")),
        (json!({"exp": now + 90 * 24 * 60 * 60}), Some("exp")),
        (json!({"iat": now - 700, "exp": now - 100}), Some("exp")),
        (json!({"shopperStatement": "x".repeat(23)}), Some("shopperStatement")),
    ] {
        let token = signed(&with(right.clone(), &changed));
        let request = bench.stack.request(Method::GET, "/orders/ORDER-1").bearer_auth(&token);
        assert_eq!(Answer::of(request).await.status, 401, "{changed}");

        let request = bench.requests("api").await.remove(0);

        assert_eq!(request["problem"]["field"], json!(claim), "{changed}: {request}");
    }
    let token = signed(&right);
    let (content, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{content}.{first}{}", &signature[1..]);
    let request = bench.stack.request(Method::GET, "/orders/ORDER-1").bearer_auth(forged);
    assert_eq!(Answer::of(request).await.status, 401);
    let request = bench.requests("api").await.remove(0);
    assert!(request["problem"]["detail"].as_str().unwrap().contains("unknown key"), "{request}");
}
