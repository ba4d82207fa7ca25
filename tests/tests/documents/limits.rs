//! The template's time-outs, compared with those that the code relies on.

use serde_json::Value;
use shared::limits;
use tests::files::yaml;

fn seconds(timeout: &Value) -> Option<u64> {
    timeout["Timeout"].as_u64()
}

#[test]
fn every_function_of_the_template_has_the_timeout_that_the_code_assumes() {
    let template = yaml("template.yaml");
    let usual = seconds(&template["Globals"]["Function"]);
    let mut functions = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let expected = match name.as_str() {
            "WebhooksFunction" => limits::WEBHOOKS_FUNCTION,
            "RecoverFunction" => limits::RECOVER_FUNCTION,
            _ => limits::API_FUNCTION,
        };
        let timeout = seconds(&resource["Properties"]).or(usual);
        assert_eq!(timeout, Some(expected.as_secs()), "{name}");
        functions += 1;
    }
    assert_eq!(functions, 7);
}
