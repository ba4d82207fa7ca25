//! The HTTP server, which applies the injected faults.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use futures_util::stream;
use hyper::body::Incoming;
use hyper::service::service_fn;
use simulator_http::{Answer, Fault, FaultOn, Request, Watching};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::acs;
use crate::api;
use crate::browser;
use crate::errors;
use crate::hosted;
use crate::simulator::Inner;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

pub(crate) async fn run(inner: Arc<Inner>, listener: TcpListener, stop: watch::Receiver<bool>) {
    let service = service_fn(move |request| call(inner.clone(), request));
    simulator_http::serve(listener, stop, service).await;
}

async fn call(inner: Arc<Inner>, request: hyper::Request<Incoming>) -> Result<Response<Body>, Cut> {
    let Ok(request) = Request::read(request.map(Body::new)).await else {
        return Ok(errors::service_error(413, "29_100", "The request is too large").into_response());
    };
    if let Some(path) = request.path.strip_prefix("/threeds/") {
        return Ok(three_ds_page(&inner, &request, path).into_response());
    }
    if let Some(answer) = browser::answer(&inner, &request) {
        return Ok(answer.into_response());
    }
    let fault = FaultOn::take(&mut inner.state().faults, &request.path);
    let watching = inner.options.watch.as_ref();
    let watching =
        watching.map(|watch| Watching::begin(watch, &request, fault.as_ref().map(Fault::name)));
    let answered = match fault {
        Some(fault) => with_fault(inner, request, fault).await,
        None => answer(&inner, &request, None, Duration::ZERO).await.map(Answer::into_response),
    };
    match (watching, answered) {
        (Some(watching), Ok(response)) => Ok(watching.end_with(response).await),
        (Some(watching), Err(cut)) => {
            watching.end(None);
            Err(cut)
        }
        (None, answered) => answered,
    }
}

async fn with_fault(
    inner: Arc<Inner>,
    request: Request,
    fault: Fault,
) -> Result<Response<Body>, Cut> {
    let name = fault.name();
    let (inner, request) = (&inner, &request);
    let processed = |delay| answer(inner, request, Some(&name), delay);
    match fault {
        Fault::DropBefore => {
            api::record(inner, request, &name, None);
            Err(Cut)
        }
        Fault::Instead(answer) => {
            api::record(inner, request, &name, Some(&answer));
            Ok(answer.into_response())
        }
        Fault::DropAfter => processed(Duration::ZERO).await.and(Err(Cut)),
        Fault::Truncated => processed(Duration::ZERO).await.map(truncated),
        Fault::ArriveLate(delay) | Fault::DropThenArrive(delay) => {
            let is_cut = matches!(fault, Fault::DropThenArrive(_));
            // Spawned, because it arrives even if the caller no longer waits.
            let (inner, request, name) = (inner.clone(), request.clone(), name.clone());
            let arrived = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                answer(&inner, &request, Some(&name), Duration::ZERO).await
            });
            if is_cut {
                return Err(Cut);
            }
            arrived.await.unwrap_or(Err(Cut)).map(Answer::into_response)
        }
        Fault::AnswerLate(delay) => processed(delay).await.map(Answer::into_response),
        Fault::Afterwards(answer) => {
            processed(Duration::ZERO).await.map(|_| answer.into_response())
        }
    }
}

/// Processes the call at once, and answers after the delay.
async fn answer(
    inner: &Inner,
    request: &Request,
    fault: Option<&str>,
    delay: Duration,
) -> Result<Answer, Cut> {
    let reply = api::process(inner, request, fault, delay);
    if !reply.withheld.is_zero() {
        tokio::time::sleep(reply.withheld).await;
    }
    if reply.cut { Err(Cut) } else { Ok(reply.answer) }
}

fn three_ds_page(inner: &Inner, request: &Request, path: &str) -> Answer {
    let result = request.parameters().remove("result");
    inner.log(&format!(
        "{} /threeds/{path} {}",
        request.method,
        result.as_deref().unwrap_or_default()
    ));
    let state = inner.state();
    let books = &state.journal.books;
    match path.split_once('/') {
        None => hosted::page(books, &inner.base, path, result.as_deref()),
        Some((id, step)) => acs::page(books, &inner.base, id, step, request),
    }
}

/// The head promises the whole body, but the connection is cut after half of it.
fn truncated(answer: Answer) -> Response<Body> {
    let length = answer.body.len();
    let half = Bytes::copy_from_slice(&answer.body.as_bytes()[..length / 2]);
    let mut response = answer.into_response();
    *response.body_mut() = Body::from_stream(stream::iter([Ok(half), Err(Cut)]));
    response.headers_mut().insert("content-length", HeaderValue::from(length));
    response
}
