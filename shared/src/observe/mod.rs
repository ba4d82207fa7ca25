//! What an invocation came to: one line in the log, and metrics for alarms.
//!
//! Whoever knows something tells it as it happens ([`order`], [`outcome`], [`count`]), and
//! [`invocation`] writes it down in the end. Nothing that identifies a shopper is told, and
//! nothing that a request or an answer contains.

mod metrics;
mod trace;

pub use metrics::{METRICS, Metric, name};

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use lambda_runtime::Context;
use tracing::Instrument;

use self::{metrics::publish, trace::Trace};
use crate::order::{Derived, Order};

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
    reference: Option<String>,
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

/// What the caller was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The problem's code.
    pub code: Option<&'static str>,
}

/// Does the work of one invocation, of that route or kind, and writes down what it came to.
/// `say` tells what the caller was answered.
pub async fn invocation<R>(
    what: &str,
    headers: &HeaderMap,
    context: Option<&Context>,
    work: impl Future<Output = R>,
    say: impl FnOnce(&R) -> Said,
) -> R {
    let trace = Trace::of(headers, context);
    let request_id = context.map_or("", |context| context.request_id.as_str());
    let span = tracing::info_span!("invocation", request_id, trace_id = trace.id());
    let begun = Instant::now();
    let observed = RefCell::new(Observed {
        trace,
        ..Observed::default()
    });
    let work = async {
        let result = work.await;
        let Said { status, code } = say(&result);
        OBSERVED.with(|observed| {
            let observed = observed.take();
            tracing::info!(
                what,
                reference = observed.reference,
                psp_reference = observed.psp_reference,
                outcome = observed.outcome,
                status,
                code,
                took_ms = milliseconds(begun.elapsed()),
                adyen_calls = observed.adyen.number,
                adyen_ms = milliseconds(observed.adyen.took),
                amazon_pay_calls = observed.amazon_pay.number,
                amazon_pay_ms = milliseconds(observed.amazon_pay.took),
                dynamodb_calls = observed.dynamodb.number,
                dynamodb_ms = milliseconds(observed.dynamodb.took),
                "done"
            );
            publish(&observed.metrics);
        });
        result
    };
    OBSERVED.scope(observed, work.instrument(span)).await
}

/// Notes something of the invocation; outside of one there is nothing to note.
fn note(act: impl FnOnce(&mut Observed)) {
    let _ = OBSERVED.try_with(|observed| act(&mut observed.borrow_mut()));
}

/// Tells which order the invocation is about.
pub fn order(order: &Order) {
    let last = order.attempts.last();
    let payment = last.and_then(|attempt| attempt.psp_reference.as_deref());
    note(|observed| observed.reference = Some(order.reference.to_string()));
    payment.into_iter().for_each(payment_of);
}

/// Tells which payment the invocation is about.
pub fn payment_of(psp_reference: &str) {
    note(|observed| observed.psp_reference = Some(psp_reference.to_owned()));
}

/// Tells what became of it, in one word.
pub fn outcome(word: &str) {
    note(|observed| observed.outcome = Some(word.to_owned()));
}

/// Counts or measures something.
pub fn count(metric: Metric) {
    note(|observed| observed.metrics.push(metric));
}

/// Tells what an order needs a person for that did not need one before.
pub fn attention(before: Option<&Derived>, after: &Derived) {
    let known = |reason: &&'static str| {
        before.is_some_and(|before| before.needs_attention.iter().any(|it| it.code() == *reason))
    };
    let reasons = after.needs_attention.iter().map(|reason| reason.code());
    for reason in reasons.filter(|reason| !known(reason)) {
        tracing::warn!(reason, "an order needs attention");
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

/// Carries the invocation's trace on, in a header of W3C's.
pub fn traceparent_header() -> Option<HeaderValue> {
    let header = OBSERVED.try_with(|observed| observed.borrow().trace.traceparent.clone());
    header.ok().flatten()
}

/// Carries the invocation's trace on to AWS, in the header `X-Amzn-Trace-Id`.
pub fn xray_header() -> Option<HeaderValue> {
    let header = OBSERVED.try_with(|observed| observed.borrow().trace.xray.clone());
    header.ok().flatten()
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
