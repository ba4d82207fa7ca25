//! `DELETE /shoppers/{shopperReference}/storedPaymentMethods/{id}`.

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, Response};
use shared::{
    adyen::recurring::Removal,
    clock,
    domain::{
        text::Text,
        token::{Token, TokenEvent, TokenId, TokenStatus},
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
};
use tokio::time::Instant;

use crate::{State, path_parameter, shopper};

/// Removes a stored payment method at Adyen, then disables its token. The request may be
/// repeated, because removing a method that does not exist succeeds too.
pub async fn remove(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    edge::merchant(caller, "Only the merchant's backend may remove stored payment methods.")?;
    let key =
        TokenId { shopper_reference: shopper(request)?, stored_payment_method_id: id(request)? };
    // Read the time before the call, so that it is not later than Adyen's date of the removal.
    let now = clock::now();
    let removal = remove_at_adyen(state, &key, until).await?;
    state
        .tokens
        .change(&key, |token| {
            let ended = |token: &Token| token.status() == TokenStatus::Disabled;
            match &removal {
                Removal::NotFound(error) if !token.as_ref().is_some_and(ended) => {
                    return Err(edge::unanswered(error));
                }
                // Neither Adyen nor the table knows it, so store nothing.
                Removal::Gone if token.is_none() => return Ok(()),
                _ => {}
            }
            // Store a disabled token even if its webhook has not arrived, because that webhook
            // must not make it chargeable.
            token
                .get_or_insert_with(|| Token::new(key.clone(), now))
                .disable(TokenEvent::disabled("removed", None, now));
            Ok(())
        })
        .await?;
    tracing::info!(?removal, "stored payment method removed");
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub async fn remove_at_adyen(
    state: &State,
    key: &TokenId,
    until: Instant,
) -> Result<Removal, Problem> {
    let removal = state.adyen.remove_stored_payment_method(&state.merchant_account, key, until);
    removal.await.map_err(|error| edge::unanswered(&error))
}

/// The id in the path. Dots alone are rejected, because they would change the path at Adyen.
fn id(request: &Request) -> Result<Text<64>, Problem> {
    let id: Text<64> = path_parameter(request, "id")?;
    if id.bytes().all(|c| c == b'.') {
        return Err(
            Problem::new(Code::InvalidField, "id: expected a storedPaymentMethodId.").at("id")
        );
    }
    Ok(id)
}
