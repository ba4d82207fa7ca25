//! A proxy in front of DynamoDB that reports each call.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::{Map, Value};
use simulator_http::{Answer, Request, Watch, Watching};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The calls that report the capacity units that they consumed.
const MEASURED: [&str; 6] =
    ["GetItem", "PutItem", "UpdateItem", "Query", "Scan", "TransactWriteItems"];

struct Proxy {
    dynamodb: String,
    http: reqwest::Client,
    watch: Watch,
}

/// Forwards calls from the listener to the DynamoDB of that URL until dropped.
///
/// # Errors
/// If the HTTP client cannot be set up.
pub fn serve(listener: TcpListener, dynamodb: String, watch: Watch) -> io::Result<JoinSet<()>> {
    let http = shared::platform::http_client::build(None).map_err(io::Error::other)?;
    let proxy = Arc::new(Proxy { dynamodb, http, watch });
    let router =
        Router::new().fallback(forward).layer(DefaultBodyLimit::disable()).with_state(proxy);
    let mut server = JoinSet::new();
    server.spawn(async {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "no longer forwarding calls to DynamoDB");
        }
    });
    Ok(server)
}

/// The operation of a call, such as `PutItem`.
pub fn operation(request: &Request) -> Option<&str> {
    request.headers.get("x-amz-target")?.strip_prefix("DynamoDB_20120810.")
}

/// The folder of the function that made a call. It is the function's access key on this machine.
pub fn caller(request: &Request) -> Option<&str> {
    let (_, credential) = request.headers.get("authorization")?.split_once("Credential=")?;
    credential.split('/').next()
}

async fn forward(
    State(proxy): State<Arc<Proxy>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, StatusCode> {
    let text = headers.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let request = Request {
        method: method.to_string(),
        path: "/".to_owned(),
        query: String::new(),
        headers: text.collect(),
        body: body.to_vec(),
    };
    let watching = Watching::begin(&proxy.watch, &request, None);
    let body = match operation(&request) {
        Some(operation) if MEASURED.contains(&operation) => measured(body),
        _ => body,
    };
    let answer = proxy
        .http
        .request(method, &proxy.dynamodb)
        .headers(end_to_end(headers))
        .body(body)
        .send()
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    let body = answer.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let seen = String::from_utf8_lossy(&body);
    watching.end(Some(Answer::text(status.as_u16(), "application/x-amz-json-1.0", seen)));
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The body with a request for the consumed capacity units, unless the caller asks for them.
fn measured(body: Bytes) -> Bytes {
    let Ok(mut request) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    request.entry("ReturnConsumedCapacity").or_insert_with(|| "TOTAL".into());
    Value::Object(request).to_string().into()
}

/// The headers without those of one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}
