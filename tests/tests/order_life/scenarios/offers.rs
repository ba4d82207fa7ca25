//! OFFER_CLOSED before, between and after attempts.

use shared::domain::order::{AttemptStatus, Derived, Order, PendingOn};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, at, authorisation, manual, offer_closed,
    offer_closed_of, unknown,
};

const PAID: &str = "authorised confirmed 1000/0/0 success";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";

fn states(order: &Order) -> Vec<AttemptStatus> {
    Derived::of(order).attempts.into_iter().map(|attempt| attempt.status).collect()
}

#[test]
fn offer_closed_after_the_authorisation_changes_nothing() {
    let order =
        manual().with_attempt(answered("RedirectShopper", "P")).with_event(authorisation("P"));
    assert_summary(&order.clone().with_event(offer_closed().at(5000)), PAID);
    assert_summary(&order.with_event(offer_closed_of("P").at(5000)), PAID);
}

#[test]
fn late_authorisation_outranks_an_offer_closed() {
    for attempt in [answered("RedirectShopper", "P"), answered("RedirectShopper", None), unknown()]
    {
        let expired = manual().with_attempt(attempt).with_event(offer_closed());
        assert_summary(&expired, EXPIRED);
        assert_summary(&expired.clone().with_event(authorisation("P").at(5000)), PAID);
        let refused = expired.with_event(authorisation("P").failed().at(5000));
        assert_summary(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    }
}

#[test]
fn offer_closed_of_the_first_attempt_leaves_the_second_pending() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("RedirectShopper", "Q"));
    let pending = "pending unconfirmed 0/0/0 handleAction";
    // The event has the first attempt's reference, or is older than the second attempt (second
    // 200).
    for event in [offer_closed_of("P"), offer_closed().at(150)] {
        let order = order.clone().with_event(event);
        assert_summary(&order, pending);
        assert_eq!(
            states(&order),
            [AttemptStatus::Expired, AttemptStatus::Pending(PendingOn::Shopper)]
        );
    }
    for event in [offer_closed_of("Q"), offer_closed().at(250)] {
        let order = order.clone().with_event(event);
        assert_summary(&order, EXPIRED);
        assert_eq!(
            states(&order),
            [
                AttemptStatus::Pending(PendingOn::Shopper),
                AttemptStatus::MaybeExpired(PendingOn::Shopper)
            ]
        );
    }
}

#[test]
fn offer_closed_for_each_attempt_ends_each() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("RedirectShopper", "Q"))
        .with_event(offer_closed().at(1000))
        .with_event(offer_closed_of("ANOTHER OFFER").at(2000));
    assert_summary(&order, EXPIRED);
    assert_eq!(states(&order), [AttemptStatus::Expired, AttemptStatus::Expired]);
}

#[test]
fn offer_closed_dated_before_the_attempt_does_not_end_it() {
    let order = manual().with_attempt(answered("RedirectShopper", "P"));
    assert_summary(
        &order.with_event(offer_closed().at(99)),
        "pending unconfirmed 0/0/0 handleAction",
    );
}

#[test]
fn offer_closed_in_the_second_of_the_start_ends_the_attempt() {
    let mut order = manual().with_attempt(answered("RedirectShopper", "P"));
    order.attempts[0].started_at = at(100) + jiff::SignedDuration::from_millis(999);
    // Adyen dates webhooks to the second.
    assert_summary(&order.with_event(offer_closed().at(100)), EXPIRED);
}
