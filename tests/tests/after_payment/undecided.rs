//! Modifications that Adyen received and has not decided.

use adyen_simulator::Release;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Stack, backend, passing_time};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A paid order that receives no further webhooks.
async fn paid(variables: &[(&str, &str)]) -> Stack {
    let stack = Stack::with_variables(variables).await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    stack.adyen().hold_webhooks();
    stack
}

async fn ask(stack: &Stack, operation: &str, key: &str, value: Option<i64>) {
    let body = match value {
        Some(value) => json!({"amount": {"currency": "EUR", "value": value}}),
        None => json!({}),
    };
    let path = format!("/orders/ORDER-1/{operation}");
    let answer = stack.post_with_key(&path, &backend(), key, &body).await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("received")), "{answer:?}");
}

/// Makes this much time pass, requests another refund, and returns the reasons for attention.
async fn after(stack: &Stack, time: SignedDuration) -> Value {
    passing_time::pass(&stack.dynamodb(), "ORDER-1", time).await;
    let asked = stack.order("ORDER-1").await["modifications"].as_array().unwrap().len();
    ask(stack, "refunds", &format!("another {asked}"), Some(1)).await;
    stack.order("ORDER-1").await["needsAttention"].clone()
}

#[tokio::test]
async fn undecided_refund_needs_attention_after_ten_days() {
    let stack = paid(&[]).await;
    ask(&stack, "refunds", "refund", Some(300)).await;
    assert_eq!(after(&stack, 10 * DAY - MINUTE).await, json!([]));
    assert_eq!(after(&stack, MINUTE).await, json!(["modification_undecided"]));
    let shown = stack.order("ORDER-1").await;
    assert_eq!(shown["modifications"][0]["state"], "received");
    stack.adyen().release_webhooks(Release::InOrder).await;
    stack.order_once("ORDER-1", |order| order["needsAttention"] == json!([])).await;
}

#[tokio::test]
async fn undecided_capture_needs_attention_after_three_days() {
    let stack = paid(&[("CAPTURE", "manual")]).await;
    ask(&stack, "captures", "capture", Some(300)).await;
    let after = async |time| {
        passing_time::pass(&stack.dynamodb(), "ORDER-1", time).await;
        let key = format!("another {time:?}");
        ask(&stack, "captures", &key, Some(1)).await;
        stack.order("ORDER-1").await["needsAttention"].clone()
    };
    assert_eq!(after(3 * DAY - MINUTE).await, json!([]));
    assert_eq!(after(MINUTE).await, json!(["modification_undecided"]));
}

#[tokio::test]
async fn deadlines_for_decisions_are_configurable() {
    let stack = paid(&[("REFUND_UNDECIDED_AFTER_DAYS", "2"), ("UNDECIDED_AFTER_DAYS", "1")]).await;
    ask(&stack, "refunds", "refund", Some(300)).await;
    assert_eq!(after(&stack, 2 * DAY - MINUTE).await, json!([]));
    assert_eq!(after(&stack, MINUTE).await, json!(["modification_undecided"]));
}
