//! Some reasons for attention arise from time alone. An order's clock is its last write.

use jiff::Timestamp;
use serde_json::json;
use shared::domain::order::{Derived, ModificationRequest, Operation, Order};

use crate::facts::{
    AttemptBuilder, EventBuilder, OrderBuilder, answered, at, attention, authorisation, automatic,
    decided_within, expire, index, manual, modification, modify, summary, unknown,
};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Panics unless the reason is raised in this second, and not one second earlier.
#[track_caller]
fn raised_at(order: &Order, second: i64, reason: &str) {
    let order = |second: i64| order.clone().written_at(second);
    let raised = |second: i64| attention(&order(second)).contains(&reason.to_owned());
    assert!(!raised(second - 1) && raised(second), "{reason}: {}", summary(&order(second)));
    let overdue_at = |second: i64| Derived::of(&order(second)).overdue_at;
    assert_eq!(overdue_at(second - 1), Some(at(second)));
    assert_ne!(overdue_at(second), Some(at(second)), "it is known by then");
    assert!(!raised(0));
}

fn overdue_at(order: &Order) -> Option<Timestamp> {
    Derived::of(order).overdue_at
}

fn ask(order: &mut Order, operation: Operation, value: Option<i64>, second: i64, name: &str) {
    let request = ModificationRequest {
        operation: operation.clone(),
        payment: None,
        amount: value.map(|value| {
            serde_json::from_value(json!({"currency": "EUR", "value": value})).unwrap()
        }),
        merchant_refund_reason: None,
        idempotency_key: Some(format!("{operation:?} {second} {name}")),
        content: format!("{operation:?} {value:?}"),
        decided_within: decided_within(),
    };
    let recorded = modify(order, &request, at(second)).unwrap();
    if !name.is_empty() {
        order.modifications[index(recorded)].answer(Ok(name.to_owned()));
    }
}

fn paid() -> Order {
    automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"))
}

#[test]
fn authorised_answer_without_its_webhook_needs_attention_after_an_hour() {
    let answered = automatic().with_attempt(answered("Authorised", "P"));
    // The attempt began in second 100.
    raised_at(&answered, 100 + HOUR, "unconfirmed");
    let late = answered.written_at(2 * HOUR);
    assert_eq!(attention(&late), ["unconfirmed"]);
    let confirmed = late.clone().with_event(authorisation("P").at(2 * HOUR));
    assert_eq!((attention(&confirmed).len(), overdue_at(&confirmed)), (0, None));
    for over in [
        authorisation("P").failed(),
        modification("CANCELLATION", "X"),
        expire("P"),
        modification("REFUND", "R"),
    ] {
        assert_eq!(attention(&late.clone().with_event(over.clone())), [""; 0], "{over:?}");
    }
    let of_a_part = late.clone().with_event(modification("REFUND", "R").eur(400));
    assert_eq!(attention(&of_a_part), ["unconfirmed"]);
    let captured = late.with_event(modification("CAPTURE", "C"));
    assert_eq!(attention(&captured), ["unconfirmed"]);
}

#[test]
fn hour_to_confirm_begins_with_the_last_details() {
    let mut attempt = answered("RedirectShopper", "P").with_details("Authorised");
    attempt.details[0].sent_at = at(5 * HOUR);
    raised_at(&automatic().with_attempt(attempt), 6 * HOUR, "unconfirmed");
}

#[test]
fn order_without_an_authorised_answer_is_not_unconfirmed() {
    for attempt in [
        unknown(),
        answered("RedirectShopper", "P"),
        answered("Pending", "P"),
        answered("Refused", "P"),
    ] {
        let order = automatic().with_attempt(attempt).written_at(DAY);
        assert_eq!((attention(&order).len(), overdue_at(&order)), (0, None));
    }
}

#[test]
fn unmatched_failure_needs_attention_after_ten_minutes() {
    for (code, reason) in [
        ("REFUND_FAILED", "refund_failed_unmatched"),
        ("REFUNDED_REVERSED", "refund_failed_unmatched"),
        ("CAPTURE_FAILED", "capture_failed_unmatched"),
    ] {
        let mut failure = modification(code, "X").at(100);
        failure.received_at = at(5000);
        let held = paid().with_event(failure.clone());
        raised_at(&held, 5000 + 10 * MINUTE, reason);
        // A repeated event keeps the time of its first receipt.
        let mut again = failure;
        again.received_at = at(5300);
        raised_at(&held.clone().with_event(again), 5000 + 10 * MINUTE, reason);

        let what_failed = if code == "CAPTURE_FAILED" { "CAPTURE" } else { "REFUND" };
        let order = held.with_event(modification(what_failed, "X").at(90)).written_at(DAY);
        assert_eq!(summary(&order), "authorised confirmed 1000/1000/0 success");
        assert_eq!(overdue_at(&order), None);
    }
}

#[test]
fn refund_failed_before_its_own_refund_undoes_no_other() {
    for code in ["REFUND_FAILED", "REFUNDED_REVERSED"] {
        let mut order = paid();
        ask(&mut order, Operation::Refund, Some(400), 2000, "R1");
        ask(&mut order, Operation::Refund, Some(400), 2001, "R2");
        let order = order.with_event(modification("REFUND", "R1").eur(400).at(2002));
        let part = "partiallyRefunded confirmed 1000/1000/400 none";
        let states = |order: &Order| {
            let states = Derived::of(order).modifications.into_iter();
            states.map(|state| state.as_str()).collect::<Vec<_>>()
        };
        for failed in [
            modification(code, "R2").eur(400).at(2003),
            modification(code, "R2").eur(400).at(2003).failed(),
            modification(code, "R2").eur(1).at(2003),
        ] {
            let early = order.clone().with_event(failed);
            assert_eq!(summary(&early), part);
            assert_eq!(states(&early), ["succeeded", "failed"]);
            // The amount can be refunded again, and no webhook is missing.
            assert_eq!(Derived::of(&early).open_to_refund(), 600);
            assert_eq!(summary(&early.clone().written_at(30 * DAY)), part);
            assert_eq!(overdue_at(&early), None);

            let both = early.with_event(modification("REFUND", "R2").eur(400).at(2002));
            assert_eq!(summary(&both), part);
            assert_eq!(states(&both), ["succeeded", "failed"]);
        }
    }
}

#[test]
fn capture_failed_before_its_own_capture_undoes_no_other() {
    let mut order =
        manual().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    ask(&mut order, Operation::Capture, Some(400), 2000, "C1");
    ask(&mut order, Operation::Capture, Some(400), 2001, "C2");
    let order = order
        .with_event(modification("CAPTURE", "C1").eur(400).at(2002))
        .with_event(modification("CAPTURE_FAILED", "C2").eur(400).at(2003));
    let part = "captured confirmed 1000/400/0 success";
    assert_eq!(summary(&order), part);
    assert_eq!(Derived::of(&order).open_to_capture(), 600);
    let both = order.with_event(modification("CAPTURE", "C2").eur(400).at(2002));
    assert_eq!(summary(&both), part);
    // Adyen captures the amount after all.
    let again =
        modification("CAPTURE", "C2").eur(400).at(2004).with_reason("Transaction Recaptured");
    let again = both.with_event(again);
    assert_eq!(summary(&again), "captured confirmed 1000/800/0 success");
    assert_eq!(Derived::of(&again).modifications[1].as_str(), "succeeded");
}

#[test]
fn refund_failed_of_an_unanswered_refund_undoes_no_other() {
    let mut order = paid();
    ask(&mut order, Operation::Refund, Some(400), 2000, "R1");
    let mut order = order.with_event(modification("REFUND", "R1").eur(400).at(2001));
    ask(&mut order, Operation::Refund, Some(400), 2002, "");
    let mut failed = modification("REFUND_FAILED", "R2").eur(400).at(2004);
    failed.received_at = at(5000);
    let order = order.with_event(failed);
    let part = "partiallyRefunded confirmed 1000/1000/400 none";
    assert_eq!(summary(&order), part);
    raised_at(&order, 5000 + 10 * MINUTE, "refund_failed_unmatched");
    // The answer, or the refund's own webhook, proves that this refund failed.
    let mut answered = order.clone();
    answered.modifications[1].answer(Ok("R2".to_owned()));
    let reported = order.with_event(modification("REFUND", "R2").eur(400).at(2003));
    for order in [answered, reported] {
        assert_eq!(summary(&order.clone().written_at(DAY)), part);
        assert_eq!(Derived::of(&order).modifications[1].as_str(), "failed");
    }
}

#[test]
fn undecided_modification_needs_attention_after_its_deadline() {
    let authorised =
        || manual().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    for (order, operation, days) in [
        (authorised(), Operation::Capture, 3),
        (authorised(), Operation::Cancel, 3),
        (authorised(), Operation::Reversal, 10),
        (paid(), Operation::Refund, 10),
        (paid(), Operation::Reversal, 10),
    ] {
        let mut order = order;
        ask(&mut order, operation.clone(), None, 2000, "M");
        raised_at(&order, 2000 + days * DAY, "modification_undecided");
        let late = order.written_at(30 * DAY);
        assert_eq!(attention(&late), ["modification_undecided"]);
        let code = match operation {
            Operation::Capture => "CAPTURE",
            Operation::Cancel => "CANCELLATION",
            Operation::Refund => "REFUND",
            Operation::Reversal => "CANCEL_OR_REFUND",
            Operation::Unknown(name) => panic!("{name}"),
        };
        let mut decided = modification(code, "M").at(29 * DAY);
        decided.modification_action = Some("cancel".to_owned());
        for decided in [decided.clone(), decided.failed()] {
            assert_eq!(attention(&late.clone().with_event(decided)), [""; 0]);
        }
    }
}

#[test]
fn modification_in_doubt_is_not_undecided() {
    let mut order = paid();
    ask(&mut order, Operation::Refund, Some(400), 2000, "");
    assert_eq!(attention(&order.clone().written_at(30 * DAY)), [""; 0]);
    order.modifications[0].outcome_unknown = true;
    assert_eq!(attention(&order.written_at(30 * DAY)), ["modification_unknown"]);
}

#[test]
fn overdue_at_is_the_first_deadline_that_has_not_passed() {
    let mut order = paid();
    ask(&mut order, Operation::Refund, Some(400), 2000, "M");
    let mut failure = modification("REFUND_FAILED", "X").at(100);
    failure.received_at = at(3000);
    let order = order.with_event(failure);
    for (second, next) in [
        (3000, Some(3000 + 10 * MINUTE)),
        (3000 + 10 * MINUTE, Some(2000 + 10 * DAY)),
        (2000 + 10 * DAY, None),
    ] {
        assert_eq!(overdue_at(&order.clone().written_at(second)), next.map(at));
    }
}
