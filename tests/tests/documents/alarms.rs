//! docs/going-live.md: every alarm, and every reason for a person to look at an order.

use tests::files::{text, yaml};

use crate::openapi::attention;

#[test]
fn every_alarm_has_a_heading() {
    let document = text("docs/going-live.md");
    for (name, resource) in yaml("template.yaml")["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            let heading = format!("\n### {name}\n");
            assert!(document.contains(&heading), "{name} is not explained");
        }
    }
}

#[test]
fn every_reason_for_attention_is_explained() {
    let document = text("docs/going-live.md");
    for reason in attention() {
        let row = format!("\n| `{reason}` |");
        assert!(document.contains(&row), "{reason} is not explained");
    }
}
