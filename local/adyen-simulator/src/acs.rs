//! 3-D Secure 2 in the merchant's page: the access control server (ACS) of the shopper's bank, and
//! the pages of Adyen that it notifies.
//!
//! All of them are loaded in an iframe of the merchant's page. Source: EMV 3-D Secure, Protocol and
//! Core Functions, version 2.2.0.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use simulator_http::{Answer, Request, escape_html};
use url::form_urlencoded;

use crate::books::{Books, Payment, PaymentState};
use crate::hosted::written;

pub(crate) const MESSAGE_VERSION: &str = "2.2.0";

/// The bank identifies the browser.
pub(crate) const METHOD: &str = "method";
/// The bank has identified the browser.
pub(crate) const METHOD_NOTIFICATION: &str = "method-notification";
/// The bank asks the shopper.
pub(crate) const CHALLENGE: &str = "challenge";
/// The shopper has answered.
pub(crate) const CHALLENGE_NOTIFICATION: &str = "challenge-notification";

/// The URL of a step of the payment with that id in 3-D Secure.
pub(crate) fn url(base: &str, id: &str, step: &str) -> String {
    format!("{base}/threeds/{id}/{step}")
}

/// POST /threeds/{id}/{step}.
pub(crate) fn page(books: &Books, base: &str, id: &str, step: &str, request: &Request) -> Answer {
    let Some(payment) = books.payment_of_action(id).filter(|_| request.method == "POST") else {
        return html(404, "<p>There is no such payment.</p>");
    };
    let expected = match step {
        METHOD | METHOD_NOTIFICATION => PaymentState::Fingerprint,
        _ => PaymentState::Challenge,
    };
    if payment.state != expected {
        return html(410, "<p>This payment does not wait for this step.</p>");
    }
    let shown = match step {
        METHOD => method(base, id, request),
        METHOD_NOTIFICATION => method_notification(payment, id, request),
        CHALLENGE => challenge(payment, base, id, request),
        CHALLENGE_NOTIFICATION => challenge_notification(payment, id, request),
        _ => return html(404, "<p>There is no such page.</p>"),
    };
    shown.unwrap_or_else(|name| html(400, &format!("<p>{name} is not valid.</p>")))
}

/// The bank takes the fingerprint, which needs nothing here, and notifies Adyen.
fn method(base: &str, id: &str, request: &Request) -> Result<Answer, &'static str> {
    let notify = url(base, id, METHOD_NOTIFICATION);
    let data = message(request, "threeDSMethodData")?;
    if data["threeDSServerTransID"] != id || data["threeDSMethodNotificationURL"] != notify {
        return Err("threeDSMethodData");
    }
    let data = encode(&json!({"threeDSServerTransID": id}));
    let form = form(&notify, "threeDSMethodData", &data, "Continue");
    Ok(html(200, &format!("{form}<script>document.forms[0].submit()</script>")))
}

fn method_notification(
    payment: &Payment,
    id: &str,
    request: &Request,
) -> Result<Answer, &'static str> {
    if message(request, "threeDSMethodData")? != json!({"threeDSServerTransID": id}) {
        return Err("threeDSMethodData");
    }
    let result = json!({"type": "fingerPrintResult", "result": {"threeDSCompInd": "Y"}});
    Ok(tell_merchant(payment, &result))
}

/// The bank's page, which answers a CReq with a CRes.
fn challenge(
    payment: &Payment,
    base: &str,
    id: &str,
    request: &Request,
) -> Result<Answer, &'static str> {
    let creq = message(request, "creq")?;
    let window = creq["challengeWindowSize"].as_str();
    if creq["messageType"] != "CReq"
        || creq["messageVersion"] != MESSAGE_VERSION
        || creq["acsTransID"] != id
        || creq["threeDSServerTransID"] != id
        || !matches!(window, Some("01" | "02" | "03" | "04" | "05"))
    {
        return Err("creq");
    }
    let answer = |status: &str, label: &str| {
        let cres = json!({
            "acsTransID": id,
            "challengeCompletionInd": "Y",
            "messageType": "CRes",
            "messageVersion": MESSAGE_VERSION,
            "threeDSServerTransID": id,
            "transStatus": status,
        });
        form(&url(base, id, CHALLENGE_NOTIFICATION), "cres", &encode(&cres), label)
    };
    let reference = escape_html(&payment.reference);
    Ok(html(
        200,
        &format!(
            "<h1>Your bank</h1><p>Pay <b>{}</b> for {reference}?</p>{}{}",
            written(&payment.amount),
            answer("Y", "Approve"),
            answer("N", "Decline")
        ),
    ))
}

fn challenge_notification(
    payment: &Payment,
    id: &str,
    request: &Request,
) -> Result<Answer, &'static str> {
    let cres = message(request, "cres")?;
    if cres["messageType"] != "CRes"
        || cres["acsTransID"] != id
        || cres["threeDSServerTransID"] != id
    {
        return Err("cres");
    }
    let status = cres["transStatus"].as_str().filter(|status| matches!(*status, "Y" | "N"));
    let result = json!({"transStatus": status.ok_or("cres")?});
    Ok(tell_merchant(payment, &json!({"type": "challengeResult", "result": result})))
}

/// Sends a result to Adyen Web in the merchant's page, which is at the origin of the payment.
fn tell_merchant(payment: &Payment, result: &Value) -> Answer {
    let origin = json!(payment.origin.as_deref().unwrap_or_default()).to_string();
    let result = json!(result.to_string()).to_string();
    // An origin is a URL without a path, and has no `<`.
    html(200, &format!("<script>parent.postMessage({result}, {origin})</script>"))
}

/// The message in a field of a form: JSON in base64url.
fn message(request: &Request, name: &'static str) -> Result<Value, &'static str> {
    let mut fields = form_urlencoded::parse(&request.body);
    let (_, text) = fields.find(|(field, _)| field == name).ok_or(name)?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| name)?;
    serde_json::from_slice(&json).map_err(|_| name)
}

fn encode(message: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(message.to_string())
}

fn form(to: &str, name: &str, value: &str, label: &str) -> String {
    format!(
        "<form method=post action=\"{to}\"><input type=hidden name={name} value=\"{value}\">\
         <button>{label}</button></form>"
    )
}

fn html(status: u16, body: &str) -> Answer {
    Answer::page(status, "3-D Secure simulator", body)
}
