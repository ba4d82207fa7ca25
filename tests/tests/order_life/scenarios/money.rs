//! Captures and refunds that fail after they were accepted.

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, attention, authorisation, automatic,
    manual, modification, reversal,
};
use shared::domain::order::Order;

const CAPTURED: &str = "captured confirmed 1000/1000/0 success";
const NOT_CAPTURED: &str = "authorised confirmed 1000/0/0 success";

fn authorised() -> Order {
    manual().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"))
}

fn capture(second: i64) -> shared::domain::order::AdyenEvent {
    modification("CAPTURE", "C").at(second)
}

fn capture_failed(second: i64) -> shared::domain::order::AdyenEvent {
    modification("CAPTURE_FAILED", "C").at(second)
}

#[test]
fn failed_capture_stands_again_when_recaptured() {
    let failed = authorised().with_events([capture(1000), capture_failed(2000)]);
    assert_summary(&failed, NOT_CAPTURED);
    for reason in ["Transaction Recaptured", "Auto-recaptured"] {
        let recaptured = failed.clone().with_event(capture(3000).with_reason(reason));
        assert_summary(&recaptured, CAPTURED);
        // A repeated first report changes nothing.
        assert_summary(&recaptured.clone().with_event(capture(1000)), CAPTURED);
        let failed_again = recaptured.with_event(capture_failed(4000));
        assert_summary(&failed_again, NOT_CAPTURED);
        assert_summary(&failed_again.with_event(capture(5000).with_reason(reason)), CAPTURED);
        // Dated as the failure is, the failure counts.
        let at_once =
            authorised().with_events([capture_failed(2000), capture(2000).with_reason(reason)]);
        assert_summary(&at_once, NOT_CAPTURED);
    }
}

#[test]
fn captures_beyond_the_authorised_amount_can_be_refunded_under_automatic_capture() {
    let order = automatic()
        .with_attempt(answered("Authorised", "P"))
        .with_events([authorisation("P"), modification("CAPTURE", "C").eur(1400)]);
    assert_summary(
        &order.clone().with_event(modification("REFUND", "R").eur(1200)),
        "partiallyRefunded confirmed 1000/1400/1200 none !capture_exceeds_authorised",
    );
    assert_summary(
        &order.with_event(modification("REFUND", "R").eur(1400)),
        "refunded confirmed 1000/1400/1400 none !capture_exceeds_authorised",
    );
}

#[test]
fn new_capture_after_a_failed_one_stands() {
    let order = authorised()
        .with_events([capture(1000), capture_failed(2000)])
        .with_event(modification("CAPTURE", "C2").at(3000));
    assert_summary(&order, CAPTURED);
}

#[test]
fn capture_failed_undoes_only_the_capture_that_it_names() {
    let order = authorised().with_events([
        modification("CAPTURE", "C1").eur(500),
        modification("CAPTURE", "C2").eur(500).at(1500),
    ]);
    assert_summary(&order, CAPTURED);
    let half = "captured confirmed 1000/500/0 success";
    let one = order.with_event(modification("CAPTURE_FAILED", "C1").eur(500).at(2000));
    assert_summary(&one, half);
    // An earlier report of the same failure, with another `success`.
    assert_summary(
        &one.clone().with_event(modification("CAPTURE_FAILED", "C1").eur(500).at(1).failed()),
        half,
    );
    assert_summary(
        &one.with_event(modification("CAPTURE_FAILED", "C2").eur(500).at(2000).failed()),
        NOT_CAPTURED,
    );
}

#[test]
fn capture_failed_without_a_name_undoes_one_of_its_amount() {
    let order = authorised().with_events([
        modification("CAPTURE", "C1").eur(500),
        modification("CAPTURE", "C2").eur(500).at(1500),
    ]);
    let one = order.with_event(modification("CAPTURE_FAILED", "?1").eur(500).at(2000));
    assert_summary(&one, "captured confirmed 1000/500/0 success");
    let both = one.with_event(modification("CAPTURE_FAILED", "?2").eur(500).at(2000));
    assert_summary(&both, NOT_CAPTURED);
    let too_many = both.with_event(modification("CAPTURE_FAILED", "?3").eur(500).at(2000));
    assert_summary(&too_many, "authorised confirmed 1000/0/0 success !capture_failed_unmatched");
}

#[test]
fn capture_failed_before_its_capture_undoes_it_later() {
    let early = authorised().with_event(capture_failed(2000));
    assert_eq!(attention(&early), ["capture_failed_unmatched"]);
    assert_summary(&early.with_event(capture(1000)), NOT_CAPTURED);
}

#[test]
fn refund_failed_undoes_refunds_one_by_one() {
    let paid = automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    let two = paid
        .with_events([modification("REFUND", "R1").eur(400), reversal("refund", "R2").eur(600)]);
    assert_summary(&two, "refunded confirmed 1000/1000/1000 none");
    for (event, left) in [
        (modification("REFUND_FAILED", "R1").eur(400), "600"),
        (modification("REFUND_FAILED", "R1").eur(1).failed(), "600"),
        (modification("REFUND_FAILED", "?").eur(400), "600"),
        (modification("REFUND_FAILED", "R2").eur(600), "400"),
        (modification("REFUND_FAILED", "?").eur(600).failed(), "400"),
        (modification("REFUNDED_REVERSED", "R2").eur(600), "400"),
        (modification("REFUNDED_REVERSED", "?").eur(600), "400"),
    ] {
        let expected = format!("partiallyRefunded confirmed 1000/1000/{left} none");
        assert_summary(&two.clone().with_event(event), &expected);
    }
    let none = two.with_events([
        modification("REFUND_FAILED", "R1").eur(400),
        modification("REFUNDED_REVERSED", "?").eur(600),
    ]);
    assert_summary(&none, "authorised confirmed 1000/1000/0 success");
}

#[test]
fn refund_that_failed_and_was_reversed_is_undone_once() {
    let order = automatic().with_attempt(answered("Authorised", "P")).with_events([
        authorisation("P"),
        modification("REFUND", "R1").eur(300),
        modification("REFUND", "R2").eur(300),
        modification("REFUND_FAILED", "R1").eur(300).at(2000),
        modification("REFUNDED_REVERSED", "R1").eur(300).at(3000),
    ]);
    assert_summary(&order, "partiallyRefunded confirmed 1000/1000/300 none");
}

#[test]
fn refund_failed_without_a_name_undoes_one_of_its_amount() {
    let order = automatic().with_attempt(answered("Authorised", "P")).with_events([
        authorisation("P"),
        modification("REFUND", "R1").eur(300),
        modification("REFUND", "R2").eur(300).at(2000),
        modification("REFUND_FAILED", "?").eur(300).at(3000),
    ]);
    assert_summary(&order, "partiallyRefunded confirmed 1000/1000/300 none");
}

#[test]
fn refund_after_a_failed_one_needs_no_attention() {
    let order = automatic()
        .with_attempt(answered("Authorised", "P"))
        .with_events([authorisation("P"), modification("REFUND", "R1")]);
    let again = order.with_event(modification("REFUND", "R2").at(3000));
    assert_summary(&again, "refunded confirmed 1000/1000/2000 none !refund_exceeds_captured");
    let failed = again.with_event(modification("REFUND_FAILED", "R1").at(2000));
    assert_summary(&failed, "refunded confirmed 1000/1000/1000 none");
}

#[test]
fn a_refund_of_one_payment_beyond_its_own_captures_needs_attention() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([
            authorisation("P"),
            authorisation("Q"),
            modification("CAPTURE", "C1"),
            modification("CAPTURE", "C2").of("Q"),
            modification("REFUND", "R").eur(1500),
        ]);
    assert_summary(&order, &format!("{CAPTURED} !refund_exceeds_captured"));
}

#[test]
fn modification_of_one_payment_does_not_change_another() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_events([authorisation("P"), authorisation("Q")])
        .with_event(modification("CAPTURE", "C1"))
        .with_event(modification("CANCELLATION", "X").of("Q"));
    assert_summary(&order, CAPTURED);
    assert_summary(
        &order.with_event(modification("CAPTURE_FAILED", "?").of("Q")),
        "captured confirmed 1000/1000/0 success !capture_failed_unmatched",
    );
}
