//! `POST /orders/{reference}/attempts/{attempt}/close`.

use lambda_http::{Body, Request, RequestExt, Response};
use serde::Deserialize;
use shared::{
    clock,
    domain::order::{Note, Statement, Unclosable},
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
};

use crate::{State, decided};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosingBody {
    reason: Note,
}

/// Ends the doubt about an attempt whose outcome is unknown.
pub async fn close(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let by = &edge::merchant(caller, "Only the merchant's backend may close attempts.")?.sub;
    let body: ClosingBody = edge::typed(edge::json_object(request)?)?;
    let parameters = request.path_parameters();
    let number = parameters.first("attempt").filter(|it| !it.starts_with(['+', '0']));
    let number = number.and_then(|it| it.parse().ok());
    decided(state, request, "closed", |order| {
        let reason = Statement::new(body.reason.as_str().to_owned(), by.clone(), clock::now());
        order.close(number.unwrap_or_default(), reason).map_err(unclosable)
    })
    .await
}

fn unclosable(unclosable: Unclosable) -> Problem {
    let wrong_state = |detail: &str| Problem::new(Code::WrongState, detail);
    match unclosable {
        Unclosable::NoSuchAttempt => {
            Problem::new(Code::AttemptNotFound, "The order has no attempt of this number.")
        }
        Unclosable::Ended => wrong_state("The attempt has ended, so its outcome is not in doubt."),
        Unclosable::WaitsForShopper => wrong_state(
            "The attempt waits for its shopper, who can return or pay in another way at any time.",
        ),
        Unclosable::PendingAtAdyen => wrong_state(
            "Adyen has the payment and will report its result by webhook; nothing is in doubt.",
        ),
        Unclosable::InFlight { retry_after } => {
            wrong_state("A request of the attempt may still be with Adyen; try again in a moment.")
                .retry_after(retry_after.as_secs() + 1)
        }
    }
}
