//! Stored payment methods: one is created, listed, charged and removed, another is revoked. Then the
//! shopper's data are exported and erased.

use serde_json::{Value, json};

use super::api::amazon_pay;
use super::call::Call;
use super::call::Caller::{self, Checkout, Merchant, Nobody, Shopper};
use super::{EventsError, Sample, webhooks};

const SHOPPER: &str = "YOUR_SHOPPER_REFERENCE";

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    let id = &adyen_simulator::token_id(SHOPPER, "160583287597AMZN", 0);
    let webhook = |name, event| webhooks::about_token(name, event, SHOPPER, id);
    Ok([
        called(stored())?,
        vec![
            webhook("webhooks-token-created", "created")?,
            webhook("webhooks-token-updated", "updated")?,
            webhook("webhooks-token-already-existing", "alreadyExisting")?,
        ],
        called(listed(id))?,
        called(charged(id))?,
        called(removed(id))?,
        vec![webhook("webhooks-token-disabled", "disabled")?],
        revoked()?,
        called(erased())?,
        vec![webhook("webhooks-token-created-late", "created")?],
    ]
    .into_iter()
    .flatten()
    .collect())
}

fn called(calls: Vec<Call>) -> Result<Vec<Sample>, EventsError> {
    calls.into_iter().map(Call::sample).collect()
}

fn stored() -> Vec<Call> {
    vec![
        store("payments-store", Shopper("EVENT-STORE", SHOPPER), "")
            .answers(200, json!({"resultCode": "Authorised"})),
        store("payments-store-no-shopper", Checkout("EVENT-STORE-NOBODY"), "")
            .answers(422, json!({"code": "missing_field", "field": "shopperReference"})),
    ]
}

fn store(name: &'static str, caller: Caller, scenario: &str) -> Call {
    let mut body = amazon_pay(scenario);
    body["storePaymentMethod"] = json!(true);
    body["recurringProcessingModel"] = json!("Subscription");
    Call::post("payments", "/payments", name, caller, body)
}

fn listed(id: &str) -> Vec<Call> {
    let active =
        json!({"storedPaymentMethods": [{"storedPaymentMethodId": id, "status": "active"}]});
    vec![
        list("tokens", Merchant, "").answers(200, active.clone()),
        list("tokens-all", Merchant, "?status=all").answers(200, active.clone()),
        list("tokens-shopper", Shopper("EVENT-LIST", SHOPPER), "").answers(200, active),
        list("tokens-wrong-shopper", Shopper("EVENT-LIST", "ANOTHER_SHOPPER"), "")
            .answers(403, json!({"code": "wrong_shopper"})),
        list("tokens-unauthorized", Nobody, "").answers(401, json!({"code": "unauthorized"})),
    ]
}

fn charged(id: &str) -> Vec<Call> {
    let refused = |code: &str| json!({ "code": code });
    vec![
        charge("payments-charge", Merchant, "EVENT-CHARGE", SHOPPER, id)
            .answers(200, json!({"resultCode": "Authorised", "reference": "EVENT-CHARGE"})),
        charge("payments-charge-repeated", Merchant, "EVENT-CHARGE", SHOPPER, id)
            .answers(200, json!({"resultCode": "Authorised", "attempt": 1})),
        charge(
            "payments-charge-browser",
            Shopper("EVENT-CHARGE", SHOPPER),
            "EVENT-CHARGE",
            SHOPPER,
            id,
        )
        .answers(403, refused("merchant_token_required")),
        charge(
            "payments-charge-wrong-shopper",
            Merchant,
            "EVENT-CHARGE-WRONG",
            "ANOTHER_SHOPPER",
            id,
        )
        .answers(422, refused("stored_payment_method_wrong_shopper")),
        charge(
            "payments-charge-unknown",
            Merchant,
            "EVENT-CHARGE-UNKNOWN",
            SHOPPER,
            "M5N7TQ4TG5PFWR50",
        )
        .answers(422, refused("stored_payment_method_unknown")),
    ]
}

fn removed(id: &str) -> Vec<Call> {
    let remove = |name, caller| {
        let route = ("DELETE", "/shoppers/{shopperReference}/storedPaymentMethods/{id}");
        let parameters = [("shopperReference", SHOPPER), ("id", id)];
        Call::bare("tokens", route, &parameters, "", name, caller)
    };
    vec![
        remove("tokens-remove-shopper", Shopper("EVENT-LIST", SHOPPER))
            .answers(403, json!({"code": "merchant_token_required"})),
        remove("tokens-remove", Merchant).answers(204, json!("")),
        remove("tokens-remove-again", Merchant).answers(204, json!("")),
        list("tokens-refresh", Merchant, "?refresh=true&status=all").answers(
            200,
            json!({"storedPaymentMethods": [{"storedPaymentMethodId": id, "status": "disabled"}]}),
        ),
        charge("payments-charge-disabled", Merchant, "EVENT-CHARGE-DISABLED", SHOPPER, id)
            .answers(422, json!({"code": "stored_payment_method_disabled"})),
    ]
}

/// A token that the simulator revokes after one charge.
fn revoked() -> Result<Vec<Sample>, EventsError> {
    const SHOPPER: &str = "ANOTHER_SHOPPER_REFERENCE";
    let id = &adyen_simulator::token_id(SHOPPER, "160583287597AMZN-REVOKED", 0);
    let caller = Shopper("EVENT-STORE-REVOKED", SHOPPER);
    let charge = |name, reference| charge(name, Merchant, reference, SHOPPER, id);
    let refused = json!({
        "resultCode": "Refused",
        "refusalReason": "Token Revoked",
        "refusalReasonCode": "50",
    });
    Ok([
        called(vec![
            store("payments-store-revoked", caller, "-REVOKED")
                .answers(200, json!({"resultCode": "Authorised"})),
        ])?,
        vec![webhooks::about_token("webhooks-token-created-revoked", "created", SHOPPER, id)?],
        called(vec![
            charge("payments-charge-before-revoked", "EVENT-CHARGE-BEFORE")
                .answers(200, json!({"resultCode": "Authorised"})),
            charge("payments-charge-revoked", "EVENT-CHARGE-REVOKED").answers(200, refused),
            charge("payments-charge-after-revoked", "EVENT-CHARGE-AFTER")
                .answers(422, json!({"code": "stored_payment_method_disabled"})),
        ])?,
    ]
    .into_iter()
    .flatten()
    .collect())
}

fn erased() -> Vec<Call> {
    let query = format!("?shopperReference={SHOPPER}");
    let call = |method, name, caller| {
        Call::bare("tokens", (method, "/shoppers"), &[], &query, name, caller)
    };
    let nothing = json!({"orders": [], "storedPaymentMethods": [], "deadLetters": []});
    vec![
        call("GET", "shoppers-export-browser", Shopper("EVENT-LIST", SHOPPER))
            .answers(403, json!({"code": "merchant_token_required"})),
        call("GET", "shoppers-export", Merchant).answers(200, json!({"shopperReference": SHOPPER})),
        call("DELETE", "shoppers-erase", Merchant)
            .answers(200, json!({"finished": true, "remaining": nothing})),
    ]
}

fn list(name: &'static str, caller: Caller, query: &str) -> Call {
    let route = ("GET", "/shoppers/{shopperReference}/storedPaymentMethods");
    let parameters = [("shopperReference", SHOPPER)];
    Call::bare("tokens", route, &parameters, query, name, caller)
}

fn charge(name: &'static str, caller: Caller, reference: &str, shopper: &str, id: &str) -> Call {
    let body: Value = json!({
        "amount": {"value": 1000, "currency": "EUR"},
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": id},
        "reference": reference,
        "shopperReference": shopper,
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription",
    });
    Call::post("payments", "/payments", name, caller, body)
}
