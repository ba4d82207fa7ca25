//! A shopper who pays despite failures: retries unanswered requests, follows every
//! next step, and starts over if necessary.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use adyen_simulator::{challenge_result, fingerprint_result, redirect_result};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, browser};

use crate::shop::{Shop, in_browser};

/// The course of the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    Payment,
    Redirect,
    Native,
    RetryAfterRefusal,
}

impl Flow {
    pub const ALL: [Self; 4] =
        [Self::Payment, Self::Redirect, Self::Native, Self::RetryAfterRefusal];

    /// Returns true if the shopper's browser posts details.
    pub fn brings_details(self) -> bool {
        matches!(self, Self::Redirect | Self::Native)
    }

    /// The token of the shopper's nth Amazon Pay session.
    pub fn token(self, session: u32) -> String {
        let ending = match self {
            Self::Payment => "",
            Self::Redirect => "-3DS-REDIRECT",
            Self::Native => "-3DS-CHALLENGE",
            Self::RetryAfterRefusal if session == 1 => "-REFUSED",
            Self::RetryAfterRefusal => "",
        };
        format!("T{session}{ending}")
    }
}

/// The shopper's next action after an answer.
#[derive(Clone, Debug)]
pub enum Next {
    /// The order is paid.
    Done,
    /// Repeats the request after a pause.
    Again,
    /// Pays again with the same session, as after a reload of the page.
    Reload,
    /// Begins a new Amazon Pay session.
    StartOver,
    /// Completes Adyen's action, and posts the details for this attempt.
    Act { attempt: u64, action: Value },
}

impl Next {
    pub fn after(answer: &Answer) -> Self {
        let body = &answer.body;
        match (answer.status, body["nextStep"].as_str(), body["code"].as_str()) {
            (200, Some("success"), _) | (409, _, Some("order_already_paid")) => Self::Done,
            (200, Some("handleAction"), _) => Self::Act {
                attempt: body["attempt"].as_u64().expect("an attempt"),
                action: body["action"].clone(),
            },
            (200 | 202, Some("wait"), _) | (409, _, Some("payment_in_progress")) => Self::Again,
            (502 | 503, None | Some("wait"), _) => Self::Again,
            (409, _, Some("attempt_superseded")) => Self::Reload,
            (200 | 422 | 502, Some(_), _) | (422, None, Some("adyen_rejected")) => Self::StartOver,
            _ => panic!("a shopper can't go on after {answer:?}"),
        }
    }
}

/// The number of requests after which the test fails.
const PATIENCE: usize = 80;

/// The server of a shopper's requests.
pub trait Api {
    /// Posts a request for an order. Returns None if the process has ended.
    fn post(
        &self,
        reference: &str,
        path: &str,
        body: &Value,
    ) -> impl Future<Output = Option<Answer>> + Send;
}

impl Api for Stack {
    async fn post(&self, reference: &str, path: &str, body: &Value) -> Option<Answer> {
        Some(post(self, reference, path, body).await)
    }
}

/// A shopper with one tab.
pub struct Shopper<'a, A> {
    api: &'a A,
    reference: String,
    flow: Flow,
    /// The number of the Amazon Pay session, from 1.
    session: AtomicU32,
}

impl<'a, A: Api> Shopper<'a, A> {
    pub fn new(api: &'a A, reference: &str, flow: Flow) -> Self {
        Self { api, reference: reference.to_owned(), flow, session: AtomicU32::new(1) }
    }

    /// Pays the order. If called again, continues with the session, as after a reload of the page.
    pub async fn pay(&self) {
        let mut answers = Vec::new();
        for _ in 0..PATIENCE {
            let session = self.session.load(Ordering::Relaxed);
            let body = in_browser(&self.reference, &self.flow.token(session));
            let mut next = self.send("/payments", &body, &mut answers).await;
            while let Next::Act { attempt, action } = next {
                let body = result(Some(attempt), &action, true);
                next = match self.send("/payments/details", &body, &mut answers).await {
                    // The page repeats the same details.
                    Next::Again => {
                        pause().await;
                        Next::Act { attempt, action }
                    }
                    next => next,
                };
                assert!(answers.len() < PATIENCE, "{}: {answers:#?}", self.reference);
            }
            match next {
                Next::Done => return,
                Next::StartOver => self.session.store(session + 1, Ordering::Relaxed),
                _ => pause().await,
            }
        }
        panic!("{} is not paid: {answers:#?}", self.reference);
    }

    async fn send(&self, path: &str, body: &Value, answers: &mut Vec<Answer>) -> Next {
        let Some(answer) = self.api.post(&self.reference, path, body).await else {
            return Next::Again;
        };
        let next = Next::after(&answer);
        answers.push(answer);
        next
    }
}

pub async fn post(stack: &Stack, reference: &str, path: &str, body: &Value) -> Answer {
    let request = stack.request(Method::POST, path).json(body);
    Answer::of(request.bearer_auth(browser(reference))).await
}

/// The details of an action that the shopper completed.
pub fn result(attempt: Option<u64>, action: &Value, approved: bool) -> Value {
    let (name, result) = match (action["type"].as_str(), action["subtype"].as_str()) {
        (Some("redirect"), _) => {
            let outcome = if approved { "approved" } else { "refused" };
            ("redirectResult", redirect_result(action, outcome))
        }
        (_, Some("fingerprint")) => ("threeDSResult", fingerprint_result(action)),
        _ => ("threeDSResult", challenge_result(action, approved)),
    };
    let mut body = json!({"details": {name: result}});
    if let Some(attempt) = attempt {
        body["attempt"] = json!(attempt);
    }
    body
}

pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}

impl Shop {
    /// Asserts that an order was paid once, and agrees with Adyen's books.
    pub async fn assert_paid_once(&self, reference: &str, context: &str) {
        self.assert_paid(reference, &BTreeSet::new(), context).await;
    }

    /// Asserts that an order was paid at most once except for vouchers, which the shopper may pay
    /// beside another method, that it says so, and that it agrees with Adyen's books. Returns the
    /// payments.
    pub async fn assert_paid(
        &self,
        reference: &str,
        vouchers: &BTreeSet<String>,
        context: &str,
    ) -> BTreeSet<String> {
        self.adyen.arrived().await;
        self.dynamodb.arrived().await;
        let paid = self.simulator().with_books(|books| {
            let payments = books.payments_of(reference).into_iter();
            let paid = payments.filter(|payment| payment.money.authorised > 0);
            paid.map(|payment| payment.psp_reference.clone()).collect::<BTreeSet<_>>()
        });
        let order = self.order(reference).await;
        let charged = paid.difference(vouchers).count();
        assert!(charged <= 1, "{context}: charged {charged} times: {order:#}");
        assert!(!paid.is_empty(), "{context}: not paid: {order:#}");
        for (member, wanted) in [
            ("status", json!("authorised")),
            ("confirmed", json!(true)),
            ("authorisedAmount", json!({"currency": "EUR", "value": 1000 * paid.len()})),
            ("refundedAmount", json!({"currency": "EUR", "value": 0})),
            ("nextStep", json!("success")),
        ] {
            assert_eq!(order[member], wanted, "{context}: {member}: {order:#}");
        }
        let named = order["pspReference"].as_str().unwrap_or_default();
        assert!(paid.contains(named), "{context}: {named} is not one of {paid:?}");
        let twice = match paid.len() {
            1 => BTreeSet::new(),
            _ => paid.iter().map(String::as_str).collect(),
        };
        let reasons = order["needsAttention"].as_array().unwrap();
        let told = reasons.iter().flat_map(|reason| {
            let payments = reason.as_str().and_then(|it| it.strip_prefix("paid_twice: "));
            payments.unwrap_or_else(|| panic!("{context}: {reason}")).split(", ")
        });
        assert_eq!(told.collect::<BTreeSet<_>>(), twice, "{context}: {order:#}");
        paid
    }
}
