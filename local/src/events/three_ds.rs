//! Payments with 3-D Secure, and their details.

use serde_json::{Value, json};
use shared::domain::order::idempotency_key;
use shared::domain::reference::InvalidReference;

use super::api::amazon_pay;
use super::call::Call;
use super::call::Caller::{self, Checkout, Nobody};
use super::{EventsError, Sample};
use crate::keys;

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    [payments(), redirects()?, challenges()?, rejections()]
        .into_iter()
        .flatten()
        .map(Call::sample)
        .collect()
}

fn payments() -> Vec<Call> {
    let pay = |name, order, scenario| {
        let body = with_browser(amazon_pay(scenario));
        Call::post("payments", "/payments", name, Checkout(order), body)
    };
    let asks = |code: &str| json!({"resultCode": code, "nextStep": "handleAction"});
    vec![
        pay("payments-browser-info", "EVENT-BROWSER-INFO", "").answers(200, authorised()),
        pay("payments-redirect", "EVENT-REDIRECT", "-3DS-REDIRECT")
            .answers(200, asks("RedirectShopper")),
        pay("payments-challenge", "EVENT-CHALLENGE", "-3DS-CHALLENGE")
            .answers(200, asks("IdentifyShopper")),
    ]
}

fn redirects() -> Result<Vec<Call>, EventsError> {
    let action = action("EVENT-REDIRECT")?;
    let result = json!({"redirectResult": adyen_simulator::redirect_result(&action, "approved")});
    let call = |name| details(name, Checkout("EVENT-REDIRECT"), &result);
    Ok(vec![
        call("payments-details").answers(200, authorised()),
        call("payments-details-repeated").answers(200, authorised()),
    ])
}

fn challenges() -> Result<Vec<Call>, EventsError> {
    let action = action("EVENT-CHALLENGE")?;
    let call = |name, result: String| {
        let result = json!({ "threeDSResult": result });
        details(name, Checkout("EVENT-CHALLENGE"), &result)
    };
    Ok(vec![
        call("payments-details-fingerprint", adyen_simulator::fingerprint_result(&action))
            .answers(200, json!({"resultCode": "ChallengeShopper", "nextStep": "handleAction"})),
        call("payments-details-challenge", adyen_simulator::challenge_result(&action, true))
            .answers(200, authorised()),
    ])
}

fn rejections() -> Vec<Call> {
    let result = json!({"redirectResult": "0123456789abcdef!approved"});
    vec![
        details("payments-details-no-order", Checkout("EVENT-NO-ORDER"), &result)
            .answers(404, json!({"code": "order_not_found"})),
        details("payments-details-unauthorized", Nobody, &result)
            .answers(401, json!({"code": "unauthorized"})),
    ]
}

fn details(name: &'static str, caller: Caller, result: &Value) -> Call {
    let body = json!({ "details": result });
    Call::post("payments", "/payments/details", name, caller, body)
}

fn authorised() -> Value {
    json!({"resultCode": "Authorised", "nextStep": "success", "attempt": 1})
}

/// The part of the simulator's action that identifies the first attempt of an order.
fn action(reference: &str) -> Result<Value, EventsError> {
    let reference = reference
        .parse()
        .map_err(|error: InvalidReference| EventsError::Sign(error.to_string()))?;
    let key = idempotency_key(keys::MERCHANT_ACCOUNT, &reference, 1);
    Ok(json!({"url": adyen_simulator::id_for_key(&key)}))
}

fn with_browser(mut payment: Value) -> Value {
    payment["channel"] = json!("Web");
    payment["origin"] = json!("https://your-company.example.com");
    payment["browserInfo"] = json!({
        "acceptHeader": "*/*",
        "colorDepth": 24,
        "javaEnabled": false,
        "language": "nl-NL",
        "screenHeight": 900,
        "screenWidth": 1440,
        "timeZoneOffset": -60,
        "userAgent": "Mozilla/5.0",
    });
    payment
}
