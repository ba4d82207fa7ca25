use std::collections::BTreeMap;

use axum::body::Body;
use serde_json::Value;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A request, read to its end.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    /// With lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// If the connection breaks off or the body is larger than 1 MiB.
    pub async fn read(request: axum::http::Request<Body>) -> Result<Self, axum::Error> {
        let (head, body) = request.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Self {
            method: head.method.to_string(),
            path: head.uri.path().into(),
            query: head.uri.query().unwrap_or_default().into(),
            headers: headers.collect(),
            body: axum::body::to_bytes(body, MAX_BODY).await?.into(),
        })
    }

    /// The query's parameters, decoded.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The body as JSON: null if it is empty, a string if it is not JSON.
    pub fn json(&self) -> Value {
        match self.body.as_slice() {
            [] => Value::Null,
            body => serde_json::from_slice(body)
                .unwrap_or_else(|_| String::from_utf8_lossy(body).into()),
        }
    }
}
