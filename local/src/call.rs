//! A finished call of the gateway, in one line for the terminal.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// One finished call of the gateway.
#[derive(Clone)]
pub struct Call {
    /// The request id, of 24 hexadecimal digits.
    pub id: String,
    pub method: Method,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    /// Empty if no function was invoked.
    pub body: Bytes,
    pub status: StatusCode,
    pub answer: Bytes,
    pub took: Duration,
    pub webhook: Option<Webhook>,
}

/// Called after each call.
pub type OnCall = Arc<dyn Fn(&Call) + Send + Sync>;

/// The summary of a webhook, such as `AUTHORISATION true ORDER-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook(String);

impl Webhook {
    /// Reads a standard or a token webhook; `None` if it is neither.
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let summary = |value: &Value, names: &[&str]| {
            let texts = names.iter().filter_map(|name| value[name].as_str());
            texts.collect::<Vec<_>>().join(" ")
        };
        if body["type"].is_string() {
            let event = summary(&body, &["type"]);
            let data = summary(&body["data"], &["shopperReference", "storedPaymentMethodId"]);
            return Some(Self(format!("{event} {data}")));
        }
        let items = body["notificationItems"].as_array()?;
        let items = items.iter().map(|item| {
            let item = &item["NotificationRequestItem"];
            summary(item, &["eventCode", "success", "merchantReference"])
        });
        Some(Self(items.collect::<Vec<_>>().join(", ")))
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Call {
    /// The code of a problem, and the field that it is about.
    fn problem(&self) -> Option<String> {
        if self.status.as_u16() < 400 {
            return None;
        }
        let problem: Value = serde_json::from_slice(&self.answer).ok()?;
        let field = problem["field"].as_str().map(|field| format!(" {field}"));
        Some(format!("{}{}", problem["code"].as_str()?, field.unwrap_or_default()))
    }
}

// The query is left out, because it may contain a shopper's data.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, status, took, webhook, .. } = self;
        let millis = took.as_secs_f64() * 1000.0;
        let (method, status) = (method.as_str(), status.as_u16());
        write!(f, "{method:<4} {path}  {status}  {millis:.1} ms")?;
        // Escaped, because the sender must not control the terminal.
        if let Some(Webhook(summary)) = webhook {
            write!(f, "  {}", summary.escape_debug())?;
        }
        match self.problem() {
            Some(problem) => write!(f, "  {}", problem.escape_debug()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_summarised() {
        let standard = br#"{"live":"false","notificationItems":[{"NotificationRequestItem":
            {"eventCode":"AUTHORISATION","success":"true","merchantReference":"ORDER-1"}}]}"#;
        let token = br#"{"type":"recurring.token.created","data":
            {"shopperReference":"S","storedPaymentMethodId":"T"}}"#;

        assert_eq!(Webhook::read(standard), Some(Webhook("AUTHORISATION true ORDER-1".into())));
        assert_eq!(Webhook::read(token), Some(Webhook("recurring.token.created S T".into())));
        assert_eq!(Webhook::read(b"not JSON"), None);
    }
}
