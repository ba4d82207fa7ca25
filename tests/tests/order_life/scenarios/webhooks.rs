//! Webhooks that contradict answers, each other or the order's amount.

use shared::domain::order::{AdyenEvent, Derived};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, attention, authorisation, automatic,
    expire, manual, modification, offer_closed, outcome, unknown,
};

#[test]
fn authorised_answer_that_a_failed_webhook_contradicts_is_refused() {
    let order = automatic().with_attempt(answered("Authorised", "P"));
    assert_summary(&order, "authorised unconfirmed 1000/0/0 success");
    let denied = order.with_event(authorisation("P").failed());
    assert_summary(&denied, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    assert_eq!(Derived::of(&denied).result_code, None, "the webhook contradicts the answer");
}

#[test]
fn answer_after_its_webhook_changes_nothing() {
    for late in ["Authorised", "Refused", "Error", "Pending", "RedirectShopper"] {
        let mut paid = manual().with_attempt(unknown()).with_event(authorisation("P"));
        paid.attempts[0].answer(outcome(late), Some("P".to_owned()));
        assert_summary(&paid, "authorised confirmed 1000/0/0 success");
    }
    for late in ["Authorised", "Refused", "Pending", "RedirectShopper"] {
        let mut refused = manual().with_attempt(unknown()).with_event(authorisation("P").failed());
        refused.attempts[0].answer(outcome(late), Some("P".to_owned()));
        assert_summary(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    }
}

#[test]
fn webhook_amount_is_the_authorised_amount_and_must_equal_the_orders() {
    let order = || automatic().with_attempt(answered("Authorised", "P"));
    assert_summary(
        &order().with_event(authorisation("P").eur(999)),
        "authorised unconfirmed 999/999/0 success !amount_differs !paid_in_part",
    );
    assert_summary(
        &order().with_event(authorisation("P").eur(1001)),
        "authorised confirmed 1001/1001/0 success !amount_differs",
    );
    let other = order().with_event(authorisation("P").usd(1000));
    let reasons = attention(&other);
    assert!(reasons.contains(&"amount_differs".to_owned()), "{reasons:?}");
    assert_eq!(Derived::of(&other).authorised, 0, "no euro");
    let refused = order().with_event(authorisation("P").eur(999).failed());
    assert_eq!(attention(&refused), ["amount_differs"]);
}

#[test]
fn unreadable_amount_counts_as_zero_and_needs_attention() {
    let unreadable = |mut event: AdyenEvent| {
        event.amount = None;
        event
    };
    let order = || manual().with_attempt(answered("Authorised", "P"));
    let authorised = order().with_event(unreadable(authorisation("P")));
    assert_eq!(attention(&authorised), ["amount_differs", "amount_unreadable", "paid_in_part"]);
    let refused = order().with_event(unreadable(authorisation("P").failed()));
    assert!(attention(&refused).is_empty());
    let paid = || order().with_event(authorisation("P"));
    for event in [modification("CAPTURE", "C"), modification("REFUND", "R")] {
        let odd = paid().with_event(unreadable(event));
        assert_eq!(attention(&odd), ["amount_unreadable"]);
    }
}

#[test]
fn repeated_webhook_keeps_its_later_date_and_first_receipt() {
    let early = authorisation("P").at(1000);
    let late = authorisation("P").at(2000).with_reason("061585:1111:03/2030");
    for events in [[early.clone(), late.clone()], [late.clone(), early.clone()]] {
        let order = manual().with_attempt(unknown()).with_events(events);
        let kept = AdyenEvent { received_at: early.received_at, ..late.clone() };
        assert_eq!(order.events, [kept]);
    }
}

#[test]
fn success_and_failure_of_one_reference_are_both_stored() {
    let order = manual().with_attempt(unknown()).with_events([
        authorisation("P"),
        authorisation("P").failed(),
        authorisation("P"),
    ]);
    assert_eq!(order.events.len(), 2);
}

#[test]
fn order_claims_events_about_its_payments() {
    let order = manual()
        .with_attempt(unknown())
        .with_attempt(answered("Pending", "P"))
        .with_event(authorisation("Q"));
    let claimed: [AdyenEvent; 6] = [
        authorisation("new"),
        offer_closed(),
        modification("CAPTURE", "C"),
        modification("REFUND", "R").of("Q"),
        expire("Q"),
        modification("SOMETHING NEW", "N"),
    ];
    for event in claimed {
        assert!(order.claims(&event), "{event:?}");
    }
    let not_claimed: [AdyenEvent; 4] = [
        modification("CAPTURE", "P").of("another order's"),
        expire("another order's"),
        modification("CAPTURE_FAILED", "Q").of("another order's"),
        modification("SOMETHING NEW", "N").of("another order's"),
    ];
    for event in not_claimed {
        assert!(!order.claims(&event), "{event:?}");
    }
}

#[test]
fn abandoned_unknown_outcome_needs_attention_until_it_is_known() {
    let mut order = manual().with_attempt(unknown());
    order.attempts[0].outcome_unknown = true;
    assert_summary(&order, "pending unconfirmed 0/0/0 wait !outcome_unknown");
    assert_summary(
        &order.clone().with_event(authorisation("P")),
        "authorised confirmed 1000/0/0 success",
    );
    let order = order.with_event(authorisation("P").failed());
    assert_summary(&order, "refused unconfirmed 0/0/0 retryWithAmazonPay");
}
