//! Records the IAM actions that each function performs at DynamoDB. Its role must allow these and
//! no other.
//!
//! If the variable `RECORD_ACTIONS` names a file, a proxy in front of DynamoDB appends each kind
//! of call to it, such as `payments dynamodb:GetItem orders`. It recognises a function by its
//! access key, which on this machine is the name of its folder.

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

/// The proxy in front of DynamoDB.
struct Recorder {
    dynamodb: String,
    http: reqwest::Client,
    seen: Mutex<BTreeSet<String>>,
    file: File,
}

/// The file to record to, if recording is enabled.
pub fn file() -> Option<PathBuf> {
    std::env::var_os("RECORD_ACTIONS").map(Into::into)
}

/// Forwards calls from the listener to the DynamoDB of that URL and records them, until dropped.
///
/// # Errors
/// If the file cannot be opened.
pub fn record(listener: TcpListener, dynamodb: String, file: PathBuf) -> io::Result<JoinSet<()>> {
    let recorder = Arc::new(Recorder {
        dynamodb,
        http: shared::platform::http_client::build(None).map_err(io::Error::other)?,
        seen: Mutex::default(),
        file: OpenOptions::new().create(true).append(true).open(file)?,
    });
    let router =
        Router::new().fallback(forward).layer(DefaultBodyLimit::disable()).with_state(recorder);
    let mut server = JoinSet::new();
    server.spawn(async {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "no longer recording actions");
        }
    });
    Ok(server)
}

async fn forward(
    State(recorder): State<Arc<Recorder>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, StatusCode> {
    recorder.record(&headers, &body);
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

/// The headers without those of one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}

impl Recorder {
    fn record(&self, headers: &HeaderMap, body: &Bytes) {
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
        for (action, resource) in actions(operation, &request) {
            let line = format!("{caller} dynamodb:{action} {resource}\n");
            // One write, so that processes that share the file do not mix their lines.
            if seen.insert(line.clone())
                && let Err(error) = (&self.file).write_all(line.as_bytes())
            {
                tracing::error!(%error, "cannot record an action");
            }
        }
    }
}

/// The actions of a request, each with its table or `table/index/name`.
fn actions(operation: &str, request: &Value) -> Vec<(String, String)> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    match operation {
        // A transaction needs the permission of each item.
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

        let actions = actions("TransactWriteItems", &request);

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

        let actions = actions("Query", &request);

        assert_eq!(actions, [("Query".to_owned(), "orders/index/open".to_owned())]);
    }
}
