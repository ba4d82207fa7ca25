//! The HTTP server for calls and shoppers, which applies the injected faults.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Form, Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::stream;
use simulator_http::{Answer, Fault, FaultOn, Request, Watching};

use crate::api;
use crate::hosted;
use crate::simulator::Inner;

type Fields = BTreeMap<String, String>;

pub(crate) fn router(inner: Arc<Inner>) -> Router {
    let script = hosted::script(&inner.base);
    let script = || async { ([("content-type", "text/javascript")], script) };
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
    let fault = FaultOn::take(&mut inner.state().faults, &request.path);
    let watching = inner.options.watch.as_ref();
    let watching =
        watching.map(|watch| Watching::begin(watch, &request, fault.as_ref().map(Fault::name)));
    let processed = || api::process(&inner, &request).into_response();
    let response = match fault {
        None => processed(),
        Some(Fault::Instead(answer)) => {
            api::record(&mut inner.state().books, &request, false, Some(&answer));
            answer.into_response()
        }
        Some(Fault::DropBefore) => {
            api::record(&mut inner.state().books, &request, false, None);
            cut()
        }
        Some(Fault::DropAfter | Fault::Truncated) => {
            processed();
            cut()
        }
        Some(Fault::AnswerLate(delay)) => {
            let answer = processed();
            tokio::time::sleep(delay).await;
            answer
        }
        Some(Fault::ArriveLate(delay)) => {
            tokio::time::sleep(delay).await;
            processed()
        }
        Some(Fault::DropThenArrive(delay)) => {
            let (inner, request) = (inner.clone(), request.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                api::process(&inner, &request);
            });
            cut()
        }
        Some(Fault::Afterwards(answer)) => {
            processed();
            answer.into_response()
        }
    };
    Ok(match watching {
        Some(watching) => watching.end_with(response).await,
        None => response,
    })
}

/// The head promises a body, but the connection is cut before it.
fn cut() -> Response<Body> {
    let nothing = stream::iter([Err::<Bytes, _>(io::Error::other("cut"))]);
    let response = Response::builder().header("content-length", "1");
    response.body(Body::from_stream(nothing)).unwrap_or_else(|_| Response::new(Body::empty()))
}
