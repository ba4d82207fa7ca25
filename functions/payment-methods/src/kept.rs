//! Adyen's lists of payment methods, kept in the process because every page view asks for the same
//! one. The header `Cache-Status` (RFC 9211) of a response reports if its list was kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Response};
use lru::LruCache;
use shared::{
    adyen::{
        client::{CallError, Client},
        payment_methods::{PaymentMethodsRequest, PaymentMethodsResponse},
    },
    clock,
    http::edge,
    limits,
    platform::observe,
};
use tokio::time::Instant;

pub struct Kept(Mutex<LruCache<PaymentMethodsRequest, List>>);

#[derive(Clone)]
struct List {
    /// As Adyen wrote it.
    answer: PaymentMethodsResponse,
    asked_at: Timestamp,
    /// When to ask Adyen again.
    ask_at: Timestamp,
}

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(limits::LISTS)))
    }
}

impl Kept {
    /// Answers with the kept list while it is fresh, and otherwise asks Adyen. If Adyen does not
    /// answer, a list that is not too old is better than none.
    ///
    /// # Errors
    /// Those of the call to Adyen.
    pub async fn answer(
        &self,
        question: &PaymentMethodsRequest,
        adyen: &Client,
        until: Instant,
    ) -> Result<Response<Body>, CallError> {
        let kept =
            self.lists().get(question).filter(|list| list.age() < limits::LIST_STALE).cloned();
        if let Some(list) = kept.as_ref().filter(|list| clock::now() < list.ask_at) {
            return Ok(list.response());
        }
        let until = match &kept {
            Some(_) => until.min(Instant::now() + limits::LIST_WAIT),
            None => until,
        };
        match (ask(adyen, question, until).await, kept) {
            (Ok(answer), _) => {
                let mut response = edge::json(StatusCode::OK, &answer);
                let is_short = response.body().len() <= limits::LIST;
                if is_short {
                    let now = clock::now();
                    let list =
                        List { answer, asked_at: now, ask_at: later(now, limits::LIST_FRESH) };
                    self.lists().put(question.clone(), list);
                }
                let stored = if is_short { "; stored" } else { "" };
                set(&mut response, CACHE_STATUS, &format!("payment-methods; fwd=miss{stored}"));
                Ok(response)
            }
            (Err(error), Some(mut list)) if is_no_answer(&error) => {
                tracing::warn!(%error, age = list.age().as_secs(), "Adyen did not answer, so a kept list is used");
                list.ask_at = later(clock::now(), limits::LIST_PAUSE);
                let response = list.response();
                self.lists().put(question.clone(), list);
                Ok(response)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn lists(&self) -> MutexGuard<'_, LruCache<PaymentMethodsRequest, List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn age(&self) -> SignedDuration {
        clock::now().duration_since(self.asked_at)
    }

    fn response(&self) -> Response<Body> {
        let age = self.age();
        let is_stale = age >= limits::LIST_FRESH;
        observe::outcome(if is_stale { "keptStale" } else { "kept" });
        let mut response = edge::json(StatusCode::OK, &self.answer);
        // RFC 9211: a stale list has a negative time to live.
        let left = (limits::LIST_FRESH - age).as_secs();
        set(&mut response, CACHE_STATUS, &format!("payment-methods; hit; ttl={left}"));
        set(&mut response, header::AGE, &age.as_secs().max(0).to_string());
        response
    }
}

pub async fn ask(
    adyen: &Client,
    question: &PaymentMethodsRequest,
    until: Instant,
) -> Result<PaymentMethodsResponse, CallError> {
    adyen.post("paymentMethods", question, None, until).await
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// True if Adyen could not be reached or has too much to do. Any other rejection, for instance of
/// the API key, is for the caller to see.
fn is_no_answer(error: &CallError) -> bool {
    matches!(error, CallError::Unknown(_) | CallError::Rejected { status: 429, .. })
}
