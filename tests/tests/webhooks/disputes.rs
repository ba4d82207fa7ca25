//! Disputes: Adyen's events after the first name the dispute, not always the payment.

use serde_json::{Value, json};
use tests::{Answer, backend, longer_form};

use crate::world::{World, accepted, item, modification, signed, standard, with};

/// An event of a dispute that does not name the payment.
fn of_dispute(event_code: &str, dispute: &str, named: &str) -> Value {
    item(event_code, dispute, named)
}

/// An event of a dispute that names the payment, as a dispute's first events do.
fn about(event_code: &str, dispute: &str, payment: &str) -> Value {
    modification(event_code, dispute, payment, "a reference of the dispute")
}

/// Dates an item on this day of November.
fn on(day: usize, item: Value) -> Value {
    with(item, json!({"eventDate": format!("2026-11-{day:02}T10:00:00+01:00")}))
}

/// Pays and sends the AUTHORISATION.
async fn paid(world: &World, reference: &str) -> String {
    let payment = world.paid(reference, "AMZN").await;
    world.deliver_item(&on(1, item("AUTHORISATION", &payment, reference))).await;
    payment
}

/// The order's status, its open amount to refund, and its reasons for attention.
async fn state(world: &World, reference: &str) -> String {
    let order = world.stack.order(reference).await;
    let reasons = order["needsAttention"].as_array().unwrap().iter();
    let reasons = reasons.map(|reason| format!(" !{}", reason.as_str().unwrap()));
    let status = order["status"].as_str().unwrap();
    let refundable = &order["refundableAmount"]["value"];
    format!("{status} {refundable}{}", reasons.collect::<String>())
}

async fn refund(world: &World, reference: &str, payment: &str) -> Answer {
    let body = json!({"paymentPspReference": payment});
    world.stack.post(&format!("/orders/{reference}/refunds"), &backend(), &body).await
}

const PAID: &str = "authorised 1000";
const CHARGED_BACK: &str = "chargedBack 0";
const LOST: &str = "chargedBack 0 !prearbitration_lost";

#[tokio::test]
async fn event_of_a_known_dispute_belongs_to_its_payment_with_any_reference() {
    let world = World::new().await;
    for (number, named) in ["the order", "", "a reference of the dispute"].into_iter().enumerate() {
        for (code, after_chargeback, after_reversal) in [
            ("CHARGEBACK_REVERSED", PAID, PAID),
            ("SECOND_CHARGEBACK", CHARGED_BACK, CHARGED_BACK),
            ("PREARBITRATION_WON", PAID, PAID),
            ("PREARBITRATION_LOST", LOST, LOST),
            ("SCHEME_ARBITRATION_WON", PAID, PAID),
            ("SCHEME_ARBITRATION_LOST", LOST, LOST),
        ] {
            let reference = format!("{code}-{number}");
            let payment = paid(&world, &reference).await;
            let dispute = format!("D{reference}");
            let named = if named == "the order" { &reference } else { named };
            world.deliver_item(&on(2, about("CHARGEBACK", &dispute, &payment))).await;
            assert_eq!(state(&world, &reference).await, CHARGED_BACK);
            assert_eq!(refund(&world, &reference, &payment).await.code(), "wrong_state");
            world.deliver_item(&on(4, of_dispute(code, &dispute, named))).await;
            assert_eq!(state(&world, &reference).await, after_chargeback, "{code} {named}");
            world.deliver_item(&on(3, of_dispute("CHARGEBACK_REVERSED", &dispute, named))).await;
            assert_eq!(state(&world, &reference).await, after_reversal, "{code} {named}");
        }
    }
}

#[tokio::test]
async fn first_dispute_event_names_the_payment() {
    let world = World::new().await;
    for code in [
        "NOTIFICATION_OF_CHARGEBACK",
        "REQUEST_FOR_INFORMATION",
        "INFORMATION_SUPPLIED",
        "DISPUTE_DEFENSE_PERIOD_ENDED",
        "DISPUTE_OPENED_WITH_CHARGEBACK",
        "ISSUER_COMMENTS",
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
        "PREARBITRATION_OPEN",
        "SCHEME_ARBITRATION",
    ] {
        let payment = paid(&world, code).await;
        let dispute = format!("D{code}");
        world.deliver_item(&on(2, about(code, &dispute, &payment))).await;
        assert_eq!(state(&world, code).await, PAID);
        world.deliver_item(&on(3, of_dispute("SECOND_CHARGEBACK", &dispute, ""))).await;
        assert_eq!(state(&world, code).await, CHARGED_BACK, "{code}");
    }
}

/// Every sequence of the items.
fn sequences(items: &[Value]) -> Vec<Vec<Value>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let mut others = items.to_vec();
        let first = others.remove(at);
        let sequences = sequences(&others).into_iter();
        sequences.map(move |mut sequence| {
            sequence.insert(0, first.clone());
            sequence
        })
    };
    (0..items.len()).flat_map(first).collect()
}

#[tokio::test]
async fn stage_of_a_dispute_decides_in_any_sequence() {
    let world = World::new().await;
    for (story, events, expected) in [
        ("won", &["NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED"][..], PAID),
        ("second", &["CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK"], CHARGED_BACK),
        ("lost", &["CHARGEBACK", "CHARGEBACK_REVERSED", "PREARBITRATION_LOST"], LOST),
        ("lost at once", &["CHARGEBACK", "PREARBITRATION_LOST", "CHARGEBACK_REVERSED"], LOST),
        ("won later", &["CHARGEBACK", "PREARBITRATION_LOST", "PREARBITRATION_WON"], PAID),
        ("lost later", &["CHARGEBACK", "PREARBITRATION_WON", "PREARBITRATION_LOST"], LOST),
        ("arbitrated", &["CHARGEBACK", "SCHEME_ARBITRATION_WON", "PREARBITRATION_LOST"], PAID),
        ("for good", &["CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION_WON"], CHARGED_BACK),
    ] {
        for number in (0..6).step_by(if longer_form() { 1 } else { 2 }) {
            let reference = format!("{}-{number}", story.replace(' ', "-"));
            let payment = paid(&world, &reference).await;
            let dispute = format!("D{reference}");
            let items: Vec<Value> = (2..)
                .zip(events)
                .map(|(day, code)| match *code {
                    "NOTIFICATION_OF_CHARGEBACK" | "CHARGEBACK" => {
                        on(day, about(code, &dispute, &payment))
                    }
                    code => on(day, of_dispute(code, &dispute, "")),
                })
                .collect();
            let sequence = &sequences(&items)[number];
            for item in sequence {
                world.deliver_item(item).await;
            }
            let codes: Vec<&Value> = sequence.iter().map(|item| &item["eventCode"]).collect();
            assert_eq!(state(&world, &reference).await, expected, "{story}: {codes:?}");
        }
    }
}

#[tokio::test]
async fn disputes_of_one_payment_are_independent() {
    let world = World::new().await;
    let payment = paid(&world, "twice").await;
    for named_by in [Some(&*payment), None] {
        let (one, other) = match named_by {
            Some(_) => ("DISPUTE000000001", "DISPUTE000000002"),
            None => ("DISPUTE000000003", "DISPUTE000000004"),
        };
        let reversed = |dispute: &str| match named_by {
            // The Customer Area can be set to name the payment.
            Some(payment) => on(5, about("CHARGEBACK_REVERSED", dispute, payment)),
            None => on(5, of_dispute("CHARGEBACK_REVERSED", dispute, "")),
        };
        world.deliver_item(&on(3, about("CHARGEBACK", one, &payment))).await;
        world.deliver_item(&on(4, about("CHARGEBACK", other, &payment))).await;
        world.deliver_item(&reversed(other)).await;
        assert_eq!(state(&world, "twice").await, CHARGED_BACK);
        world.deliver_item(&reversed(one)).await;
        assert_eq!(state(&world, "twice").await, PAID);
    }
    // A reversal of another dispute does not end this one, even if it names the payment.
    world.deliver_item(&on(6, about("CHARGEBACK", "DISPUTE000000005", &payment))).await;
    world.deliver_item(&on(7, about("CHARGEBACK_REVERSED", "DISPUTE000000006", &payment))).await;
    assert_eq!(state(&world, "twice").await, CHARGED_BACK);
}

#[tokio::test]
async fn disputes_of_two_payments_of_an_order_are_independent() {
    let world = World::new().await;
    let one = paid(&world, "two").await;
    let other = "ANOTHER000000001";
    world.deliver_item(&on(1, item("AUTHORISATION", other, "two"))).await;
    world.deliver_item(&on(2, about("CHARGEBACK", "DISPUTE000000001", &one))).await;
    world.deliver_item(&on(2, about("CHARGEBACK", "DISPUTE000000002", other))).await;
    for payment in [&one, other] {
        assert_eq!(refund(&world, "two", payment).await.code(), "wrong_state");
    }
    world.deliver_item(&on(3, of_dispute("CHARGEBACK_REVERSED", "DISPUTE000000002", ""))).await;
    assert_eq!(world.status("two").await, "chargedBack");
    assert_eq!(refund(&world, "two", &one).await.code(), "wrong_state");
    let order = world.stack.order("two").await;
    assert_eq!(order["refundableAmount"]["value"], 1000, "the other payment can be given back");
}

#[tokio::test]
async fn event_of_another_orders_dispute_does_not_change_the_order_it_names() {
    let world = World::new().await;
    let payment = paid(&world, "disputed").await;
    paid(&world, "named").await;
    world.deliver_item(&on(2, about("CHARGEBACK", "DISPUTE000000001", &payment))).await;
    let bystander = world.order("named").await;
    world
        .deliver_item(&on(3, of_dispute("CHARGEBACK_REVERSED", "DISPUTE000000001", "named")))
        .await;
    assert_eq!(world.order("named").await, bystander);
    assert_eq!(state(&world, "disputed").await, PAID);
}

#[tokio::test]
async fn dispute_that_ended_before_the_payment_answer_is_claimed_whole() {
    let world = World::new().await;
    world
        .while_paying("early", async |payment| {
            for code in ["SECOND_CHARGEBACK", "CHARGEBACK_REVERSED"] {
                world.deliver_item(&of_dispute(code, "DISPUTE000000001", "early")).await;
            }
            world.deliver_item(&of_dispute("CHARGEBACK_REVERSED", "DISPUTE000000002", "")).await;
            for dispute in ["DISPUTE000000001", "DISPUTE000000002"] {
                world.deliver_item(&about("CHARGEBACK", dispute, &payment)).await;
            }
            assert!(world.order("early").await.events.is_empty());
        })
        .await;
    let order = world.order("early").await;
    assert_eq!(order.events.len(), 5);
    assert_eq!(state(&world, "early").await, CHARGED_BACK);
}

#[tokio::test]
async fn event_of_an_unknown_dispute_is_parked() {
    let world = World::new().await;
    let payment = paid(&world, "waits").await;
    let before = world.order("waits").await;
    let notification = of_dispute("SECOND_CHARGEBACK", "DISPUTE000000001", "waits");
    world.deliver_item(&notification).await;
    assert_eq!(world.order("waits").await, before);
    let parked = world.item("psp#DISPUTE000000001").await.unwrap();
    assert!(parked.contains_key("expiresAt") && !parked.contains_key("order"));
    world.deliver_item(&about("NOTIFICATION_OF_CHARGEBACK", "DISPUTE000000001", &payment)).await;
    assert_eq!(state(&world, "waits").await, CHARGED_BACK);
    let pointer = world.item("psp#DISPUTE000000001").await.unwrap();
    assert_eq!(pointer["order"].as_s().unwrap(), "waits");
}

#[tokio::test]
async fn disputes_beyond_one_transaction_do_not_keep_a_payment_from_its_order() {
    let world = World::new().await;
    world.paid("flooded", "AMZN-NO-WEBHOOK").await;
    // The payment's key comes after those of all disputes.
    let payment = "ZZZZZZZZZZZZZZZZ";
    let news = |number: usize| {
        let dispute = format!("DISPUTE{number:09}");
        signed(&about("NOTIFICATION_OF_CHARGEBACK", &dispute, payment))
    };
    let items: Vec<Value> = (0..120).map(news).collect();
    accepted(&world.deliver(standard(&items).to_string()).await);
    assert!(world.order("flooded").await.events.is_empty());
    world.deliver_item(&item("AUTHORISATION", payment, "flooded")).await;
    // The AUTHORISATION, and the maximum of events that change nothing.
    assert_eq!(world.order("flooded").await.events.len(), 101);
    for named in [payment, "DISPUTE000000000"] {
        let pointer = world.item(&format!("psp#{named}")).await.unwrap();
        assert_eq!(pointer["order"].as_s().unwrap(), "flooded");
    }
}
