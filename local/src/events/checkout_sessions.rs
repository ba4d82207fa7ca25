//! Requests for checkout sessions, and payments with a checkout session.

use amazon_pay_simulator::Simulator;
use serde_json::json;

use super::call::Call;
use super::call::Caller::{Checkout, Nobody};
use super::{EventsError, Sample};

/// A session for which the shopper picked a card.
const OPEN: &str = "EVENT-SESSION-1";

/// A session that the shopper confirmed for EUR 10.00.
const CONFIRMED: &str = "EVENT-SESSION-2";

/// Opens the sessions of the events, which `cargo dev` does at its start.
pub fn open_sessions(amazon: &Simulator) {
    amazon.open(OPEN);
    amazon.confirmed_for("EVENT-SESSION", CONFIRMED, "10.00", "EUR");
}

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    let create = |name, caller| {
        let body = json!({
            "checkoutReviewReturnUrl": "https://your-company.example.com/review",
            "checkoutResultReturnUrl": "https://your-company.example.com/result",
        });
        Call::post("checkout-sessions", "/checkoutSessions", name, caller, body)
    };
    let confirm = |name, id| {
        let route = ("PATCH", "/checkoutSessions/{id}");
        let caller = Checkout("EVENT-SESSION");
        Call::bare("checkout-sessions", route, &[("id", id)], "", name, caller)
    };
    let pay = |name, reference, id| {
        let body = json!({"paymentMethod": {"type": "amazonpay", "amazonCheckoutSessionId": id}});
        Call::post("payments", "/payments", name, Checkout(reference), body)
    };
    let unknown = "bd504926-f659-4ad7-a1a9-9a747aaf5275";
    let not_found = json!({"code": "checkout_session_not_found"});
    [
        create("checkout-sessions", Checkout("EVENT-SESSION"))
            .answers(200, json!({"ledgerCurrency": "EUR", "sandbox": true})),
        create("checkout-sessions-unauthorized", Nobody)
            .answers(401, json!({"code": "unauthorized"})),
        confirm("checkout-sessions-confirm", OPEN)
            .answers(200, json!({"checkoutSessionId": OPEN, "reference": "EVENT-SESSION"})),
        confirm("checkout-sessions-confirm-unknown", unknown).answers(404, not_found.clone()),
        pay("payments-session", "EVENT-SESSION", CONFIRMED)
            .answers(200, json!({"resultCode": "Authorised", "nextStep": "success"})),
        pay("payments-session-unknown", "EVENT-SESSION-UNKNOWN", unknown).answers(404, not_found),
    ]
    .into_iter()
    .map(Call::sample)
    .collect()
}
