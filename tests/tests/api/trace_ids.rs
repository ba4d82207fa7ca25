//! A caller's trace context is not passed on.

use reqwest::Method;
use tests::{Answer, Stack, backend, browser, payment};

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

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
