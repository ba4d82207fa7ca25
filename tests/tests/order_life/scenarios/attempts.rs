//! Several attempts, and webhooks without an attempt's pspReference.

use shared::domain::order::{AttemptStatus, Derived, PendingOn};

use crate::facts::{
    AttemptBuilder, EventBuilder, OrderBuilder, answered, assert_summary, attention, authorisation,
    automatic, expire, manual, modification, outcome, rejected, unknown,
};

const PAID: &str = "authorised confirmed 1000/1000/0 success";
const PAID_MANUAL: &str = "authorised confirmed 1000/0/0 success";

#[test]
fn only_unresolved_attempt_without_a_reference_takes_over_an_authorisation() {
    for attempt in [unknown(), answered("RedirectShopper", None), answered("Pending", None)] {
        let paid = automatic().with_attempt(attempt.clone()).with_event(authorisation("P"));
        assert_summary(&paid, PAID);
        let derived = Derived::of(&paid);
        assert_eq!((derived.attempt, derived.psp_reference.as_deref()), (1, Some("P")));
        assert_eq!(derived.attempts[0].status, AttemptStatus::Authorised);
        assert_eq!(derived.attempts[0].psp_reference.as_deref(), Some("P"));

        let refused = automatic().with_attempt(attempt).with_event(authorisation("P").failed());
        assert_summary(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
        assert_eq!(Derived::of(&refused).psp_reference.as_deref(), Some("P"));
    }
}

#[test]
fn taken_over_payment_can_be_captured_cancelled_and_refunded() {
    let order = manual().with_attempt(unknown()).with_event(authorisation("P"));
    let captured = order.clone().with_event(modification("CAPTURE", "C"));
    assert_summary(&captured, "captured confirmed 1000/1000/0 success");
    assert_summary(
        &captured.with_event(modification("REFUND", "R")),
        "refunded confirmed 1000/1000/1000 none",
    );
    assert_summary(
        &order.with_event(modification("CANCELLATION", "X")),
        "cancelled unconfirmed 0/0/0 none",
    );
}

#[test]
fn authorised_attempt_without_a_reference_takes_over_its_authorisation() {
    for attempt in
        [answered("Authorised", None), answered("Pending", None).with_details("Authorised")]
    {
        let order = automatic().with_attempt(attempt);
        assert_summary(&order, "authorised unconfirmed 1000/0/0 success");
        // A payment without a pspReference cannot be refunded yet.
        assert_eq!(Derived::of(&order).open_to_refund(), 0);

        let paid = order.clone().with_event(authorisation("P"));
        assert_summary(&paid, PAID);
        let derived = Derived::of(&paid);
        assert_eq!((derived.attempt, derived.psp_reference.as_deref()), (1, Some("P")));
        assert_eq!((derived.payments.len(), derived.open_to_refund()), (1, 1000));

        let failed = order.with_event(authorisation("P").failed());
        assert_summary(&failed, "refused unconfirmed 0/0/0 retryWithAmazonPay");
        assert_summary(&failed.with_event(authorisation("P").at(2000)), PAID);
    }
}

#[test]
fn authorised_attempt_takes_over_an_authorisation_before_a_waiting_one() {
    let before = || manual().with_attempt(answered("RedirectShopper", None));
    for order in [
        before().with_attempt(answered("Authorised", None)),
        before().with_attempt(answered("RedirectShopper", None).with_details("Authorised")),
        manual().with_attempt(answered("Authorised", None)).with_attempt(unknown()),
    ] {
        let paid = order.with_event(authorisation("P"));
        assert_summary(&paid, PAID_MANUAL);
        let derived = Derived::of(&paid);
        assert_eq!(derived.payments.len(), 1);
        let authorised = |at: usize| derived.attempts[at].status == AttemptStatus::Authorised;
        assert_ne!(authorised(0), authorised(1), "one of them");
        // A second AUTHORISATION belongs to the other attempt.
        assert_summary(
            &paid.with_event(authorisation("Q").at(2000)),
            "authorised confirmed 2000/0/0 success !paid_twice: P, Q",
        );
    }
}

#[test]
fn an_answer_without_a_reference_counts_once_before_and_after_its_authorisation() {
    for result_code in ["Authorised", "Pending"] {
        let mut order =
            automatic().with_attempt(answered("RedirectShopper", None)).with_attempt(unknown());
        order.attempts[0] = rejected("702", None);
        let mut told_first = order.clone().with_event(authorisation("P"));
        told_first.attempts[1].answer(outcome(result_code), None);
        order.attempts[1].answer(outcome(result_code), None);
        assert_summary(&told_first, PAID);
        assert_eq!(order.with_event(authorisation("P")), told_first);
    }
}

#[test]
fn failed_authorisation_is_not_taken_over_by_an_authorised_attempt_while_another_waits() {
    // The failure may be that of the attempt that waits, so the order does not count as unpaid.
    let order = manual()
        .with_attempt(answered("RedirectShopper", None))
        .with_attempt(answered("Authorised", None))
        .with_event(authorisation("P").failed());
    assert_summary(&order, "authorised unconfirmed 1000/0/0 success");
    assert_summary(&order.with_event(authorisation("Q")), PAID_MANUAL);
}

#[test]
fn authorisation_belongs_to_the_attempt_whose_details_adyen_answered_with_it() {
    let waits = || answered("RedirectShopper", None);
    let claimed = |payment: &str| {
        let mut attempt = waits().with_details(None);
        attempt.claim("result 0", Some(payment.to_owned()));
        attempt
    };
    // Two attempts wait, and neither has a pspReference.
    let order = manual().with_attempt(waits()).with_attempt(claimed("P"));
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
    assert_summary(
        &order.clone().with_event(authorisation("Q").failed()),
        "pending unconfirmed 0/0/0 wait",
    );
    let refused = order.clone().with_event(authorisation("P").failed());
    assert_summary(&refused, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    let paid = order.with_event(authorisation("P"));
    assert_summary(&paid, PAID_MANUAL);
    assert_eq!(Derived::of(&paid).attempt, 2);

    // Other details are at Adyen too, and their payment may be the successful one.
    let mut both = claimed("P").with_details(None);
    let order = manual()
        .with_attempt(waits())
        .with_attempt(both.clone())
        .with_event(authorisation("P").failed());
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
    // The attempt has the pspReference Q, so the failure of P is not its own.
    both.psp_reference = Some("Q".to_owned());
    let order = manual().with_attempt(both).with_event(authorisation("P").failed());
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
}

#[test]
fn failed_authorisation_belongs_to_the_refused_attempt_and_not_the_next() {
    for result_code in ["Refused", "Cancelled", "Error"] {
        let order = manual().with_attempt(answered(result_code, None)).with_attempt(unknown());
        let order = order.with_event(authorisation("P").failed());
        assert_summary(&order, "pending unconfirmed 0/0/0 wait");
        assert_summary(&order.with_event(authorisation("Q")), PAID_MANUAL);
    }
}

#[test]
fn attempt_does_not_take_over_authorisations_of_other_attempts() {
    let order = automatic()
        .with_attempt(answered("Refused", "P"))
        .with_attempt(unknown())
        .with_event(authorisation("P").failed());
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
    assert_summary(&order.with_event(authorisation("Q")), PAID);
}

#[test]
fn successful_authorisation_is_taken_over_before_a_failed_one() {
    for (failed, succeeded) in [(1000, 2000), (2000, 1000)] {
        let order = automatic()
            .with_attempt(unknown())
            .with_event(authorisation("P").failed().at(failed))
            .with_event(authorisation("Q").at(succeeded));
        assert_summary(&order, PAID);
        let derived = Derived::of(&order);
        assert_eq!(derived.psp_reference.as_deref(), Some("Q"));
        assert_eq!(derived.attempts[0].status, AttemptStatus::Authorised);
    }
}

#[test]
fn ambiguous_authorisation_counts_only_if_it_succeeded() {
    let order = manual().with_attempt(answered("RedirectShopper", None)).with_attempt(unknown());
    assert_summary(&order.clone().with_event(authorisation("P")), PAID_MANUAL);
    assert_summary(
        &order.clone().with_event(authorisation("P").failed()),
        "pending unconfirmed 0/0/0 wait",
    );

    // The answer has the pspReference of the failed payment.
    let mut order = order.with_event(authorisation("P").failed());
    order.attempts[1].answer(outcome("Pending"), Some("P".to_owned()));
    assert_summary(&order, "refused unconfirmed 0/0/0 retryWithAmazonPay");
}

#[test]
fn rejected_attempt_is_assigned_no_authorisation() {
    let order = automatic().with_attempt(rejected("702", None));
    assert_summary(
        &order.clone().with_event(authorisation("P").failed()),
        "error unconfirmed 0/0/0 showError",
    );
    assert_summary(&order.with_event(authorisation("P")), PAID);
}

#[test]
fn reference_from_a_later_answer_belongs_to_the_attempt() {
    let mut order = manual().with_attempt(unknown()).with_event(authorisation("P"));
    assert_summary(&order, PAID_MANUAL);
    order.attempts[0].answer(outcome("Refused"), Some("Q".to_owned()));
    // Payment P stands, although no attempt has its pspReference.
    assert_summary(&order, PAID_MANUAL);
    assert_summary(
        &order.with_event(authorisation("Q")),
        "authorised confirmed 2000/0/0 success !paid_twice: P, Q",
    );
}

#[test]
fn superseded_attempt_that_is_authorised_late_pays_the_order() {
    for second in [
        answered("Refused", "Q"),
        answered("Cancelled", "Q"),
        answered("Error", "Q"),
        answered("RedirectShopper", "Q"),
        rejected("702", None),
        unknown(),
    ] {
        let order = manual().with_attempt(answered("RedirectShopper", "P")).with_attempt(second);
        assert_ne!(Derived::of(&order).attempt, 1);
        let order = order.with_event(authorisation("P"));
        assert_summary(&order, PAID_MANUAL);
        assert_eq!(Derived::of(&order).attempt, 1);
    }
}

#[test]
fn a_superseded_attempt_does_not_keep_an_order_pending() {
    let order = manual().with_attempt(answered("RedirectShopper", "P"));
    assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
    let order = order.with_attempt(answered("Refused", "Q"));
    assert_summary(&order, "refused unconfirmed 0/0/0 retryWithAmazonPay");
    assert_eq!(Derived::of(&order).attempts[0].status, AttemptStatus::Pending(PendingOn::Shopper));
}

#[test]
fn order_paid_by_one_attempt_stays_paid_when_another_fails() {
    let order =
        manual().with_attempt(answered("RedirectShopper", "P")).with_event(authorisation("P"));
    for failure in [
        answered("Refused", "Q"),
        answered("Cancelled", "Q"),
        answered("Error", None),
        rejected("702", None),
    ] {
        let order = order.clone().with_attempt(failure);
        assert_summary(&order, PAID_MANUAL);
        assert_summary(&order.with_event(authorisation("Q").failed().at(5000)), PAID_MANUAL);
    }
}

#[test]
fn two_standing_payments_need_attention_by_name() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_event(authorisation("Q"));
    assert_summary(&order, PAID_MANUAL);
    let twice = order.with_event(authorisation("P").at(5000));
    assert_summary(&twice, "authorised confirmed 2000/0/0 success !paid_twice: P, Q");

    let answered_only = manual()
        .with_attempt(answered("RedirectShopper", "P").with_details("Authorised"))
        .with_attempt(answered("Authorised", "Q"));
    assert_eq!(attention(&answered_only), ["paid_twice: P, Q"]);
}

#[test]
fn paid_twice_ends_when_one_payment_is_cancelled_or_expires() {
    let twice = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([authorisation("P"), authorisation("Q")]);
    for payment in ["P", "Q"] {
        assert_summary(
            &twice.clone().with_event(modification("CANCELLATION", "X").of(payment).failed()),
            "authorised confirmed 2000/0/0 success !paid_twice: P, Q",
        );
        assert_summary(
            &twice.clone().with_event(modification("CANCELLATION", "X").of(payment)),
            PAID_MANUAL,
        );
        assert_summary(&twice.clone().with_event(expire(payment)), PAID_MANUAL);
    }
}

#[test]
fn after_a_cancelled_payment_a_later_attempt_decides_only_while_it_is_open() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Pending", "Q"))
        .with_events([authorisation("P"), modification("CANCELLATION", "X")]);
    assert_summary(&order, "pending unconfirmed 0/0/0 wait");
    let refused = order.clone().with_event(authorisation("Q").failed());
    assert_summary(&refused, "cancelled unconfirmed 0/0/0 none");
    assert_summary(&order.with_event(authorisation("Q")), PAID_MANUAL);
}

#[test]
fn last_payment_decides_how_an_order_ended() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([authorisation("P"), authorisation("Q")]);
    let cancel = |payment: &str| modification("CANCELLATION", "X").of(payment).at(3000);
    let expiry = |payment: &str| expire(payment).at(2000);
    assert_summary(
        &order.clone().with_events([cancel("P"), expiry("Q")]),
        "expired unconfirmed 0/0/0 startOver",
    );
    assert_summary(
        &order.with_events([expiry("P"), cancel("Q")]),
        "cancelled unconfirmed 0/0/0 none",
    );
}

#[test]
fn details_answer_outranks_the_payment_answer() {
    let redirect = || answered("RedirectShopper", None);
    for (attempt, expected) in [
        (redirect().with_details("Authorised"), "authorised unconfirmed 1000/0/0 success"),
        (redirect().with_details("Refused"), "refused unconfirmed 0/0/0 retryWithAmazonPay"),
        (redirect().with_details("ChallengeShopper"), "pending unconfirmed 0/0/0 handleAction"),
        (redirect().with_details("Pending"), "pending unconfirmed 0/0/0 wait"),
        // The details are at Adyen without an answer.
        (redirect().with_details(None), "pending unconfirmed 0/0/0 wait"),
        (
            redirect().with_details("ChallengeShopper").with_details("Authorised"),
            "authorised unconfirmed 1000/0/0 success",
        ),
    ] {
        assert_summary(&manual().with_attempt(attempt), expected);
    }
}

#[test]
fn late_answer_clears_an_unknown_outcome() {
    for result_code in ["RedirectShopper", "Pending"] {
        let mut attempt = unknown();
        attempt.outcome_unknown = true;
        let order = manual().with_attempt(attempt.clone());
        assert_eq!(attention(&order), ["outcome_unknown"]);
        attempt.answer(outcome(result_code), Some("P".to_owned()));
        assert!(attention(&manual().with_attempt(attempt)).is_empty());
    }
}

#[test]
fn authorisation_is_about_its_own_payment_despite_an_original_reference() {
    let order = manual()
        .with_attempt(answered("Authorised", "P"))
        .with_event(authorisation("P"))
        .with_event(authorisation("Q").of("P"));
    assert_summary(&order, "authorised confirmed 2000/0/0 success !paid_twice: P, Q");
}
