//! A DynamoDB that fails on demand: [`Faulty`] before the embedded one, with DynamoDB's own errors.
//!
//! ```ignore
//! let dynamodb = faulty_dynamodb::start().await;
//! let variables = BTreeMap::from([faulty_dynamodb::variable(&dynamodb)]);
//! let stack = Stack::with(Options { variables, ..Options::default() }).await;
//! dynamodb.lead_to(stack.bundle.dynamodb_url());
//! dynamodb.fail_at(1, faulty_dynamodb::throttled());
//! ```

use axum::body::Bytes;
use serde_json::{Value, json};
use simulator_http::{Answer, Fault};

use crate::faulty::{Call, Faulty};

/// Starts the proxy; calls wait for [`Faulty::lead_to`]. Every answer has its consumed capacity.
pub async fn start() -> Faulty {
    Faulty::start(Some(measure)).await
}

/// The environment variable with which functions call this DynamoDB.
pub fn variable(dynamodb: &Faulty) -> (String, String) {
    ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.url().to_owned())
}

/// The consumed capacity of a call, by table.
pub fn capacity(call: &Call) -> Vec<Value> {
    let reply = call.reply.as_ref().expect("an answer");
    let mut reply: Value = serde_json::from_slice(&reply.body).expect("JSON");
    match reply["ConsumedCapacity"].take() {
        Value::Array(tables) => tables,
        Value::Null => Vec::new(),
        table => vec![table],
    }
}

/// The capacity units of a call, with those of the indexes.
pub fn units(call: &Call) -> f64 {
    capacity(call).iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

/// Too many requests: nothing was processed.
pub fn throttled() -> Fault {
    error(400, "ProvisionedThroughputExceededException")
}

/// Another transaction writes the same item: nothing was processed.
pub fn conflict() -> Fault {
    error(400, "TransactionConflictException")
}

/// A transaction was cancelled, with one reason for each of its items, such as `None` or
/// `ThrottlingError`.
pub fn cancelled(reasons: &[&str]) -> Fault {
    let listed: Vec<Value> = reasons
        .iter()
        .map(|code| match *code {
            "None" => json!({"Code": code}),
            _ => json!({"Code": code, "Message": "as the test wants"}),
        })
        .collect();
    let mut body = body("TransactionCanceledException");
    body["CancellationReasons"] = json!(listed);
    reply(400, &body)
}

/// DynamoDB failed and did not process the request.
pub fn server_error() -> Fault {
    error(500, "InternalServerError")
}

/// DynamoDB failed after it processed the request.
pub fn server_error_afterwards() -> Fault {
    match server_error() {
        Fault::Instead(answer) => Fault::Afterwards(answer),
        fault => fault,
    }
}

fn error(status: u16, kind: &str) -> Fault {
    reply(status, &body(kind))
}

fn body(kind: &str) -> Value {
    json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"),
        "message": "as the test wants",
    })
}

fn reply(status: u16, body: &Value) -> Fault {
    Fault::Instead(Answer::text(status, "application/x-amz-json-1.0", body.to_string()))
}

/// Adds `ReturnConsumedCapacity` to a request.
pub fn measure(_: &str, body: Bytes) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut request)) => {
            request.insert("ReturnConsumedCapacity".to_owned(), json!("INDEXES"));
            Value::Object(request).to_string().into()
        }
        _ => body,
    }
}
