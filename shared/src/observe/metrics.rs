//! Metrics, as lines of CloudWatch's Embedded Metric Format, for which no call is made. They
//! are events of the target [`METRICS`], which only a Lambda runtime prints.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::milliseconds;

/// The target of events that are metrics.
pub const METRICS: &str = "metrics";

/// The namespace of the metrics.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Names the metrics' namespace, once.
pub fn name(namespace: &str) {
    NAMESPACE.get_or_init(|| namespace.to_owned());
}

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
    /// An event that neither an order nor a payment nor a token can take, which a person must
    /// look at.
    EventSetAside,
    /// Somebody else changed an item in between.
    WriteConflict,
    /// An order began to need a person, by `Reason`.
    NeedsAttention(&'static str),
    /// A request was answered 5xx.
    ServerError,
    /// How long a request took.
    Latency(Duration),
    /// How long one call of Adyen took.
    AdyenLatency(Duration),
    /// How long the longest open outcome has been open, of those that no person was told of.
    UnsettledAge(Duration),
}

impl Metric {
    /// Name, unit, value, and a dimension where there is one.
    fn parts(&self) -> (&'static str, &'static str, f64, Option<(&'static str, String)>) {
        let count = |name, dimension| (name, "Count", 1.0, dimension);
        match self {
            Self::Payment(result) => count("Payments", Some(("Result", named(result)))),
            Self::PaymentError => count("PaymentErrors", None),
            Self::WebhookEvent(code) => count("WebhookEvents", Some(("EventCode", named(code)))),
            Self::WebhookDuplicate => count("WebhookDuplicates", None),
            Self::WebhookSignatureFailure => count("WebhookSignatureFailures", None),
            Self::HmacKeyMatched(position) => {
                count("HmacKeyMatched", Some(("Key", position.to_string())))
            }
            Self::ParkedEvent => count("ParkedEvents", None),
            Self::EventSetAside => count("EventsSetAside", None),
            Self::WriteConflict => count("WriteConflicts", None),
            Self::NeedsAttention(reason) => {
                count("NeedsAttention", Some(("Reason", (*reason).to_owned())))
            }
            Self::ServerError => count("ServerErrors", None),
            Self::Latency(took) => ("Latency", "Milliseconds", milliseconds(*took), None),
            Self::AdyenLatency(took) => ("AdyenLatency", "Milliseconds", milliseconds(*took), None),
            Self::UnsettledAge(age) => ("UnsettledAge", "Seconds", age.as_secs_f64(), None),
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

/// Prints metrics, those with the same dimension in one line.
pub(super) fn publish(metrics: &[Metric]) {
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
    let described: Vec<Value> =
        values.iter().map(|(name, (unit, _))| json!({"Name": name, "Unit": unit})).collect();
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
