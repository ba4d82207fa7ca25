//! The client of Adyen's APIs.
//!
//! A call returns Adyen's answer, a rejection ([`ServiceError`]) or an unknown outcome. Only
//! transient failures are retried, with the same `Idempotency-Key` and within the caller's time.

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use super::service_error::ServiceError;
use crate::domain::{error_code::rejects_content, order::Target};
use crate::limits;
use crate::platform::{
    config::{Environment, Settings, text},
    http_client::unreadable,
    observe::{self, Called},
    retry::Tries,
    secrets::Secret,
};

#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Adyen did not process the request and will not.
    #[error("Adyen answered {status} {}", error.error_code)]
    Rejected { status: u16, error: ServiceError },
    /// Adyen may have processed the request, or may still do so.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Marks the API key as sensitive, so that its `Debug` form does not show it.
fn api_key(text: &str) -> Result<HeaderValue, String> {
    let mut key = HeaderValue::from_str(text).map_err(|_| "expected an API key".to_owned())?;
    key.set_sensitive(true);
    Ok(key)
}

/// A client of the Checkout API, and of the Recurring API for operations that Checkout lacks.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    checkout_url: Url,
    recurring_url: Url,
    api_key: Secret<HeaderValue>,
}

impl Client {
    pub const SECRETS: &[&str] = &["ADYEN_API_KEY"];

    pub fn read(settings: &mut Settings) -> Option<Self> {
        let environment = Environment::read(settings);
        let checkout_url = settings.adyen_checkout_url();
        let recurring_url = settings.adyen_recurring_url();
        let api_key = settings.secret("ADYEN_API_KEY", api_key);
        environment?;
        Some(Self {
            http: settings.http(),
            checkout_url: checkout_url?,
            recurring_url: recurring_url?,
            api_key: api_key?,
        })
    }

    /// Reads the merchant account, and adds the host that `client` calls.
    pub fn target(settings: &mut Settings, client: Option<&Self>) -> Option<Target> {
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text)?;
        let endpoint = client?.checkout_url.host_str().unwrap_or_default().to_owned();
        Some(Target { merchant_account, endpoint })
    }

    /// Posts to the Checkout API, for example to `payments`, and retries transient failures
    /// until `until`. `key` is the `Idempotency-Key`, at most 64 characters.
    ///
    /// If an earlier try may have been processed, a rejection of the last one leaves the
    /// outcome unknown, unless it rejects a field, because all tries have the same content.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
        until: Instant,
    ) -> Result<T, CallError> {
        let url = address(&self.checkout_url, path.split('/'));
        let mut request = self.http.post(url).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = self.send(path, request, until).await;
        read(&answer.map_err(|failure| match key {
            Some(_) => failure.of_all(),
            None => failure.error,
        })?)
    }

    /// Posts a query to the Recurring API. Its rejections stand whatever happened to earlier
    /// tries, because a query changes nothing.
    pub(super) async fn post_recurring<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        until: Instant,
    ) -> Result<T, CallError> {
        let url = address(&self.recurring_url, path.split('/'));
        let request = self.http.post(url).json(body);
        let answer = self.send(path, request, until).await;
        read(&answer.map_err(|failure| failure.error)?)
    }

    /// Deletes a resource of the Checkout API, with the retries of [`Client::post`].
    pub(super) async fn delete(
        &self,
        path: [&str; 2],
        query: [(&str, &str); 2],
        until: Instant,
    ) -> Result<(), Failure> {
        let mut url = address(&self.checkout_url, path);
        url.query_pairs_mut().extend_pairs(query);
        let request = self.http.delete(url);
        self.send(path[0], request, until).await.map(drop)
    }

    /// Sends a request, and retries it until it has an answer or `until` is reached.
    async fn send(
        &self,
        path: &str,
        request: RequestBuilder,
        until: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let mut tries = Tries::new(limits::ADYEN_RETRY, until);
        let mut in_doubt = false;
        let mut api_key = self.api_key.get().await;
        loop {
            let Some(request) = request.try_clone() else {
                return Err(Failure::unknown("a body that is a stream", false));
            };
            let request = request.header("X-API-Key", (*api_key).clone());
            let failure = match try_once(request, until).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if failure.is_about_the_key()
                && let Some(newer) = self.api_key.other_than(&api_key).await
            {
                api_key = newer;
                continue;
            }
            if !failure.again || !tries.again().await {
                return Err(Failure { in_doubt, ..failure });
            }
            in_doubt |= failure.in_doubt;
            tracing::info!(path, error = %failure.error, "retrying the call to Adyen");
        }
    }
}

/// The URL of a resource. Path segments are escaped, so they may contain any characters.
fn address<'a>(api: &Url, path: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = api.clone();
    // This fails only for a URL without a host, which the configuration rejects.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(answer).map_err(|error| CallError::Unknown(unreadable(&error)))
}

/// The failure of a try, or of all tries of a request.
pub struct Failure {
    pub error: CallError,
    /// The status, if the body is not a [`ServiceError`].
    pub bare_status: Option<StatusCode>,
    /// True if the same request with the same key may be retried.
    pub again: bool,
    /// True if this try may have been processed. In the failure of all tries, true if an earlier
    /// one may have been.
    pub in_doubt: bool,
}

impl Failure {
    /// A try without an answer. It may be retried.
    pub fn unanswered() -> Self {
        Self::unknown("no answer in time", true)
    }

    fn unknown(reason: impl Into<String>, again: bool) -> Self {
        Self { error: CallError::Unknown(reason.into()), bare_status: None, again, in_doubt: true }
    }

    /// Adyen's API never redirects, so the configured URL is wrong and nothing was processed.
    fn redirected(status: StatusCode) -> Self {
        let error = ServiceError {
            error_code: format!("http_{}", status.as_u16()),
            error_type: Some("configuration".to_owned()),
            message: None,
            psp_reference: None,
        };
        Self {
            error: CallError::Rejected { status: status.as_u16(), error },
            bare_status: None,
            again: false,
            in_doubt: false,
        }
    }

    fn is_about_the_key(&self) -> bool {
        let status = match &self.error {
            CallError::Rejected { status, .. } => Some(*status),
            CallError::Unknown(_) => self.bare_status.map(|status| status.as_u16()),
        };
        status == Some(401)
    }

    /// The outcome of all tries of a request that must not be processed twice. If an earlier try
    /// may have been processed, a rejection of the last one leaves the outcome unknown, unless it
    /// rejects a field.
    pub fn of_all(self) -> CallError {
        match self.error {
            CallError::Rejected { error, .. }
                if self.in_doubt && !rejects_content(&error.error_code) =>
            {
                CallError::Unknown(format!("error {}, after a request in doubt", error.error_code))
            }
            error => error,
        }
    }
}

async fn try_once(mut request: RequestBuilder, until: Instant) -> Result<Vec<u8>, Failure> {
    request = request.headers(observe::trace_headers());
    let until = until.min(Instant::now() + limits::ADYEN_TRY);
    let exchange = async {
        let response = request.send().await?;
        let head = (response.status(), may_retry(&response));
        response.bytes().await.map(|body| (head, body))
    };
    let begun = Instant::now();
    let exchanged = timeout_at(until, exchange).await;
    observe::called(Called::Adyen, begun.elapsed());
    let ((status, transient), body) = match exchanged {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            return Err(Failure {
                // Nothing was sent if the connection failed.
                in_doubt: !error.is_connect(),
                ..Failure::unknown(without_url(error), true)
            });
        }
        Err(_) => return Err(Failure::unanswered()),
    };
    read_try(status, transient, body.into())
}

/// Returns the body of a successful answer, or the meaning of an error. `transient` is Adyen's
/// header.
///
/// # Errors
/// [`Failure`] of this try.
pub fn read_try(status: StatusCode, transient: bool, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if status.is_success() {
        return Ok(body);
    }
    if status.is_redirection() {
        return Err(Failure::redirected(status));
    }
    let busy = status == StatusCode::TOO_MANY_REQUESTS;
    let Ok(error) = serde_json::from_slice::<ServiceError>(&body) else {
        return Err(Failure {
            bare_status: Some(status),
            in_doubt: !busy,
            ..Failure::unknown(format!("status {status} without a reason"), transient || busy)
        });
    };
    // 704: the first request with this key is still being processed. 703: Adyen cannot
    // look up the key at present. The payment's outcome is unknown in both cases.
    let code = error.error_code.as_str();
    if transient || busy || matches!(code, "703" | "704") {
        return Err(Failure {
            in_doubt: !busy && code != "703",
            ..Failure::unknown(format!("status {status}, error {code}"), true)
        });
    }
    if !error.rejects(status) {
        return Err(Failure::unknown(format!("status {status}, error {code}"), false));
    }
    Err(Failure {
        error: CallError::Rejected { status: status.as_u16(), error },
        bare_status: None,
        again: false,
        in_doubt: false,
    })
}

fn may_retry(response: &Response) -> bool {
    let headers: &HeaderMap = response.headers();
    headers.get("transient-error").is_some_and(|value| value == "true")
}

/// Drops the URL, because its host may contain the merchant's name.
fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
