//! Headers that a caller chooses.

use serde_json::json;
use tests::{Answer, browser, payment};

use super::{Untouched, everything};

#[tokio::test]
async fn idempotency_key_must_have_1_to_255_visible_characters() {
    let bundle = Untouched::start().await;
    for key in [
        b"".to_vec(),
        b"x".repeat(256),
        b"x".repeat(10_000),
        "clé".as_bytes().to_vec(),
        b"\xff\xfe".to_vec(),
    ] {
        let row = format!("{:?}", String::from_utf8_lossy(&key));
        let request =
            bundle.post("/payments", everything().to_string()).header("Idempotency-Key", key);
        let refusal = (422, "invalid_field", Some("Idempotency-Key"));
        bundle.refuses(&row, request, refusal).await;
    }
    bundle.is_untouched().await;
    let request = bundle
        .post("/payments", everything().to_string())
        .header("Idempotency-Key", "x".repeat(255));
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn huge_header_is_answered_like_any_other() {
    let bundle = Untouched::start().await;
    let huge = "x".repeat(64 * 1024);
    let request = bundle.post("/payments", "{").header("X-Filler", &huge);
    bundle.refuses("a filler", request, (400, "invalid_json", None)).await;
    let request =
        bundle.0.request(reqwest::Method::POST, "/payments").bearer_auth(&huge).json(&json!({}));
    bundle.refuses("a token", request, (401, "unauthorized", None)).await;
    bundle.is_untouched().await;
}

#[tokio::test]
async fn shopper_ip_of_a_browser_comes_from_the_gateway() {
    let bundle = Untouched::start().await;
    let mut body = payment("ORDER-1", "160583287597AMZN");
    body["shopperIP"] = json!("not even an address");
    let request = bundle
        .0
        .request(reqwest::Method::POST, "/payments")
        .bearer_auth(browser("ORDER-1"))
        .header("X-Forwarded-For", "203.0.113.9")
        .json(&body);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = bundle.0.adyen().books().calls[0].body.clone();
    assert_eq!(sent["shopperIP"], "127.0.0.1");
}
