//! The largest order that the limits allow fits into an item, and leaves room for webhooks.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::adyen::payments::{PaymentRequest, PaymentResponse};
use shared::domain::order::{
    AdyenEvent, Capture, DecidedWithin, ModificationRequest, Operation, Order, Outcome,
    PayDecision, PaymentInstrument, Refusal, Submission, Target, sha256,
};
use shared::store::{Start, StoreError};

use crate::world::{World, item};

/// DynamoDB's limit. Source: Amazon DynamoDB Developer Guide, "Quotas".
const ITEM: usize = 400 * 1024;

fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::L(items) => 3 + items.iter().map(|it| 1 + size(it)).sum::<usize>(),
        AttributeValue::M(members) => {
            3 + members.iter().map(|(name, it)| 1 + name.len() + size(it)).sum::<usize>()
        }
        _ => 1,
    }
}

/// A request to charge a stored payment method, with texts of the maximum length.
fn longest(number: usize, now: Timestamp) -> Submission {
    let fill = |length: usize| format!("{number:0>length$}");
    let payment: PaymentRequest = serde_json::from_value(json!({
        "merchantAccount": "M",
        "amount": {"currency": "EUR", "value": 1000},
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": fill(64)},
        "reference": "largest",
        "returnUrl": "https://shop.example.com/",
        "shopperReference": fill(256),
    }))
    .unwrap();
    let mut request = payment.submission(&Default::default(), Some(fill(255)), now);
    // The request has the maximum size of the API.
    request.request = Some("r".repeat(16 * 1024));
    request
}

/// The largest order that the API accepts, with the longest answers of Adyen.
fn largest() -> Order {
    let mut now = Timestamp::now() - SignedDuration::from_hours(1);
    let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
    let shopper = Some("s".repeat(256));
    let mut order =
        Order::new("largest".parse().unwrap(), amount, Capture::Automatic, shopper, now);
    let target = Target { merchant_account: "M".repeat(80), endpoint: "e".repeat(253) };
    for number in 0.. {
        now += SignedDuration::from_secs(1);
        let request = longest(number, now);
        let decision = order.decide(&target, amount, &request, now);
        let stored = PaymentInstrument::StoredPaymentMethod;
        order.record_decision(decision, &target, stored, &request, now);
        match decision {
            PayDecision::Begin { attempt } => {
                order.drop_outdated(now);
                let adyen_answer = json!({
                    "resultCode": "Refused",
                    "pspReference": format!("{number:0>64}"),
                    "refusalReason": "because ".repeat(1000),
                    "refusalReasonCode": "2".repeat(1000),
                });
                let adyen_answer: PaymentResponse = serde_json::from_value(adyen_answer).unwrap();
                order.attempts[attempt - 1]
                    .answer(Outcome::from(&adyen_answer), adyen_answer.psp_reference);
            }
            PayDecision::TooMany => break,
            other => panic!("{other:?}"),
        }
    }
    // The last attempt is unanswered, so that its request stays stored.
    if let Some(last) = order.attempts.last_mut() {
        last.outcome = None;
        last.psp_reference = None;
        last.submissions[0].request = Some("r".repeat(16 * 1024));
    }
    order
}

#[tokio::test]
async fn largest_order_fits_with_room_for_adyens_events() {
    let world = World::new().await;
    let order = largest();
    assert!(order.attempts.len() > 30, "{}", order.attempts.len());
    world.store(&order).await;
    // More events that change nothing than are kept, and many that move money.
    let payment = format!("{:0>64}", 0);
    let events = (0..110).map(|it| event("NEWS", it, &payment));
    let refunds = (0..100).map(|it| event("REFUND", it, &payment));
    let events: Vec<AdyenEvent> = events.chain(refunds).collect();
    let recorded = world.orders.change(&order.reference, Start::Read, |slot| {
        for event in &events {
            slot.as_mut().unwrap().record(event.clone());
        }
        Ok::<_, StoreError>(())
    });
    recorded.await.unwrap();
    assert_eq!(world.order("largest").await.events.len(), 200);
    let stored = AttributeValue::M(world.item("largest").await.unwrap());
    assert!(size(&stored) > 200 * 1024, "not the largest: {}", size(&stored));
    assert!(size(&stored) < ITEM, "{}", size(&stored));
    // A webhook still fits.
    world.deliver_item(&item("AUTHORISATION", &payment, "largest")).await;
    assert_eq!(world.order("largest").await.events.len(), 201);
    assert_eq!(world.keys("dead#").await, [""; 0]);
}

#[tokio::test]
async fn order_with_most_modifications_fits_with_all_their_events() {
    let now = Timestamp::now();
    let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1_000_000})).unwrap();
    let target = Target { merchant_account: "M".repeat(80), endpoint: "e".repeat(253) };
    let payment = "P".repeat(64);
    let mut order = Order::new("largest".parse().unwrap(), amount, Capture::Automatic, None, now);
    order.record(AdyenEvent {
        psp_reference: payment.clone(),
        original_reference: None,
        amount: serde_json::from_value(json!({"currency": "EUR", "value": 1_000_000})).unwrap(),
        ..event("AUTHORISATION", 0, &payment)
    });
    for number in 0.. {
        let request = ModificationRequest {
            operation: Operation::Refund,
            payment: Some(payment.clone()),
            amount: serde_json::from_value(json!({"currency": "EUR", "value": 1})).ok(),
            merchant_refund_reason: None,
            idempotency_key: Some(format!("{number:0>255}")),
            content: sha256(&[]),
            decided_within: DecidedWithin {
                refunds: SignedDuration::ZERO,
                others: SignedDuration::ZERO,
            },
        };
        match order.decide_modification(&target, &request, now) {
            Ok(decision) => {
                order.record_modification(decision, now);
                let last = order.modifications.last_mut().unwrap();
                last.answer(Ok(format!("R{number:0>63}")));
                for code in ["REFUND", "REFUND_FAILED"] {
                    order.record(AdyenEvent {
                        psp_reference: format!("R{number:0>63}"),
                        ..event(code, number, &payment)
                    });
                }
            }
            Err(Refusal::TooMany) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(order.modifications.len() > 50, "{}", order.modifications.len());
    let item = serde_dynamo::to_item(&order).unwrap();
    assert!(size(&AttributeValue::M(item)) < ITEM);
}

/// An event with texts of the maximum length.
fn event(code: &str, number: usize, payment: &str) -> AdyenEvent {
    let event = json!({
        "eventDate": "2026-11-23T09:00:00Z",
        "eventCode": code,
        "pspReference": format!("{number:0>64}"),
        "success": true,
        "originalReference": payment,
        "amount": {"currency": "EUR", "value": 1},
        "reason": "\u{20ac}".repeat(42),
        "modificationAction": "m".repeat(64),
        "receivedAt": "2026-11-23T09:00:00.123456789Z",
    });
    serde_json::from_value(event).unwrap()
}
