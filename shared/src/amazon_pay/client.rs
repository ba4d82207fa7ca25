//! The client of Amazon Pay's API.
//!
//! Transient failures are retried as in Amazon's own libraries: three tries in all, within the
//! caller's time. Every try is signed again, because the signature includes the time.

use std::sync::Arc;

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{config::Region, key::PrivateKey, session::CheckoutSessionId, signing::Signer};
use crate::platform::{
    http_client::unreadable,
    observe::{self, Called},
    retry::Tries,
    secrets::Secret,
};
use crate::{clock, limits};

/// Amazon Pay's error for a request that it did not process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refusal {
    /// For example `InvalidParameterValue`.
    pub reason_code: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Amazon Pay did not process the request and will not.
    #[error("Amazon Pay answered {status} {}", refusal.reason_code)]
    Refused { status: u16, refusal: Refusal },
    /// Amazon Pay could not be reached, or its answer is unusable.
    #[error("no answer: {0}")]
    Unavailable(String),
}

#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
    region: Region,
    public_key_id: String,
    private_key: Secret<PrivateKey>,
}

impl Client {
    /// `endpoint` is the base URL with the API's version.
    pub(super) fn new(
        http: reqwest::Client,
        endpoint: String,
        region: Region,
        public_key_id: String,
        private_key: Secret<PrivateKey>,
    ) -> Self {
        Self { http, endpoint, region, public_key_id, private_key }
    }

    pub(super) fn public_key_id(&self) -> &str {
        &self.public_key_id
    }

    pub(super) async fn private_key(&self) -> Arc<PrivateKey> {
        self.private_key.get().await
    }

    /// Calls the resource of a checkout session. `key` is the idempotency key, at most 32
    /// characters.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        session: &CheckoutSessionId,
        payload: &str,
        key: Option<&str>,
        until: Instant,
    ) -> Result<T, CallError> {
        let url = format!("{}/checkoutSessions/{session}", self.endpoint);
        let url: Url = url.parse().map_err(unavailable)?;
        let mut private_key = self.private_key().await;
        let mut tries = Tries::new(limits::AMAZON_PAY_RETRY, until);
        loop {
            let signer = Signer {
                key: &private_key,
                public_key_id: &self.public_key_id,
                region: self.region,
            };
            let failure = match self.try_once(signer, &method, &url, payload, key, until).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if let CallError::Refused { status: 401 | 403, .. } = failure.error
                && let Some(newer) = self.private_key.other_than(&private_key).await
            {
                private_key = newer;
                continue;
            }
            if !failure.again || !tries.again().await {
                return Err(failure.error);
            }
            tracing::info!(%method, error = %failure.error, "retrying the call to Amazon Pay");
        }
    }

    async fn try_once<T: DeserializeOwned>(
        &self,
        signer: Signer<'_>,
        method: &Method,
        url: &Url,
        payload: &str,
        key: Option<&str>,
        until: Instant,
    ) -> Result<T, Failure> {
        let headers =
            signer
                .headers(method.as_str(), url, payload.as_bytes(), key, clock::now())
                .map_err(|error| Failure::unavailable(format!("not signed: {error}"), false))?;
        let request = self.http.request(method.clone(), url.clone());
        let mut request = request.headers(observe::trace_headers());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !payload.is_empty() {
            request = request.body(payload.to_owned());
        }
        let until = until.min(Instant::now() + limits::AMAZON_PAY_TRY);
        let exchange = async {
            let response = request.send().await?;
            let status = response.status();
            response.bytes().await.map(|body| (status, body))
        };
        let begun = Instant::now();
        let exchanged = timeout_at(until, exchange).await;
        observe::called(Called::AmazonPay, begun.elapsed());
        let (status, body) = match exchanged {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Failure::unavailable(error.without_url(), true)),
            Err(_) => return Err(Failure::unavailable("no answer in time", true)),
        };
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| Failure::unavailable(unreadable(&error), false));
        }
        if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
            return Err(Failure::unavailable(format!("status {status}"), true));
        }
        if !status.is_client_error() {
            return Err(Failure::unavailable(format!("status {status}"), false));
        }
        Err(Failure {
            error: CallError::Refused {
                status: status.as_u16(),
                refusal: serde_json::from_slice(&body).unwrap_or_default(),
            },
            again: false,
        })
    }
}

struct Failure {
    error: CallError,
    /// True if the same request may be retried.
    again: bool,
}

impl Failure {
    fn unavailable(reason: impl std::fmt::Display, again: bool) -> Self {
        Self { error: unavailable(reason), again }
    }
}

fn unavailable(reason: impl std::fmt::Display) -> CallError {
    CallError::Unavailable(reason.to_string())
}
