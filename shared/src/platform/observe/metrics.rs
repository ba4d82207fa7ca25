//! Metrics as log lines in CloudWatch's Embedded Metric Format, which needs no API call. They are
//! tracing events of the target [`METRICS`].

use crate::limits;
use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::milliseconds;

/// The target of the tracing events.
pub const METRICS: &str = "metrics";

#[derive(Debug)]
pub struct Source {
    pub namespace: String,
    /// `FUNCTION:VERSION`, the format of the template's alarms.
    pub version: String,
}

static SOURCE: OnceLock<Source> = OnceLock::new();

/// Sets the source of all metrics. Only the first call has an effect.
pub fn set_source(source: Source) {
    SOURCE.get_or_init(|| source);
}

/// The source of the metrics, with a default for a process that is not a Lambda function.
fn source() -> &'static Source {
    SOURCE.get_or_init(|| Source { namespace: "amazon-pay".into(), version: "local".into() })
}

/// A count or a measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// A call to Adyen's `/payments` or `/payments/details`. By `Result`, which is the
    /// resultCode, `Rejected` or `Unknown`, and by `Version`.
    Payment(String),
    /// A payment with an error at Adyen, an error of the deployment or an unknown outcome. By
    /// `Version`.
    PaymentError,
    /// An event in a webhook. By `EventCode`.
    WebhookEvent(String),
    /// An event that was already stored.
    WebhookDuplicate,
    /// A webhook with a wrong signature or wrong credentials.
    WebhookSignatureFailure,
    /// A webhook without a signature or credentials, which Adyen's always have.
    UnsignedWebhook,
    /// A signature was verified, with one of several HMAC keys. Only by `Key`, the position of the
    /// key, counted from 1.
    HmacKeyMatched(usize),
    /// An event was parked until an order claims its payment.
    ParkedEvent,
    /// An order claimed a payment with this many parked events. They are subtracted from
    /// `ParkedEvents`, so that its sum is the number of events that are still parked.
    ClaimedEvents(u32),
    /// A verified event of another environment or merchant account.
    ForeignEvent,
    /// An event that can never be applied as it is.
    DeadLetter,
    /// Another process changed an item between its reading and writing.
    WriteConflict,
    /// An order has a new reason for attention. By `Reason`.
    NeedsAttention(&'static str),
    /// A response with a 5xx status. By the problem's `Code` together with `Version`.
    ServerError(&'static str),
    /// The duration of a request.
    Latency(Duration),
    /// The duration of one call to Adyen.
    AdyenLatency(Duration),
    /// The age of the oldest open outcome that was not reported for attention.
    OpenAge(Duration),
}

/// Names and values that together identify a metric among those of one name.
type Dimensions = Vec<(&'static str, String)>;

struct Parts {
    name: &'static str,
    unit: &'static str,
    value: f64,
    /// The metric is published with each of these. The empty one is the sum.
    dimensions: Vec<Dimensions>,
}

impl Parts {
    fn new(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self { name, unit, value, dimensions: vec![Vec::new()] }
    }

    fn count(name: &'static str) -> Self {
        Self::new(name, "Count", 1.0)
    }

    fn by(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.dimensions.push(vec![(name, value.into())]);
        self
    }

    fn by_version(self) -> Self {
        self.by("Version", &source().version)
    }

    /// For a metric whose sum is also another metric, because each costs money.
    fn without_sum(mut self) -> Self {
        self.dimensions.retain(|dimensions| !dimensions.is_empty());
        self
    }
}

impl Metric {
    fn parts(&self) -> Parts {
        match self {
            Self::Payment(result) => {
                Parts::count("Payments").by("Result", dimension_value(result)).by_version()
            }
            Self::PaymentError => Parts::count("PaymentErrors").by_version(),
            Self::WebhookEvent(code) => {
                Parts::count("WebhookEvents").by("EventCode", dimension_value(code))
            }
            Self::WebhookDuplicate => Parts::count("WebhookDuplicates"),
            Self::WebhookSignatureFailure => Parts::count("WebhookSignatureFailures"),
            Self::UnsignedWebhook => Parts::count("UnsignedWebhooks"),
            Self::HmacKeyMatched(position) => {
                Parts::count("HmacKeyMatched").by("Key", position.to_string()).without_sum()
            }
            Self::ParkedEvent => Parts::count("ParkedEvents"),
            Self::ClaimedEvents(count) => Parts::new("ParkedEvents", "Count", -f64::from(*count)),
            Self::ForeignEvent => Parts::count("ForeignEvents"),
            Self::DeadLetter => Parts::count("DeadLetters"),
            Self::WriteConflict => Parts::count("WriteConflicts"),
            Self::NeedsAttention(reason) => Parts::count("NeedsAttention").by("Reason", *reason),
            Self::ServerError(code) => {
                let mut parts = Parts::count("ServerErrors");
                let version = source().version.clone();
                parts.dimensions.push(vec![("Code", (*code).to_owned()), ("Version", version)]);
                parts
            }
            Self::Latency(took) => Parts::new("Latency", "Milliseconds", milliseconds(*took)),
            Self::AdyenLatency(took) => {
                Parts::new("AdyenLatency", "Milliseconds", milliseconds(*took))
            }
            Self::OpenAge(age) => Parts::new("OpenAge", "Seconds", age.as_secs_f64()),
        }
    }
}

/// The value of a dimension for a word from Adyen. Unusual and empty words become `other`, because
/// each new value costs money and CloudWatch rejects an empty one.
fn dimension_value(word: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match word.len() {
        1..=64 if word.chars().all(is_name) => word.to_owned(),
        _ => "other".to_owned(),
    }
}

/// The units and values of one line, by the metric's name.
type Values<'a> = BTreeMap<&'a str, (&'a str, Vec<f64>)>;

/// Publishes metrics. Those with the same dimensions share a line.
pub(super) fn publish(metrics: &[Metric]) {
    for metrics in metrics.chunks(limits::METRIC_VALUES) {
        let mut lines: BTreeMap<_, Values> = BTreeMap::new();
        for metric in metrics {
            let Parts { name, unit, value, dimensions } = metric.parts();
            let line = lines.entry(dimensions).or_default();
            line.entry(name).or_insert((unit, Vec::new())).1.push(value);
        }
        for (dimensions, values) in lines {
            let line = line(dimensions, values);
            tracing::info!(target: METRICS, parent: None, "{line}");
        }
    }
}

fn line(dimensions: Vec<Dimensions>, values: Values) -> Value {
    let named: Vec<Vec<_>> =
        dimensions.iter().map(|it| it.iter().map(|(name, _)| *name).collect()).collect();
    let described: Vec<Value> =
        values.iter().map(|(name, (unit, _))| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": source().namespace,
                "Dimensions": named,
                "Metrics": described,
            }],
        }),
    );
    line.extend(dimensions.into_iter().flatten().map(|(name, value)| (name.into(), value.into())));
    for (name, (_, values)) in values {
        line.insert(name.to_owned(), json!(values));
    }
    Value::Object(line)
}
