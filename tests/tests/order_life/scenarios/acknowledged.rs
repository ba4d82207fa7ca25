//! Acknowledged reasons for attention come back when their facts change.

use shared::domain::order::{AdyenEvent, Capture, Derived, Order};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, at, attention, authorisation, automatic, manual,
    modification, order, reversal, statement, unknown,
};

fn acknowledged(mut order: Order) -> Order {
    for reason in Derived::of(&order).needs_attention {
        assert!(order.acknowledge(reason.code(), statement(3000)), "{reason}");
    }
    assert!(attention(&order).is_empty(), "{:?}", attention(&order));
    order
}

fn paid(capture: Capture) -> Order {
    order(capture).with_attempt(answered("Authorised", "P")).with_event(authorisation("P"))
}

/// An order that needs attention for one reason, and a webhook that gives the reason another fact.
fn histories() -> Vec<(&'static str, Order, AdyenEvent)> {
    let captured = paid(Capture::Manual).with_event(modification("CAPTURE", "C"));
    let refunds = |value| modification("REFUND", "R").eur(value);
    vec![
        (
            "amount_differs",
            manual()
                .with_attempt(answered("Authorised", "P"))
                .with_event(authorisation("P").eur(1100)),
            authorisation("P").eur(1200).at(2000),
        ),
        (
            "cancelled_after_capture",
            captured.clone().with_event(modification("CANCELLATION", "X")),
            modification("CAPTURE", "C2").eur(1),
        ),
        (
            "cancel_or_refund_unclear",
            paid(Capture::Automatic).with_event(reversal("", "X")),
            reversal("", "Y"),
        ),
        (
            "capture_exceeds_authorised",
            captured.clone().with_event(modification("CAPTURE", "C2").eur(1)),
            modification("CAPTURE", "C3").eur(1),
        ),
        (
            "capture_failed_unmatched",
            paid(Capture::Manual).with_event(modification("CAPTURE_FAILED", "C")),
            modification("CAPTURE_FAILED", "C2"),
        ),
        (
            "currency_differs",
            captured.clone().with_event(modification("REFUND", "R").usd(10)),
            modification("REFUND", "R2").usd(10),
        ),
        (
            "paid_in_part",
            manual().with_event(authorisation("P").eur(400)).with_event(authorisation("Q").eur(0)),
            authorisation("Q").eur(100).at(2000),
        ),
        (
            "prearbitration_lost",
            captured.clone().with_event(modification("PREARBITRATION_LOST", "D")),
            modification("PREARBITRATION_LOST", "D2"),
        ),
        (
            "refund_exceeds_captured",
            captured.clone().with_event(refunds(1001)),
            modification("REFUND", "R2").eur(1),
        ),
        (
            "refund_failed_unmatched",
            captured.with_event(modification("REFUND_FAILED", "R")),
            modification("REFUND_FAILED", "R2"),
        ),
    ]
}

#[test]
fn acknowledged_reason_stays_so_when_its_webhooks_are_repeated() {
    for (reason, order, _) in histories() {
        let order = acknowledged(order);
        let repeated = order.events.iter().rev().map(|event| {
            let later = event.date().as_second() - at(0).as_second() + 60;
            event.clone().at(later)
        });
        let repeated: Vec<_> = repeated.collect();
        let order = order.clone().with_events(repeated).written_at(9000);
        assert!(!attention(&order).iter().any(|it| it.starts_with(reason)), "{reason}");
    }
}

#[test]
fn acknowledged_reason_comes_back_with_another_fact() {
    for (reason, order, event) in histories() {
        assert!(attention(&order).iter().any(|it| it.starts_with(reason)), "{reason}: {order:?}");
        let order = acknowledged(order).with_event(event);
        assert!(attention(&order).iter().any(|it| it.starts_with(reason)), "{reason}: {order:?}");
    }
}

#[test]
fn acknowledged_doubt_comes_back_with_another_attempt() {
    let mut doubtful = automatic().with_attempt(unknown());
    doubtful.attempts[0].outcome_unknown = true;
    let mut order = acknowledged(doubtful).with_attempt(unknown());
    assert!(attention(&order).is_empty());
    order.attempts[1].outcome_unknown = true;
    assert_eq!(attention(&order), ["outcome_unknown"]);
}
