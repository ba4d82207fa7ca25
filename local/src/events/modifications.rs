//! Modifications of a payment that is already captured.

use serde_json::{Value, json};

use super::call::Call;
use super::call::Caller::{self, Checkout, Merchant};
use super::{EventsError, Sample};

const ORDER: &str = "EVENT-MERCHANT";
const UNTOUCHED: &str = "EVENT-BROWSER-INFO";

const CAPTURES: &str = "/orders/{reference}/captures";
const CANCELS: &str = "/orders/{reference}/cancels";
const REFUNDS: &str = "/orders/{reference}/refunds";
const REVERSALS: &str = "/orders/{reference}/reversals";

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    let amount = |value: i64| json!({"amount": {"currency": "EUR", "value": value}});
    let part = amount(400);
    let all = amount(1000);
    let nothing = json!({});
    let refused = |code: &str| json!({ "code": code });
    [
        call("orders-refund", REFUNDS, Merchant, ORDER, &part)
            .keyed("refund-1")
            .answers(202, part.clone()),
        call("orders-refund-no-key", REFUNDS, Merchant, ORDER, &part)
            .answers(400, refused("idempotency_key_missing")),
        call("orders-refund-too-much", REFUNDS, Merchant, ORDER, &all)
            .keyed("refund-2")
            .answers(422, refused("amount_exceeds_open")),
        call("orders-refund-browser", REFUNDS, Checkout(ORDER), ORDER, &part)
            .answers(403, refused("merchant_token_required")),
        call("orders-capture", CAPTURES, Merchant, ORDER, &all)
            .keyed("capture-1")
            .answers(409, refused("wrong_state")),
        call("orders-cancel", CANCELS, Merchant, ORDER, &nothing)
            .answers(409, refused("wrong_state")),
        call("orders-reversal", REVERSALS, Merchant, UNTOUCHED, &nothing).answers(202, all.clone()),
    ]
    .into_iter()
    .map(Call::sample)
    .collect()
}

fn call(
    name: &'static str,
    route: &'static str,
    caller: Caller,
    order: &str,
    body: &Value,
) -> Call {
    let parameters = [("reference", order)];
    Call::bare("orders", ("POST", route), &parameters, "", name, caller).sends(body.clone())
}
