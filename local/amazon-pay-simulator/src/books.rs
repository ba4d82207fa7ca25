//! What the simulator knows and what happened to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use simulator_http::Answer;

use crate::session::Session;

/// One call to the API, its signature left out.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it was received.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The headers, lower-case.
    pub headers: BTreeMap<String, String>,
    /// The JSON body; null without one, a string when it was not JSON.
    pub body: Value,
    /// True if it was signed by the merchant.
    pub verified: bool,
    /// The status that was answered; none where the connection was cut.
    pub status: Option<u16>,
    /// The body that was answered.
    pub answer: Value,
}

impl Call {
    /// The idempotency key.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get("x-amz-pay-idempotency-key").map(String::as_str)
    }
}

/// Everything that the simulator knows, and everything that happened to it.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Every call to the API, in the order of their processing.
    pub calls: Vec<Call>,
    /// Every session by its id.
    pub sessions: BTreeMap<String, Session>,
    /// Why buttons were refused, the first one first.
    pub refused_buttons: Vec<String>,
    /// What each idempotency key was used for, and what was answered.
    pub(crate) keys: BTreeMap<String, (String, Answer)>,
}

impl Books {
    /// The calls with that method.
    pub fn calls_with(&self, method: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.method == method).collect()
    }

    /// How often somebody wanted to complete a session, which nobody may who pays through
    /// an acquirer.
    pub fn completions(&self) -> usize {
        self.calls.iter().filter(|call| call.path.ends_with("/complete")).count()
    }
}
