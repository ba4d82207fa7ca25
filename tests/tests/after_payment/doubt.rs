//! A person ends the doubt about an attempt whose outcome is unknown.

use adyen_simulator::{Fault, Release, redirect_result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{
    Answer, Stack, assert_problem, backend, browser, in_browser, operator, passing_time, payment,
    with,
};

const REASON: &str = "Looked in the Customer Area: there is no payment.";

async fn close(stack: &Stack, reference: &str, attempt: &str) -> Answer {
    let path = format!("/orders/{reference}/attempts/{attempt}/close");
    stack.post(&path, &operator("anna"), &json!({"reason": REASON})).await
}

async fn pass(stack: &Stack, reference: &str, time: SignedDuration) {
    passing_time::pass(&stack.dynamodb(), reference, time).await;
}

/// An order that Adyen never received, and that the schedule has marked.
async fn in_doubt(reference: &str) -> Stack {
    let stack = Stack::start().await;
    assert_eq!(stack.pay(reference, "x-HTTP-500").await.status, 202);
    pass(&stack, reference, SignedDuration::from_hours(1)).await;
    assert_eq!(stack.bundle.recover().await.unwrap().unknown, 1);
    assert_eq!(stack.order(reference).await["needsAttention"], json!(["outcome_unknown"]));
    stack
}

#[tokio::test]
async fn closed_attempt_ends_as_an_error_and_the_shopper_can_pay_again() {
    let stack = in_doubt("ORDER-1").await;
    let closed = close(&stack, "ORDER-1", "1").await;
    assert_eq!(closed.status, 200, "{closed:?}");
    let order = stack.order("ORDER-1").await;
    assert_eq!(closed.body, order);
    assert_eq!((&order["status"], &order["nextStep"]), (&json!("error"), &json!("startOver")));
    assert_eq!(order["needsAttention"], json!([]));
    let fact = &order["attempts"][0]["closed"];
    assert_eq!((&fact["reason"], &fact["by"]), (&json!(REASON), &json!("anna")));
    assert!(fact["at"].is_string());
    let seen = stack.get("/orders/ORDER-1", &browser("ORDER-1")).await;
    assert!(!seen.body.to_string().contains("anna"), "{seen:?}");

    // A repetition changes nothing, whatever its reason.
    let path = "/orders/ORDER-1/attempts/1/close";
    let again = stack.post(path, &backend(), &json!({"reason": "again"})).await;
    assert_eq!((again.status, &again.body), (200, &order));
    assert_eq!(stack.bundle.recover().await.unwrap(), recover::Report::default());

    // The old request is not sent again, and a new one has a key of its own.
    let sent = || stack.adyen().with_books(|books| books.calls_to("/payments").len());
    let before = sent();
    let old = stack.pay("ORDER-1", "x-HTTP-500").await;
    assert_eq!((old.status, &old.body["status"]), (200, &json!("error")), "{old:?}");
    assert_eq!(sent(), before);
    let paid = stack.pay("ORDER-1", "ANOTHER-TOKEN").await;
    assert_eq!((&paid.body["attempt"], &paid.body["status"]), (&json!(2), &json!("authorised")));
    let keys = stack.adyen().with_books(|books| {
        let calls = books.calls_to("/payments");
        [calls[0], calls[calls.len() - 1]].map(|call| call.idempotency_key.clone())
    });
    assert_ne!(keys[0], keys[1]);
    let order = stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    assert_eq!(order["needsAttention"], json!([]));
}

#[tokio::test]
async fn late_payment_of_a_closed_attempt_counts_and_needs_attention() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    for reference in ["ALONE", "TWICE"] {
        stack.adyen().inject(Fault::lost_answer().on("/payments"));
        assert_eq!(stack.pay(reference, "A").await.status, 202);
        pass(&stack, reference, SignedDuration::from_mins(1)).await;
        assert_eq!(close(&stack, reference, "1").await.status, 200);
    }
    let paid = stack.pay("TWICE", "B").await;
    assert_eq!(paid.body["attempt"], 2, "{paid:?}");
    stack.adyen().release_webhooks(Release::InOrder).await;

    let alone = stack.order_once("ALONE", |order| order["confirmed"] == true).await;
    assert_eq!(alone["status"], "authorised");
    let late = alone["pspReference"].as_str().unwrap();
    assert_eq!(alone["needsAttention"], json!([format!("closed_attempt_paid: {late}")]));
    let back = stack.post("/orders/ALONE/reversals", &backend(), &json!({})).await;
    assert_eq!(back.status, 202, "{back:?}");
    stack.order_once("ALONE", |order| order["needsAttention"] == json!([])).await;

    let both = |order: &Value| order["needsAttention"].as_array().unwrap().len() == 2;
    let twice = stack.order_once("TWICE", both).await;
    let first = twice["attempts"][0]["pspReference"].as_str().unwrap();
    assert_eq!(twice["needsAttention"][0], format!("closed_attempt_paid: {first}"));
    assert!(twice["needsAttention"][1].as_str().unwrap().starts_with("paid_twice: "), "{twice}");
}

#[tokio::test]
async fn attempt_that_is_not_in_doubt_cannot_be_closed() {
    let stack = Stack::start().await;
    for (reference, token, detail) in [
        ("REFUSED", "x-REFUSED", "has ended"),
        ("PAID", "x", "has ended"),
        ("PENDING", "x-PENDING", "Adyen has the payment"),
        ("SHOPPER", "x-3DS-REDIRECT", "waits for its shopper"),
        ("FLIGHT", "x-HTTP-500", "may still be with Adyen"),
    ] {
        stack.post("/payments", &browser(reference), &in_browser(reference, token)).await;
        let answer = close(&stack, reference, "1").await;
        assert_problem(&answer, 409, "wrong_state");
        assert!(answer.body["detail"].as_str().unwrap().contains(detail), "{answer:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), reference == "FLIGHT");
        assert!(stack.order(reference).await["attempts"][0].get("closed").is_none());
    }
    for number in ["0", "2", "x", "-1", "01", "+1", "%2B1"] {
        assert_problem(&close(&stack, "PAID", number).await, 404, "attempt_not_found");
    }
    assert_problem(&close(&stack, "NO-ORDER", "1").await, 404, "order_not_found");
    assert_problem(&close(&stack, "NO%20ORDER", "1").await, 404, "order_not_found");
    let path = "/orders/FLIGHT/attempts/1/close";
    let body = json!({"reason": REASON});
    let browser = stack.post(path, &browser("FLIGHT"), &body).await;
    assert_problem(&browser, 403, "merchant_token_required");
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"reason": ""}), "invalid_field"),
        (json!({"reason": " \n"}), "invalid_field"),
        (json!({"reason": "x".repeat(257)}), "invalid_field"),
        (json!({"reason": "x", "note": "y"}), "unknown_field"),
    ] {
        assert_problem(&stack.post(path, &backend(), &body).await, 422, code);
    }
}

#[tokio::test]
async fn details_of_a_closed_attempt_are_not_sent_again() {
    let stack = Stack::start().await;
    let body = in_browser("ORDER-1", "x-3DS-REDIRECT");
    let asked = stack.post("/payments", &browser("ORDER-1"), &body).await;
    let result = redirect_result(&asked.body["action"], "approved");
    let details = json!({"attempt": 1, "details": {"redirectResult": result}});
    let post = async || stack.post("/payments/details", &browser("ORDER-1"), &details).await;
    stack.adyen().inject(Fault::status(500).on("/payments/details"));
    assert_eq!(post().await.status, 202);
    assert_problem(&close(&stack, "ORDER-1", "1").await, 409, "wrong_state");
    pass(&stack, "ORDER-1", SignedDuration::from_mins(1)).await;
    assert_eq!(close(&stack, "ORDER-1", "1").await.body["status"], "error");

    let sent = stack.calls("/payments/details");
    let again = post().await;
    assert_eq!((again.status, &again.body["nextStep"]), (200, &json!("startOver")), "{again:?}");
    assert_eq!(stack.calls("/payments/details"), sent);
    assert_eq!(stack.pay("ORDER-1", "B").await.body["status"], "authorised");
}

#[tokio::test]
async fn schedule_does_not_send_a_closed_charge_again() {
    let stack = Stack::start().await;
    let shopper = json!({"shopperReference": "shopper-1"});
    let storing = json!({"storePaymentMethod": true, "recurringProcessingModel": "Subscription"});
    let first = with(with(payment("FIRST", "x"), &shopper), storing);
    assert_eq!(stack.post("/payments", &backend(), &first).await.status, 200);
    stack.webhooks_delivered().await;
    let path = "/shoppers/shopper-1/storedPaymentMethods";
    let stored = stack.get(path, &backend()).await.body["storedPaymentMethods"][0].clone();
    let charge = with(
        with(payment("CHARGE", "x"), &shopper),
        json!({
            "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": stored["storedPaymentMethodId"]},
            "shopperInteraction": "ContAuth", "recurringProcessingModel": "Subscription",
        }),
    );
    stack.adyen().inject(Fault::status(500).on("/payments"));
    assert_eq!(stack.post("/payments", &backend(), &charge).await.status, 202);
    pass(&stack, "CHARGE", SignedDuration::from_hours(1)).await;
    assert_eq!(close(&stack, "CHARGE", "1").await.status, 200);

    let sent = stack.calls("/payments");
    assert_eq!(stack.bundle.recover().await.unwrap(), recover::Report::default());
    assert_eq!(stack.calls("/payments"), sent);
    let repeated = stack.post("/payments", &backend(), &charge).await;
    assert_eq!(repeated.body["status"], "error", "{repeated:?}");
    let keyed = stack.post_with_key("/payments", &backend(), "again", &charge).await;
    assert_eq!(keyed.body["attempt"], 2, "{keyed:?}");
    assert_eq!(stack.authorisations("CHARGE"), 1);
}
