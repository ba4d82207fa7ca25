//! The trace that whom is called is sent: ours, and nothing of the caller's.

use std::collections::BTreeMap;

use lambda_runtime::Context;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use shared::platform::observe::{self, Completion};
use tests::{Answer, Stack, backend, browser, payment};

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const FROM_XRAY: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

#[tokio::test]
async fn callers_trace_is_not_sent_to_adyen_or_amazon_pay() {
    let stack = Stack::start().await;
    let later = format!("cc-{}-what-comes-later", THEIRS.strip_prefix("00-").unwrap());
    let amazon = stack.bundle.amazon().unwrap();
    for (number, sent) in [THEIRS, &later, "planted", ""].into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        amazon.open(&reference);
        for (token, reference) in
            [(browser(&reference), reference.clone()), (backend(), format!("BACKEND-{number}"))]
        {
            let traced = |method, path: &str| {
                let request = stack.request(method, path).bearer_auth(&token);
                request.header("traceparent", sent).header("tracestate", "planted=state")
            };
            let body = payment(&reference, "160583287597AMZN");
            let paid = traced(Method::POST, "/payments").json(&body);
            assert_eq!(Answer::of(paid).await.status, 200);
        }
        let path = format!("/checkoutSessions/{reference}");
        let confirm = stack.request(Method::PATCH, &path).bearer_auth(browser(&reference));
        let confirm = confirm.header("traceparent", sent).header("tracestate", "planted=state");
        assert_eq!(Answer::of(confirm).await.status, 200);
    }
    let adyen = stack.adyen().books().calls.into_iter().map(|call| call.headers);
    let headers: Vec<_> =
        adyen.chain(amazon.books().calls.into_iter().map(|it| it.headers)).collect();
    assert_eq!(headers.len(), 8 + 12);
    for headers in headers {
        assert!(!headers.contains_key("tracestate"), "{headers:?}");
        assert!(!headers.contains_key("traceparent"), "{headers:?}");
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
    let said = |_: &_| Completion::Run(true);
    let (w3c, xray) = observe::invocation("test", &headers, Some(&context), work, said).await;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let w3c = w3c.iter().map(|(name, value)| (name.to_string(), text(value)));
    (json!(w3c.collect::<BTreeMap<_, _>>()), xray)
}

#[tokio::test]
async fn lambdas_trace_is_propagated_in_x_ray_and_w3c_form() {
    let text = |it: &str| Some(HeaderValue::from_str(it).unwrap());
    let theirs = &[("traceparent", THEIRS), ("tracestate", "vendor=state")];
    let planted = &[("traceparent", "planted"), ("tracestate", "planted")];
    for (headers, xray, expected) in [
        (&[][..], Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
        (theirs, Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
        (theirs, None, (json!({}), None)),
        (planted, Some(XRAY), (json!({"traceparent": FROM_XRAY}), text(XRAY))),
        (planted, Some("planted"), (json!({}), text("planted"))),
        (&[], None, (json!({}), None)),
    ] {
        assert_eq!(carried(headers, xray).await, expected);
    }
}
