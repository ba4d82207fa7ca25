//! The calls that Adyen Web makes from a shopper's browser, with the client key.
//!
//! Adyen documents none of them. Paths and members are those of Adyen Web 6.45.

use serde_json::{Map, Value, json};
use simulator_http::{Answer, Request};
use url::Url;

use crate::context::{CallContext, CallResult};
use crate::simulator::Inner;
use crate::{errors, members, three_ds, validate};

/// The answer to a call of a browser, or none if the path is not one of them.
pub(crate) fn answer(inner: &Inner, request: &Request) -> Option<Answer> {
    let path = request.path.strip_prefix("/checkoutshopper/");
    let path = path.or_else(|| request.path.strip_prefix("/checkoutanalytics/"))?;
    if request.method == "OPTIONS" {
        let answer = Answer::text(204, "text/plain", "");
        let answer = answer.header("access-control-allow-methods", "GET, POST");
        return Some(allowed(answer.header("access-control-allow-headers", "content-type")));
    }
    let called = inner.change(|ctx| {
        let called = call(ctx, request, path);
        if called.is_err() {
            ctx.changes.clear();
        }
        called
    });
    let answer = match called {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(error) => {
            inner.log_unwritten(&error);
            errors::coded("903")
        }
    };
    inner.log(&format!("{} {} -> {}", request.method, request.path, answer.status));
    Some(allowed(answer))
}

/// Adyen allows the origins of the client key, and the simulator allows all.
fn allowed(answer: Answer) -> Answer {
    answer.header("access-control-allow-origin", "*")
}

fn call(ctx: &mut CallContext, request: &Request, path: &str) -> CallResult {
    if request.method != "POST" {
        return Err(errors::service_error(404, "000", "Not found"));
    }
    let query = request.parameters();
    if query.get("clientKey").or(query.get("token")) != Some(&ctx.options.client_key) {
        return Err(errors::coded("000"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| {
        errors::service_error(400, "702", &format!("Unexpected input: {error}"))
    })?;
    match path {
        "v1/submitThreeDS2Fingerprint" => three_ds::submit_fingerprint(ctx, &body),
        "v1/AmazonPayUtility/signString" => sign(ctx, members::object(&body, "body")?),
        "v1/AmazonPayUtility/getCheckoutDetails" => {
            checkout_details(ctx, members::object(&body, "body")?)
        }
        "v1/AmazonPayUtility/updateCheckoutSession" => {
            update_session(ctx, members::object(&body, "body")?)
        }
        "v3/analytics" => {
            Ok(Answer::json(200, &json!({"checkoutAttemptId": three_ds::new_id(ctx)})))
        }
        _ if path.starts_with("v3/analytics/") => Ok(Answer::json(200, &json!({}))),
        _ => Err(errors::service_error(404, "000", "Not found")),
    }
}

/// Signs the payload of Amazon Pay's button.
fn sign(ctx: &CallContext, body: &Map<String, Value>) -> CallResult {
    members::known(body, "body", "stringToSign")?;
    let payload = members::filled(body, "stringToSign", "702")?;
    let amazon_pay = ctx.options.amazon_pay.as_ref().ok_or_else(|| errors::coded("5_605"))?;
    Ok(Answer::json(200, &json!({"signature": amazon_pay.sign(payload)})))
}

/// Sets the amount of Amazon Pay's session, and sends the shopper to confirm it.
fn update_session(ctx: &CallContext, body: &Map<String, Value>) -> CallResult {
    members::known(
        body,
        "body",
        "amount chargePermissionType checkoutResultReturnUrl checkoutSessionId publicKeyId \
         recurringMetadata region",
    )?;
    let amount = validate::amount(body)?;
    let session = members::filled(body, "checkoutSessionId", "702")?;
    let return_url = members::filled(body, "checkoutResultReturnUrl", "702")?;
    let return_url = Url::parse(return_url)
        .map_err(|_| errors::invalid("702", "checkoutResultReturnUrl is not a valid URL"))?;
    let amazon_pay = ctx.options.amazon_pay.as_ref().ok_or_else(|| errors::coded("5_605"))?;
    let page = amazon_pay.update(session, &amount, &return_url);
    let page = page.ok_or_else(|| errors::coded("5_602"))?;
    Ok(Answer::json(200, &json!({"action": {"type": "redirect", "url": page}})))
}

/// The page for another card. A session without shipping has no other details.
fn checkout_details(ctx: &CallContext, body: &Map<String, Value>) -> CallResult {
    members::known(
        body,
        "body",
        "checkoutSessionId getDeclineFlowUrl getDeliveryAddress publicKeyId region",
    )?;
    let session = members::filled(body, "checkoutSessionId", "702")?;
    let declined = members::flag(body, "getDeclineFlowUrl")? == Some(true);
    members::flag(body, "getDeliveryAddress")?;
    let amazon_pay = ctx.options.amazon_pay.as_ref().ok_or_else(|| errors::coded("5_605"))?;
    let page = amazon_pay.page(session).ok_or_else(|| errors::coded("5_602"))?;
    Ok(Answer::json(200, &if declined { json!({"declineFlowUrl": page}) } else { json!({}) }))
}
