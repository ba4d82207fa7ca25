//! Requests for payment methods, payments and orders.

use serde_json::{Value, json};

use super::call::Call;
use super::call::Caller::{Checkout as Shopper, Merchant, Nobody};
use super::{EventsError, Sample};

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    [payment_methods(), payments(), orders(), dead_letters()]
        .into_iter()
        .flatten()
        .map(Call::sample)
        .collect()
}

fn payment_methods() -> Vec<Call> {
    let call =
        |name, caller, body| Call::post("payment-methods", "/paymentMethods", name, caller, body);
    let amazon_pay = json!({"paymentMethods": [{"type": "amazonpay"}]});
    vec![
        call("payment-methods", Shopper("EVENT-METHODS"), json!({}))
            .answers(200, amazon_pay.clone()),
        call(
            "payment-methods-merchant",
            Merchant,
            json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}}),
        )
        .answers(200, amazon_pay),
        call(
            "payment-methods-unsupported-country",
            Merchant,
            json!({"countryCode": "BR", "amount": {"currency": "EUR", "value": 1000}}),
        )
        .answers(200, json!({"paymentMethods": []})),
        call("payment-methods-unauthorized", Nobody, json!({}))
            .answers(401, json!({"code": "unauthorized"})),
        call(
            "payment-methods-country-mismatch",
            Shopper("EVENT-METHODS"),
            json!({"countryCode": "DE"}),
        )
        .answers(422, json!({"code": "country_mismatch"})),
    ]
}

fn payments() -> Vec<Call> {
    let call = |name, caller, body| Call::post("payments", "/payments", name, caller, body);
    let next = |step: &str| json!({ "nextStep": step });
    let mut dearer = amazon_pay("");
    dearer["amount"] = json!({"currency": "EUR", "value": 999});
    let mut merchant = amazon_pay("");
    merchant["reference"] = json!("EVENT-MERCHANT");
    merchant["amount"] = json!({"currency": "EUR", "value": 1000});
    vec![
        call("payments-authorised", Shopper("EVENT-AUTHORISED"), amazon_pay(""))
            .answers(200, json!({"resultCode": "Authorised", "nextStep": "success"})),
        call("payments-repeated", Shopper("EVENT-AUTHORISED"), amazon_pay(""))
            .answers(200, json!({"resultCode": "Authorised", "attempt": 1})),
        call("payments-already-paid", Shopper("EVENT-AUTHORISED"), amazon_pay("-AGAIN"))
            .answers(409, json!({"code": "order_already_paid"})),
        call("payments-refused", Shopper("EVENT-REFUSED"), amazon_pay("-REFUSED"))
            .answers(200, next("retryWithAmazonPay")),
        call("payments-cancelled", Shopper("EVENT-CANCELLED"), amazon_pay("-CANCELLED"))
            .answers(200, next("tryAnotherMethod")),
        call("payments-error", Shopper("EVENT-ERROR"), amazon_pay("-ERROR"))
            .answers(200, next("showError")),
        call("payments-pending", Shopper("EVENT-PENDING"), amazon_pay("-PENDING"))
            .answers(200, next("wait")),
        call("payments-merchant", Merchant, merchant)
            .answers(200, json!({"resultCode": "Authorised", "reference": "EVENT-MERCHANT"})),
        call("payments-amount-mismatch", Shopper("EVENT-MISMATCH"), dearer)
            .answers(422, json!({"code": "amount_mismatch"})),
        call(
            "payments-unknown-field",
            Shopper("EVENT-UNKNOWN-FIELD"),
            json!({"paymentMehtod": {}}),
        )
        .answers(422, json!({"code": "unknown_field"})),
        call("payments-unauthorized", Nobody, amazon_pay(""))
            .answers(401, json!({"code": "unauthorized"})),
    ]
}

fn orders() -> Vec<Call> {
    vec![
        Call::order("orders", Shopper("EVENT-AUTHORISED"), "EVENT-AUTHORISED")
            .answers(200, json!({"status": "authorised", "nextStep": "success"})),
        Call::order("orders-refused", Shopper("EVENT-REFUSED"), "EVENT-REFUSED")
            .answers(200, json!({"status": "refused", "nextStep": "retryWithAmazonPay"})),
        Call::order("orders-merchant", Merchant, "EVENT-AUTHORISED")
            .answers(200, json!({"status": "authorised", "attempts": [{}]})),
        Call::order("orders-not-found", Merchant, "EVENT-NO-ORDER")
            .answers(404, json!({"code": "order_not_found"})),
        Call::order("orders-wrong-order", Shopper("EVENT-REFUSED"), "EVENT-AUTHORISED")
            .answers(403, json!({"code": "wrong_order"})),
        Call::bare("orders", ("GET", "/orders"), &[], "?status=refused", "orders-find", Merchant)
            .answers(200, json!({"orders": [{"status": "refused"}]})),
        operation(
            "orders",
            "/orders/{reference}/attempts/{attempt}/close",
            "orders-close",
            &ATTEMPT,
        )
        .sends(json!({"reason": "Looked in the Customer Area: there is no payment."}))
        .answers(409, json!({"code": "wrong_state"})),
        operation(
            "orders",
            "/orders/{reference}/needsAttention/{reason}/acknowledge",
            "orders-acknowledge",
            &[("reference", "EVENT-AUTHORISED"), ("reason", "paid_twice")],
        )
        .sends(json!({"note": "The shopper wanted both."}))
        .answers(404, json!({"code": "attention_not_found"})),
        Call::order("orders-unauthorized", Nobody, "EVENT-AUTHORISED")
            .answers(401, json!({"code": "unauthorized"})),
    ]
}

const ATTEMPT: [(&str, &str); 2] = [("reference", "EVENT-AUTHORISED"), ("attempt", "1")];

fn operation(
    function: &'static str,
    route: &'static str,
    name: &'static str,
    parameters: &[(&str, &str)],
) -> Call {
    Call::bare(function, ("POST", route), parameters, "", name, Merchant)
}

fn dead_letters() -> Vec<Call> {
    let route = ("GET", "/deadLetters");
    let apply = "/deadLetters/{id}/apply";
    vec![
        Call::bare("orders", route, &[], "", "dead-letters", Merchant)
            .answers(200, json!({"deadLetters": []})),
        operation("orders", apply, "dead-letters-apply", &[("id", "UNKNOWN")])
            .answers(404, json!({"code": "dead_letter_not_found"})),
    ]
}

/// A payment whose token selects the simulator's scenario.
pub(super) fn amazon_pay(scenario: &str) -> Value {
    json!({
        "paymentMethod": {
            "type": "amazonpay",
            "amazonPayToken": format!("160583287597AMZN{scenario}"),
        },
        "returnUrl": "https://your-company.example.com/checkout",
    })
}
