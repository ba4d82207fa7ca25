//! Requests that the other routes reject.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, backend};

use super::Untouched;

#[tokio::test]
async fn details_are_validated_before_the_order_is_read() {
    let long = |length| json!("x".repeat(length));
    let rows: Vec<(Value, Option<&str>, &str)> = vec![
        (json!({}), Some("reference"), "missing_field"),
        (json!({"reference": "ORDER-1"}), Some("details"), "missing_field"),
        (json!({"reference": "ORDER-1", "details": {}}), Some("details"), "missing_field"),
        (json!({"details": {"redirectResult": "x"}}), Some("reference"), "missing_field"),
        (json!({"reference": 1}), Some("reference"), "invalid_field"),
        (json!({"reference": "ORDER 1"}), Some("reference"), "invalid_field"),
        (json!({"reference": "ORDER-1", "attempt": "1"}), Some("attempt"), "invalid_field"),
        (json!({"reference": "ORDER-1", "attempt": 1.5}), Some("attempt"), "invalid_field"),
        (json!({"reference": "ORDER-1", "attempt": -1}), Some("attempt"), "invalid_field"),
        (json!({"reference": "ORDER-1", "details": "x"}), Some("details"), "invalid_field"),
        (json!({"reference": "ORDER-1", "details": []}), Some("details"), "invalid_field"),
        (json!({"reference": "ORDER-1", "details": null}), Some("details"), "invalid_field"),
        (
            json!({"reference": "ORDER-1", "details": {"token": "x"}}),
            Some("details.token"),
            "unknown_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"MD": "x", "paRes": "x"}}),
            Some("details.paRes"),
            "unknown_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"redirectResult": "x"}, "threeDSResult": "x"}),
            Some("threeDSResult"),
            "unknown_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"redirectResult": ""}}),
            Some("details.redirectResult"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"redirectResult": 1}}),
            Some("details.redirectResult"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"redirectResult": "x\0"}}),
            Some("details.redirectResult"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"redirectResult": long(20_001)}}),
            Some("details.redirectResult"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"threeDSResult": long(50_001)}}),
            Some("details.threeDSResult"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"threeds2.fingerprint": long(100_001)}}),
            Some("details.threeds2.fingerprint"),
            "invalid_field",
        ),
        (
            json!({"reference": "ORDER-1", "details": {"threeds2.challengeResult": long(50_001)}}),
            Some("details.threeds2.challengeResult"),
            "invalid_field",
        ),
        (
            json!({
                "reference": "ORDER-1",
                "details": {"threeDSResult": "x"},
                "paymentData": long(200_001),
            }),
            Some("paymentData"),
            "invalid_field",
        ),
    ];
    let bundle = Untouched::start().await;
    for (body, field, code) in rows {
        let row: String = body.to_string().chars().take(100).collect();
        let request = bundle.post("/payments/details", body.to_string());
        bundle.refuses(&row, request, (422, code, field)).await;
    }
    let good = json!({"reference": "ORDER-1", "details": {"redirectResult": long(20_000)}});
    let request = bundle.post("/payments/details", good.to_string());
    bundle.refuses("no such order", request, (404, "order_not_found", None)).await;
    let foreign = json!({"reference": "ORDER-1", "merchantAccount": "Other", "details": {}});
    let request = bundle.post("/payments/details", foreign.to_string());
    let refusal = (403, "wrong_merchant_account", Some("merchantAccount"));
    bundle.refuses("another's", request, refusal).await;
    bundle.is_untouched().await;
}

#[tokio::test]
async fn payment_methods_need_a_country_and_an_amount() {
    let amount = json!({"currency": "EUR", "value": 1000});
    let rows: Vec<(Value, &str, &str)> = vec![
        (json!({}), "countryCode", "missing_field"),
        (json!({"amount": amount}), "countryCode", "missing_field"),
        (json!({"countryCode": "NL"}), "amount", "missing_field"),
        (json!({"countryCode": "NL", "amount": {"value": 1}}), "amount.currency", "missing_field"),
        (
            json!({"countryCode": "NL", "amount": {"currency": "EUR"}}),
            "amount.value",
            "missing_field",
        ),
        (json!({"countryCode": null, "amount": amount}), "countryCode", "invalid_field"),
        (json!({"countryCode": "nl", "amount": amount}), "countryCode", "invalid_field"),
        (json!({"countryCode": 31, "amount": amount}), "countryCode", "invalid_field"),
        (json!({"countryCode": "NL", "amount": "EUR 10"}), "amount", "invalid_field"),
        (
            json!({"countryCode": "NL", "amount": {"currency": "XXX", "value": 1000}}),
            "amount.currency",
            "invalid_field",
        ),
        (
            json!({"countryCode": "NL", "amount": amount, "channel": "web"}),
            "channel",
            "invalid_field",
        ),
        (
            json!({"countryCode": "NL", "amount": amount, "shopperLocale": "Dutch!"}),
            "shopperLocale",
            "invalid_field",
        ),
        (
            json!({"countryCode": "NL", "amount": amount, "allowedPaymentMethods": ["ideal"]}),
            "allowedPaymentMethods",
            "unknown_field",
        ),
        (
            json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000, "a": 1}}),
            "amount.a",
            "unknown_field",
        ),
    ];
    let bundle = Untouched::start().await;
    for (body, field, code) in rows {
        let request = bundle.post("/paymentMethods", body.to_string());
        bundle.refuses(&body.to_string(), request, (422, code, Some(field))).await;
    }
    let foreign = json!({"countryCode": "NL", "amount": amount, "merchantAccount": "Other"});
    let request = bundle.post("/paymentMethods", foreign.to_string());
    let refusal = (403, "wrong_merchant_account", Some("merchantAccount"));
    bundle.refuses("another's", request, refusal).await;
    bundle.is_untouched().await;
}

#[tokio::test]
async fn malformed_reference_returns_404() {
    let bundle = Untouched::start().await;
    let long = "x".repeat(81);
    for reference in [
        "ORDER-1",
        "ORDER%201",
        "psp%23ABC",
        "ORDER%3A1",
        "%00",
        "%F0%9F%98%80",
        "..%2Forders",
        "null",
        &long,
    ] {
        let request =
            bundle.0.request(Method::GET, &format!("/orders/{reference}")).bearer_auth(backend());
        let answer = Answer::of(request.try_clone().unwrap()).await;
        if answer.headers["content-type"] == "application/json" {
            // The gateway decodes the path before it matches routes, as AWS does.
            assert_eq!((reference, answer.status), ("..%2Forders", 404));
            continue;
        }
        bundle.refuses(reference, request, (404, "order_not_found", None)).await;
    }
    bundle.is_untouched().await;
}
