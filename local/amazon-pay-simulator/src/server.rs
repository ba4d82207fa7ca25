//! The HTTP server for calls and shoppers, which applies the injected faults.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Form, Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::stream;
use serde_json::json;
use simulator_http::{Answer, Request};

use crate::api;
use crate::hosted;
use crate::simulator::Inner;

/// A fault of the next call of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not processed, and gets this answer.
    Instead(Answer),
    /// It is not processed, and the connection is cut.
    DropBefore,
    /// It is processed, and the connection is cut.
    DropAfter,
    /// It is processed at once and answered later.
    Late(Duration),
}

impl Fault {
    /// A status without Amazon Pay's error format.
    pub fn status(status: u16) -> Self {
        Self::Instead(Answer::text(status, "text/html", "<html>error</html>"))
    }

    /// An error in Amazon Pay's format.
    pub fn refusal(status: u16, reason_code: &str) -> Self {
        let body = json!({"reasonCode": reason_code, "message": "Injected by a test"});
        Self::Instead(Answer::json(status, &body))
    }
}

type Fields = BTreeMap<String, String>;

pub(crate) fn router(inner: Arc<Inner>) -> Router {
    let script = || async { ([("content-type", "text/javascript")], hosted::SCRIPT) };
    Router::new()
        .route("/checkout.js", get(script))
        .route("/checkout", post(begin))
        .route("/checkout/{id}", get(choose))
        .route("/confirm/{id}", get(confirm))
        .fallback(call)
        .with_state(inner)
}

async fn begin(State(inner): State<Arc<Inner>>, Form(fields): Form<Fields>) -> Answer {
    hosted::begin(&inner, &fields)
}

async fn choose(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
) -> Answer {
    hosted::choose(&inner, &id, &query)
}

async fn confirm(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
) -> Answer {
    let answer = query.get("answer").map(String::as_str);
    hosted::confirm(&inner, &id, answer)
}

async fn call(
    State(inner): State<Arc<Inner>>,
    request: axum::http::Request<Body>,
) -> Result<Response<Body>, StatusCode> {
    let request = Request::read(request).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let fault = inner.state().faults.pop_front();
    Ok(match fault {
        None => api::process(&inner, &request).into_response(),
        Some(Fault::Instead(answer)) => {
            api::record(&mut inner.state().books, &request, false, Some(&answer));
            answer.into_response()
        }
        Some(Fault::DropBefore) => {
            api::record(&mut inner.state().books, &request, false, None);
            cut()
        }
        Some(Fault::DropAfter) => {
            api::process(&inner, &request);
            cut()
        }
        Some(Fault::Late(delay)) => {
            let answer = api::process(&inner, &request);
            tokio::time::sleep(delay).await;
            answer.into_response()
        }
    })
}

/// The head promises a body, but the connection is cut before it.
fn cut() -> Response<Body> {
    let nothing = stream::iter([Err::<Bytes, _>(io::Error::other("cut"))]);
    let response = Response::builder().header("content-length", "1");
    response.body(Body::from_stream(nothing)).unwrap_or_else(|_| Response::new(Body::empty()))
}
