//! Properties of the derived values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::select};
use shared::{
    domain::order::{AdyenEvent, Derived, Order, Payment},
    http::answer::{OrderAnswer, PaymentAnswer, Viewer},
};

use super::{
    any::{PAYMENTS, absurd_order, events, moment, order, order_without_events},
    cases,
};
use crate::facts::{self, EventBuilder, OrderBuilder, answered, authorisation, rejected, summary};

fn shuffled(mut events: Vec<AdyenEvent>, seed: u64) -> Vec<AdyenEvent> {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..random.usize(0..=events.len()) {
        events.push(events[random.usize(0..events.len())].clone());
    }
    random.shuffle(&mut events);
    events
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn same_webhooks_make_the_same_order_in_any_sequence_with_duplicates(
        before in order_without_events(), events in events(), seed: u64,
    ) {
        let once = before.clone().with_events(events.clone());
        let otherwise = before.with_events(shuffled(events, seed));
        prop_assert_eq!(&once, &otherwise);
        prop_assert_eq!(Derived::of(&once), Derived::of(&otherwise));
    }

    #[test]
    fn paid_order_stays_paid_after_a_later_failure_of_another_attempt(
        before in order(), other in select(&PAYMENTS[..]), kind in 0..4,
    ) {
        let before = before.with_event(authorisation("PAID"));
        let derived = Derived::of(&before);
        prop_assert!(derived.confirmed && derived.status.was_paid());
        // A failure of an unknown payment may be that of an answer without a pspReference.
        prop_assume!(kind != 0 || derived.payments.iter().all(|it| !it.psp_reference.is_empty()));
        let authorised = |payment: &Payment| payment.psp_reference == other;
        let failed = if derived.payments.iter().any(authorised) { "NEW" } else { other };
        let later = 9000;
        let after = match kind {
            0 => before.with_event(authorisation(failed).failed().at(later)),
            1 => before.with_event(facts::offer_closed_of(failed).at(later)),
            2 => before.with_attempt(answered("Refused", failed)),
            _ => before.with_attempt(rejected("702", None)),
        };
        let after = Derived::of(&after);
        prop_assert_eq!(after.status, derived.status);
        prop_assert_eq!(after.confirmed, derived.confirmed);
        prop_assert_eq!(after.authorised, derived.authorised);
        prop_assert_eq!(after.captured, derived.captured);
        prop_assert_eq!(after.refunded, derived.refunded);
    }

    #[test]
    fn time_alone_only_raises_attention_at_the_announced_time(
        order in prop_oneof![order(), absurd_order()], written in moment(),
    ) {
        // When the schedule can act depends on the clock too.
        let at = |updated_at: Timestamp| Derived {
            open: None,
            ..Derived::of(&Order { updated_at, ..order.clone() })
        };
        let now = at(written);
        let later = Derived { needs_attention: Vec::new(), attention_facts: Vec::new(), overdue_at: None, ..at(Timestamp::MAX) };
        let unmoved = Derived { needs_attention: Vec::new(), attention_facts: Vec::new(), overdue_at: None, ..now.clone() };
        prop_assert_eq!(later, unmoved);
        let Some(next) = now.overdue_at else {
            prop_assert_eq!(at(Timestamp::MAX), now);
            return Ok(());
        };
        prop_assert!(next > written);
        let before = at(next - SignedDuration::from_nanos(1));
        prop_assert_eq!(&before.needs_attention, &now.needs_attention);
        let then = at(next);
        prop_assert!(then.overdue_at.is_none_or(|after| after > next));
        prop_assert!(now.needs_attention.iter().all(|it| then.needs_attention.contains(it)));
    }

    #[test]
    fn derived_values_of_an_absurd_order_never_panic(order in absurd_order(), merchant: bool, attempt in 0..5usize) {
        prop_assert_eq!(Derived::of(&order).attempts.len(), order.attempts.len());
        let viewer = if merchant { Viewer::Merchant } else { Viewer::Shopper };
        prop_assert!(serde_json::to_string(&OrderAnswer::new(&order, viewer)).is_ok());
        let answer = PaymentAnswer::new(&order, attempt, None, viewer);
        prop_assert!(serde_json::to_string(&answer).is_ok());
    }

    #[test]
    fn sums_are_never_negative_and_only_a_successful_webhook_confirms(order in absurd_order()) {
        let derived = Derived::of(&order);
        for sum in [derived.authorised, derived.captured, derived.refunded] {
            prop_assert!(sum >= 0, "{}", summary(&order));
        }
        let authorised = |event: &AdyenEvent| event.event_code.as_str() == "AUTHORISATION" && event.success;
        prop_assert!(!derived.confirmed || order.events.iter().any(authorised));
        for payment in &derived.payments {
            for open in [
                payment.open_to_capture,
                payment.open_to_cancel,
                payment.open_to_refund,
                payment.open_to_reverse,
            ] {
                prop_assert!(open >= 0, "{payment:?}");
            }
        }
    }

    #[test]
    fn events_stored_in_another_sequence_are_recognised(
        order in order(), seed: u64,
    ) {
        let mut kept = serde_json::to_value(&order).unwrap();
        fastrand::Rng::with_seed(seed).shuffle(kept["events"].as_array_mut().unwrap());
        let read: Order = serde_json::from_value(kept).unwrap();
        prop_assert_eq!(&read, &order);
        prop_assert_eq!(&read.with_events(order.events.clone()), &order);
    }

    #[test]
    fn each_look_at_an_open_order_postpones_the_next(
        order in order(), seconds in 1000..1_000_000i64,
    ) {
        let mut order = order;
        for _ in 0..10 {
            let Some(open) = Derived::of(&order).open else { return Ok(()) };
            let now = open.due_at.max(facts::at(seconds));
            order.record_look(now);
            let after = Derived::of(&order).open.map(|open| open.due_at);
            prop_assert!(after > Some(now), "{open:?} {after:?}");
        }
    }

    #[test]
    fn order_survives_the_round_trip_through_dynamodb(order in absurd_order()) {
        let item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(&order).unwrap();
        let kept: Order = serde_dynamo::from_item(item).unwrap();
        prop_assert_eq!(&kept, &order);
        prop_assert_eq!(Derived::of(&kept), Derived::of(&order));
    }
}
