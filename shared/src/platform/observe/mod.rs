//! Observes an invocation: one line in the log, and metrics for alarms.
//!
//! Code calls [`order`], [`outcome`] or [`count`] when something happens, and [`invocation`] logs
//! it at the end. Never pass data that identifies a shopper, or contents of requests and answers.

mod metrics;
mod trace;

pub use metrics::{METRICS, Metric, Source, set_source};

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
    order::{Change, Order},
    reference::Reference,
};

#[derive(Debug, Clone, Copy)]
pub enum Called {
    Adyen,
    AmazonPay,
    DynamoDb,
}

#[derive(Debug, Default)]
struct Calls {
    number: u32,
    took: Duration,
}

impl Calls {
    /// `None` if there was no call, so that the log line omits it.
    fn number(&self) -> Option<u32> {
        (self.number > 0).then_some(self.number)
    }

    fn milliseconds(&self) -> Option<f64> {
        (self.number > 0).then(|| milliseconds(self.took))
    }
}

#[derive(Debug, Default)]
struct Observed {
    /// A scheduled run processes several orders.
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

/// The end of an invocation.
#[derive(Debug, Clone, Copy)]
pub enum Completion {
    /// An HTTP status, and the code of a problem.
    Answer(u16, Option<&'static str>),
    /// A scheduled run; true if it succeeded.
    Run(bool),
}

impl Completion {
    /// The outcome to log if no more specific one was set.
    fn default_outcome(self) -> &'static str {
        match self {
            Self::Answer(_, Some(code)) => code,
            Self::Answer(_, None) | Self::Run(true) => "ok",
            Self::Run(false) => "failed",
        }
    }
}

/// Runs the work of one invocation and logs it. `what` is its route or kind.
pub async fn invocation<R>(
    what: &str,
    headers: &HeaderMap,
    context: Option<&Context>,
    work: impl Future<Output = R>,
    completion: impl FnOnce(&R) -> Completion,
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
        let (completion, took) = (completion(&result), begun.elapsed());
        OBSERVED.with(|observed| observed.take().log(what, completion, took));
        result
    };
    OBSERVED.scope(observed, work.instrument(span)).await
}

impl Observed {
    fn log(mut self, what: &str, completion: Completion, took: Duration) {
        let default = completion.default_outcome();
        let (status, code, outcome) = match completion {
            Completion::Answer(status, code) => {
                (Some(status), code, self.outcome.as_deref().unwrap_or(default))
            }
            // A recorded outcome belongs to one of several orders.
            Completion::Run(_) => (None, None, default),
        };
        // Omit the reference if there are several.
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
            adyenCalls = self.adyen.number(),
            adyenMs = self.adyen.milliseconds(),
            amazonPayCalls = self.amazon_pay.number(),
            amazonPayMs = self.amazon_pay.milliseconds(),
            dynamodbCalls = self.dynamodb.number(),
            dynamodbMs = self.dynamodb.milliseconds(),
            "done"
        );
        if let Some(status) = status {
            self.metrics.push(Metric::Latency(took));
            // 501 is the expected answer of a deployment without Amazon Pay's keys.
            if status >= 500 && status != 501 {
                self.metrics.push(Metric::ServerError(code.unwrap_or("none")));
            }
        }
        publish(&self.metrics);
    }
}

/// Changes the record of the current invocation. Outside of one it does nothing.
fn note(act: impl FnOnce(&mut Observed)) {
    let _ = OBSERVED.try_with(|observed| act(&mut observed.borrow_mut()));
}

/// Records the order of the invocation.
pub fn reference(reference: &Reference) {
    note(|observed| {
        // Two are enough to know that there are several.
        if observed.references.len() < 2 {
            observed.references.insert(reference.to_string());
        }
    });
}

/// Records the order of the invocation, and the payment of its last attempt.
pub fn order(order: &Order) {
    reference(&order.reference);
    let last = order.attempts.last();
    let named = last.and_then(|attempt| attempt.psp_reference.as_deref());
    named.into_iter().for_each(payment);
}

/// Records the payment of the invocation.
pub fn payment(psp_reference: &str) {
    note(|observed| observed.psp_reference = Some(psp_reference.to_owned()));
}

/// Records the outcome of the invocation, in one word.
pub fn outcome(word: &str) {
    note(|observed| observed.outcome = Some(word.to_owned()));
}

/// Records that an event was stored, or was a duplicate if it is not new.
pub fn webhook_stored(new: bool) {
    outcome(if new { "stored" } else { "duplicate" });
    if !new {
        count(Metric::WebhookDuplicate);
    }
}

/// Records that an event was kept as a dead letter.
pub fn dead_letter() {
    outcome("deadLetter");
    count(Metric::DeadLetter);
}

/// Records that an event belongs to another environment or merchant account.
pub fn foreign() {
    outcome("foreign");
    count(Metric::ForeignEvent);
}

/// Records a metric, which is published at the end of the invocation.
pub fn count(metric: Metric) {
    note(|observed| observed.metrics.push(metric));
}

/// Logs and counts the reasons for attention that a change of an order raised.
pub fn attention(reference: &Reference, changes: &[Change]) {
    for change in changes {
        if let Change::Raised(reason) = change {
            tracing::warn!(%reference, reason, "order needs attention");
            count(Metric::NeedsAttention(reason));
        }
    }
}

/// Records a call to a service.
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

/// The header `traceparent` (W3C) for outgoing calls. It has Lambda's trace, not the caller's.
pub fn trace_headers() -> HeaderMap {
    let headers = OBSERVED.try_with(|observed| observed.borrow().trace.w3c.clone());
    headers.unwrap_or_default()
}

/// The header `X-Amzn-Trace-Id` for calls to AWS.
pub fn xray_header() -> Option<HeaderValue> {
    let header = OBSERVED.try_with(|observed| observed.borrow().trace.xray.clone());
    header.ok().flatten()
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use http::{HeaderName, HeaderValue};
    use serde_json::{Value, json};

    use super::*;

    const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    const FROM_XRAY: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    /// The log fields and headers of an invocation with these headers.
    async fn carried(
        headers: &[(&'static str, &str)],
        xray: Option<&str>,
    ) -> (Value, Option<HeaderValue>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let mut context = Context::default();
        context.xray_trace_id = xray.map(str::to_owned);
        let work = async { (trace_headers(), xray_header()) };
        let completion = |_: &_| Completion::Run(true);
        let (w3c, xray) = invocation("test", &headers, Some(&context), work, completion).await;
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let w3c = w3c.iter().map(|(name, value)| (name.to_string(), text(value)));
        (json!(w3c.collect::<BTreeMap<_, _>>()), xray)
    }

    #[tokio::test]
    async fn lambdas_trace_is_propagated_in_x_ray_and_w3c_form() {
        let text = |it: &str| Some(HeaderValue::from_str(it).unwrap());
        let theirs = &[("traceparent", THEIRS), ("tracestate", "vendor=state")];
        let planted = &[("traceparent", "planted"), ("tracestate", "planted")];
        for (headers, xray, expected) in [
            (&[][..], Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
            (theirs, Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
            (theirs, None, (json!({}), None)),
            (planted, Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
            (planted, Some("planted"), (json!({}), text("planted"))),
            (&[], None, (json!({}), None)),
        ] {
            assert_eq!(carried(headers, xray).await, expected);
        }
    }
}
