//! The gateway: an HTTP API with its routes, and the function URL of `webhooks`. It sends the
//! functions the same events as AWS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use jiff::Timestamp;
use lambda_http::{Context, Request, RequestExt};
use serde_json::json;
use shared::clock;
use tower_http::cors::CorsLayer;

use crate::call::{Call, OnCall, Webhook};
use crate::event::{self, EventSource};
use crate::template::Cors;

/// The path of the function URL of `webhooks`.
pub const WEBHOOKS: &str = "/webhooks";

/// AWS's limits: 10 MB for an HTTP API, 6 MB for a function URL.
const HTTP_API_LIMIT: usize = 10 * 1024 * 1024;
const FUNCTION_URL_LIMIT: usize = 6 * 1024 * 1024;

/// The bytes beyond the limit that are read before the request is rejected.
const MAX_DROPPED: usize = 10 * 1024 * 1024;

/// Handles a request.
pub type Handler = Arc<
    dyn Fn(Request) -> lambda_http::BoxFuture<'static, lambda_http::Response<lambda_http::Body>>
        + Send
        + Sync,
>;

/// A function behind the gateway.
#[derive(Clone)]
pub struct Function {
    pub handler: Handler,
    /// The time after which an invocation fails.
    pub timeout: Duration,
}

/// One route of the HTTP API.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// The path with `{names}` for its variable segments.
    pub path: String,
    pub function: Function,
}

#[derive(Clone)]
pub struct Gateway {
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The function at [`WEBHOOKS`].
    pub webhooks: Function,
    /// The origins for CORS; CORS is off without any.
    pub allowed_origins: Vec<String>,
    pub cors: Cors,
    /// Called after each call.
    pub on_call: OnCall,
    /// True if invocations have a trace, by which the calls that they make are recognised.
    pub traced: bool,
}

impl Gateway {
    /// The gateway as a router. Other routes can be added, because the API is its fallback.
    pub fn router(self) -> axum::Router {
        let cors = cors(&self.allowed_origins, &self.cors);
        let router = axum::Router::new().fallback(serve).with_state(Arc::new(self));
        let router = match cors {
            Some(cors) => router.layer(cors),
            None => router,
        };
        router.layer(middleware::from_fn(log_refused_preflight))
    }

    /// The function of a request, and the source of its event.
    fn find(
        &self,
        parts: &Parts,
    ) -> Result<Option<(Function, EventSource)>, event::InvalidRequest> {
        if parts.uri.path() == WEBHOOKS {
            return Ok(Some((self.webhooks.clone(), EventSource::FunctionUrl)));
        }
        let path = event::http_api_path(&parts.uri)?;
        Ok(self.routes.iter().find_map(|route| {
            if route.method != parts.method {
                return None;
            }
            let source = EventSource::HttpApi {
                route_key: format!("{} {}", route.method, route.path),
                path_parameters: matches(&route.path, &path)?,
            };
            Some((route.function.clone(), source))
        }))
    }
}

/// CORS by the HTTP API itself, if origins are configured.
fn cors(origins: &[String], cors: &Cors) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    Some(
        CorsLayer::new()
            .allow_origin(parsed::<HeaderValue>(origins))
            .allow_methods(parsed::<Method>(&cors.allow_methods))
            .allow_headers(parsed::<HeaderName>(&cors.allow_headers))
            .expose_headers(parsed::<HeaderName>(&cors.expose_headers))
            .max_age(Duration::from_secs(cors.max_age)),
    )
}

/// A browser does not tell the page why it refuses a call, so the log does.
async fn log_refused_preflight(request: axum::extract::Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let headers = request.headers().clone();
    let response = next.run(request).await;
    let text = |name| headers.get(name)?.to_str().ok();
    let (asked, origin) = (text(header::ACCESS_CONTROL_REQUEST_METHOD), text(header::ORIGIN));
    let allowed = response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    if let (Method::OPTIONS, Some(asked), Some(origin), false) = (method, asked, origin, allowed) {
        tracing::warn!(
            origin,
            "preflight of {asked} {path} refused: the origin is not in ALLOWED_ORIGINS"
        );
    }
    response
}

fn parsed<T: FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The variable segments of `path` if it matches `template`.
fn matches(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut segments = path.split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match wanted.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => {
                parameters.insert(name.to_owned(), segment.to_owned());
            }
            None if wanted == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

async fn serve(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let mut call = Call {
        id: format!("{:024x}", fastrand::u128(..) >> 32),
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: Bytes::new(),
        status: StatusCode::OK,
        answer: Bytes::new(),
        took: Duration::ZERO,
        webhook: None,
    };
    let response = answer(&gateway, parts, body, client, &mut call).await;
    let (parts, body) = response.into_parts();
    // The answers of functions are in memory.
    call.answer = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    call.status = parts.status;
    call.took = began.elapsed();
    (gateway.on_call)(&call);
    Response::from_parts(parts, call.answer.into())
}

async fn answer(
    gateway: &Gateway,
    parts: Parts,
    body: Body,
    client: SocketAddr,
    call: &mut Call,
) -> Response {
    let (function, source) = match gateway.find(&parts) {
        Ok(Some(found)) => found,
        Ok(None) => return message(StatusCode::NOT_FOUND, "Not Found"),
        Err(_) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    let limit = match source {
        EventSource::HttpApi { .. } => HTTP_API_LIMIT,
        EventSource::FunctionUrl => FUNCTION_URL_LIMIT,
    };
    let body = match read(body, limit).await {
        Ok(body) => body,
        Err(rejection) => return rejection,
    };
    call.body = body.clone();
    if matches!(source, EventSource::FunctionUrl) {
        call.webhook = Webhook::read(&body);
    }
    let Ok(event) = event::event(&source, &parts, &body, client, &call.id, clock::now()) else {
        return message(StatusCode::BAD_REQUEST, "Bad Request");
    };
    match function.invoke(&event, &call.id, gateway.traced).await {
        Ok(answer) => respond(answer),
        Err(failure) => failed(failure, &source),
    }
}

/// The body, or the rejection. Bytes beyond the limit are read and dropped, because otherwise the
/// client would still be writing when the connection is closed, and miss the answer.
async fn read(body: Body, limit: usize) -> Result<Bytes, Response> {
    let mut stream = body.into_data_stream();
    let (mut read, mut length) = (Vec::new(), 0);
    while length <= limit + MAX_DROPPED
        && let Some(chunk) = stream.next().await
    {
        // The client closed the connection, so nobody reads this answer.
        let chunk = chunk.map_err(|_| message(StatusCode::BAD_REQUEST, "Bad Request"))?;
        length += chunk.len();
        if length <= limit {
            read.extend_from_slice(&chunk);
        }
    }
    if length <= limit {
        Ok(read.into())
    } else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Err(message(status, "Request Entity Too Large"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    #[error("the event is not one of an HTTP API or a function URL")]
    Event,
    #[error("the function timed out")]
    Timeout,
    #[error("the function panicked")]
    Panic,
}

impl Function {
    /// Runs the function like Lambda: until its timeout even if the caller has left, and a panic
    /// fails only this invocation.
    pub async fn invoke(
        &self,
        event: &str,
        id: &str,
        traced: bool,
    ) -> Result<lambda_http::Response<lambda_http::Body>, InvocationError> {
        let mut context = Context::default();
        context.request_id = uuid(id);
        if traced {
            let root = format!("{:08x}-{id:0>24}", clock::now().as_second());
            let trace = format!("Root=1-{root};Parent={:016x};Sampled=0", fastrand::u64(1..));
            context.xray_trace_id = Some(trace);
        }
        context.invoked_function_arn =
            "arn:aws:lambda:eu-west-1:123456789012:function:local".to_owned();
        context.deadline = (Timestamp::now().as_millisecond() as u64)
            .saturating_add(self.timeout.as_millis() as u64);
        let (function, event) = (self.clone(), event.to_owned());
        let invocation = tokio::spawn(async move {
            let request =
                lambda_http::request::from_str(&event).map_err(|_| InvocationError::Event)?;
            let answer = (function.handler)(request.with_lambda_context(context));
            let answer = tokio::time::timeout(function.timeout, answer).await;
            answer.map_err(|_| InvocationError::Timeout)
        });
        invocation.await.unwrap_or(Err(InvocationError::Panic))
    }
}

/// AWS's answer to a failed invocation.
fn failed(failed: InvocationError, source: &EventSource) -> Response {
    match (source, failed) {
        (EventSource::FunctionUrl, _) => {
            (StatusCode::BAD_GATEWAY, "Internal Server Error").into_response()
        }
        (EventSource::HttpApi { .. }, InvocationError::Timeout) => {
            message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        (EventSource::HttpApi { .. }, _) => {
            message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

fn respond(response: lambda_http::Response<lambda_http::Body>) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    // The server sets these itself.
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::TRANSFER_ENCODING);
    Response::from_parts(parts, body)
}

/// An answer of API Gateway itself.
fn message(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

/// A request id in Lambda's format.
fn uuid(hex: &str) -> String {
    let hex = format!("{hex:0>24}{:08x}", fastrand::u32(..));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
