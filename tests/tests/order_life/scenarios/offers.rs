//! OFFER_CLOSED before, between and after attempts.

use shared::domain::order::{AttemptStatus, Derived, Order, PendingOn};

use crate::facts::{
    Facts, Says, answered, at, authorisation, comes_to, manual, offer_closed, offer_closed_of,
    unknown,
};

const PAID: &str = "authorised confirmed 1000/0/0 success";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";

fn states(order: &Order) -> Vec<AttemptStatus> {
    Derived::of(order).attempts.into_iter().map(|attempt| attempt.status).collect()
}

#[test]
fn offer_closed_after_the_authorisation_changes_nothing() {
    let order = manual().tried(answered("RedirectShopper", "P")).told(authorisation("P"));
    comes_to(&order.clone().told(offer_closed().at(5000)), PAID);
    comes_to(&order.told(offer_closed_of("P").at(5000)), PAID);
}

#[test]
fn late_authorisation_outranks_an_offer_closed() {
    for attempt in [answered("RedirectShopper", "P"), answered("RedirectShopper", None), unknown()]
    {
        let expired = manual().tried(attempt).told(offer_closed());
        comes_to(&expired, EXPIRED);
        comes_to(&expired.clone().told(authorisation("P").at(5000)), PAID);
        let refused = expired.told(authorisation("P").failed().at(5000));
        comes_to(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    }
}

#[test]
fn offer_closed_of_the_first_attempt_leaves_the_second_pending() {
    let order =
        manual().tried(answered("RedirectShopper", "P")).tried(answered("RedirectShopper", "Q"));
    let pending = "pending unconfirmed 0/0/0 handleAction";
    // The event has the first attempt's reference, or is older than the second attempt (second
    // 200).
    for event in [offer_closed_of("P"), offer_closed().at(150)] {
        let order = order.clone().told(event);
        comes_to(&order, pending);
        assert_eq!(
            states(&order),
            [AttemptStatus::Expired, AttemptStatus::Pending(PendingOn::Shopper)]
        );
    }
    for event in [offer_closed_of("Q"), offer_closed().at(250)] {
        let order = order.clone().told(event);
        comes_to(&order, EXPIRED);
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
        .tried(answered("RedirectShopper", "P"))
        .tried(answered("RedirectShopper", "Q"))
        .told(offer_closed().at(1000))
        .told(offer_closed_of("ANOTHER OFFER").at(2000));
    comes_to(&order, EXPIRED);
    assert_eq!(states(&order), [AttemptStatus::Expired, AttemptStatus::Expired]);
}

#[test]
fn offer_closed_dated_before_the_attempt_does_not_end_it() {
    let order = manual().tried(answered("RedirectShopper", "P"));
    comes_to(&order.told(offer_closed().at(99)), "pending unconfirmed 0/0/0 handleAction");
}

#[test]
fn offer_closed_in_the_second_of_the_start_ends_the_attempt() {
    let mut order = manual().tried(answered("RedirectShopper", "P"));
    order.attempts[0].started_at = at(100) + jiff::SignedDuration::from_millis(999);
    // Adyen dates webhooks to the second.
    comes_to(&order.told(offer_closed().at(100)), EXPIRED);
}
