//! 3-D Secure: the actions, and POST /payments/details that completes them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use simulator_http::Answer;

use crate::books::{Payment, State};
use crate::desk::{Answered, Desk};
use crate::payments::{self, CANCELLED, NOT_AUTHENTICATED, Telling, Verdict};
use crate::{errors, members, validate};

/// The members of PaymentCompletionDetails.
const DETAILS: &str = "MD PaReq PaRes authorization_token billingToken cupsecureplus.smscode \
    facilitatorAccessToken oneTimePasscode orderID payerID payload paymentID \
    paymentStatus redirectResult resultCode returnUrlQueryString threeDSResult \
    threeds2.challengeResult threeds2.fingerprint vaultToken";

/// What the redirect page of `action` returns with; `outcome` is `approved`, `refused` or
/// `cancelled`.
pub fn redirect_result(action: &Value, outcome: &str) -> String {
    format!("{}!{outcome}", action_id(action))
}

/// The `threeDSResult` after an IdentifyShopper with that action.
pub fn fingerprint_result(action: &Value) -> String {
    encode(&json!({"authorisationToken": action_id(action), "threeDSCompInd": "Y"}))
}

/// The `threeDSResult` after a ChallengeShopper with that action.
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

/// The answer to a payment that goes to the redirect page.
pub(crate) fn redirect(
    desk: &mut Desk,
    request: &validate::Payment,
    mut payment: Payment,
) -> Answered {
    needs_browser(request)?;
    let id = new_id(desk);
    let action = json!({
        "type": "redirect",
        "method": "GET",
        "url": format!("{}/threeds/{id}", desk.base),
        "paymentMethodType": "amazonpay",
    });
    payment.state = State::Redirect;
    payment.action_id = Some(id);
    desk.save(&payment);
    Ok(Answer::json(200, &json!({"resultCode": "RedirectShopper", "action": action})))
}

/// The answer to a payment that is authenticated in the merchant's own page.
pub(crate) fn identify(
    desk: &mut Desk,
    request: &validate::Payment,
    mut payment: Payment,
) -> Answered {
    needs_browser(request)?;
    if request.channel.as_deref() != Some("Web") {
        return Err(errors::invalid("14_036", "channel is missing"));
    }
    if request.origin.is_none() {
        return Err(errors::invalid("14_035", "origin is missing"));
    }
    let id = new_id(desk);
    payment.state = State::Fingerprint;
    payment.action_id = Some(id.clone());
    desk.save(&payment);
    Ok(native(desk, &id, "IdentifyShopper", "fingerprint"))
}

fn native(desk: &Desk, id: &str, result_code: &str, subtype: &str) -> Answer {
    let token = encode(&json!({"threeDSServerTransID": id, "messageVersion": "2.2.0"}));
    let action = json!({
        "type": "threeDS2",
        "subtype": subtype,
        "token": token,
        "authorisationToken": id,
        "paymentData": id,
        "paymentMethodType": "amazonpay",
        "url": format!("{}/threeds/{id}", desk.base),
    });
    Answer::json(200, &json!({"resultCode": result_code, "action": action}))
}

fn needs_browser(request: &validate::Payment) -> Result<(), Answer> {
    match request.has_browser_info {
        true => Ok(()),
        false => Err(errors::invalid("15_015", "browserInfo is missing")),
    }
}

fn new_id(desk: &Desk) -> String {
    match desk.key {
        Some(key) => id_for_key(key),
        None => format!("{:032x}", fastrand::u128(..)),
    }
}

/// Names, in 3-D Secure, the payment that was made under that idempotency key: always the
/// same, so that `events/` can name it.
pub fn id_for_key(key: &str) -> String {
    hex::encode(&digest(&SHA256, key.as_bytes()).as_ref()[..16])
}

/// What the shopper brings back.
enum Shown {
    Fingerprint,
    Redirect(Verdict),
    Challenge(Verdict),
}

/// POST /payments/details.
pub(crate) fn details(desk: &mut Desk, request: &Value) -> Answered {
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
    let (id, shown) = shown(details, members::text(fields, "paymentData")?)?;
    let payment = desk
        .books
        .payments
        .iter()
        .rev()
        .find(|payment| payment.action_id.as_deref() == Some(&id))
        .cloned()
        .ok_or_else(garbage)?;
    if payment.closes_at.is_some_and(|end| end <= desk.now) {
        return Err(errors::invalid("702", "The payment has expired"));
    }
    match (payment.state, shown) {
        (State::Redirect, Shown::Redirect(verdict))
        | (State::Challenge, Shown::Challenge(verdict)) => {
            Ok(payments::finish(desk, payment, verdict, Telling::Soon))
        }
        (State::Fingerprint, Shown::Fingerprint) => {
            desk.save(&Payment { state: State::Challenge, ..payment });
            Ok(native(desk, &id, "ChallengeShopper", "challenge"))
        }
        (State::Redirect | State::Fingerprint, _) | (State::Challenge, Shown::Redirect(_)) => {
            Err(garbage())
        }
        // This result was submitted before.
        _ => Err(errors::coded("704")),
    }
}

fn shown(details: &Map<String, Value>, data: Option<&str>) -> Result<(String, Shown), Answer> {
    if let Some(result) = members::text(details, "redirectResult")? {
        let (id, outcome) = result.split_once('!').ok_or_else(garbage)?;
        let verdict = match outcome {
            "approved" => Verdict::Authorised,
            "refused" => NOT_AUTHENTICATED,
            "cancelled" => CANCELLED,
            _ => return Err(garbage()),
        };
        return Ok((id.into(), Shown::Redirect(verdict)));
    }
    for name in ["threeDSResult", "threeds2.fingerprint", "threeds2.challengeResult"] {
        let Some(result) = members::text(details, name)? else {
            continue;
        };
        let result = BASE64_STANDARD
            .decode(result)
            .ok()
            .and_then(|json| serde_json::from_slice::<Value>(&json).ok())
            .ok_or_else(garbage)?;
        let id = result["authorisationToken"].as_str().or(data).ok_or_else(garbage)?;
        let shown = match result["transStatus"].as_str() {
            Some("Y" | "A") => Shown::Challenge(Verdict::Authorised),
            Some(_) => Shown::Challenge(NOT_AUTHENTICATED),
            None if result["threeDSCompInd"].is_string() => Shown::Fingerprint,
            None => return Err(garbage()),
        };
        return Ok((id.into(), shown));
    }
    Err(garbage())
}

fn garbage() -> Answer {
    errors::invalid("702", "The details could not be read")
}
