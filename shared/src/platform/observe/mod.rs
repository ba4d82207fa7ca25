//! What an invocation came to: one line in the log, and metrics for alarms.
//!
//! Whoever knows something tells it as it happens ([`order`], [`outcome`], [`count`]), and
//! [`invocation`] writes it down in the end. Nothing that identifies a shopper is told, and
//! nothing that a request or an answer contains.

mod metrics;
mod trace;

pub use metrics::{METRICS, Metric, Source, name};

use std::{
    cell::RefCell,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use lambda_runtime::Context;
use tracing::Instrument;

use self::{metrics::publish, trace::Trace};
use crate::domain::{
    order::{Derived, Order},
    reference::Reference,
};

/// Whom an invocation called.
#[derive(Debug, Clone, Copy)]
pub enum Called {
    /// Adyen.
    Adyen,
    /// Amazon Pay.
    AmazonPay,
    /// DynamoDB.
    DynamoDb,
}

/// Calls of one service.
#[derive(Debug, Default)]
struct Calls {
    number: u32,
    took: Duration,
}

/// What is known of an invocation so far.
#[derive(Debug, Default)]
struct Observed {
    /// A run of the schedule touches many.
    references: BTreeSet<String>,
    psp_reference: Option<String>,
    outcome: Option<String>,
    adyen: Calls,
    amazon_pay: Calls,
    dynamodb: Calls,
    metrics: Vec<Metric>,
    trace: Trace,
}

tokio::task_local! {
    static OBSERVED: RefCell<Observed>;
}

/// What an invocation ended with.
#[derive(Debug, Clone, Copy)]
pub enum Said {
    /// An HTTP answer: its status, and the problem's code.
    Answer(u16, Option<&'static str>),
    /// A run of the schedule, which succeeded or failed.
    Run(bool),
}

impl Said {
    /// In one word, where nobody said it better.
    fn word(self) -> &'static str {
        match self {
            Self::Answer(_, Some(code)) => code,
            Self::Answer(_, None) | Self::Run(true) => "ok",
            Self::Run(false) => "failed",
        }
    }
}

/// Does the work of one invocation, of that route or kind, and writes down what it came to.
/// `say` tells what it ended with.
pub async fn invocation<R>(
    what: &str,
    headers: &HeaderMap,
    context: Option<&Context>,
    work: impl Future<Output = R>,
    say: impl FnOnce(&R) -> Said,
) -> R {
    let trace = Trace::of(headers, context);
    // Error level, so that the span is attached to every line whatever LOG_LEVEL is.
    let span = tracing::error_span!(
        "invocation",
        requestId = context.map_or("", |context| context.request_id.as_str()),
        traceId = trace.id(),
        xrayTraceId = trace.xray_id(),
    );
    let begun = Instant::now();
    let observed = RefCell::new(Observed { trace, ..Observed::default() });
    let work = async {
        let result = work.await;
        let (said, took) = (say(&result), begun.elapsed());
        OBSERVED.with(|observed| observed.take().write_down(what, said, took));
        result
    };
    OBSERVED.scope(observed, work.instrument(span)).await
}

impl Observed {
    fn write_down(mut self, what: &str, said: Said, took: Duration) {
        let told = self.outcome.as_deref();
        let (status, code, outcome) = match said {
            Said::Answer(status, code) => (Some(status), code, told.unwrap_or(said.word())),
            // What was told is of one order among many.
            Said::Run(_) => (None, None, said.word()),
        };
        // What touched several orders is about none of them.
        let (reference, payment) = match self.references.len() {
            0 | 1 => (self.references.pop_first(), self.psp_reference),
            _ => (None, None),
        };
        tracing::info!(
            what,
            reference,
            pspReference = payment,
            outcome,
            status,
            code,
            tookMs = milliseconds(took),
            adyenCalls = self.adyen.number,
            adyenMs = milliseconds(self.adyen.took),
            amazonPayCalls = self.amazon_pay.number,
            amazonPayMs = milliseconds(self.amazon_pay.took),
            dynamodbCalls = self.dynamodb.number,
            dynamodbMs = milliseconds(self.dynamodb.took),
            "done"
        );
        if let Some(status) = status {
            self.metrics.push(Metric::Latency(took));
            // 501 is what a deployment without Amazon Pay's keys is meant to say.
            if status >= 500 && status != 501 {
                self.metrics.push(Metric::ServerError(code.unwrap_or("none")));
            }
        }
        publish(&self.metrics);
    }
}

/// Notes something of the invocation; outside of one there is nothing to note.
fn note(act: impl FnOnce(&mut Observed)) {
    let _ = OBSERVED.try_with(|observed| act(&mut observed.borrow_mut()));
}

/// Tells which order the invocation is about, by its reference.
pub fn reference(reference: &Reference) {
    note(|observed| {
        // It matters which one it is, or that there are several.
        if observed.references.len() < 2 {
            observed.references.insert(reference.to_string());
        }
    });
}

/// Tells which order the invocation is about, and with that which payment.
pub fn order(order: &Order) {
    reference(&order.reference);
    let last = order.attempts.last();
    let named = last.and_then(|attempt| attempt.psp_reference.as_deref());
    named.into_iter().for_each(payment);
}

/// Tells which payment the invocation is about, by its pspReference.
pub fn payment(psp_reference: &str) {
    note(|observed| observed.psp_reference = Some(psp_reference.to_owned()));
}

/// Tells what became of it, in one word.
pub fn outcome(word: &str) {
    note(|observed| observed.outcome = Some(word.to_owned()));
}

/// Tells whether an event was news.
pub fn webhook_stored(news: bool) {
    outcome(if news { "stored" } else { "duplicate" });
    if !news {
        count(Metric::WebhookDuplicate);
    }
}

/// Tells that an event can never be applied as it is, so that a person must look at it.
pub fn dead_letter() {
    outcome("deadLetter");
    count(Metric::DeadLetter);
}

/// Tells that an event is of another environment or merchant account.
pub fn foreign() {
    outcome("foreign");
    count(Metric::ForeignEvent);
}

/// Counts or measures something.
pub fn count(metric: Metric) {
    note(|observed| observed.metrics.push(metric));
}

/// Tells what an order needs a person for that did not need one before.
pub fn attention(reference: &Reference, before: Option<&Derived>, after: &Derived) {
    let known = |reason: &&'static str| {
        before.is_some_and(|before| before.needs_attention.iter().any(|it| it.code() == *reason))
    };
    let reasons = after.needs_attention.iter().map(|reason| reason.code());
    for reason in reasons.filter(|reason| !known(reason)) {
        tracing::warn!(%reference, reason, "an order needs attention");
        count(Metric::NeedsAttention(reason));
    }
}

/// Tells of one call of a service.
pub fn called(service: Called, took: Duration) {
    note(|observed| {
        let calls = match service {
            Called::Adyen => &mut observed.adyen,
            Called::AmazonPay => &mut observed.amazon_pay,
            Called::DynamoDb => &mut observed.dynamodb,
        };
        calls.number += 1;
        calls.took += took;
        if let Called::Adyen = service {
            observed.metrics.push(Metric::AdyenLatency(took));
        }
    });
}

/// The header of W3C's with which the invocation's trace goes on, `traceparent`. It is Lambda's:
/// what the caller sent is not passed on.
pub fn trace_headers() -> HeaderMap {
    let headers = OBSERVED.try_with(|observed| observed.borrow().trace.w3c.clone());
    headers.unwrap_or_default()
}

/// Carries the invocation's trace on to AWS, in the header `X-Amzn-Trace-Id`.
pub fn xray_header() -> Option<HeaderValue> {
    let header = OBSERVED.try_with(|observed| observed.borrow().trace.xray.clone());
    header.ok().flatten()
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
