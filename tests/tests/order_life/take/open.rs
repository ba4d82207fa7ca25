//! Attempts without a result: the same try again, and another one.

use serde_json::json;
use shared::domain::order::{AttemptStatus, Derived, Order, PayDecision, PendingOn};

use super::{DAY, answered_with, begun, in_progress, pay, take};
use crate::facts::{
    Facts, Returned, Says, asking, at, authorisation, comes_to, manual, modification, offer_closed,
    offer_closed_of, outcome, rejected, request,
};

#[test]
fn the_first_request_begins_the_first_attempt_and_is_written_down() {
    let order = begun();
    assert_eq!(order.attempts.len(), 1);
    assert_eq!(order.attempts[0].started_at, at(0));
    assert_eq!(order.attempts[0].submissions, [request("A", None, 0)]);
    assert_eq!(Derived::of(&order).attempts[0].status, AttemptStatus::Pending(PendingOn::Answer));
}

#[test]
fn the_same_try_of_an_attempt_that_ended_gets_what_is_stored() {
    let ended = [
        answered_with("Authorised"),
        answered_with("Refused"),
        answered_with("Cancelled"),
        answered_with("Error"),
        begun().told(authorisation("P")),
        begun().told(authorisation("P").failed()),
        answered_with("RedirectShopper").told(offer_closed_of("P")),
        answered_with("Authorised").told(modification("CANCELLATION", "X")),
        answered_with("Authorised").told(modification("REFUND", "R")),
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
fn the_same_try_of_an_attempt_without_a_result_is_sent_again_with_its_key() {
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
fn another_try_waits_while_the_outcome_may_be_on_its_way() {
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
fn another_try_later_is_sent_under_the_same_key() {
    let mut order = begun();
    assert_eq!(pay(&mut order, "B", 30).sends(), Some(1));
    let sent = |order: &Order| -> Vec<String> {
        let submissions = order.attempts[0].submissions.iter();
        submissions.map(|sent| sent.instrument.clone()).collect()
    };
    let both = [request("A", None, 0), request("B", None, 30)].map(|sent| sent.instrument);
    assert_eq!(sent(&order), both);

    // Both are this attempt's now; a third waits for them.
    assert_eq!(pay(&mut order, "A", 31).sends(), Some(1));
    assert_eq!(pay(&mut order, "B", 31).sends(), Some(1));
    assert!(in_progress(pay(&mut order, "C", 59)));
    assert_eq!(sent(&order), both);
    assert_eq!(pay(&mut order, "C", 61).sends(), Some(1));

    order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
    for token in ["A", "B", "C"] {
        assert_eq!(pay(&mut order, token, 62), PayDecision::Ended { attempt: 1 });
    }
    assert_eq!(pay(&mut order, "D", 62).sends(), Some(2));
}

#[test]
fn another_try_supersedes_an_attempt_that_waits_for_the_shopper() {
    for result_code in ["RedirectShopper", "IdentifyShopper", "ChallengeShopper"] {
        let mut order = answered_with(result_code);
        assert_eq!(pay(&mut order, "B", 1).sends(), Some(2));
        assert_eq!(order.attempts.len(), 2);
        assert_eq!(order.attempts[1].started_at, at(1));
    }
    let mut challenged = answered_with("RedirectShopper");
    challenged.attempts[0] = challenged.attempts[0].clone().returned("ChallengeShopper");
    assert_eq!(pay(&mut challenged, "B", 1).sends(), Some(2));
}

#[test]
fn while_what_the_shopper_brought_back_is_at_adyen_nothing_else_is_sent() {
    let mut order = answered_with("RedirectShopper");
    order.attempts[0] = order.attempts[0].clone().returned(None);
    order.attempts[0].details[0].sent_at = at(1000);
    let before = order.clone();
    for second in [1000, 1029] {
        assert!(in_progress(pay(&mut order, "B", second)));
    }
    assert_eq!(order, before);
    // Its answer is lost: the attempt, and with it the action, can be had again.
    assert_eq!(pay(&mut order, "B", 1030).sends(), Some(1));
    assert_eq!(order.attempts.len(), 1);
}

#[test]
fn the_token_of_a_superseded_attempt_begins_another_like_any_other_token() {
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
fn another_try_waits_while_adyen_has_no_final_result() {
    for result_code in ["Pending", "Received", "PresentToShopper", "Success", "SomethingNew"] {
        for second in [0, 30, 3600, 30 * DAY] {
            let mut order = answered_with(result_code);
            assert!(in_progress(pay(&mut order, "B", second)), "{result_code}");
            assert_eq!(order.attempts.len(), 1);
        }
    }
}

#[test]
fn an_offer_that_may_be_another_attempts_lets_no_second_payment_through() {
    let mut order = answered_with("Refused");
    assert_eq!(pay(&mut order, "B", 10).sends(), Some(2));
    order.attempts[1].answer(outcome("Pending"), Some("Q".to_owned()));
    let order = order.told(offer_closed());
    assert!(in_progress(pay(&mut order.clone(), "C", 2000)));
    // One that names it is its own.
    let mut named = order.told(offer_closed_of("Q"));
    assert_eq!(pay(&mut named, "C", 2000).sends(), Some(3));
}

#[test]
fn an_offer_that_closed_before_an_attempt_began_is_not_its_own() {
    let mut order = answered_with("RedirectShopper").told(offer_closed());
    // In the very second, by Adyen's clock or ours.
    assert_eq!(pay(&mut order, "B", 1000).sends(), Some(2));
    order.attempts[1].answer(outcome("RedirectShopper"), Some("Q".to_owned()));
    comes_to(&order, "pending unconfirmed 0/0/0 handleAction");
    // Told again it is still the same offer.
    let order = order.told(offer_closed().at(1500));
    comes_to(&order, "pending unconfirmed 0/0/0 handleAction");
}

#[test]
fn the_request_to_charge_a_stored_method_is_kept_until_its_outcome_is_known() {
    let charge = |key: &str, second| {
        asking(json!({"type": "amazonpay", "storedPaymentMethodId": "M"}), key, second)
    };
    let kept = |order: &Order| -> Vec<bool> {
        let submissions = order.attempts.iter().flat_map(|attempt| &attempt.submissions);
        submissions.map(|sent| sent.request.is_some()).collect()
    };
    let mut order = manual();
    take(&mut order, &charge("1", 0));
    order.drop_requests(at(0));
    assert_eq!(kept(&order), [true]);
    take(&mut order, &charge("2", 31));
    order.drop_requests(at(31));
    assert_eq!(kept(&order), [false, true]);
    let mut too_old = order.clone();
    too_old.drop_requests(at(6 * DAY));
    assert_eq!(kept(&too_old), [false, false]);
    for decided in [order.clone().told(authorisation("P")), {
        order.attempts[0].answer(outcome("Refused"), Some("P".to_owned()));
        order
    }] {
        let mut decided = decided;
        decided.drop_requests(at(32));
        assert_eq!(kept(&decided), [false, false]);
    }
}
