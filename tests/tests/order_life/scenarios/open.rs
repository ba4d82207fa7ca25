//! The schedule acts on open orders, and abandons attempts whose shopper stays away.

use serde_json::json;
use shared::domain::order::{
    Attempt, AttemptStatus, Capture, Derived, Details, Look, Modification, Operation, Order,
    Outcome, PayDecision, PaymentInstrument,
};
use shared::domain::unknown::Unknown;

use crate::facts::{
    self, AttemptBuilder, EventBuilder, OrderBuilder, answered, assert_summary, at, authorisation,
    automatic, manual, offer_closed, rejected, request, request_with, take, target, unknown,
};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Since when an order is open, and when it is due, in seconds. Attempts begin in second 100 n;
/// their requests are sent in second 0.
fn open(order: &Order) -> Option<(i64, i64)> {
    let seconds = |then: jiff::Timestamp| then.duration_since(at(0)).as_secs();
    Derived::of(order).open.map(|open| (seconds(open.since), seconds(open.due_at)))
}

fn written(mut order: Order, second: i64) -> Order {
    order.updated_at = at(second);
    order
}

/// A charge of a stored payment method that Adyen did not answer.
fn charge() -> Order {
    let method = json!({"type": "amazonpay", "storedPaymentMethodId": "TOKEN"});
    let sent = request_with(method, None, 0);
    let mut order = automatic();
    take(&mut order, PaymentInstrument::StoredPaymentMethod, &sent, at(0));
    order
}

fn refund_in_doubt() -> Order {
    let mut order =
        automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    order.modifications.push(Modification {
        operation: Operation::Refund,
        payment: "P".to_owned(),
        value: 300,
        merchant_refund_reason: None,
        key: String::new(),
        idempotency_key: None,
        content: String::new(),
        requested_at: at(2000),
        sent_at: at(2010),
        psp_reference: None,
        rejection: None,
        outcome_unknown: false,
        target: target(),
        decide_by: at(3 * DAY),
        unknown: Default::default(),
    });
    order
}

#[test]
fn order_is_open_if_the_schedule_can_act() {
    let returned = |second| {
        let mut attempt = answered("RedirectShopper", "P");
        attempt.details.push(Details::new("result".to_owned(), at(second)));
        manual().with_attempt(attempt)
    };
    for (what, order, expected) in [
        ("an answer is missing", manual().with_attempt(unknown()), (100, 30)),
        ("a charge in doubt", charge(), (0, 30)),
        (
            "waits for its shopper",
            manual().with_attempt(answered("RedirectShopper", "P")),
            (100, 25 * HOUR),
        ),
        ("details in doubt", returned(5000), (100, 5030)),
        ("a modification in doubt", refund_in_doubt(), (2000, 2040)),
    ] {
        assert_eq!(open(&order), Some(expected), "{what}");
    }
}

#[test]
fn order_is_not_open_if_only_adyen_or_a_person_can_act() {
    let given_up = |mut order: Order| {
        for attempt in &mut order.attempts {
            attempt.outcome_unknown = true;
        }
        for modification in &mut order.modifications {
            modification.outcome_unknown = true;
        }
        order
    };
    let mut returned = answered("RedirectShopper", "P").with_details(None);
    returned.outcome_unknown = true;
    for (what, order) in [
        ("nothing was tried", manual()),
        ("pending at Adyen", manual().with_attempt(answered("Pending", "P"))),
        ("received by Adyen", manual().with_attempt(answered("Received", "P"))),
        ("paid", manual().with_attempt(answered("Authorised", "P"))),
        (
            "paid by another attempt",
            manual().with_attempt(answered("Authorised", "P")).with_attempt(unknown()),
        ),
        ("refused", manual().with_attempt(answered("Refused", "P"))),
        ("rejected", manual().with_attempt(rejected("702", None))),
        (
            "expired",
            manual().with_attempt(answered("RedirectShopper", "P")).with_event(offer_closed()),
        ),
        ("a shopper's payment given up", given_up(manual().with_attempt(unknown()))),
        ("details given up", manual().with_attempt(returned)),
        ("a charge whose key is too old", given_up(written(charge(), 6 * DAY))),
        ("a refund whose key is too old", given_up(written(refund_in_doubt(), 7 * DAY))),
    ] {
        assert!(!Derived::of(&order).open.is_some_and(|open| open.unresolved), "{what}");
        let overdue = what.starts_with("paid").then_some((3700, 3700));
        assert_eq!(open(&order), overdue, "{what}");
    }
    // The request can be repeated for as long as Adyen knows the key.
    assert_eq!(open(&given_up(written(charge(), 6 * DAY - 1))), Some((0, 30)));
    assert_eq!(open(&given_up(written(refund_in_doubt(), 6 * DAY))), Some((2000, 2040)));
}

#[test]
fn fruitless_looks_double_the_interval() {
    let mut order = charge();
    let mut now = 20 * MINUTE;
    for wait in [5, 10, 20, 40, 80, 160, 320, 360, 360, 360] {
        order.record_look(at(now));
        assert_eq!(open(&order), Some((0, now + wait * MINUTE)));
        now += wait * MINUTE;
    }
    // A new unknown outcome is due by itself, and the interval begins anew.
    order.modifications = refund_in_doubt().modifications;
    order.modifications[0].requested_at = at(now - 1000);
    order.modifications[0].sent_at = at(now - 1000);
    assert_eq!(open(&order), Some((0, now - 970)));
    order.record_look(at(now + 100));
    assert_eq!(order.look, Some(Look { at: at(now + 100), times: 1, unknown: Unknown::default() }));
}

#[test]
fn attempt_is_abandoned_after_25_hours_without_its_shopper() {
    let waits = || manual().with_attempt(answered("RedirectShopper", "P"));
    let mut order = waits();
    assert!(!order.abandon(at(25 * HOUR - 1)));
    assert_eq!(order, waits());
    assert!(order.abandon(at(25 * HOUR)));
    assert_eq!(order.attempts[0].abandoned_at, Some(at(25 * HOUR)));
    assert_summary(&order, "expired unconfirmed 0/0/0 startOver");
    assert_eq!(open(&order), None);
    // An attempt is abandoned once.
    assert!(!order.abandon(at(50 * HOUR)));

    // A late webhook outranks the abandonment.
    assert_summary(
        &order.clone().with_event(authorisation("P")),
        "authorised confirmed 1000/0/0 success",
    );
    let refused = order.clone().with_event(authorisation("P").failed());
    assert_summary(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    assert_summary(
        &order.with_event(offer_closed().at(20 * HOUR)),
        "expired unconfirmed 0/0/0 startOver",
    );
}

#[test]
fn only_an_attempt_that_waits_for_its_shopper_is_abandoned() {
    let sent = answered("RedirectShopper", "P").with_details(None);
    for mut order in [
        manual(),
        manual().with_attempt(unknown()),
        manual().with_attempt(answered("Pending", "P")),
        manual().with_attempt(answered("Authorised", "P")),
        manual().with_attempt(answered("Refused", "P")),
        manual()
            .with_attempt(answered("RedirectShopper", "P"))
            .with_attempt(answered("Authorised", "Q")),
        manual().with_attempt(answered("RedirectShopper", "P")).with_event(authorisation("P")),
        // The shopper returned, and the answer to the details is unknown.
        manual().with_attempt(sent),
    ] {
        let before = order.clone();
        assert!(!order.abandon(at(100 * DAY)), "{order:?}");
        assert_eq!(order, before);
    }
}

/// An attempt whose answer carried an action.
fn with_action(result_code: &str) -> Attempt {
    let mut attempt = answered(result_code, "P");
    if let Some(Outcome::Answered { has_action, .. }) = &mut attempt.outcome {
        *has_action = true;
    }
    attempt
}

#[test]
fn attempt_with_an_action_waits_for_its_shopper_whatever_the_result_code() {
    for result_code in ["Pending", "Received", "PresentToShopper", "RedirectShopper", "NewCode"] {
        let order = manual().with_attempt(with_action(result_code));
        assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
    }
    assert_summary(
        &manual().with_attempt(with_action("Refused")),
        "refused unconfirmed 0/0/0 retryWithAmazonPay",
    );
}

#[test]
fn voucher_or_transfer_is_never_abandoned_because_it_is_paid_within_days() {
    for result_code in ["PresentToShopper", "Received"] {
        let mut order = manual().with_attempt(with_action(result_code));
        assert_eq!(open(&order), None, "the schedule has nothing to do");
        assert!(!order.abandon(at(100 * DAY)));
        assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
    }
    assert!(manual().with_attempt(with_action("Pending")).abandon(at(100 * DAY)));
}

#[test]
fn voucher_whose_key_has_expired_is_replaced_by_the_next_attempt() {
    let method = || json!({"type": "multibanco"});
    let mut order = facts::order(Capture::Automatic);
    let first = request_with(method(), None, 0);
    take(&mut order, PaymentInstrument::Other, &first, at(0));
    order.attempts[0] = Attempt { submissions: vec![first], ..with_action("PresentToShopper") };
    for (day, expected) in
        [(5, PayDecision::Repeat { attempt: 1 }), (7, PayDecision::Begin { attempt: 2 })]
    {
        let again = request_with(method(), None, day * DAY);
        assert_eq!(order.decide(&target(), *order.amount, &again, at(day * DAY)), expected);
    }
}

#[test]
fn abandoned_attempt_continues_when_its_shopper_returns() {
    let mut order = facts::order(Capture::Manual).with_attempt(answered("RedirectShopper", "P"));
    order.abandon(at(30 * HOUR));
    let attempt = &mut order.attempts[0];
    attempt.details.push(Details::new("result".to_owned(), at(31 * HOUR)));
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
    // The bank asks for another challenge.
    let asked = answered("ChallengeShopper", None).outcome.unwrap();
    order.attempts[0].answer_details("result", asked, None, at(31 * HOUR));
    assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
    assert_eq!(open(&order), Some((100, (31 + 25) * HOUR)));
    assert!(!order.abandon(at(55 * HOUR)));
    assert!(order.abandon(at(56 * HOUR)));
    assert_summary(&order, "expired unconfirmed 0/0/0 startOver");
}

#[test]
fn abandoned_attempt_keeps_the_result_of_a_late_answer() {
    for result_code in ["Authorised", "Refused", "Cancelled", "Error", "Pending"] {
        let attempt = answered(result_code, "P");
        let plain = manual().with_attempt(attempt.clone());
        let abandoned =
            manual().with_attempt(Attempt { abandoned_at: Some(at(30 * HOUR)), ..attempt });
        assert_summary(&abandoned, &facts::summary(&plain));
    }
}

#[test]
fn abandoned_attempt_is_followed_by_a_new_one() {
    let mut order = manual().with_attempt(answered("RedirectShopper", "P"));
    order.abandon(at(30 * HOUR));
    let again = take(
        &mut order.clone(),
        PaymentInstrument::AmazonPay,
        &request("T", None, 30 * HOUR),
        at(30 * HOUR),
    );
    assert_eq!(again, PayDecision::Ended { attempt: 1 });
    let next = take(
        &mut order,
        PaymentInstrument::AmazonPay,
        &request("NEW", None, 30 * HOUR),
        at(30 * HOUR),
    );
    assert_eq!(next, PayDecision::Begin { attempt: 2 });
    // The first attempt may still be paid, and then counts for the order.
    let order = order.with_event(authorisation("P").at(31 * HOUR));
    assert_eq!(Derived::of(&order).attempts[0].status, AttemptStatus::Authorised);
    assert_summary(&order, "authorised confirmed 1000/0/0 success");
}
