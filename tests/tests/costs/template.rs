//! The parts of the template that cost something every month.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::files::yaml;

fn resources(kind: &str) -> Vec<Value> {
    let template = yaml("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    resources.filter(|it| it["Type"] == kind).cloned().collect()
}

pub fn number_of(kind: &str) -> f64 {
    resources(kind).len() as f64
}

/// The metrics that the alarms with a condition read, or those without one. An alarm on an
/// expression is charged for each of the expression's metrics.
pub fn alarm_metrics(condition: Option<&str>) -> f64 {
    let alarms = resources("AWS::CloudWatch::Alarm");
    let alarms = alarms.iter().filter(|it| it["Condition"].as_str() == condition);
    let metrics = alarms.map(|it| match it["Properties"]["Metrics"].as_array() {
        Some(metrics) => metrics.iter().filter(|it| it["MetricStat"].is_object()).count(),
        None => 1,
    });
    metrics.sum::<usize>() as f64
}

/// The variables of every function.
fn variables() -> Vec<Vec<(String, Value)>> {
    let functions = resources("AWS::Serverless::Function");
    let variables = |it: &Value| {
        let variables = it["Properties"]["Environment"]["Variables"].as_object().unwrap();
        variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    functions.iter().map(variables).collect()
}

pub struct Secrets {
    /// The secrets of a deployment with default parameters.
    pub names: BTreeSet<String>,
    pub with_options: BTreeSet<String>,
    /// The copies that one environment of each function has, with default parameters.
    pub copies: f64,
}

pub fn secrets() -> Secrets {
    let all = variables().into_iter().flatten().filter(|(name, _)| name.ends_with("_SECRET"));
    let all: Vec<_> = all.collect();
    // The others are lists with a condition.
    let default: Vec<_> = all.iter().filter(|(_, value)| value.is_string()).collect();
    Secrets {
        names: default.iter().map(|(name, _)| name.clone()).collect(),
        with_options: all.iter().map(|(name, _)| name.clone()).collect(),
        copies: default.len() as f64,
    }
}

/// The tables that each function uses, together. DynamoDB requests the key of a table from KMS for
/// each role apart.
pub fn tables_of_functions() -> f64 {
    let variables = variables().into_iter().flatten();
    variables.filter(|(name, _)| name.ends_with("_TABLE")).count() as f64
}

pub fn memory_in_gb() -> f64 {
    let functions = resources("AWS::Serverless::Function");
    assert!(functions.iter().all(|it| it["Properties"]["MemorySize"].is_null()));
    let globals = &yaml("template.yaml")["Globals"]["Function"];
    globals["MemorySize"].as_f64().unwrap() / 1024.0
}

pub fn minutes_of_the_schedule() -> f64 {
    let functions = resources("AWS::Serverless::Function");
    let rates = functions.iter().filter_map(|it| {
        let schedule = &it["Properties"]["Events"]["Schedule"]["Properties"];
        let rate = schedule["ScheduleExpression"].as_str()?;
        rate.strip_prefix("rate(")?.strip_suffix(" minutes)")?.parse().ok()
    });
    let rates: Vec<f64> = rates.collect();
    let [minutes] = rates[..] else { panic!("{rates:?}") };
    minutes
}

/// The bytes of a line of the access log, with values of a payment.
pub fn access_log_line() -> usize {
    let api = resources("AWS::Serverless::HttpApi");
    let mut line = api[0]["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap().to_owned();
    for (name, value) in [
        ("requestId", "JKJaXmPLvHcESHA="),
        ("routeKey", "GET /orders/{reference}"),
        ("status", "200"),
        ("responseLatency", "812"),
        ("responseLength", "512"),
        ("error.message", "-"),
        ("integration.requestId", "8f507cfc-xmpl-4697-b07a-ac58fc914c95"),
        ("integration.status", "200"),
        ("integration.latency", "810"),
        ("integrationErrorMessage", "-"),
    ] {
        line = line.replace(&format!("\"$context.{name}\""), &format!("\"{value}\""));
    }
    assert!(!line.contains("$context"), "{line}");
    line.len()
}
