//! docs/operations.md: every alarm, and every reason for attention;
//! docs/deploying.md: the smoke test.

use std::collections::BTreeSet;

use local::template::Template;
use tests::files::{text, yaml};

use crate::openapi::attention;

#[test]
fn alarms_and_their_headings_match() {
    let template = yaml("template.yaml");
    let resources = template["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, it)| it["Type"] == "AWS::CloudWatch::Alarm");
    let alarms: BTreeSet<&str> = alarms.map(|(name, _)| name.as_str()).collect();
    let document = text("docs/operations.md");
    let headings = document.lines().filter_map(|line| line.strip_prefix("### "));
    assert_eq!(headings.filter(|it| it.ends_with("Alarm")).collect::<BTreeSet<_>>(), alarms);
}

#[test]
fn smoke_test_calls_every_route() {
    let document = text("docs/deploying.md");
    let (_, rest) = document.split_once("done <<'ROUTES'\n").unwrap();
    let (routes, _) = rest.split_once("\nROUTES").unwrap();
    let called: BTreeSet<String> = routes.lines().map(str::to_owned).collect();
    let functions = Template::read().unwrap().functions;
    let routes = functions.values().flat_map(|function| &function.routes);
    let smoke =
        |part: &str| if part.starts_with('{') { "SMOKE".to_owned() } else { part.to_owned() };
    let path = |path: &str| path.split('/').map(smoke).collect::<Vec<_>>().join("/");
    assert_eq!(called, routes.map(|(method, it)| format!("{method} {}", path(it))).collect());
}

#[test]
fn every_reason_for_attention_is_explained() {
    let document = text("docs/operations.md");
    for reason in attention() {
        let row = format!("\n| `{reason}` |");
        assert!(document.contains(&row), "{reason} is not explained");
    }
}
