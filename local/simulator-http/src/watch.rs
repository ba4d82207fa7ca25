//! Reports each HTTP exchange to whoever watches a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::response::Response;

use crate::{Answer, Request};

/// A request, and what became of it.
#[derive(Clone)]
pub struct Exchange {
    pub request: Request,
    /// None if the connection was cut.
    pub answer: Option<Answer>,
    pub took: Duration,
    /// Such as an injected fault.
    pub note: Option<String>,
}

/// Called after each exchange.
pub type Watch = Arc<dyn Fn(Exchange) + Send + Sync>;

/// An exchange in progress. It is also reported if the caller leaves, which drops it.
pub struct Watching {
    watch: Watch,
    begun: Instant,
    exchange: Option<Exchange>,
}

impl Watching {
    pub fn begin(watch: &Watch, request: &Request, note: Option<String>) -> Self {
        let exchange =
            Exchange { request: request.clone(), answer: None, took: Duration::ZERO, note };
        Self { watch: watch.clone(), begun: Instant::now(), exchange: Some(exchange) }
    }

    /// Adds why there is no answer.
    pub fn note(&mut self, note: &str) {
        if let Some(exchange) = &mut self.exchange {
            exchange.note = Some(note.to_owned());
        }
    }

    pub fn end(mut self, answer: Option<Answer>) {
        self.report(answer);
    }

    /// Like [`end`](Self::end), with a response that is read for it. A body that breaks off stays
    /// broken.
    pub async fn end_with(self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            self.end(None);
            let cut = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("cut"))]);
            return Response::from_parts(parts, Body::from_stream(cut));
        };
        let text = |name: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let body = String::from_utf8_lossy(&bytes);
        self.end(Some(Answer::text(parts.status.as_u16(), &text("content-type"), body)));
        Response::from_parts(parts, bytes.into())
    }

    fn report(&mut self, answer: Option<Answer>) {
        if let Some(exchange) = self.exchange.take() {
            (self.watch)(Exchange { answer, took: self.begun.elapsed(), ..exchange });
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.note.get_or_insert_with(|| "the caller closed the connection".to_owned());
            self.report(None);
        }
    }
}
