//! Metrics in CloudWatch's Embedded Metric Format, and the alarms on them.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::files::{text, yaml};

/// A metric's name and its dimensions, which together identify it in CloudWatch.
type MetricId = (String, Vec<String>);

/// Asserts that CloudWatch can read every metric, and that the published metrics are those that the
/// template uses.
pub fn match_the_template(lines: &[Value]) {
    let mut published: BTreeSet<MetricId> = lines.iter().flat_map(read).collect();
    // Write conflicts do not occur in every run, and no flow has an event of another environment.
    for name in ["WriteConflicts", "ForeignEvents"] {
        published.insert((name.to_owned(), vec![]));
    }
    let watched = watched();
    let blind: Vec<_> = watched.difference(&published).collect();
    assert!(blind.is_empty(), "watched and never published: {blind:?}");
    // Each costs money, with each of its dimensions and as a sum.
    let unused: Vec<_> = published.difference(&watched).collect();
    assert!(unused.is_empty(), "published and never watched: {unused:?}");
    let explained = text("docs/operations.md");
    for (name, _) in watched {
        assert!(explained.contains(&format!("`{name}`")), "{name} is not explained");
    }
}

/// Outcomes of payments, webhooks and keys are counted separately.
pub fn count_separately(lines: &[Value]) {
    for (metric, dimension, values) in [
        ("Payments", "Result", &["Authorised", "Error", "Refused", "Rejected", "Unknown"][..]),
        ("WebhookEvents", "EventCode", &["AUTHORISATION", "REFUND", "recurring.token.created"]),
        // Standard webhooks are signed with the first key, those about tokens with the second.
        ("HmacKeyMatched", "Key", &["1", "2"]),
        ("NeedsAttention", "Reason", &["amount_differs"]),
        ("ServerErrors", "Code", &["adyen_configuration"]),
        ("PaymentErrors", "Version", &["local"]),
    ] {
        for value in values {
            let counted = |line: &&Value| line[dimension] == *value && line[metric].is_array();
            assert!(lines.iter().any(|line| counted(&line)), "{metric} of {value}");
        }
    }
}

/// The metrics of a line, after checking it against the format's rules.
fn read(line: &Value) -> Vec<MetricId> {
    assert!(line["_aws"]["Timestamp"].is_i64(), "{line}");
    let [directive] = line["_aws"]["CloudWatchMetrics"].as_array().unwrap().as_slice() else {
        panic!("{line}");
    };
    assert_eq!(directive["Namespace"], "amazon-pay");
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()));
    let mut known = Vec::new();
    for metric in metrics {
        let name = metric["Name"].as_str().unwrap();
        assert!(["Count", "Milliseconds", "Seconds"].contains(&metric["Unit"].as_str().unwrap()));
        let values = line[name].as_array().unwrap();
        assert!((1..=100).contains(&values.len()), "{line}");
        assert!(values.iter().all(Value::is_number), "{line}");
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let dimensions = texts(dimensions.as_array().unwrap());
            for dimension in &dimensions {
                assert!(!line[dimension].as_str().unwrap().is_empty(), "{line}");
            }
            known.push((name.to_owned(), dimensions));
        }
    }
    known
}

fn texts(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    values.iter().map(text).collect()
}

/// The bundle's metrics that the template's alarms and dashboard name.
fn watched() -> BTreeSet<MetricId> {
    let template = yaml("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    let alarms = resources.filter(|it| it["Type"] == "AWS::CloudWatch::Alarm");
    let mut watched: BTreeSet<MetricId> =
        alarms.flat_map(|it| of_alarm(&it["Properties"])).collect();
    let dashboard = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let dashboard: Value = serde_json::from_str(dashboard.as_str().unwrap()).unwrap();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let metrics = widget["properties"]["metrics"].as_array().unwrap();
        watched.extend(metrics.iter().filter_map(of_dashboard));
    }
    watched
}

/// The metrics in the bundle's namespace, which is the stack's name.
fn of_alarm(alarm: &Value) -> Vec<MetricId> {
    let of_math = alarm["Metrics"].as_array().into_iter().flatten();
    let metrics = of_math.map(|it| &it["MetricStat"]["Metric"]).chain([alarm]);
    let ours = metrics.filter(|it| it["Namespace"] == "AWS::StackName");
    let dimension = |it: &Value| it["Name"].as_str().unwrap().to_owned();
    ours.map(|it| {
        let dimensions = it["Dimensions"].as_array().into_iter().flatten();
        let name = it["MetricName"].as_str().unwrap().to_owned();
        (name, dimensions.map(dimension).collect())
    })
    .collect()
}

/// `["${AWS::StackName}", "Name", …]`, or a search for
/// `{"${AWS::StackName}",Dimension} MetricName="Name"`.
fn of_dashboard(metric: &Value) -> Option<MetricId> {
    if metric[0] == "${AWS::StackName}" {
        return Some((metric[1].as_str()?.to_owned(), vec![]));
    }
    let search = metric[0]["expression"].as_str()?;
    let (dimension, rest) =
        search.strip_prefix("SEARCH('{\"${AWS::StackName}\",")?.split_once("} MetricName=\"")?;
    let (name, _) = rest.split_once('"')?;
    Some((name.to_owned(), vec![dimension.to_owned()]))
}
