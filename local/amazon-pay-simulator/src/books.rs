use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use simulator_http::Answer;

use crate::session::Session;

/// One call of the API, without its signature.
#[derive(Clone, Debug)]
pub struct Call {
    /// The time of receipt.
    pub at: Timestamp,
    pub method: String,
    /// Without the query.
    pub path: String,
    /// With lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The JSON body: null if it was empty, a string if it was not JSON.
    pub body: Value,
    /// True if the merchant's signature was valid.
    pub verified: bool,
    /// The status of the answer; none if the connection was cut.
    pub status: Option<u16>,
    /// The body of the answer.
    pub answer: Value,
}

impl Call {
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get("x-amz-pay-idempotency-key").map(String::as_str)
    }
}

/// The state of the simulator and its history.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// In the order of processing.
    pub calls: Vec<Call>,
    /// By checkoutSessionId.
    pub sessions: BTreeMap<String, Session>,
    /// The reasons for which buttons were rejected, the oldest first.
    pub refused_buttons: Vec<String>,
    /// The request and the answer of each idempotency key.
    pub(crate) keys: BTreeMap<String, (String, Answer)>,
}

impl Books {
    pub fn calls_with(&self, method: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.method == method).collect()
    }

    /// The number of calls of Complete Checkout Session, which is not allowed for payments
    /// through an acquirer.
    pub fn completions(&self) -> usize {
        self.calls.iter().filter(|call| call.path.ends_with("/complete")).count()
    }
}
