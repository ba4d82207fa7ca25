//! A person acknowledges a reason for attention.

use adyen_simulator::{Amount, webhook::Event};
use serde_json::{Value, json};
use tests::{Answer, Stack, assert_problem, backend, browser, operator};

async fn acknowledge(stack: &Stack, reference: &str, reason: &str, note: &str) -> Answer {
    let path = format!("/orders/{reference}/needsAttention/{reason}/acknowledge");
    stack.post(&path, &operator("anna"), &json!({"note": note})).await
}

fn authorised(stack: &Stack, psp_reference: &str, value: i64, date: Option<&str>) {
    let account = local::keys::MERCHANT_ACCOUNT;
    let mut event = Event::new("AUTHORISATION", account, psp_reference, "ORDER-1");
    event.amount = Some(Amount { currency: "EUR".to_owned(), value });
    if let Some(date) = date {
        event.event_date = date.parse().unwrap();
    }
    stack.adyen().notify(&event).unwrap();
}

/// An order with two payments, which needs attention.
async fn paid_twice() -> (Stack, Value) {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "x").await;
    authorised(&stack, "SECOND0000000001", 1000, None);
    // The webhook of the first payment may come last.
    let wanted = |order: &Value| order["events"].as_array().is_some_and(|it| it.len() == 2);
    let order = stack.order_once("ORDER-1", wanted).await;
    assert_eq!(order["needsAttention"].as_array().unwrap().len(), 1, "{order}");
    assert_eq!(order["acknowledged"], json!([]));
    (stack, order["needsAttention"][0].clone())
}

#[tokio::test]
async fn acknowledged_reason_needs_no_attention_until_its_facts_change() {
    let (stack, reason) = paid_twice().await;
    assert!(reason.as_str().unwrap().starts_with("paid_twice: "), "{reason}");
    let before = stack.order("ORDER-1").await;
    let done = acknowledge(&stack, "ORDER-1", "paid_twice", "The shopper wanted both.").await;
    assert_eq!(done.status, 200, "{done:?}");
    let order = stack.order("ORDER-1").await;
    assert_eq!(done.body, order);
    assert_eq!(order["needsAttention"], json!([]));
    let known = &order["acknowledged"][0];
    assert_eq!(
        (&known["reason"], &known["note"], &known["by"]),
        (&reason, &json!("The shopper wanted both."), &json!("anna"))
    );
    assert!(known["at"].is_string());
    for fact in ["status", "confirmed", "authorisedAmount", "attempts", "events"] {
        assert_eq!(order[fact], before[fact], "{fact}");
    }
    let seen = stack.get("/orders/ORDER-1", &browser("ORDER-1")).await.body;
    assert_eq!((&seen["needsAttention"], seen.get("acknowledged")), (&json!([]), None));

    // A repetition changes nothing.
    let again = acknowledge(&stack, "ORDER-1", "paid_twice", "again").await;
    assert_eq!((again.status, &again.body), (200, &order));

    authorised(&stack, "THIRD00000000001", 1000, None);
    let order = stack.order_once("ORDER-1", |order| order["needsAttention"] != json!([])).await;
    assert!(order["needsAttention"][0].as_str().unwrap().contains("THIRD00000000001"), "{order}");
    assert_eq!(order["acknowledged"], json!([]));
}

#[tokio::test]
async fn repeated_webhook_does_not_undo_an_acknowledgement_and_another_amount_does() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    stack.pay("ORDER-1", "x-PENDING").await;
    let payment = stack.adyen().with_books(|books| {
        let payments = books.payments_of("ORDER-1");
        payments[0].psp_reference.clone()
    });
    stack.adyen().release_webhooks(adyen_simulator::Release::InOrder).await;
    authorised(&stack, &payment, 1100, Some("2026-11-23T10:00:00+01:00"));
    let differs = |order: &Value| order["needsAttention"] == json!(["amount_differs"]);
    stack.order_once("ORDER-1", differs).await;
    let done = acknowledge(&stack, "ORDER-1", "amount_differs", "A tip.").await;
    assert_eq!(done.body["needsAttention"], json!([]), "{done:?}");

    authorised(&stack, &payment, 1100, Some("2026-11-23T11:00:00+01:00"));
    let later = |order: &Value| order["events"][0]["eventDate"] == "2026-11-23T10:00:00Z";
    let order = stack.order_once("ORDER-1", later).await;
    assert_eq!(order["needsAttention"], json!([]));

    authorised(&stack, &payment, 1200, Some("2026-11-23T12:00:00+01:00"));
    stack.order_once("ORDER-1", differs).await;
}

#[tokio::test]
async fn acknowledged_reason_that_disappears_and_comes_back_needs_attention_again() {
    let (stack, reason) = paid_twice().await;
    acknowledge(&stack, "ORDER-1", "paid_twice", "The second payment is being refunded.").await;
    let refund = |code: &str| {
        let account = local::keys::MERCHANT_ACCOUNT;
        let mut event = Event::new(code, account, "REFUND0000000001", "ORDER-1");
        event.original_reference = Some("SECOND0000000001".to_owned());
        event.amount = Some(Amount { currency: "EUR".to_owned(), value: 1000 });
        stack.adyen().notify(&event).unwrap();
    };
    refund("REFUND");
    let order = stack.order_once("ORDER-1", |order| order["acknowledged"] == json!([])).await;
    assert_eq!(order["needsAttention"], json!([]));

    refund("REFUND_FAILED");

    let order = stack.order_once("ORDER-1", |order| order["needsAttention"] != json!([])).await;
    assert_eq!(order["needsAttention"], json!([reason]));
}

#[tokio::test]
async fn only_a_reason_that_the_order_has_can_be_acknowledged() {
    let (stack, _) = paid_twice().await;
    for reason in ["unconfirmed", "no_such_reason", "paid_twice:", "PAID_TWICE"] {
        let answer = acknowledge(&stack, "ORDER-1", reason, "x").await;
        assert_problem(&answer, 404, "attention_not_found");
    }
    let answer = acknowledge(&stack, "NO-ORDER", "paid_twice", "x").await;
    assert_problem(&answer, 404, "order_not_found");
    let path = "/orders/ORDER-1/needsAttention/paid_twice/acknowledge";
    let browser = stack.post(path, &browser("ORDER-1"), &json!({"note": "x"})).await;
    assert_problem(&browser, 403, "merchant_token_required");
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"note": "x".repeat(257)}), "invalid_field"),
        (json!({"note": "x", "reason": "y"}), "unknown_field"),
    ] {
        assert_problem(&stack.post(path, &backend(), &body).await, 422, code);
    }
    assert_eq!(stack.order("ORDER-1").await["acknowledged"], json!([]));
}
