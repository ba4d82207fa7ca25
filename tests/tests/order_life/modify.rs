//! Captures, cancels, refunds and reversals that a merchant requests.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::domain::amount::Amount;
use shared::domain::order::{
    Derived, ModificationRequest, ModificationState, Operation, Order, RecordedModification,
    Refusal, Rejection, SentModification, sha256,
};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, at, attention, authorisation, automatic, decided_within,
    expire, index, manual, modification, modify,
};

const DAY: i64 = 24 * 60 * 60;

fn modification_request(operation: Operation, body: Value) -> ModificationRequest {
    let value = body["amount"].as_i64();
    ModificationRequest {
        operation: operation.clone(),
        payment: body["payment"].as_str().map(str::to_owned),
        amount: value.map(|value| Amount {
            currency: body["currency"].as_str().unwrap_or("EUR").parse().unwrap(),
            value,
        }),
        merchant_refund_reason: serde_json::from_value(body["reason"].clone()).ok(),
        idempotency_key: body["key"].as_str().map(str::to_owned),
        content: {
            let mut content = body;
            content.as_object_mut().unwrap().remove("key");
            sha256(&[operation.path().as_bytes(), content.to_string().as_bytes()])
        },
        decided_within: decided_within(),
    }
}

fn ask(
    order: &mut Order,
    operation: Operation,
    body: Value,
    second: i64,
) -> Result<RecordedModification, Refusal> {
    modify(order, &modification_request(operation, body), at(second))
}

fn refund(order: &mut Order, body: Value, second: i64) -> Result<RecordedModification, Refusal> {
    ask(order, Operation::Refund, body, second)
}

/// Records a refund that Adyen acknowledges.
fn received(order: &mut Order, body: Value, second: i64, name: &str) {
    let recorded = refund(order, body, second).unwrap();
    order.modifications[index(recorded)].answer(Ok(name.to_owned()));
}

/// An order whose EUR 10.00 were authorised and captured.
fn paid() -> Order {
    automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"))
}

fn keys(order: &Order) -> Vec<&str> {
    let modifications = order.modifications.iter();
    modifications.map(|it| it.key.as_str()).collect()
}

fn states(order: &Order) -> Vec<ModificationState> {
    Derived::of(order).modifications
}

fn refundable(order: &Order) -> i64 {
    Derived::of(order).open_to_refund()
}

#[test]
fn distinct_modifications_never_share_an_idempotency_key() {
    let bodies = [
        json!({"amount": 100}),
        json!({"amount": 100, "reason": "RETURN"}),
        json!({"amount": 100, "payment": "P"}),
        json!({"amount": 100, "payment": "P", "reason": "RETURN"}),
        json!({"amount": 100, "key": "k"}),
        json!({"amount": 100, "key": "0"}),
        json!({"amount": 200}),
    ];
    for first in &bodies {
        for second in &bodies {
            let mut order = paid();
            received(&mut order, first.clone(), 2000, "R1");
            if first == second && first["key"].is_string() {
                continue;
            }
            received(&mut order, second.clone(), 2001, "R2");
            let keys = keys(&order);
            assert_eq!(keys.len(), 2);
            assert_ne!(keys[0], keys[1], "{first} and {second}");
        }
    }
}

#[test]
fn request_for_the_whole_and_one_for_the_same_amount_are_distinct() {
    let mut order = paid();
    received(&mut order, json!({}), 2000, "R1");
    let mut order = order
        .with_event(modification("REFUND", "R1").at(2001))
        .with_event(modification("REFUND_FAILED", "R1").at(2002));
    assert_eq!(refundable(&order), 1000);
    refund(&mut order, json!({"amount": 1000}), 3000).unwrap();
    assert_ne!(keys(&order)[0], keys(&order)[1]);
}

#[test]
fn two_payments_are_each_cancelled() {
    let mut order = manual()
        .with_attempt(answered("Authorised", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_event(authorisation("P"))
        .with_event(authorisation("Q"));
    let cancel = |order: &mut Order, body| ask(order, Operation::Cancel, body, 2000);
    assert_eq!(cancel(&mut order, json!({})), Err(Refusal::Ambiguous));
    cancel(&mut order, json!({"payment": "P"})).unwrap();
    // Only one payment is left, so the request need not name it.
    cancel(&mut order, json!({})).unwrap();
    assert_eq!(order.modifications[1].payment, "Q");
    assert_ne!(keys(&order)[0], keys(&order)[1]);
}

#[test]
fn earlier_refund_event_does_not_decide_a_later_refund() {
    // A refund made in the Customer Area, before any request to the API.
    let mut order = paid().with_event(modification("REFUND", "BEFORE").eur(500).at(1500));
    refund(&mut order, json!({"amount": 500, "key": "1"}), 2000).unwrap();
    for key in ["2", "3"] {
        assert_eq!(
            refund(&mut order, json!({"amount": 500, "key": key}), 2000),
            Err(Refusal::WrongState)
        );
    }
    assert_eq!(states(&order), [ModificationState::Requested]);
}

#[test]
fn one_event_decides_one_of_two_unanswered_refunds() {
    let mut order = paid();
    refund(&mut order, json!({"amount": 400, "key": "1"}), 2000).unwrap();
    refund(&mut order, json!({"amount": 400, "key": "2"}), 2001).unwrap();
    let mut order = order.with_event(modification("REFUND", "R1").eur(400).at(2002));
    assert_eq!(states(&order), [ModificationState::Succeeded, ModificationState::Requested]);
    assert_eq!(refundable(&order), 200);
    assert_eq!(
        refund(&mut order, json!({"amount": 400, "key": "3"}), 2003),
        Err(Refusal::Exceeds { open: 200 })
    );
    // The late answer has the pspReference of the refund's event.
    order.modifications[1].answer(Ok("R1".to_owned()));
    assert_eq!(states(&order), [ModificationState::Requested, ModificationState::Succeeded]);
}

#[test]
fn repeated_request_after_the_decision_is_a_new_modification() {
    let mut order = paid();
    refund(&mut order, json!({"amount": 300}), 2000).unwrap();
    let again = refund(&mut order, json!({"amount": 300}), 2001).unwrap();
    let sent = SentModification { at: 0, sent_at: at(2001), first: false };
    assert_eq!(again, RecordedModification::Sent(sent));
    let mut order = order.with_event(modification("REFUND", "R1").eur(300).at(2002));
    let another = refund(&mut order, json!({"amount": 300}), 3000).unwrap();
    let sent = SentModification { at: 1, sent_at: at(3000), first: true };
    assert_eq!(another, RecordedModification::Sent(sent));
    assert_ne!(keys(&order)[0], keys(&order)[1]);
}

#[test]
fn acknowledgement_outweighs_a_rejection() {
    let rejection = Rejection {
        status: 401,
        error_code: "000".to_owned(),
        error_type: None,
        message: None,
        unknown: Default::default(),
    };
    for received_first in [true, false] {
        let mut order = paid();
        let recorded = refund(&mut order, json!({}), 2000).unwrap();
        let mut answers = vec![Ok("R".to_owned()), Err(rejection.clone())];
        if !received_first {
            answers.reverse();
        }
        for answer in answers {
            order.modifications[index(recorded)].answer(answer);
        }
        assert_eq!(states(&order), [ModificationState::Received]);
        assert_eq!(refundable(&order), 0);
    }
}

#[test]
fn modification_with_an_expired_key_is_not_retried_and_needs_attention() {
    for key in [None, Some("k")] {
        let mut order = paid();
        let body = json!({"amount": 300, "key": key});
        refund(&mut order, body.clone(), 2000).unwrap();
        let sent = refund(&mut order, body.clone(), 2000 + 6 * DAY - 1).unwrap();
        assert!(matches!(sent, RecordedModification::Sent(_)));
        let sent = refund(&mut order, body, 2000 + 6 * DAY).unwrap();
        assert_eq!(sent, RecordedModification::Kept { at: 0 });
        assert_eq!(states(&order), [ModificationState::Unknown]);
        assert_eq!(attention(&order), ["modification_unknown"]);
        assert_eq!(refundable(&order), 700);
        // The webhook decides the refund.
        let order = order.with_event(modification("REFUND", "R").eur(300).at(2000 + 7 * DAY));
        assert_eq!(states(&order), [ModificationState::Succeeded]);
        assert!(attention(&order).is_empty());
    }
}

#[test]
fn unclear_cancel_or_refund_leaves_nothing_open() {
    let mut order = paid().with_event(modification("CANCEL_OR_REFUND", "CR").at(1500));
    for operation in [Operation::Refund, Operation::Reversal, Operation::Cancel] {
        assert_eq!(ask(&mut order, operation, json!({}), 2000), Err(Refusal::WrongState));
    }
}

#[test]
fn automatically_captured_payment_is_not_cancelled_once_confirmed() {
    let cancel = |mut order: Order| ask(&mut order, Operation::Cancel, json!({}), 2000);
    let answered = automatic().with_attempt(answered("Authorised", "P"));
    assert!(cancel(answered).is_ok());
    assert_eq!(cancel(paid()), Err(Refusal::WrongState));
}

#[test]
fn ended_payment_is_neither_captured_nor_cancelled() {
    let authorised =
        manual().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    for ended in [modification("CANCELLATION", "X"), expire("P")] {
        let mut order = authorised.clone().with_event(ended);
        for operation in [Operation::Capture, Operation::Cancel] {
            let result = ask(&mut order, operation, json!({"payment": "P"}), 2000);
            assert_eq!(result, Err(Refusal::WrongState));
        }
    }
    let mut captured = authorised.with_event(modification("CAPTURE", "C").eur(400));
    let cancel = ask(&mut captured, Operation::Cancel, json!({"payment": "P"}), 2000);
    assert_eq!(cancel, Err(Refusal::WrongState));
}

#[test]
fn repeated_key_is_recognised_before_any_other_check() {
    let mut order = paid();
    refund(&mut order, json!({"amount": 300, "key": "k"}), 2000).unwrap();
    for other in [
        json!({"amount": 300, "currency": "USD", "key": "k"}),
        json!({"amount": 5000, "key": "k"}),
        json!({"payment": "NONE", "key": "k"}),
    ] {
        assert_eq!(refund(&mut order, other, 2001), Err(Refusal::KeyReused));
    }
    assert_eq!(
        refund(&mut order, json!({"amount": 1, "currency": "USD"}), 2001),
        Err(Refusal::Currency)
    );
}

#[test]
fn returned_payment_does_not_make_a_modification_ambiguous() {
    let mut order = automatic()
        .with_attempt(answered("Authorised", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_event(authorisation("P"))
        .with_event(authorisation("Q"));
    received(&mut order, json!({"payment": "P"}), 2000, "R1");
    let mut order = order.with_event(modification("REFUND", "R1").at(2001));
    let recorded = refund(&mut order, json!({}), 2002).unwrap();
    assert_eq!(order.modifications[index(recorded)].payment, "Q");
}

#[test]
fn modification_in_doubt_is_open_since_its_request() {
    let since = |order: &Order| -> Option<Timestamp> {
        Some(Derived::of(order).open.filter(|open| open.unresolved)?.since)
    };
    let mut order = paid();
    assert_eq!(since(&order), None);
    refund(&mut order, json!({"amount": 300}), 2000).unwrap();
    refund(&mut order, json!({"amount": 200}), 2100).unwrap();
    assert_eq!(since(&order), Some(at(2000)));
    order.modifications[0].answer(Ok("R".to_owned()));
    assert_eq!(since(&order), Some(at(2100)));
    order.modifications[1].answer(Ok("S".to_owned()));
    assert_eq!(since(&order), None);
}
