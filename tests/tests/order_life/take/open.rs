//! Requests to pay while the last attempt has no result: repeated ones and others.

use serde_json::json;
use shared::domain::order::{
    AnswerDecision, AttemptStatus, Derived, Order, PayDecision, PendingOn,
};

use super::{DAY, answered_with, begun, in_progress, pay, take};
use crate::facts::{
    AttemptBuilder, EventBuilder, OrderBuilder, assert_summary, at, authorisation, manual,
    modification, offer_closed, offer_closed_of, outcome, rejected, request, request_with,
};

#[test]
fn first_request_starts_and_stores_the_first_attempt() {
    let order = begun();
    assert_eq!(order.attempts.len(), 1);
    assert_eq!(order.attempts[0].started_at, at(0));
    assert_eq!(order.attempts[0].submissions, [request("A", None, 0)]);
    assert_eq!(Derived::of(&order).attempts[0].status, AttemptStatus::Pending(PendingOn::Answer));
}

#[test]
fn repeated_request_of_an_ended_attempt_returns_the_stored_outcome() {
    let ended = [
        answered_with("Authorised"),
        answered_with("Refused"),
        answered_with("Cancelled"),
        answered_with("Error"),
        begun().with_event(authorisation("P")),
        begun().with_event(authorisation("P").failed()),
        answered_with("RedirectShopper").with_event(offer_closed_of("P")),
        answered_with("Authorised").with_event(modification("CANCELLATION", "X")),
        answered_with("Authorised").with_event(modification("REFUND", "R")),
    ];
    for order in ended {
        for second in [1, 100, 30 * DAY] {
            let mut order = order.clone();
            let before = order.clone();
            assert_eq!(
                pay(&mut order, "A", second),
                PayDecision::Ended { attempt: 1 },
                "{order:?}"
            );
            assert_eq!(order, before);
        }
    }
    let mut order = begun();
    order.attempts[0] = rejected("702", None);
    assert_eq!(pay(&mut order, "T", 1), PayDecision::Ended { attempt: 1 });
}

#[test]
fn repeated_request_of_an_unresolved_attempt_is_retried_with_its_key() {
    for result_code in [
        None,
        Some("RedirectShopper"),
        Some("IdentifyShopper"),
        Some("ChallengeShopper"),
        Some("Pending"),
        Some("Received"),
    ] {
        let order = result_code.map_or_else(begun, answered_with);
        for second in [0, 1, 29, 30, 3600, 6 * DAY - 1] {
            let mut order = order.clone();
            assert_eq!(pay(&mut order, "A", second).sends(), Some(1));
            assert_eq!((order.attempts.len(), order.attempts[0].submissions.len()), (1, 1));
        }
    }
}

#[test]
fn another_token_waits_while_a_request_is_in_flight() {
    for second in [0, 1, 29] {
        let mut order = begun();
        let PayDecision::InProgress { retry_after } = pay(&mut order, "B", second) else {
            panic!("not in progress after {second} s");
        };
        assert_eq!(retry_after.as_secs() as i64, 30 - second);
        assert_eq!(order, begun(), "nothing is recorded");
    }
}

#[test]
fn another_token_later_is_sent_under_the_same_key() {
    let mut order = begun();
    assert_eq!(pay(&mut order, "B", 30).sends(), Some(1));
    let sent = |order: &Order| -> Vec<String> {
        let submissions = order.attempts[0].submissions.iter();
        submissions.map(|sent| sent.instrument.clone()).collect()
    };
    let both = [request("A", None, 0), request("B", None, 30)].map(|sent| sent.instrument);
    assert_eq!(sent(&order), both);

    // Both submissions belong to the attempt now; a third one has to wait.
    assert_eq!(pay(&mut order, "A", 31).sends(), Some(1));
    assert_eq!(pay(&mut order, "B", 31).sends(), Some(1));
    assert!(in_progress(pay(&mut order, "C", 59)));
    assert_eq!(sent(&order), both);
    // A repeated request counts as sent a nanosecond after its own time.
    assert_eq!(pay(&mut order, "C", 62).sends(), Some(1));

    order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
    for token in ["A", "B", "C"] {
        assert_eq!(pay(&mut order, token, 63), PayDecision::Ended { attempt: 1 });
    }
    assert_eq!(pay(&mut order, "D", 63).sends(), Some(2));
}

#[test]
fn another_token_supersedes_an_attempt_that_waits_for_its_shopper() {
    for result_code in ["RedirectShopper", "IdentifyShopper", "ChallengeShopper"] {
        let mut order = answered_with(result_code);
        assert_eq!(pay(&mut order, "B", 1).sends(), Some(2));
        assert_eq!(order.attempts.len(), 2);
        assert_eq!(order.attempts[1].started_at, at(1));
    }
    let mut challenged = answered_with("RedirectShopper");
    challenged.attempts[0] = challenged.attempts[0].clone().with_details("ChallengeShopper");
    assert_eq!(pay(&mut challenged, "B", 1).sends(), Some(2));
}

#[test]
fn another_token_waits_while_details_are_in_flight() {
    let mut order = answered_with("RedirectShopper");
    order.attempts[0] = order.attempts[0].clone().with_details(None);
    order.attempts[0].details[0].sent_at = at(1000);
    let before = order.clone();
    for second in [1000, 1029] {
        assert!(in_progress(pay(&mut order, "B", second)));
    }
    assert_eq!(order, before);
    // If the answer was lost, the request can be repeated, which returns the action.
    assert_eq!(pay(&mut order, "B", 1030).sends(), Some(1));
    assert_eq!(order.attempts.len(), 1);
}

#[test]
fn token_of_a_superseded_attempt_starts_a_new_attempt() {
    let superseded = || {
        let mut order = answered_with("RedirectShopper");
        assert_eq!(pay(&mut order, "B", 1).sends(), Some(2));
        order
    };
    let mut unknown = superseded();
    assert!(in_progress(pay(&mut unknown, "A", 30)));
    assert_eq!(pay(&mut unknown, "A", 31).sends(), Some(2));
    assert_eq!(unknown.attempts[1].submissions.len(), 2);

    for (result_code, expected) in [
        ("RedirectShopper", PayDecision::Begin { attempt: 3 }),
        ("Refused", PayDecision::Begin { attempt: 3 }),
        ("Authorised", PayDecision::Paid),
    ] {
        let mut order = superseded();
        order.attempts[1].answer(outcome(result_code), Some("Q".to_owned()));
        assert_eq!(pay(&mut order, "A", 2), expected);
    }
    let mut pending = superseded();
    pending.attempts[1].answer(outcome("Pending"), Some("Q".to_owned()));
    assert!(in_progress(pay(&mut pending, "A", DAY)));
}

#[test]
fn another_token_waits_while_adyen_has_no_final_result() {
    for result_code in ["Pending", "Received", "PresentToShopper", "Success", "SomethingNew"] {
        for second in [0, 30, 3600, 30 * DAY] {
            let mut order = answered_with(result_code);
            assert!(in_progress(pay(&mut order, "B", second)), "{result_code}");
            assert_eq!(order.attempts.len(), 1);
        }
    }
}

#[test]
fn ambiguous_offer_closed_allows_no_second_payment() {
    let mut order = answered_with("Refused");
    assert_eq!(pay(&mut order, "B", 10).sends(), Some(2));
    order.attempts[1].answer(outcome("Pending"), Some("Q".to_owned()));
    let order = order.with_event(offer_closed());
    assert!(in_progress(pay(&mut order.clone(), "C", 2000)));
    // An OFFER_CLOSED with the attempt's own reference ends it.
    let mut named = order.with_event(offer_closed_of("Q"));
    assert_eq!(pay(&mut named, "C", 2000).sends(), Some(3));
}

#[test]
fn offer_closed_before_an_attempt_began_does_not_end_it() {
    let mut order = answered_with("RedirectShopper").with_event(offer_closed());
    // The attempt begins in the same second as the event, by Adyen's clock or ours.
    assert_eq!(pay(&mut order, "B", 1000).sends(), Some(2));
    order.attempts[1].answer(outcome("RedirectShopper"), Some("Q".to_owned()));
    assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
    // A repetition with a later date is still the same event.
    let order = order.with_event(offer_closed().at(1500));
    assert_summary(&order, "pending unconfirmed 0/0/0 handleAction");
}

#[test]
fn charge_request_is_stored_until_its_outcome_is_known() {
    let charge = |key: &str, second| {
        request_with(json!({"type": "amazonpay", "storedPaymentMethodId": "M"}), key, second)
    };
    let kept = |order: &Order| -> Vec<bool> {
        let submissions = order.attempts.iter().flat_map(|attempt| &attempt.submissions);
        submissions.map(|sent| sent.request.is_some()).collect()
    };
    let mut order = manual();
    take(&mut order, &charge("1", 0));
    order.drop_outdated(at(0));
    assert_eq!(kept(&order), [true]);
    take(&mut order, &charge("2", 31));
    order.drop_outdated(at(31));
    assert_eq!(kept(&order), [false, true]);
    let mut too_old = order.clone();
    too_old.drop_outdated(at(6 * DAY));
    assert_eq!(kept(&too_old), [false, false]);
    for decided in [order.clone().with_event(authorisation("P")), {
        order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
        order
    }] {
        let mut decided = decided;
        decided.drop_outdated(at(32));
        assert_eq!(kept(&decided), [false, false]);
    }
}

#[test]
fn rejection_of_one_of_two_requests_sent_at_the_same_moment_leaves_the_outcome_unknown() {
    let mut order = begun();
    assert_eq!(pay(&mut order, "A", 0), PayDecision::Repeat { attempt: 1 });
    // Either may be the one that Adyen processed before it rejected the other.
    let sent = request("A", None, 0);
    let rejection = rejected("5_606", None).outcome.unwrap();
    let before = order.clone();
    let decision = order.conclude_payment(1, &sent, &rejection, None);
    assert_eq!(decision, Some(AnswerDecision::Unknown));
    assert_eq!(order, before);
}

#[test]
fn rejection_of_a_request_that_repeats_a_lost_one_leaves_the_outcome_unknown() {
    let mut order = begun();
    let repeated = request("A", None, 60);
    // The clock shows the same time when the request arrives and when it is recorded.
    assert_eq!(take(&mut order, &repeated), PayDecision::Repeat { attempt: 1 });
    let rejection = rejected("5_606", None).outcome.unwrap();
    let decision = order.conclude_payment(1, &repeated, &rejection, None);
    assert_eq!(decision, Some(AnswerDecision::Unknown));
    assert!(order.attempts[0].outcome.is_none());
}
