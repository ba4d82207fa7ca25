//! `PATCH /checkoutSessions/{id}`: fix what the shopper is about to confirm.

use http::StatusCode;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    adyen::shopper::CountryCode,
    amazon_pay::{CheckoutSessionId, SessionError},
    domain::{amount::Amount, reference::Reference, shopper_reference::ShopperReference},
    http::{edge, jwt::Caller, problem::Problem},
};

use crate::{State, in_ledger_currency};

/// The order that the session is to pay.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    reference: Reference,
    amount: Amount,
    #[expect(dead_code, reason = "held to what the token says")]
    country_code: Option<CountryCode>,
    #[expect(dead_code, reason = "held to what the token says")]
    shopper_reference: Option<ShopperReference>,
}

/// Where the page sends the shopper.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Confirmation {
    checkout_session_id: CheckoutSessionId,
    reference: Reference,
    amazon_pay_redirect_url: String,
}

pub async fn confirm(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    let amazon_pay = shared::http::amazon_pay::configured(state.amazon_pay.as_ref())?;
    let order = read(caller, edge::json_object_or_nothing(request)?)?;
    in_ledger_currency(amazon_pay, &order.amount)?;
    let parameters = request.path_parameters();
    let named = parameters.first("id").unwrap_or_default();
    // A malformed id cannot exist.
    let id: CheckoutSessionId = named.parse().map_err(|_| SessionError::Unknown)?;
    let amazon_pay_redirect_url =
        amazon_pay.client.confirm(&id, &order.amount, &order.reference, until).await?;
    Ok(edge::json(
        StatusCode::OK,
        &Confirmation {
            checkout_session_id: id,
            reference: order.reference,
            amazon_pay_redirect_url,
        },
    ))
}

/// The order is the token's for a browser, and the body's for the merchant's backend.
fn read(caller: &Caller, mut body: Map<String, Value>) -> Result<Order, Problem> {
    let agreed = edge::complete(&mut body, caller);
    let order = edge::typed(body)?;
    agreed?;
    Ok(order)
}
