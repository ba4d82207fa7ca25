//! 3-D Secure: the actions, and POST /payments/details, which completes them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use simulator_http::Answer;

use crate::books::{Payment, PaymentState};
use crate::context::{CallContext, CallResult};
use crate::payments::{self, CANCELLED, NOT_AUTHENTICATED, Outcome, WebhookTiming};
use crate::scenario::Scenario;
use crate::{acs, errors, members, validate};

/// The members of PaymentCompletionDetails.
const DETAILS: &str = "MD PaReq PaRes authorization_token billingToken cupsecureplus.smscode \
    facilitatorAccessToken oneTimePasscode orderID payerID payload paymentID \
    paymentStatus redirectResult resultCode returnUrlQueryString threeDSResult \
    threeds2.challengeResult threeds2.fingerprint vaultToken";

/// The `redirectResult` of a redirect action; `outcome` is `approved`, `refused` or `cancelled`.
pub fn redirect_result(action: &Value, outcome: &str) -> String {
    format!("{}!{outcome}", action_id(action))
}

/// The `threeDSResult` of an IdentifyShopper action.
pub fn fingerprint_result(action: &Value) -> String {
    encode(&json!({"authorisationToken": action_id(action), "threeDSCompInd": "Y"}))
}

/// The `threeDSResult` of a ChallengeShopper action.
pub fn challenge_result(action: &Value, approved: bool) -> String {
    let status = if approved { "Y" } else { "N" };
    encode(&json!({"authorisationToken": action_id(action), "transStatus": status}))
}

fn action_id(action: &Value) -> &str {
    action["url"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
}

fn encode(value: &Value) -> String {
    BASE64_STANDARD.encode(value.to_string())
}

/// RedirectShopper, for a payment that is authenticated at the bank's page.
pub(crate) fn redirect(
    ctx: &mut CallContext,
    request: &validate::Payment,
    payment: Payment,
) -> CallResult {
    needs_browser(request)?;
    Ok(send_to_page(ctx, payment))
}

/// RedirectShopper, to the page of a bank or of a payment method.
pub(crate) fn send_to_page(ctx: &mut CallContext, mut payment: Payment) -> Answer {
    let id = new_id(ctx);
    let action = json!({
        "type": "redirect",
        "method": "GET",
        "url": format!("{}/threeds/{id}", ctx.base),
        "paymentMethodType": type_of(&payment),
    });
    payment.state = PaymentState::Redirect;
    payment.action_id = Some(id);
    ctx.save(&payment);
    Answer::json(200, &json!({"resultCode": "RedirectShopper", "action": action}))
}

fn type_of(payment: &Payment) -> &str {
    payment.payment_method_type.as_deref().unwrap_or("amazonpay")
}

/// IdentifyShopper, for a payment that is authenticated in the merchant's page.
pub(crate) fn identify(
    ctx: &mut CallContext,
    request: &validate::Payment,
    mut payment: Payment,
) -> CallResult {
    needs_browser(request)?;
    if request.channel.as_deref() != Some("Web") {
        return Err(errors::invalid("14_036", "channel is missing"));
    }
    if request.origin.is_none() {
        return Err(errors::invalid("14_035", "origin is missing"));
    }
    let id = new_id(ctx);
    payment.state = PaymentState::Fingerprint;
    payment.action_id = Some(id.clone());
    ctx.save(&payment);
    // The names are those that Adyen Web reads.
    let token = json!({
        "threeDSMethodNotificationURL": acs::url(ctx.base, &id, acs::METHOD_NOTIFICATION),
        "threeDSMethodUrl": acs::url(ctx.base, &id, acs::METHOD),
        "threeDSServerTransID": id,
    });
    let action = native(ctx, &payment, &id, "fingerprint", &token);
    Ok(Answer::json(200, &json!({"resultCode": "IdentifyShopper", "action": action})))
}

/// The action after a fingerprint.
fn challenge(ctx: &mut CallContext, mut payment: Payment, id: &str) -> Value {
    payment.state = PaymentState::Challenge;
    ctx.save(&payment);
    let token = json!({
        "acsTransID": id,
        "acsURL": acs::url(ctx.base, id, acs::CHALLENGE),
        "messageVersion": acs::MESSAGE_VERSION,
        "threeDSNotificationURL": acs::url(ctx.base, id, acs::CHALLENGE_NOTIFICATION),
        "threeDSServerTransID": id,
    });
    native(ctx, &payment, id, "challenge", &token)
}

fn native(ctx: &CallContext, payment: &Payment, id: &str, subtype: &str, token: &Value) -> Value {
    json!({
        "type": "threeDS2",
        "subtype": subtype,
        "token": encode(token),
        "authorisationToken": id,
        "paymentData": id,
        "paymentMethodType": type_of(payment),
        "url": format!("{}/threeds/{id}", ctx.base),
    })
}

/// POST /v1/submitThreeDS2Fingerprint, which Adyen Web calls in place of /payments/details.
///
/// Adyen does not document it; these are the members that Adyen Web sends and reads.
pub(crate) fn submit_fingerprint(ctx: &mut CallContext, request: &Value) -> CallResult {
    const NAME: &str = "SubmitThreeDS2FingerprintRequest";
    let fields = members::object(request, NAME)?;
    members::known(fields, NAME, "fingerprintResult paymentData")?;
    let id = members::filled(fields, "paymentData", "702")?;
    let result = decode(members::filled(fields, "fingerprintResult", "702")?)?;
    if !matches!(result["threeDSCompInd"].as_str(), Some("Y" | "N" | "U")) {
        return Err(unreadable());
    }
    let payment = ctx.books.payment_of_action(id).cloned().ok_or_else(unreadable)?;
    if payment.state != PaymentState::Fingerprint {
        return Err(errors::coded("704"));
    }
    let answer = if is_frictionless(&payment) {
        ctx.save(&Payment { state: PaymentState::Frictionless, ..payment });
        let result = encode(&json!({"authorisationToken": id, "transStatus": "Y"}));
        json!({"type": "completed", "details": {"threeDSResult": result}})
    } else {
        json!({"type": "action", "action": challenge(ctx, payment, id)})
    };
    Ok(Answer::json(200, &answer))
}

fn is_frictionless(payment: &Payment) -> bool {
    let token = payment.amazon_pay_token.as_deref().unwrap_or_default();
    Scenario::of(token) == Scenario::Frictionless
}

fn needs_browser(request: &validate::Payment) -> Result<(), Answer> {
    match request.has_browser_info {
        true => Ok(()),
        false => Err(errors::invalid("15_015", "browserInfo is missing")),
    }
}

pub(crate) fn new_id(ctx: &CallContext) -> String {
    match ctx.idempotency_key {
        Some(key) => id_for_key(key),
        None => format!("{:032x}", fastrand::u128(..)),
    }
}

/// The id in 3-D Secure of a payment with that idempotency key. It is deterministic, so that the
/// files in `events/` can contain it.
pub fn id_for_key(key: &str) -> String {
    hex::encode(&digest(&SHA256, key.as_bytes()).as_ref()[..16])
}

/// A result of 3-D Secure.
enum DetailsResult {
    Fingerprint,
    Redirect(Outcome),
    Challenge(Outcome),
}

/// POST /payments/details.
pub(crate) fn details(ctx: &mut CallContext, request: &Value) -> CallResult {
    let fields = members::object(request, "PaymentDetailsRequest")?;
    members::known(
        fields,
        "PaymentDetailsRequest",
        "authenticationData details paymentData threeDSAuthenticationOnly",
    )?;
    let Some(details) = fields.get("details") else {
        return Err(errors::invalid("702", "Required object 'details' is not provided."));
    };
    let details = members::object(details, "details")?;
    members::known(details, "PaymentCompletionDetails", DETAILS)?;
    let (id, result) = read_result(details, members::text(fields, "paymentData")?)?;
    let payment = ctx.books.payment_of_action(&id).cloned().ok_or_else(unreadable)?;
    if payment.closes_at.is_some_and(|end| end <= ctx.now) {
        return Err(errors::invalid("702", "The payment has expired"));
    }
    match (payment.state, result) {
        (PaymentState::Redirect, DetailsResult::Redirect(outcome))
        | (PaymentState::Pending, DetailsResult::Redirect(outcome))
        | (
            PaymentState::Challenge | PaymentState::Frictionless,
            DetailsResult::Challenge(outcome),
        ) => Ok(payments::finish(ctx, payment, outcome, WebhookTiming::Soon)),
        (PaymentState::Fingerprint, DetailsResult::Fingerprint) if is_frictionless(&payment) => {
            Ok(payments::finish(ctx, payment, Outcome::Authorised, WebhookTiming::Soon))
        }
        (PaymentState::Fingerprint, DetailsResult::Fingerprint) => {
            let action = challenge(ctx, payment, &id);
            Ok(Answer::json(200, &json!({"resultCode": "ChallengeShopper", "action": action})))
        }
        (PaymentState::Redirect | PaymentState::Fingerprint, _)
        | (PaymentState::Challenge | PaymentState::Frictionless, DetailsResult::Redirect(_)) => {
            Err(unreadable())
        }
        // This result was submitted before.
        _ => Err(errors::coded("704")),
    }
}

fn read_result(
    details: &Map<String, Value>,
    data: Option<&str>,
) -> Result<(String, DetailsResult), Answer> {
    if let Some(result) = members::text(details, "redirectResult")? {
        let (id, outcome) = result.split_once('!').ok_or_else(unreadable)?;
        let outcome = match outcome {
            "approved" => Outcome::Authorised,
            "refused" => NOT_AUTHENTICATED,
            "cancelled" => CANCELLED,
            _ => return Err(unreadable()),
        };
        return Ok((id.into(), DetailsResult::Redirect(outcome)));
    }
    // The SDK of a wallet such as PayPal returns its own members, with the action's paymentData.
    let of_wallet = ["orderID", "payerID", "paymentID", "payload", "billingToken"];
    if let Some(id) = data.filter(|_| of_wallet.iter().any(|name| details.contains_key(*name))) {
        return Ok((id.into(), DetailsResult::Redirect(Outcome::Authorised)));
    }
    for name in ["threeDSResult", "threeds2.fingerprint", "threeds2.challengeResult"] {
        let Some(result) = members::text(details, name)? else {
            continue;
        };
        let result = decode(result)?;
        let id = result["authorisationToken"].as_str().or(data).ok_or_else(unreadable)?;
        let result = match result["transStatus"].as_str() {
            Some("Y" | "A") => DetailsResult::Challenge(Outcome::Authorised),
            Some(_) => DetailsResult::Challenge(NOT_AUTHENTICATED),
            None if result["threeDSCompInd"].is_string() => DetailsResult::Fingerprint,
            None => return Err(unreadable()),
        };
        return Ok((id.into(), result));
    }
    Err(unreadable())
}

fn decode(result: &str) -> Result<Value, Answer> {
    let json = BASE64_STANDARD.decode(result).map_err(|_| unreadable())?;
    serde_json::from_slice(&json).map_err(|_| unreadable())
}

fn unreadable() -> Answer {
    errors::invalid("702", "The details could not be read")
}
