//! A flood of webhooks that change nothing.

use shared::domain::order::{AdyenEvent, Order};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, attention, authorisation, expire, manual, modification,
    offer_closed, summary,
};

/// The number of events without effect that an order keeps.
const KEPT: usize = 100;

fn notice(number: usize) -> AdyenEvent {
    let code = ["NOTIFICATION_OF_CHARGEBACK", "REQUEST_FOR_INFORMATION", "NEW"][number % 3];
    modification(code, &format!("N{number}")).at(number as i64)
}

fn flooded(by: usize) -> Order {
    manual().with_attempt(answered("Authorised", "P")).with_events((0..by).map(notice))
}

#[test]
fn events_up_to_the_limit_need_no_attention() {
    let order = flooded(KEPT);
    assert_eq!((order.events.len(), attention(&order).len()), (KEPT, 0));
    let again = order.clone().with_events((0..KEPT).map(notice));
    assert_eq!(again, order);
}

#[test]
fn events_beyond_the_limit_are_dropped_and_need_attention() {
    let order = flooded(KEPT + 1);
    assert_eq!(order.events.len(), KEPT);
    assert_eq!(attention(&order), ["too_many_events"]);
}

#[test]
fn dropped_events_do_not_depend_on_their_sequence() {
    let order = flooded(KEPT + 50);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20 {
        let mut numbers: Vec<usize> = (0..KEPT + 50).chain(0..KEPT).collect();
        random.shuffle(&mut numbers);
        let shuffled = manual()
            .with_attempt(answered("Authorised", "P"))
            .with_events(numbers.into_iter().map(notice));
        assert_eq!(shuffled, order);
    }
}

#[test]
fn event_that_moves_money_or_status_is_never_dropped() {
    let later = 1_000_000;
    let movers = || {
        [
            authorisation("P"),
            authorisation("Q").failed(),
            offer_closed(),
            modification("CAPTURE", "C").eur(500),
            modification("CAPTURE", "C2").eur(500),
            modification("CAPTURE_FAILED", "C").eur(500).failed(),
            modification("REFUND", "R").eur(300),
            modification("REFUND", "R2").eur(100),
            modification("REFUND_FAILED", "R").eur(300).failed(),
            modification("REFUNDED_REVERSED", "?").eur(100),
            modification("CANCELLATION", "X"),
            modification("TECHNICAL_CANCEL", "T"),
            modification("CANCEL_OR_REFUND", "CR"),
            expire("P"),
            modification("CHARGEBACK", "D"),
            modification("CHARGEBACK_REVERSED", "D"),
            modification("SECOND_CHARGEBACK", "D"),
        ]
        .map(|event| event.at(later))
    };
    let after = flooded(KEPT + 20).with_events(movers());
    for event in movers() {
        assert!(after.events.contains(&event), "{event:?}");
    }
    assert_eq!(after.events.len(), KEPT + movers().len());

    let before = manual()
        .with_attempt(answered("Authorised", "P"))
        .with_events(movers())
        .with_events((0..KEPT + 20).map(notice));
    assert_eq!(before, after);
    let unflooded = manual().with_attempt(answered("Authorised", "P")).with_events(movers());
    assert_eq!(summary(&after), format!("{} !too_many_events", summary(&unflooded)));
}

#[test]
fn event_that_ties_a_dispute_to_its_payment_is_never_dropped() {
    let later = 1_000_000;
    let news = || modification("NOTIFICATION_OF_CHARGEBACK", "D").at(later);
    let second = || modification("SECOND_CHARGEBACK", "D").without_payment().at(later);
    let paid = || manual().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    let before = paid().with_events([news(), second()]).with_events((0..KEPT + 20).map(notice));
    let after = paid().with_events((0..KEPT + 20).map(notice)).with_events([second(), news()]);
    assert_eq!(before, after);
    assert!(before.events.contains(&news()));
    assert!(summary(&before).starts_with("chargedBack"));
}

#[test]
fn failure_that_contradicts_a_success_is_never_dropped() {
    let capture = modification("CAPTURE", "C");
    let denied = capture.clone().failed().at(1_000_000);
    let order = flooded(KEPT + 20).with_event(capture).with_event(denied.clone());
    assert!(order.events.contains(&denied));
    assert!(summary(&order).starts_with("authorised"));
}

#[test]
fn failure_counts_before_its_success_arrives() {
    let denied = modification("REFUND", "R").failed().at(2_000_000);
    let refund = modification("REFUND", "R").at(1_000_000);
    let paid = || flooded(KEPT + 20).with_event(modification("CAPTURE", "C"));
    let one = paid().with_event(denied.clone()).with_event(refund.clone());
    let other = paid().with_event(refund).with_event(denied);
    assert_eq!(one, other);
    assert!(summary(&one).starts_with("captured"));
}
