//! `PATCH /checkoutSessions/{id}`: sets the amount and the order before the shopper confirms.

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

use crate::{State, require_ledger_currency};

/// The order that the session pays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    reference: Reference,
    amount: Amount,
    // The body may repeat the token's claims, which are only checked for their format here.
    #[serde(rename = "countryCode")]
    _country_code: Option<CountryCode>,
    #[serde(rename = "shopperReference")]
    _shopper_reference: Option<ShopperReference>,
}

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
    let order = read(caller, edge::optional_json_object(request)?)?;
    require_ledger_currency(amazon_pay, &order.amount)?;
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

/// Reads the order from a browser's token, or from the body of the merchant's backend.
fn read(caller: &Caller, mut body: Map<String, Value>) -> Result<Order, Problem> {
    let completed = edge::complete(&mut body, caller);
    let order = edge::typed(body)?;
    completed?;
    Ok(order)
}
