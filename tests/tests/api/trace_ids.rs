//! The trace of a request goes on with whom is called.

use lambda_runtime::Context;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
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

/// What calls carry in an invocation with these.
async fn carried(traceparent: Option<&str>, xray: Option<&str>) -> [Option<HeaderValue>; 2] {
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = traceparent {
        headers.insert("traceparent", traceparent.parse().unwrap());
    }
    let mut context = Context::default();
    context.xray_trace_id = xray.map(str::to_owned);
    let work = async { [observe::traceparent_header(), observe::xray_header()] };
    observe::invocation("test", &headers, Some(&context), work, |_| Said::default()).await
}

#[tokio::test]
async fn lambda_s_trace_is_carried_on_in_x_ray_s_words_and_w3c_s() {
    let text = |it: &str| Some(HeaderValue::from_str(it).unwrap());
    for (traceparent, xray, expected) in [
        (None, Some(XRAY), [text(FROM_XRAY), text(XRAY)]),
        (Some(THEIRS), Some(XRAY), [text(THEIRS), text(XRAY)]),
        (Some(THEIRS), None, [text(THEIRS), None]),
        (Some("planted"), Some("planted"), [None, text("planted")]),
        (None, None, [None, None]),
    ] {
        assert_eq!(carried(traceparent, xray).await, expected);
    }
}
