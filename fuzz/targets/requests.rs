//! Feeds bodies of a browser's and of a backend's requests. What is accepted is sent to Adyen
//! unchanged, and a repeated request has the same digests.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use lambda_http::{Body, Request};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shared::adyen::payments::{PaymentDetailsRequest, PaymentRequest};
use shared::http::{edge, jwt::Caller};

static CALLERS: LazyLock<[Caller; 2]> = LazyLock::new(|| {
    let order = json!({
        "reference": "ORDER-1", "amount": {"currency": "EUR", "value": 1000}, "countryCode": "NL",
    });
    [
        Caller::Checkout(serde_json::from_value(order).unwrap()),
        Caller::Merchant(Default::default()),
    ]
});

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let mut request = Request::new(Body::Binary(body.to_vec()));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let Ok(body) = edge::json_object(&request) else { return };
    for caller in &*CALLERS {
        payment(body.clone(), caller);
    }
    typed::<PaymentDetailsRequest>(body);
});

fn payment(mut body: Map<String, Value>, caller: &Caller) {
    let completed = edge::complete_payment(&mut body, caller).is_ok();
    if completed && let Caller::Checkout(order) = caller {
        assert_eq!(body["amount"], json!(order.amount));
        assert_eq!(body["reference"], json!(order.reference));
    }
    let Some(payment) = typed::<PaymentRequest>(body.clone()) else { return };
    let submission = |payment: &PaymentRequest| {
        payment.submission(&body, None, Timestamp::UNIX_EPOCH)
    };
    let sent: PaymentRequest = serde_json::from_value(json!(payment)).unwrap();
    assert_eq!(submission(&sent), submission(&payment));
}

fn typed<T: DeserializeOwned>(body: Map<String, Value>) -> Option<T> {
    edge::typed(body).ok()
}
