//! Events of Amazon Pay's side of the checkout.

use serde_json::json;

use super::call::Call;
use super::call::Caller::{Checkout, Nobody};
use super::{EventsError, Sample};

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    let create = |name, caller| {
        let body = json!({
            "checkoutReviewReturnUrl": "https://your-company.example.com/review",
            "checkoutResultReturnUrl": "https://your-company.example.com/result",
        });
        Call::post("checkout-sessions", "/checkoutSessions", name, caller, body)
    };
    let confirm = Call::bare(
        "checkout-sessions",
        ("PATCH", "/checkoutSessions/{id}"),
        &[("id", "bd504926-f659-4ad7-a1a9-9a747aaf5275")],
        "",
        "checkout-sessions-confirm-unknown",
        Checkout("EVENT-SESSION"),
    );
    [
        create("checkout-sessions", Checkout("EVENT-SESSION"))
            .answers(200, json!({"ledgerCurrency": "EUR", "sandbox": true})),
        create("checkout-sessions-unauthorized", Nobody)
            .answers(401, json!({"code": "unauthorized"})),
        confirm.answers(404, json!({"code": "checkout_session_not_found"})),
    ]
    .into_iter()
    .map(Call::sample)
    .collect()
}
