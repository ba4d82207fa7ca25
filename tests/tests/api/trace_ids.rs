//! The trace of a request goes on with whom is called.

use std::collections::BTreeMap;

use lambda_runtime::Context;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use shared::observe::{self, Said};
use tests::{Answer, Stack, browser, payment};

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const FROM_XRAY: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

#[tokio::test]
async fn the_caller_s_trace_reaches_adyen_and_no_other_text_does() {
    let stack = Stack::start().await;
    let wrong = [
        "",
        "planted",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ];
    for (number, sent) in [THEIRS].into_iter().chain(wrong).enumerate() {
        let reference = format!("ORDER-{number}");
        let request = stack
            .request(Method::POST, "/payments")
            .bearer_auth(browser(&reference))
            .header("traceparent", sent)
            .json(&payment(&reference, "160583287597AMZN"));
        assert_eq!(Answer::of(request).await.status, 200);
        let calls = stack.adyen().books().calls;
        let passed_on = calls.last().unwrap().headers.get("traceparent");
        let expected = (sent == THEIRS).then_some(THEIRS);
        assert_eq!(passed_on.map(String::as_str), expected, "{sent}");
    }
}

/// What calls carry in an invocation with these headers.
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
    let work = async { (observe::trace_headers(), observe::xray_header()) };
    let said = |_: &_| Said::Run(true);
    let (w3c, xray) = observe::invocation("test", &headers, Some(&context), work, said).await;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let w3c = w3c.iter().map(|(name, value)| (name.to_string(), text(value)));
    (json!(w3c.collect::<BTreeMap<_, _>>()), xray)
}

#[tokio::test]
async fn lambda_s_trace_is_carried_on_in_x_ray_s_words_and_w3c_s() {
    let text = |it: &str| Some(HeaderValue::from_str(it).unwrap());
    let theirs = &[("traceparent", THEIRS)];
    for (headers, xray, expected) in [
        (&[][..], Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
        (theirs, Some(XRAY), (json!({"traceparent": THEIRS}), text(XRAY))),
        (theirs, None, (json!({"traceparent": THEIRS}), None)),
        (&[("traceparent", "planted")], Some("planted"), (json!({}), text("planted"))),
        (&[], None, (json!({}), None)),
    ] {
        assert_eq!(carried(headers, xray).await, expected);
    }
}

#[tokio::test]
async fn a_trace_s_state_goes_with_it_and_a_later_version_is_read_as_far_as_it_is_known() {
    let later = format!("cc-{}-what-comes-later", THEIRS.strip_prefix("00-").unwrap());
    for (traceparent, expected) in [
        (THEIRS, json!({"traceparent": THEIRS, "tracestate": "vendor=state"})),
        (&later, json!({"traceparent": THEIRS, "tracestate": "vendor=state"})),
        (&THEIRS.replacen("00-", "ff-", 1), json!({})),
        (&THEIRS.replacen("00-", "0-", 1), json!({})),
    ] {
        let headers = [("traceparent", traceparent), ("tracestate", "vendor=state")];
        assert_eq!(carried(&headers, None).await.0, expected, "{traceparent}");
    }
    let several = [("traceparent", THEIRS), ("tracestate", "a=1"), ("tracestate", "b=2")];
    let headers: HeaderMap = several
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    let work = async { observe::trace_headers() };
    let carried = observe::invocation("test", &headers, None, work, |_| Said::Run(true)).await;
    let states: Vec<_> = carried.get_all("tracestate").iter().collect();
    assert_eq!(states, ["a=1", "b=2"]);
}
