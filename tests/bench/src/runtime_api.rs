//! Lambda's Runtime API, for one process at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Response, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use serde_json::Value;
use simulator_http::listen::{Port, listen};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// The time that an invocation has.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An act of the process.
pub enum Did {
    /// It asked for its next event, so it is idle.
    Asked,
    Answered(Value),
    Failed(String),
}

pub struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub address: String,
    events: mpsc::UnboundedSender<String>,
    did: mpsc::UnboundedReceiver<Did>,
    server: JoinHandle<()>,
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    did: mpsc::UnboundedSender<Did>,
}

impl RuntimeApi {
    pub async fn start() -> io::Result<Self> {
        let listener = listen(std::net::Ipv4Addr::LOCALHOST.into(), Port::Any).await?;
        let address = listener.local_addr()?.to_string();
        let (events, waiting) = mpsc::unbounded_channel();
        let (tell, did) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { events: Mutex::new(waiting), did: tell });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .fallback(failed)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared);
        let server = tokio::spawn(async { axum::serve(listener, router).await.unwrap_or(()) });
        Ok(Self { address, events, did, server })
    }

    /// Passes an event to the process.
    pub fn invoke(&self, event: String) {
        // The receiver lives as long as the server, which this struct ends.
        let _ = self.events.send(event);
    }

    /// Waits until the process does something.
    pub async fn did(&mut self) -> Option<Did> {
        self.did.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let mut events = shared.events.lock().await;
    let _ = shared.did.send(Did::Asked);
    let Some(event) = events.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("lambda-runtime-aws-request-id", "8f507cfc-xmpl-4697-b07a-ac58fc914c95".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:bench:live".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0".to_owned(),
        ),
    ];
    (AppendHeaders(headers), [("content-type", "application/json")], event).into_response()
}

async fn answered(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body);
    let _ = shared.did.send(match answer {
        Ok(answer) => Did::Answered(answer),
        Err(error) => Did::Failed(error.to_string()),
    });
    StatusCode::ACCEPTED
}

async fn failed(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let _ = shared.did.send(Did::Failed(String::from_utf8_lossy(&body).into_owned()));
    StatusCode::ACCEPTED
}
