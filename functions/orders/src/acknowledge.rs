//! `POST /orders/{reference}/needsAttention/{reason}/acknowledge`.

use lambda_http::{Body, Request, RequestExt, Response};
use serde::Deserialize;
use shared::{
    clock,
    domain::order::{Note, Statement},
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
};

use crate::{State, decided};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgementBody {
    note: Note,
}

/// Records that a person has dealt with a reason for attention.
pub async fn acknowledge(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let by = &edge::merchant(caller, "Only the merchant's backend may acknowledge reasons.")?.sub;
    let body: AcknowledgementBody = edge::typed(edge::json_object(request)?)?;
    let parameters = request.path_parameters();
    let reason = parameters.first("reason").unwrap_or_default();
    decided(state, request, "acknowledged", |order| {
        let note = Statement::new(body.note.as_str().to_owned(), by.clone(), clock::now());
        match order.acknowledge(reason, note) {
            true => Ok(()),
            false => Err(Problem::new(
                Code::AttentionNotFound,
                "The order does not need attention for this reason.",
            )),
        }
    })
    .await
}
