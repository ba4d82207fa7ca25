//! Which IAM actions each function performs at DynamoDB: its role must allow
//! these and no other.
//!
//! Where the variable `RECORD_ACTIONS` names a file, calls of DynamoDB pass by
//! here, and each kind of call is appended to it: `payments dynamodb:GetItem
//! orders`. A function is known by its access key, which on this machine is the
//! name of its folder.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The variable that names the file.
pub const RECORD_ACTIONS: &str = "RECORD_ACTIONS";

/// Calls on their way to DynamoDB.
struct Recorder {
    dynamodb: String,
    http: reqwest::Client,
    seen: Mutex<BTreeSet<String>>,
    file: File,
}

/// The file to record to, where that is wanted.
pub fn wanted() -> Option<PathBuf> {
    std::env::var_os(RECORD_ACTIONS).map(Into::into)
}

/// Passes what arrives at the listener on to the DynamoDB of that URL and writes
/// it down, until dropped.
///
/// # Errors
/// When the file can't be appended to.
pub fn record(listener: TcpListener, dynamodb: String, file: PathBuf) -> io::Result<JoinSet<()>> {
    let recorder = Arc::new(Recorder {
        dynamodb,
        http: shared::platform::http_client::build(None).map_err(io::Error::other)?,
        seen: Mutex::default(),
        file: OpenOptions::new().create(true).append(true).open(file)?,
    });
    let router =
        Router::new().fallback(pass_on).layer(DefaultBodyLimit::disable()).with_state(recorder);
    let mut server = JoinSet::new();
    server.spawn(async {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "no longer recording actions");
        }
    });
    Ok(server)
}

async fn pass_on(
    State(recorder): State<Arc<Recorder>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, StatusCode> {
    recorder.note(&headers, &body);
    let answer = recorder
        .http
        .request(method, &recorder.dynamodb)
        .headers(end_to_end(headers))
        .body(body)
        .send()
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    let body = answer.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Without those of one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}

impl Recorder {
    fn note(&self, headers: &HeaderMap, body: &Bytes) {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let caller = text("authorization")
            .and_then(|value| value.split_once("Credential="))
            .and_then(|(_, credential)| credential.split('/').next());
        let operation = text("x-amz-target").and_then(|target| target.rsplit('.').next());
        let (Some(caller), Some(operation)) = (caller, operation) else {
            return;
        };
        let request = serde_json::from_slice(body).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (action, resource) in performed(operation, &request) {
            let line = format!("{caller} dynamodb:{action} {resource}\n");
            // One write, so that processes that share the file don't mix lines.
            if seen.insert(line.clone())
                && let Err(error) = (&self.file).write_all(line.as_bytes())
            {
                tracing::error!(%error, "cannot record an action");
            }
        }
    }
}

/// What IAM is asked when a function makes that request: the actions, each on a
/// table, or on `table/index/name`.
fn performed(operation: &str, request: &Value) -> Vec<(String, String)> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    match operation {
        // No permission of its own: one for each item.
        "TransactGetItems" | "TransactWriteItems" => request["TransactItems"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(members)
            .map(|(kind, item)| (format!("{kind}Item"), resource(&item)))
            .collect(),
        "BatchGetItem" | "BatchWriteItem" => members(&request["RequestItems"])
            .into_iter()
            .map(|(table, _)| (operation.to_owned(), table))
            .collect(),
        _ => vec![(operation.to_owned(), resource(request))],
    }
}

fn resource(request: &Value) -> String {
    let table = request["TableName"].as_str().unwrap_or("*");
    match request["IndexName"].as_str() {
        Some(index) => format!("{table}/index/{index}"),
        None => table.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transaction_is_the_actions_of_its_items() {
        let request = json!({"TransactItems": [
            {"Put": {"TableName": "orders"}},
            {"ConditionCheck": {"TableName": "tokens"}},
        ]});

        let actions = performed("TransactWriteItems", &request);

        assert_eq!(
            actions,
            [
                ("PutItem".to_owned(), "orders".to_owned()),
                ("ConditionCheckItem".to_owned(), "tokens".to_owned()),
            ]
        );
    }

    #[test]
    fn an_index_is_a_resource_of_its_own() {
        let request = json!({"TableName": "orders", "IndexName": "open"});

        let actions = performed("Query", &request);

        assert_eq!(actions, [("Query".to_owned(), "orders/index/open".to_owned())]);
    }
}
