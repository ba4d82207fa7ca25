//! What an invocation came to: one line in the log, and metrics for alarms.
//!
//! Whoever knows something tells it as it happens ([`order`], [`outcome`], [`count`]), and
//! [`invocation`] writes it down in the end. Nothing that identifies a shopper is told, and
//! nothing that a request or an answer contains.
//!
//! Metrics are lines of CloudWatch's Embedded Metric Format, for which no call is made. They
//! are events of the target [`METRICS`], which only a Lambda runtime prints.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::{Map, Value, json};
use tracing::Instrument;

use crate::order::{Derived, Order};

/// The target of events that are metrics.
pub const METRICS: &str = "metrics";

/// A number that is counted or measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Adyen answered to a payment or its details, by `Result`: the resultCode, `Rejected` or
    /// `Unknown`.
    Payment(String),
    /// A payment ended in an error of Adyen's, ours or nobody knows whose.
    PaymentError,
    /// A webhook's event, by `EventCode`.
    WebhookEvent(String),
    /// An event that was known already.
    WebhookDuplicate,
    /// A webhook with a wrong signature or wrong credentials.
    WebhookSignatureFailure,
    /// An HMAC key matched, by `Key`: its position, from 1.
    HmacKeyMatched(usize),
    /// An event waits for an order to claim its payment.
    ParkedEvent,
    /// Somebody else changed an item in between.
    WriteConflict,
    /// An order began to need a person, by `Reason`.
    NeedsAttention(&'static str),
    /// How long one call of Adyen took.
    AdyenLatency(Duration),
    /// How long the longest open outcome has been open.
    UnsettledAge(Duration),
}

impl Metric {
    /// Name, unit, value, and a dimension where there is one.
    fn parts(
        &self,
    ) -> (
        &'static str,
        &'static str,
        f64,
        Option<(&'static str, String)>,
    ) {
        let count = |name, dimension| (name, "Count", 1.0, dimension);
        match self {
            Self::Payment(result) => count("Payments", Some(("Result", result.clone()))),
            Self::PaymentError => count("PaymentErrors", None),
            Self::WebhookEvent(code) => count("WebhookEvents", Some(("EventCode", code.clone()))),
            Self::WebhookDuplicate => count("WebhookDuplicates", None),
            Self::WebhookSignatureFailure => count("WebhookSignatureFailures", None),
            Self::HmacKeyMatched(position) => {
                count("HmacKeyMatched", Some(("Key", position.to_string())))
            }
            Self::ParkedEvent => count("ParkedEvents", None),
            Self::WriteConflict => count("WriteConflicts", None),
            Self::NeedsAttention(reason) => {
                count("NeedsAttention", Some(("Reason", (*reason).to_owned())))
            }
            Self::AdyenLatency(took) => ("AdyenLatency", "Milliseconds", milliseconds(*took), None),
            Self::UnsettledAge(age) => ("UnsettledAge", "Seconds", age.as_secs_f64(), None),
        }
    }
}

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

/// The namespace of the metrics.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Names the metrics' namespace, once.
pub fn name(namespace: &str) {
    NAMESPACE.get_or_init(|| namespace.to_owned());
}

/// Where the trace of a request goes on: in W3C's words, and X-Ray's.
#[derive(Debug, Clone, Default)]
struct Trace {
    traceparent: Option<HeaderValue>,
    xray: Option<HeaderValue>,
}

impl Trace {
    /// The caller's trace, or else the one that Lambda began.
    fn of(headers: &HeaderMap, context: Option<&Context>) -> Self {
        let xray = context.and_then(|context| context.xray_trace_id.as_deref());
        let theirs = headers.get("traceparent").and_then(|it| it.to_str().ok());
        let traceparent = match theirs {
            Some(theirs) if is_traceparent(theirs) => Some(theirs.to_owned()),
            _ => xray.and_then(traceparent),
        };
        let value = |text: &str| HeaderValue::from_str(text).ok();
        Self {
            traceparent: traceparent.as_deref().and_then(value),
            xray: xray.and_then(value),
        }
    }

    /// The id that all of a trace's lines share.
    fn id(&self) -> Option<&str> {
        self.traceparent.as_ref()?.to_str().ok()?.split('-').nth(1)
    }
}

/// Whether it is a header of W3C Trace Context, version 00.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |text: &str, length: usize| {
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        text.len() == length && text.bytes().all(digits)
    };
    let some = |text: &str| text.bytes().any(|c| c != b'0');
    matches!(parts.as_slice(), ["00", trace, parent, flags]
        if hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2))
}

/// X-Ray's header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`, in W3C's
/// words.
fn traceparent(xray: &str) -> Option<String> {
    let field = |name: &str| {
        xray.split(';')
            .find_map(|field| field.trim().strip_prefix(name))
    };
    let root = field("Root=1-")?.replace('-', "");
    let parent = field("Parent=")?;
    let sampled = if field("Sampled=") == Some("1") {
        "01"
    } else {
        "00"
    };
    let text = format!("00-{root}-{parent}-{sampled}");
    is_traceparent(&text).then_some(text)
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

/// The values of one line by their names, with their unit.
type Values<'a> = BTreeMap<&'a str, (&'a str, Vec<f64>)>;

/// So many values of one name CloudWatch takes in a line.
const VALUES: usize = 100;

/// Prints metrics, those with the same dimension in one line.
fn publish(metrics: &[Metric]) {
    for metrics in metrics.chunks(VALUES) {
        let mut lines: BTreeMap<_, Values> = BTreeMap::new();
        for metric in metrics {
            let (name, unit, value, dimension) = metric.parts();
            let line = lines.entry(dimension).or_default();
            line.entry(name).or_insert((unit, Vec::new())).1.push(value);
        }
        for (dimension, values) in lines {
            let line = line(dimension, values);
            tracing::info!(target: METRICS, parent: None, "{line}");
        }
    }
}

fn line(dimension: Option<(&str, String)>, values: Values) -> Value {
    let named = dimension.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    // The sum over a dimension is a metric of its own.
    let dimensions = match named.is_empty() {
        true => json!([[]]),
        false => json!([[], named]),
    };
    let described: Vec<Value> = values
        .iter()
        .map(|(name, (unit, _))| json!({"Name": name, "Unit": unit}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE.get().map_or("amazon-pay", String::as_str),
                "Dimensions": dimensions,
                "Metrics": described,
            }],
        }),
    );
    line.extend(dimension.map(|(name, value)| (name.to_owned(), value.into())));
    for (name, (_, values)) in values {
        line.insert(name.to_owned(), json!(values));
    }
    Value::Object(line)
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
