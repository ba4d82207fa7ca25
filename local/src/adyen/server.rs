//! HTTP: takes calls, and lets them go wrong where a test asked for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response};
use futures_util::stream;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::Answer;
use super::api::{self, Request};
use super::fault::{Effect, Fault};
use super::hosted;
use super::simulator::Inner;

/// The largest body that is read.
const LARGEST: usize = 1 << 20;

/// How long calls may take to be answered when the simulator stops.
const GRACE: Duration = Duration::from_secs(1);

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

/// Serves until told to stop.
pub(super) async fn run(inner: Arc<Inner>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(inner.clone(), stream, stop.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            _ = stop.changed() => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} })
        .await;
}

async fn connection(inner: Arc<Inner>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| call(inner.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    // An error is a connection that one of the two sides cut: nothing to do.
    tokio::select! {
        _ = served.as_mut() => {}
        _ = stop.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

async fn call(inner: Arc<Inner>, request: hyper::Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), LARGEST).await else {
        return Ok(respond(Answer::service_error(413, "29_100", "The request is too large")));
    };
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into())
            })
            .collect(),
        body: body.to_vec(),
    };
    if let Some(id) = request.path.strip_prefix("/threeds/") {
        return Ok(respond(shopper(&inner, &request, id)));
    }
    match take_fault(&inner, &request.path) {
        Some(fault) => with_fault(inner, request, fault).await,
        None => answer(&inner, &request, None, Duration::ZERO).await.map(respond),
    }
}

fn take_fault(inner: &Inner, path: &str) -> Option<Fault> {
    let faults = &mut inner.shared().faults;
    let first = faults.iter().position(|fault| fault.fits(path))?;
    faults.remove(first)
}

async fn with_fault(
    inner: Arc<Inner>,
    request: Request,
    fault: Fault,
) -> Result<Response<Body>, Cut> {
    let name = fault.name();
    let (inner, request) = (&inner, &request);
    let processed = |delay| answer(inner, request, Some(&name), delay);
    match fault.effect {
        Effect::CutBefore => {
            api::note(inner, request, &name, None);
            Err(Cut)
        }
        Effect::Instead(answer) => {
            api::note(inner, request, &name, Some(&answer));
            Ok(respond(answer))
        }
        Effect::CutAfter => processed(Duration::ZERO).await.and(Err(Cut)),
        Effect::Truncate => processed(Duration::ZERO).await.map(truncated),
        Effect::ArriveLate(delay) => {
            // It arrives whether the caller still waits or not.
            let (inner, request, name) = (inner.clone(), request.clone(), name.clone());
            let arrived = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                answer(&inner, &request, Some(&name), Duration::ZERO).await
            });
            arrived.await.unwrap_or(Err(Cut)).map(respond)
        }
        Effect::AnswerLate(delay) => processed(delay).await.map(respond),
        Effect::Afterwards(answer) => processed(Duration::ZERO).await.map(|_| respond(answer)),
    }
}

/// Processes the call at once, and answers when it is time.
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

/// The page of 3-D Secure.
fn shopper(inner: &Inner, request: &Request, id: &str) -> Answer {
    let result = url::form_urlencoded::parse(request.query.as_bytes())
        .find(|(name, _)| name == "result")
        .map(|(_, value)| value.into_owned());
    inner.log(&format!(
        "{} /threeds/{id} {}",
        request.method,
        result.as_deref().unwrap_or_default()
    ));
    hosted::page(&inner.shared().ledger.books, &inner.base, id, result.as_deref())
}

fn respond(answer: Answer) -> Response<Body> {
    let body = Bytes::from(answer.body.clone());
    response(answer, Body::from(body))
}

/// The head promises the whole body, and half of it comes.
fn truncated(answer: Answer) -> Response<Body> {
    let half = Bytes::copy_from_slice(&answer.body.as_bytes()[..answer.body.len() / 2]);
    let length = answer.body.len();
    let body = Body::from_stream(stream::iter([Ok(half), Err(Cut)]));
    let mut response = response(answer, body);
    response.headers_mut().insert("content-length", HeaderValue::from(length));
    response
}

fn response(answer: Answer, body: Body) -> Response<Body> {
    let mut builder = Response::builder().status(answer.status);
    if answer.status != 204 {
        builder = builder.header("content-type", answer.content_type);
    }
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(body).unwrap_or_else(|_: axum::http::Error| Response::new(Body::empty()))
}
