//! Requests to pay after an attempt ended or the order was paid.

use shared::domain::order::{Derived, Outcome, PayDecision, Rejection};

use super::{answered_with, begun, pay, pay_with_key};
use crate::facts::{
    EventBuilder, OrderBuilder, answered, authorisation, expire, manual, modification,
    offer_closed_of,
};

#[test]
fn paid_order_is_not_paid_again() {
    let authorised = || begun().with_event(authorisation("P"));
    let paid = [
        answered_with("Authorised"),
        authorised(),
        authorised().with_event(modification("CAPTURE", "C")),
        authorised().with_event(modification("REFUND", "R").eur(1)),
        authorised().with_event(modification("REFUND", "R")),
        authorised().with_event(modification("CHARGEBACK", "D")),
        answered_with("Refused").with_event(authorisation("P")),
        answered_with("Refused").with_event(authorisation("ANOTHER")),
    ];
    for order in paid {
        let mut after = order.clone();
        assert_eq!(pay(&mut after, "B", 100), PayDecision::Paid);
        assert_eq!(pay_with_key(&mut after, "A", "K", 100), PayDecision::Paid);
        assert_eq!(after, order);
    }
}

#[test]
fn cancelled_paid_order_takes_no_new_payment() {
    let order =
        begun().with_event(authorisation("P")).with_event(modification("CANCELLATION", "X"));
    let mut after = order.clone();
    assert_eq!(pay(&mut after, "B", 100), PayDecision::Cancelled);
    assert_eq!(after, order);
}

#[test]
fn order_whose_payment_expired_can_be_paid_again() {
    let mut order = begun().with_event(authorisation("P")).with_event(expire("P"));
    assert_eq!(pay(&mut order, "B", 100).sends(), Some(2));
}

#[test]
fn attempt_that_ended_without_money_is_followed_by_a_new_one() {
    let mut rejected_one = begun();
    let rejection = Rejection {
        status: 422,
        error_code: "5_602".to_owned(),
        error_type: None,
        message: None,
        unknown: Default::default(),
    };
    rejected_one.attempts[0].answer(Outcome::Rejected(rejection), None);
    let ended = [
        answered_with("Refused"),
        answered_with("Cancelled"),
        answered_with("Error"),
        rejected_one,
        begun().with_event(authorisation("P").failed()),
        answered_with("Authorised").with_event(authorisation("P").failed()),
        answered_with("RedirectShopper").with_event(offer_closed_of("P")),
    ];
    for order in ended {
        let mut new_token = order.clone();
        assert_eq!(pay(&mut new_token, "B", 1).sends(), Some(2));
        let mut new_key = order.clone();
        assert_eq!(pay_with_key(&mut new_key, "A", "K", 1).sends(), Some(2));
        assert_eq!(pay_with_key(&mut new_key, "A", "K", 2).sends(), Some(2));
        let mut neither = order.clone();
        assert_eq!(pay(&mut neither, "A", 1), PayDecision::Ended { attempt: 1 });
    }
}

#[test]
fn taken_over_authorisation_stays_with_its_attempt() {
    let mut order = begun().with_event(authorisation("P").failed());
    assert_eq!(pay(&mut order, "B", 1).sends(), Some(2));
    assert_eq!(order.attempts[0].psp_reference.as_deref(), Some("P"));
    assert_eq!(order.attempts[1].psp_reference, None);
    let paid = order.with_event(authorisation("Q"));
    assert_eq!(Derived::of(&paid).attempt, 2);
}

#[test]
fn details_belong_to_the_attempt_of_their_payment() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Refused", "Q"));
    assert_eq!(order.attempt_of(Some("P")), Some(1));
    assert_eq!(order.attempt_of(Some("Q")), Some(2));
}
