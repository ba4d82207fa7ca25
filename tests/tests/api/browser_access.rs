//! A browser sees only its own order, returns only to allowed URLs, and cannot charge stored
//! payment methods.

use adyen_simulator::Release;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, payment};

use crate::jwt::{checkout, sign, with};
use crate::traces;

const TOKEN: &str = "160583287597AMZN";

/// The body of Adyen's page with these members; null removes a member.
fn body(members: Value) -> Value {
    with(payment("ORDER-1", TOKEN), members)
}

#[tokio::test]
async fn browser_cannot_read_other_orders() {
    let stack = Stack::start().await;
    stack.pay("ORDER-2", TOKEN).await;
    for reference in ["ORDER-2", "NO-SUCH-ORDER", "psp%23ABC", "ORDER-1x"] {
        let path = format!("/orders/{reference}");
        let answer = stack.get(&path, &browser("ORDER-1")).await;
        assert_eq!((answer.status, answer.code()), (403, "wrong_order"), "{reference}");
        assert!(answer.body.get("status") == Some(&json!(403)), "{answer:?}");
    }
    let body = json!({"reference": "ORDER-2", "details": {"redirectResult": "x"}});
    let answer = stack.post("/payments/details", &browser("ORDER-1"), &body).await;
    assert_eq!((answer.status, answer.code()), (403, "wrong_order"));
    assert_eq!(stack.adyen().books().calls.len(), 1);
    // The browser's own order does not exist yet.
    let answer = stack.get("/orders/ORDER-1", &browser("ORDER-1")).await;
    assert_eq!((answer.status, answer.code()), (404, "order_not_found"));
}

async fn return_url_is_rejected(stack: &Stack, url: &str) {
    let body = body(json!({"returnUrl": url}));
    let answer = stack.post("/payments", &browser("ORDER-1"), &body).await;
    let said = (answer.status, answer.code(), answer.body["field"].as_str());
    assert_eq!(said, (422, "return_url_not_allowed", Some("returnUrl")), "{url}");
    traces::nothing_sent(stack, url);
}

#[tokio::test]
async fn return_url_of_a_browser_must_have_an_allowed_origin() {
    let allowed = "https://shop.example.com, https://m.example.com:8443";
    let stack = Stack::with_variables(&[("ALLOWED_ORIGINS", allowed)]).await;
    for url in [
        "https://evil.example.com/",
        "http://shop.example.com/",
        "https://shop.example.com:8443/",
        "https://m.example.com/",
        "https://shop.example.com.evil.example/",
        "https://shop.example.com@evil.example/",
        "https://evil.example/?https://shop.example.com",
        "shop://shop.example.com/",
    ] {
        return_url_is_rejected(&stack, url).await;
    }
    for (number, url) in [
        Some("https://shop.example.com/checkout?order=1"),
        Some("https://shop.example.com:443/"),
        Some("HTTPS://SHOP.EXAMPLE.COM/"),
        Some("https://m.example.com:8443/a"),
        // The deployment's default URL is allowed.
        None,
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("ORDER-{number}");
        let body = body(json!({"returnUrl": url, "reference": reference}));
        let answer = stack.post("/payments", &browser(&reference), &body).await;
        assert_eq!(answer.status, 200, "{url:?}: {answer:?}");
    }
    // Any URL is accepted from the backend.
    let body = body(json!({"returnUrl": "https://elsewhere.example/", "reference": "ORDER-9"}));
    assert_eq!(stack.post("/payments", &backend(), &body).await.status, 200);
}

#[tokio::test]
async fn return_url_of_an_app_must_have_an_allowed_scheme() {
    let allowed = "https://shop.example.com;my-app://,com.example.app:,other://done";
    let stack = Stack::with_variables(&[("ALLOWED_ORIGINS", allowed)]).await;
    for url in [
        "my-app2://",
        "my-ap://",
        "com.example.app2:/redirect",
        "app:/redirect",
        "other://else",
        "other://",
        "other:/done",
        "shop.example.com://",
        "http://shop.example.com/",
        "https://my-app/",
        "https://com.example.app/",
    ] {
        return_url_is_rejected(&stack, url).await;
    }
    for (number, url) in [
        "https://shop.example.com/checkout",
        "my-app://",
        "MY-APP://checkout/done?order=1",
        "my-app:/done",
        "com.example.app:/redirect",
        "com.example.app://redirect",
        "other://done/1",
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("ORDER-{number}");
        let body = body(json!({"returnUrl": url, "reference": reference}));
        let answer = stack.post("/payments", &browser(&reference), &body).await;
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        assert_eq!(stack.adyen().books().calls.last().unwrap().body["returnUrl"], url);
    }
}

#[tokio::test]
async fn app_scheme_is_not_a_cors_origin() {
    let allowed = "https://shop.example.com,my-app://";
    let stack = Stack::with_variables(&[("ALLOWED_ORIGINS", allowed)]).await;
    for (origin, allowed) in [("https://shop.example.com", true), ("my-app://", false)] {
        let preflight = stack
            .request(Method::OPTIONS, "/payments")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let answer = Answer::of(preflight).await;
        let named = answer.headers.get("access-control-allow-origin").is_some();
        assert_eq!(named, allowed, "{origin}: {answer:?}");
    }
}

#[tokio::test]
async fn only_the_backend_charges_stored_payment_methods() {
    let stack = Stack::start().await;
    let stored = json!({"storedPaymentMethodId": "7219687191761347"});
    for members in [
        json!({"paymentMethod": stored}),
        json!({
            "paymentMethod": stored,
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "Subscription",
        }),
        json!({"paymentMethod": stored, "shopperInteraction": "Ecommerce"}),
        json!({"shopperInteraction": "ContAuth"}),
    ] {
        let answer = stack.post("/payments", &sign(&checkout()), &body(members.clone())).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "merchant_token_required"),
            "{members}: {answer:?}"
        );
        traces::nothing_sent(&stack, &members.to_string());
    }
}

#[tokio::test]
async fn only_the_backend_sees_an_order_s_history() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    let token = sign(&checkout());
    stack.post("/payments", &token, &body(json!({}))).await;
    stack.adyen().release_webhooks(Release::InOrder).await;

    let seen = stack.order("ORDER-1").await;
    let shown = stack.get("/orders/ORDER-1", &token).await.body;
    for (name, value) in shown.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{name}");
    }
    let [attempts, events, shopper_reference] =
        ["attempts", "events", "shopperReference"].map(|name| {
            assert!(shown.get(name).is_none(), "{name}: {shown}");
            &seen[name]
        });
    assert_eq!(shopper_reference, "shopper-1");
    assert_eq!(attempts[0]["attempt"], 1);
    assert_eq!(attempts[0]["resultCode"], "Authorised");
    assert_eq!(attempts[0]["paymentMethod"], "amazonPay");
    assert_eq!(attempts[0]["pspReference"], shown["pspReference"]);
    assert_eq!(events[0]["eventCode"], "AUTHORISATION");
    assert_eq!(events[0]["pspReference"], shown["pspReference"]);
    // The token is not returned.
    assert!(!attempts.to_string().contains(TOKEN), "{attempts}");
}

#[tokio::test]
async fn only_the_backend_sees_why_a_payment_was_refused() {
    for (suffix, reason, reason_code) in [
        ("REFUSED", "Refused", "2"),
        ("CANCELLED", "Shopper Cancelled", "16"),
        ("ERROR", "Acquirer Error", "4"),
    ] {
        let stack = Stack::start().await;
        stack.adyen().hold_webhooks();
        let body = payment("ORDER-1", &format!("{TOKEN}-{suffix}"));
        for (token, visible) in [(browser("ORDER-1"), false), (backend(), true)] {
            let answer = stack.post("/payments", &token, &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let visible = visible.then(|| (json!(reason), json!(reason_code)));
            let reason = answer.body.get("refusalReason").cloned();
            let code = answer.body.get("refusalReasonCode").cloned();
            assert_eq!(reason.zip(code), visible, "{answer:?}");
        }
        stack.adyen().release_webhooks(Release::InOrder).await;
        let order = stack.get("/orders/ORDER-1", &browser("ORDER-1")).await;
        for secret in ["refusal", reason, "reason"] {
            let text = order.body.to_string();
            // The resultCode `Refused` is meant for storefronts.
            let text = text.replace("\"resultCode\":\"Refused\"", "");
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        let attempt = &stack.order("ORDER-1").await["attempts"][0];
        assert_eq!(attempt["refusalReason"], reason);
        assert_eq!(attempt["refusalReasonCode"], reason_code);
    }
}
