//! Captures and refunds that fail after they were accepted.

use crate::facts::{
    Facts, Says, answered, attention, authorisation, automatic, comes_to, manual, modification,
    reversal,
};
use shared::domain::order::Order;

const CAPTURED: &str = "captured confirmed 1000/1000/0 success";
const NOT_CAPTURED: &str = "authorised confirmed 1000/0/0 success";

fn authorised() -> Order {
    manual().tried(answered("Authorised", "P")).told(authorisation("P"))
}

fn capture(second: i64) -> shared::domain::order::AdyenEvent {
    modification("CAPTURE", "C").at(second)
}

fn capture_failed(second: i64) -> shared::domain::order::AdyenEvent {
    modification("CAPTURE_FAILED", "C").at(second)
}

#[test]
fn failed_capture_stands_again_when_recaptured() {
    let failed = authorised().told_all([capture(1000), capture_failed(2000)]);
    comes_to(&failed, NOT_CAPTURED);
    for reason in ["Transaction Recaptured", "Auto-recaptured"] {
        let recaptured = failed.clone().told(capture(3000).because(reason));
        comes_to(&recaptured, CAPTURED);
        // A repeated first report changes nothing.
        comes_to(&recaptured.clone().told(capture(1000)), CAPTURED);
        let failed_again = recaptured.told(capture_failed(4000));
        comes_to(&failed_again, NOT_CAPTURED);
        comes_to(&failed_again.told(capture(5000).because(reason)), CAPTURED);
        // Dated as the failure is, the failure counts.
        let at_once = authorised().told_all([capture_failed(2000), capture(2000).because(reason)]);
        comes_to(&at_once, NOT_CAPTURED);
    }
}

#[test]
fn captures_beyond_the_authorised_amount_can_be_refunded_under_automatic_capture() {
    let order = automatic()
        .tried(answered("Authorised", "P"))
        .told_all([authorisation("P"), modification("CAPTURE", "C").eur(1400)]);
    comes_to(
        &order.clone().told(modification("REFUND", "R").eur(1200)),
        "partiallyRefunded confirmed 1000/1400/1200 none !capture_exceeds_authorised",
    );
    comes_to(
        &order.told(modification("REFUND", "R").eur(1400)),
        "refunded confirmed 1000/1400/1400 none !capture_exceeds_authorised",
    );
}

#[test]
fn new_capture_after_a_failed_one_stands() {
    let order = authorised()
        .told_all([capture(1000), capture_failed(2000)])
        .told(modification("CAPTURE", "C2").at(3000));
    comes_to(&order, CAPTURED);
}

#[test]
fn capture_failed_undoes_only_the_capture_that_it_names() {
    let order = authorised().told_all([
        modification("CAPTURE", "C1").eur(500),
        modification("CAPTURE", "C2").eur(500).at(1500),
    ]);
    comes_to(&order, CAPTURED);
    let half = "captured confirmed 1000/500/0 success";
    let one = order.told(modification("CAPTURE_FAILED", "C1").eur(500).at(2000));
    comes_to(&one, half);
    // An earlier report of the same failure, with another `success`.
    comes_to(&one.clone().told(modification("CAPTURE_FAILED", "C1").eur(500).at(1).failed()), half);
    comes_to(
        &one.told(modification("CAPTURE_FAILED", "C2").eur(500).at(2000).failed()),
        NOT_CAPTURED,
    );
}

#[test]
fn capture_failed_without_a_name_undoes_one_of_its_amount() {
    let order = authorised().told_all([
        modification("CAPTURE", "C1").eur(500),
        modification("CAPTURE", "C2").eur(500).at(1500),
    ]);
    let one = order.told(modification("CAPTURE_FAILED", "?1").eur(500).at(2000));
    comes_to(&one, "captured confirmed 1000/500/0 success");
    let both = one.told(modification("CAPTURE_FAILED", "?2").eur(500).at(2000));
    comes_to(&both, NOT_CAPTURED);
    let too_many = both.told(modification("CAPTURE_FAILED", "?3").eur(500).at(2000));
    comes_to(&too_many, "authorised confirmed 1000/0/0 success !capture_failed_unmatched");
}

#[test]
fn capture_failed_before_its_capture_undoes_it_later() {
    let early = authorised().told(capture_failed(2000));
    assert_eq!(attention(&early), ["capture_failed_unmatched"]);
    comes_to(&early.told(capture(1000)), NOT_CAPTURED);
}

#[test]
fn refund_failed_undoes_refunds_one_by_one() {
    let paid = automatic().tried(answered("Authorised", "P")).told(authorisation("P"));
    let two =
        paid.told_all([modification("REFUND", "R1").eur(400), reversal("refund", "R2").eur(600)]);
    comes_to(&two, "refunded confirmed 1000/1000/1000 none");
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
        comes_to(&two.clone().told(event), &expected);
    }
    let none = two.told_all([
        modification("REFUND_FAILED", "R1").eur(400),
        modification("REFUNDED_REVERSED", "?").eur(600),
    ]);
    comes_to(&none, "authorised confirmed 1000/1000/0 success");
}

#[test]
fn refund_that_failed_and_was_reversed_is_undone_once() {
    let order = automatic().tried(answered("Authorised", "P")).told_all([
        authorisation("P"),
        modification("REFUND", "R1").eur(300),
        modification("REFUND", "R2").eur(300),
        modification("REFUND_FAILED", "R1").eur(300).at(2000),
        modification("REFUNDED_REVERSED", "R1").eur(300).at(3000),
    ]);
    comes_to(&order, "partiallyRefunded confirmed 1000/1000/300 none");
}

#[test]
fn refund_failed_without_a_name_undoes_one_of_its_amount() {
    let order = automatic().tried(answered("Authorised", "P")).told_all([
        authorisation("P"),
        modification("REFUND", "R1").eur(300),
        modification("REFUND", "R2").eur(300).at(2000),
        modification("REFUND_FAILED", "?").eur(300).at(3000),
    ]);
    comes_to(&order, "partiallyRefunded confirmed 1000/1000/300 none");
}

#[test]
fn refund_after_a_failed_one_needs_no_attention() {
    let order = automatic()
        .tried(answered("Authorised", "P"))
        .told_all([authorisation("P"), modification("REFUND", "R1")]);
    let again = order.told(modification("REFUND", "R2").at(3000));
    comes_to(&again, "refunded confirmed 1000/1000/2000 none !refund_exceeds_captured");
    let failed = again.told(modification("REFUND_FAILED", "R1").at(2000));
    comes_to(&failed, "refunded confirmed 1000/1000/1000 none");
}

#[test]
fn a_refund_of_one_payment_beyond_its_own_captures_needs_attention() {
    let order = manual()
        .tried(answered("RedirectShopper", "P"))
        .tried(answered("Authorised", "Q"))
        .told_all([
            authorisation("P"),
            authorisation("Q"),
            modification("CAPTURE", "C1"),
            modification("CAPTURE", "C2").of("Q"),
            modification("REFUND", "R").eur(1500),
        ]);
    comes_to(&order, &format!("{CAPTURED} !refund_exceeds_captured"));
}

#[test]
fn modification_of_one_payment_does_not_change_another() {
    let order = manual()
        .tried(answered("RedirectShopper", "P"))
        .tried(answered("Authorised", "Q"))
        .told_all([authorisation("P"), authorisation("Q")])
        .told(modification("CAPTURE", "C1"))
        .told(modification("CANCELLATION", "X").of("Q"));
    comes_to(&order, CAPTURED);
    comes_to(
        &order.told(modification("CAPTURE_FAILED", "?").of("Q")),
        "captured confirmed 1000/1000/0 success !capture_failed_unmatched",
    );
}
