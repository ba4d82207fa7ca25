//! An order that was paid twice, before and after one payment is returned.

use shared::domain::order::{Derived, Order};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, authorisation, automatic, expire, manual,
    modification, reversal, summary,
};

const PAID: &str = "authorised confirmed 1000/1000/0 success";
const PAID_MANUAL: &str = "authorised confirmed 1000/0/0 success";

fn paid_twice(order: Order) -> Order {
    order
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([authorisation("P"), authorisation("Q")])
}

fn other(payment: &str) -> &'static str {
    if payment == "P" { "Q" } else { "P" }
}

#[test]
fn fully_refunded_payment_does_not_count_beside_a_standing_one() {
    let paid_twice = paid_twice(automatic());
    assert_summary(&paid_twice, "authorised confirmed 2000/2000/0 success !paid_twice: P, Q");
    assert_eq!(Derived::of(&paid_twice).psp_reference.as_deref(), Some("Q"), "the newest decides");
    for payment in ["P", "Q"] {
        let part = paid_twice.clone().with_event(modification("REFUND", "R1").of(payment).eur(400));
        assert_summary(&part, "partiallyRefunded confirmed 2000/2000/400 none !paid_twice: P, Q");
        let whole = part.clone().with_event(modification("REFUND", "R2").of(payment).eur(600));
        assert_summary(&whole, PAID);
        assert_eq!(Derived::of(&whole).psp_reference.as_deref(), Some(other(payment)));
        let at_once = paid_twice.clone().with_event(reversal("refund", "R3").of(payment));
        assert_summary(&at_once, PAID);

        let failed = whole.with_event(modification("REFUND_FAILED", "R2").of(payment).eur(600));
        assert_eq!(summary(&failed), summary(&part));
    }
}

#[test]
fn cancelled_or_expired_payment_does_not_count_beside_a_standing_one() {
    let paid_twice = paid_twice(manual());
    for payment in ["P", "Q"] {
        for gone in [
            modification("CANCELLATION", "X").of(payment),
            modification("TECHNICAL_CANCEL", "X").of(payment),
            reversal("cancel", "X").of(payment),
            expire(payment),
        ] {
            let left = paid_twice.clone().with_event(gone);
            assert_summary(&left, PAID_MANUAL);
            assert_summary(
                &left.with_events([
                    modification("CAPTURE", "C").of(other(payment)),
                    modification("REFUND", "R").of(other(payment)).eur(300),
                ]),
                "partiallyRefunded confirmed 1000/1000/300 none",
            );
        }
    }
}

#[test]
fn captures_of_a_fully_refunded_payment_do_not_count() {
    let paid_twice = paid_twice(manual());
    let captured = paid_twice.with_event(modification("CAPTURE", "C"));
    assert_summary(&captured, "captured confirmed 2000/1000/0 success !paid_twice: P, Q");
    let refunded = captured.with_event(modification("REFUND", "R"));
    assert_summary(&refunded, PAID_MANUAL);
    assert_summary(
        &refunded.with_event(modification("CAPTURE", "C2").of("Q")),
        "captured confirmed 1000/1000/0 success",
    );
}

#[test]
fn two_returned_payments_both_count() {
    let paid_twice = paid_twice(automatic());
    assert_summary(
        &paid_twice
            .clone()
            .with_events([modification("REFUND", "R1"), modification("REFUND", "R2").of("Q")]),
        "refunded confirmed 2000/2000/2000 none",
    );
    assert_summary(
        &paid_twice.with_events([
            modification("REFUND", "R1"),
            modification("REFUND", "R2").of("Q").eur(300),
        ]),
        "partiallyRefunded confirmed 1000/1000/300 none",
    );
}

#[test]
fn returned_payment_of_another_amount_needs_no_attention() {
    let order = automatic()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([authorisation("P").eur(1), authorisation("Q")]);
    assert_summary(
        &order,
        "authorised confirmed 1001/1001/0 success !amount_differs !paid_twice: P, Q",
    );
    assert_summary(&order.with_event(modification("REFUND", "R").eur(1)), PAID);
}

#[test]
fn disputed_payment_counts_although_it_was_returned() {
    let disputed = paid_twice(automatic())
        .with_events([modification("REFUND", "R"), modification("CHARGEBACK", "D")]);
    assert_summary(&disputed, "chargedBack confirmed 2000/2000/1000 none");
    assert_summary(
        &disputed.with_event(modification("CHARGEBACK_REVERSED", "D").without_payment()),
        PAID,
    );
}

#[test]
fn message_distinguishes_partial_and_full_refunds() {
    let message = |order: &Order| {
        let derived = Derived::of(order);
        derived.next_step.message(derived.status)
    };
    let paid = automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    let part = paid.with_event(modification("REFUND", "R1").eur(400));
    assert_eq!(message(&part), "Part of your payment was refunded.");
    let whole = part.with_event(modification("REFUND", "R2").eur(600));
    assert_eq!(message(&whole), "Your payment was refunded.");
}
