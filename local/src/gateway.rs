//! AWS's front doors on one machine: an HTTP API with its routes, and the
//! webhooks function's URL. Every request becomes the event that AWS would
//! send, so the functions run here exactly as they do there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use jiff::Timestamp;
use lambda_http::{Context, Request, RequestExt};
use serde_json::json;
use tower_http::cors::CorsLayer;

use crate::call::{Call, OnCall, Webhook};
use crate::event::{self, Door};
use crate::template::Cors;

/// Where the webhooks function's URL is mounted.
pub const WEBHOOKS: &str = "/webhooks";

/// An HTTP API takes 10 MB, a function URL 6 MB.
const HTTP_API_LIMIT: usize = 10 * 1024 * 1024;
const FUNCTION_URL_LIMIT: usize = 6 * 1024 * 1024;

/// So much of what is beyond the limit is read before it is refused.
const DROPPED: usize = 10 * 1024 * 1024;

/// What a function does with a request.
pub type Handler = Arc<
    dyn Fn(Request) -> lambda_http::BoxFuture<'static, lambda_http::Response<lambda_http::Body>>
        + Send
        + Sync,
>;

/// What a function is to the gateway.
#[derive(Clone)]
pub struct Function {
    /// Answers a request.
    pub handler: Handler,
    /// How long it may take; then its invocation has failed.
    pub timeout: Duration,
}

/// One route of the HTTP API, as the template has it.
#[derive(Clone)]
pub struct Route {
    /// The method, in capitals.
    pub method: Method,
    /// The path with `{names}` for its variable segments.
    pub path: String,
    /// Who answers.
    pub function: Function,
}

/// What the gateway serves.
#[derive(Clone)]
pub struct Gateway {
    /// The HTTP API's routes.
    pub routes: Vec<Route>,
    /// The function behind [`WEBHOOKS`].
    pub webhooks: Function,
    /// Origins whose preflight requests the HTTP API answers; none: no CORS.
    pub allowed_origins: Vec<String>,
    /// What pages of those origins may do.
    pub cors: Cors,
    /// Told of each finished call.
    pub on_call: OnCall,
}

impl Gateway {
    /// The gateway as a router, to which pages and the like may be added: what
    /// is added wins over the API's 404 and is no part of the API.
    pub fn router(self) -> axum::Router {
        let cors = cors(&self.allowed_origins, &self.cors);
        let router = axum::Router::new().fallback(serve).with_state(Arc::new(self));
        match cors {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }

    /// Which function answers, and what AWS would say about the route.
    fn find(&self, parts: &Parts) -> Result<Option<(Function, Door)>, event::Unusable> {
        if parts.uri.path() == WEBHOOKS {
            return Ok(Some((self.webhooks.clone(), Door::FunctionUrl)));
        }
        let path = event::http_api_path(&parts.uri)?;
        Ok(self.routes.iter().find_map(|route| {
            if route.method != parts.method {
                return None;
            }
            let door = Door::HttpApi {
                route_key: format!("{} {}", route.method, route.path),
                path_parameters: matches(&route.path, &path)?,
            };
            Some((route.function.clone(), door))
        }))
    }
}

/// HTTP APIs answer preflight requests themselves, once origins are configured.
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

fn parsed<T: FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The variable segments of `path` if it fits `template`.
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
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let response = answer(&gateway, parts, body, client).await;
    (gateway.on_call)(&Call {
        method,
        path,
        status: response.status(),
        took: began.elapsed(),
        webhook: response.extensions().get::<Webhook>().cloned(),
    });
    response
}

async fn answer(gateway: &Gateway, parts: Parts, body: Body, client: SocketAddr) -> Response {
    let (function, door) = match gateway.find(&parts) {
        Ok(Some(found)) => found,
        Ok(None) => return message(StatusCode::NOT_FOUND, "Not Found"),
        Err(_) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    let limit = match door {
        Door::HttpApi { .. } => HTTP_API_LIMIT,
        Door::FunctionUrl => FUNCTION_URL_LIMIT,
    };
    let body = match read(body, limit).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let id = format!("{:024x}", fastrand::u128(..) >> 32);
    let Ok(event) = event::event(&door, &parts, &body, client, &id, Timestamp::now()) else {
        return message(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let mut response = match function.invoke(&event, &id).await {
        Ok(answer) => respond(answer),
        Err(failure) => failed(failure, &door),
    };
    if matches!(door, Door::FunctionUrl)
        && let Some(webhook) = Webhook::read(&body)
    {
        response.extensions_mut().insert(webhook);
    }
    response
}

/// The body, or why it is refused. Of one that is too large some more is read and dropped:
/// a client that still writes would see the connection break before it sees the answer.
async fn read(body: Body, limit: usize) -> Result<Bytes, Response> {
    let mut stream = body.into_data_stream();
    let (mut read, mut length) = (Vec::new(), 0);
    while length <= limit + DROPPED
        && let Some(chunk) = stream.next().await
    {
        // A connection that broke off is the client's doing, and nobody reads the answer.
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

/// A failed invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The event is not one that a function behind HTTP gets.
    #[error("the event is not one of an HTTP API or a function URL")]
    Event,
    /// The function took longer than it may.
    #[error("the function took longer than it may")]
    Timeout,
    /// The function panicked.
    #[error("the function panicked")]
    Panic,
}

impl Function {
    /// Runs the function as Lambda would: to its end even when the caller is
    /// gone, not beyond its timeout, and with a panic being one failed
    /// invocation.
    pub async fn invoke(
        &self,
        event: &str,
        id: &str,
    ) -> Result<lambda_http::Response<lambda_http::Body>, Failed> {
        let mut context = Context::default();
        context.request_id = uuid(id);
        context.invoked_function_arn =
            "arn:aws:lambda:eu-west-1:123456789012:function:local".to_owned();
        context.deadline = (Timestamp::now().as_millisecond() as u64)
            .saturating_add(self.timeout.as_millis() as u64);
        let (function, event) = (self.clone(), event.to_owned());
        let invocation = tokio::spawn(async move {
            let request = lambda_http::request::from_str(&event).map_err(|_| Failed::Event)?;
            let answer = (function.handler)(request.with_lambda_context(context));
            let answer = tokio::time::timeout(function.timeout, answer).await;
            answer.map_err(|_| Failed::Timeout)
        });
        invocation.await.unwrap_or(Err(Failed::Panic))
    }
}

/// What each front door says of a failed invocation.
fn failed(failed: Failed, door: &Door) -> Response {
    match (door, failed) {
        (Door::FunctionUrl, _) => {
            (StatusCode::BAD_GATEWAY, "Internal Server Error").into_response()
        }
        (Door::HttpApi { .. }, Failed::Timeout) => {
            message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        (Door::HttpApi { .. }, _) => {
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
    // The server frames the body itself.
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::TRANSFER_ENCODING);
    Response::from_parts(parts, body)
}

/// API Gateway's own answers.
fn message(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

/// Lambda's request ids are UUIDs.
fn uuid(hex: &str) -> String {
    let hex = format!("{hex:0>24}{:08x}", fastrand::u32(..));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
