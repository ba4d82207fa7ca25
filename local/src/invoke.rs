//! Lambda's Invoke API for the function `recover`, for `aws lambda invoke` with
//! `--endpoint-url`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Clone)]
struct Recover {
    state: Arc<recover::State>,
    longest: Duration,
}

/// A run takes up to `longest`.
pub fn router(state: Arc<recover::State>, longest: Duration) -> axum::Router {
    axum::Router::new()
        .route("/2015-03-31/functions/recover/invocations", post(invoke))
        .with_state(Recover { state, longest })
}

async fn invoke(State(recover): State<Recover>, event: Bytes) -> Response {
    let event = match event.as_ref() {
        b"" => Value::Null,
        text => match serde_json::from_slice(text) {
            Ok(event) => event,
            Err(_) => return (StatusCode::BAD_REQUEST, "the payload is not JSON").into_response(),
        },
    };
    match recover::run(&recover.state, event, Instant::now() + recover.longest).await {
        Ok(done) => Json(json!(done)).into_response(),
        Err(error) => {
            let message = json!({ "errorMessage": error.to_string() });
            ([("x-amz-function-error", "Unhandled")], Json(message)).into_response()
        }
    }
}
