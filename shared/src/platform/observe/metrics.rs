//! Metrics, as lines of CloudWatch's Embedded Metric Format, for which no call is made. They
//! are events of the target [`METRICS`], which only a Lambda runtime prints.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::milliseconds;

/// The target of events that are metrics.
pub const METRICS: &str = "metrics";

/// Where the metrics come from.
#[derive(Debug)]
pub struct Source {
    /// Their namespace.
    pub namespace: String,
    /// The function and its version, as the template's alarms name them: `FUNCTION:VERSION`.
    pub version: String,
}

static SOURCE: OnceLock<Source> = OnceLock::new();

/// Names the metrics' source, once.
pub fn name(source: Source) {
    SOURCE.get_or_init(|| source);
}

/// The source of a process that is not a Lambda function.
fn source() -> &'static Source {
    SOURCE.get_or_init(|| Source { namespace: "amazon-pay".into(), version: "local".into() })
}

/// A number that is counted or measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Adyen answered to a payment or its details, by `Result`, which is the resultCode,
    /// `Rejected` or `Unknown`, and by `Version`.
    Payment(String),
    /// A payment ended in an error of Adyen's, ours or nobody knows whose. By `Version`.
    PaymentError,
    /// A webhook's event, by `EventCode`.
    WebhookEvent(String),
    /// An event that was known already.
    WebhookDuplicate,
    /// A webhook with a wrong signature or wrong credentials.
    WebhookSignatureFailure,
    /// A webhook without a signature or credentials. Adyen's always have them.
    UnsignedWebhook,
    /// An HMAC key matched, by `Key`: its position, from 1.
    HmacKeyMatched(usize),
    /// An event waits for an order to claim its payment.
    ParkedEvent,
    /// An order claimed a payment, and with it this many events that waited. They are taken
    /// off `ParkedEvents`, so that its sum is the number of those that still wait.
    ClaimedEvents(u32),
    /// A signed event of another environment or merchant account.
    ForeignEvent,
    /// An event that can never be applied as it is, so that a person must look at it.
    DeadLetter,
    /// Somebody else changed an item in between.
    WriteConflict,
    /// An order began to need a person, by `Reason`.
    NeedsAttention(&'static str),
    /// A request was answered 5xx, by `Code`, the problem's, and `Version` together.
    ServerError(&'static str),
    /// How long a request took.
    Latency(Duration),
    /// How long one call of Adyen took.
    AdyenLatency(Duration),
    /// How long the longest open outcome has been open, of those that no person was told of.
    OpenAge(Duration),
}

/// Names and values that together tell metrics of one name apart.
type Dimensions = Vec<(&'static str, String)>;

/// What a metric publishes.
struct Parts {
    name: &'static str,
    unit: &'static str,
    value: f64,
    /// The metric is published by each of these, and without any.
    dimensions: Vec<Dimensions>,
}

impl Parts {
    fn new(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self { name, unit, value, dimensions: Vec::new() }
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
}

impl Metric {
    fn parts(&self) -> Parts {
        match self {
            Self::Payment(result) => {
                Parts::count("Payments").by("Result", named(result)).by_version()
            }
            Self::PaymentError => Parts::count("PaymentErrors").by_version(),
            Self::WebhookEvent(code) => Parts::count("WebhookEvents").by("EventCode", named(code)),
            Self::WebhookDuplicate => Parts::count("WebhookDuplicates"),
            Self::WebhookSignatureFailure => Parts::count("WebhookSignatureFailures"),
            Self::UnsignedWebhook => Parts::count("UnsignedWebhooks"),
            Self::HmacKeyMatched(position) => {
                Parts::count("HmacKeyMatched").by("Key", position.to_string())
            }
            Self::ParkedEvent => Parts::count("ParkedEvents"),
            Self::ClaimedEvents(count) => Parts::new("ParkedEvents", "Count", -f64::from(*count)),
            Self::ForeignEvent => Parts::count("ForeignEvents"),
            Self::DeadLetter => Parts::count("DeadLetters"),
            Self::WriteConflict => Parts::count("WriteConflicts"),
            Self::NeedsAttention(reason) => Parts::count("NeedsAttention").by("Reason", *reason),
            Self::ServerError(code) => {
                let mut parts = Parts::count("ServerErrors").by("Code", *code);
                let version = ("Version", source().version.clone());
                parts.dimensions.iter_mut().for_each(|it| it.push(version.clone()));
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

/// A word of Adyen's as a dimension's value. Each new one is a metric that costs money, and
/// CloudWatch takes no empty one.
fn named(word: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match word.len() {
        1..=64 if word.chars().all(is_name) => word.to_owned(),
        _ => "other".to_owned(),
    }
}

/// The values of one line by their names, with their unit.
type Values<'a> = BTreeMap<&'a str, (&'a str, Vec<f64>)>;

/// So many values of one name CloudWatch takes in a line.
const VALUES: usize = 100;

/// Prints metrics, those with the same dimensions in one line.
pub(super) fn publish(metrics: &[Metric]) {
    for metrics in metrics.chunks(VALUES) {
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
    // The sum over all dimensions is a metric of its own.
    let mut named = vec![Vec::new()];
    named.extend(dimensions.iter().map(|it| it.iter().map(|(name, _)| *name).collect()));
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
