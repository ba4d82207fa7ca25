//! An order's money by its webhooks, as the merchant and the shopper see it.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{backend, browser, passing_time};

use crate::world::{World, item, modification, with};

fn eur(item: Value, value: i64) -> Value {
    with(item, json!({"amount": {"currency": "EUR", "value": value}}))
}

/// Makes this much time pass, then sends an event that changes nothing.
async fn pass(world: &World, reference: &str, time: SignedDuration) {
    let known = world.order(reference).await.events.len();
    passing_time::pass(&world.stack.dynamodb(), reference, time).await;
    let payment = world.psp_reference(reference);
    let named = format!("NOTHING{known:09}");
    world.deliver_item(&modification("INVENTED_IN_2031", &named, &payment, reference)).await;
}

async fn attention(world: &World, reference: &str) -> Value {
    world.stack.order(reference).await["needsAttention"].clone()
}

#[tokio::test]
async fn authorisation_of_a_cent_does_not_confirm_ten_euros() {
    let world = World::new().await;
    for (reference, amount) in [
        ("cent", json!({"currency": "EUR", "value": 1})),
        ("almost", json!({"currency": "EUR", "value": 999})),
        ("text", json!({"currency": "EUR", "value": "1"})),
        ("forint", json!({"currency": "HUF", "value": 1000})),
        ("unreadable", json!({"currency": "EUR"})),
        ("none", Value::Null),
    ] {
        let payment = world.paid(reference, "AMZN").await;
        let authorised = item("AUTHORISATION", &payment, reference);
        world.deliver_item(&with(authorised, json!({"amount": amount}))).await;
        let order = world.stack.order(reference).await;
        assert_eq!(order["status"], "authorised", "{order}");
        assert_eq!(order["confirmed"], false, "{order}");
        let reasons = order["needsAttention"].as_array().unwrap();
        assert!(reasons.contains(&json!("paid_in_part")), "{order}");
        // A browser sees the same sums.
        let path = format!("/orders/{reference}");
        let shown = world.stack.get(&path, &browser(reference)).await.body;
        assert_eq!(shown["confirmed"], false, "{shown}");
    }
}

#[tokio::test]
async fn partial_authorisations_that_add_up_confirm_an_order() {
    let world = World::new().await;
    let payment = world.paid("parts", "AMZN").await;
    world.deliver_item(&eur(item("AUTHORISATION", &payment, "parts"), 400)).await;
    world.deliver_item(&eur(item("AUTHORISATION", "ANOTHER000000001", "parts"), 599)).await;
    assert_eq!(world.stack.order("parts").await["confirmed"], false);
    world.deliver_item(&eur(item("AUTHORISATION", "ANOTHER000000002", "parts"), 1)).await;
    let order = world.stack.order("parts").await;
    assert_eq!(order["confirmed"], true);
    assert_eq!(order["authorisedAmount"]["value"], 1000);
}

#[tokio::test]
async fn refund_failed_before_its_refund_undoes_no_other_of_the_same_amount() {
    let world = World::new().await;
    let payment = world.paid("refunds", "AMZN").await;
    world.deliver_item(&item("AUTHORISATION", &payment, "refunds")).await;
    let refund = async |key: &str| {
        let body = json!({"amount": {"currency": "EUR", "value": 400}});
        let path = "/orders/refunds/refunds";
        let answer = world.stack.post_with_key(path, &backend(), key, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["pspReference"].as_str().unwrap().to_owned()
    };
    let (one, other) = (refund("one").await, refund("other").await);
    let notification =
        |code: &str, named: &str| eur(modification(code, named, &payment, "refunds"), 400);
    let refunded = async |value: i64, refundable: i64| {
        let order = world.stack.order("refunds").await;
        assert_eq!(order["refundedAmount"]["value"], value, "{order}");
        assert_eq!(order["refundableAmount"]["value"], refundable, "{order}");
        assert_eq!(order["status"], "partiallyRefunded");
        assert_eq!(order["message"], "Part of your payment was refunded.");
        assert_eq!(order["needsAttention"], json!([]), "{order}");
    };
    world.deliver_item(&notification("REFUND", &one)).await;
    refunded(400, 200).await;
    world.deliver_item(&notification("REFUND_FAILED", &other)).await;
    refunded(400, 600).await;
    world.deliver_item(&notification("REFUND", &other)).await;
    refunded(400, 600).await;
    let modifications = world.stack.order("refunds").await["modifications"].clone();
    assert_eq!([&modifications[0]["state"], &modifications[1]["state"]], ["succeeded", "failed"]);
}

#[tokio::test]
async fn unmatched_failure_webhook_needs_attention_after_ten_minutes() {
    let world = World::new().await;
    for (reference, failed, accepted, reason) in [
        ("refund", "REFUND_FAILED", "REFUND", "refund_failed_unmatched"),
        ("reversed", "REFUNDED_REVERSED", "REFUND", "refund_failed_unmatched"),
        ("capture", "CAPTURE_FAILED", "CAPTURE", "capture_failed_unmatched"),
    ] {
        let payment = world.paid(reference, "AMZN").await;
        world.deliver_item(&item("AUTHORISATION", &payment, reference)).await;
        let named = format!("X{reference}");
        world.deliver_item(&modification(failed, &named, &payment, reference)).await;
        assert_eq!(attention(&world, reference).await, json!([]));
        pass(&world, reference, SignedDuration::from_mins(9)).await;
        assert_eq!(attention(&world, reference).await, json!([]));
        pass(&world, reference, SignedDuration::from_mins(1)).await;
        assert_eq!(attention(&world, reference).await, json!([reason]));
        world.deliver_item(&modification(accepted, &named, &payment, reference)).await;
        assert_eq!(attention(&world, reference).await, json!([]));
    }
}

#[tokio::test]
async fn unconfirmed_answer_needs_attention_after_an_hour() {
    let world = World::new().await;
    let payment = world.paid("silent", "AMZN").await;
    pass(&world, "silent", SignedDuration::from_mins(59)).await;
    assert_eq!(attention(&world, "silent").await, json!([]));
    pass(&world, "silent", SignedDuration::from_mins(1)).await;
    assert_eq!(attention(&world, "silent").await, json!(["unconfirmed"]));
    world.deliver_item(&item("AUTHORISATION", &payment, "silent")).await;
    assert_eq!(attention(&world, "silent").await, json!([]));
}

#[tokio::test]
async fn returning_one_of_two_payments_leaves_the_order_paid() {
    let world = World::new().await;
    for (reference, code, value) in
        [("refunded", "REFUND", 1000), ("cancelled", "CANCELLATION", 1000)]
    {
        let payment = world.paid(reference, "AMZN").await;
        world.deliver_item(&item("AUTHORISATION", &payment, reference)).await;
        let before = world.stack.order(reference).await;
        let other = format!("ANOTHER-{reference}");
        world.deliver_item(&item("AUTHORISATION", &other, reference)).await;
        let twice = world.stack.order(reference).await;
        assert_eq!(twice["authorisedAmount"]["value"], 2000);
        let reason = twice["needsAttention"][0].as_str().unwrap();
        assert!(reason.starts_with("paid_twice: ") && reason.contains(&payment), "{twice}");

        let back = eur(modification(code, "BACK000000000001", &other, reference), value);
        world.deliver_item(&back).await;
        let after = world.stack.order(reference).await;
        for member in [
            "status",
            "confirmed",
            "authorisedAmount",
            "capturedAmount",
            "refundedAmount",
            "pspReference",
            "nextStep",
            "message",
            "needsAttention",
        ] {
            assert_eq!(after[member], before[member], "{reference}: {member}");
        }
    }
}
