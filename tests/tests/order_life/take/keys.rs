//! Idempotency keys, and the limit of attempts.

use shared::domain::order::{PayDecision, Submission};

use super::{DAY, answered_with, begun, in_progress, pay, pay_with_key, take};
use crate::facts::{attention, manual, outcome, request};

#[test]
fn idempotency_key_distinguishes_two_requests_with_one_token() {
    let mut order = manual();
    assert_eq!(pay_with_key(&mut order, "A", "K1", 0).sends(), Some(1));
    assert!(in_progress(pay_with_key(&mut order, "A", "K2", 1)));
    order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
    assert_eq!(pay_with_key(&mut order, "A", "K1", 2), PayDecision::Ended { attempt: 1 });
    assert_eq!(pay_with_key(&mut order, "A", "K2", 2).sends(), Some(2));
    order.attempts[1].answer(outcome("Error"), Some("Q".to_owned()));
    assert_eq!(pay_with_key(&mut order, "A", "K1", 3), PayDecision::Ended { attempt: 1 });
    assert_eq!(pay_with_key(&mut order, "A", "K2", 3), PayDecision::Ended { attempt: 2 });
}

#[test]
fn idempotency_key_of_another_request_is_rejected_in_every_state() {
    for result_code in ["Authorised", "Refused", "RedirectShopper", "Pending"] {
        let mut order = manual();
        assert_eq!(pay_with_key(&mut order, "A", "K", 0).sends(), Some(1));
        order.attempts[0].answer(outcome(result_code), Some("P".to_owned()));
        let before = order.clone();
        assert_eq!(pay_with_key(&mut order, "B", "K", 1), PayDecision::KeyReused);
        // The same token, but something else in the request.
        let other = Submission { caller_body: "other".to_owned(), ..request("A", "K", 1) };
        assert_eq!(take(&mut order, &other), PayDecision::KeyReused);
        assert_eq!(order, before);
    }
    let mut order = manual();
    pay_with_key(&mut order, "A", "K", 0);
    assert_eq!(pay_with_key(&mut order, "B", "K", 1), PayDecision::KeyReused, "in flight");
    order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
    pay_with_key(&mut order, "B", "K2", 1);
    assert_eq!(
        pay_with_key(&mut order, "B", "K", 2),
        PayDecision::KeyReused,
        "of an earlier attempt"
    );
}

#[test]
fn attempt_with_a_key_older_than_six_days_is_not_retried() {
    for token in ["A", "B"] {
        let mut young = begun();
        assert_eq!(pay(&mut young, token, 6 * DAY - 1).sends(), Some(1));
        assert!(attention(&young).is_empty());

        let mut old = begun();
        assert_eq!(pay(&mut old, token, 6 * DAY), PayDecision::Unknown { attempt: 1 });
        assert_eq!(attention(&old), ["outcome_unknown"]);
        assert_eq!(old.attempts[0].submissions.len(), 1);
        assert_eq!(pay(&mut old, token, 100 * DAY), PayDecision::Unknown { attempt: 1 });
    }
    // The attempt's age counts, not that of its latest submission.
    let mut order = begun();
    pay(&mut order, "B", 5 * DAY);
    assert_eq!(pay(&mut order, "B", 6 * DAY), PayDecision::Unknown { attempt: 1 });
    // An attempt that waits for its shopper is superseded at any age.
    let mut redirect = answered_with("RedirectShopper");
    assert_eq!(pay(&mut redirect, "B", 30 * DAY).sends(), Some(2));
}

#[test]
fn order_at_the_limit_of_attempts_keeps_room_for_webhooks() {
    let mut order = manual();
    let mut second = 0;
    while let Some(attempt) = pay(&mut order, &format!("T{second}"), second).sends() {
        order.attempts[attempt - 1].answer(outcome("Refused"), Some(format!("P{second}")));
        second += 1;
        assert!(second < 1000, "without end");
    }
    assert_eq!(pay(&mut order, "ONE-MORE", second), PayDecision::TooMany);
    let mut order = begun();
    let mut second = 30;
    while let Some(1) = pay(&mut order, &format!("T{second}"), second).sends() {
        second += 30;
        assert!(second < 6 * DAY, "without end");
    }
    assert_eq!(pay(&mut order, "ONE-MORE", second), PayDecision::TooMany);
}
