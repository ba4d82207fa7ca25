//! Events about captures and refunds: CAPTURE, CAPTURE_FAILED, REFUND, CANCEL_OR_REFUND,
//! REFUND_FAILED, REFUNDED_REVERSED.

use super::{SAME, UNCHANGED, check};
use crate::facts::{EventBuilder, modification, reversal};

const PAID: &str = "authorised confirmed 1000/1000/0 success";
const PAID_MANUAL: &str = "authorised confirmed 1000/0/0 success";
const CAPTURED: &str = "captured confirmed 1000/1000/0 success";
const REFUNDED: &str = "refunded confirmed 1000/1000/1000 none";
const PARTLY_REFUNDED: &str = "partiallyRefunded confirmed 1000/1000/400 none";

#[test]
fn capture_captures_its_amount() {
    let capture = || modification("CAPTURE", "C2");
    check([
        ("answered Authorised", capture(), "captured unconfirmed 1000/1000/0 success", SAME),
        ("authorised", capture(), CAPTURED, SAME),
        ("authorised", capture().eur(400), CAPTURED, "captured confirmed 1000/400/0 success"),
        ("part captured", capture().eur(600), CAPTURED, SAME),
    ]);
}

#[test]
fn capture_beyond_the_open_amount_needs_attention() {
    let capture = || modification("CAPTURE", "C2");
    let exceeds = "captured confirmed 1000/1400/0 success !capture_exceeds_authorised";
    check([
        ("part captured", capture(), exceeds, SAME),
        (
            "authorised",
            capture().eur(1001),
            "captured confirmed 1000/1001/0 success !capture_exceeds_authorised",
            SAME,
        ),
        (
            "cancelled",
            capture(),
            "captured confirmed 1000/1000/0 success !cancelled_after_capture",
            SAME,
        ),
    ]);
}

#[test]
fn failed_capture_captures_nothing() {
    let failed = || modification("CAPTURE", "C2").failed();
    let from = ["answered Authorised", "authorised", "captured", "part captured", "cancelled"];
    check(from.map(|from| (from, failed(), UNCHANGED, UNCHANGED)));
    check([
        ("captured", modification("CAPTURE", "C").failed().at(1000), UNCHANGED, UNCHANGED),
        ("captured", modification("CAPTURE", "C").failed().at(1001), PAID, PAID_MANUAL),
    ]);
}

#[test]
fn capture_failed_undoes_its_capture_regardless_of_success() {
    let named = || modification("CAPTURE_FAILED", "C");
    let nameless = || modification("CAPTURE_FAILED", "other");
    for event in [named(), named().failed(), nameless(), nameless().failed()] {
        check([
            ("captured", event.clone(), PAID, PAID_MANUAL),
            ("part captured", event.eur(400), PAID, PAID_MANUAL),
        ]);
    }
    check([("part captured", named(), PAID, PAID_MANUAL)]);
}

#[test]
fn unmatched_capture_failed_needs_attention() {
    let unmatched = |line: &str| format!("{line} !capture_failed_unmatched");
    let (paid, paid_manual) = (unmatched(PAID), unmatched(PAID_MANUAL));
    let part = unmatched("captured confirmed 1000/400/0 success");
    for event in
        [modification("CAPTURE_FAILED", "other"), modification("CAPTURE_FAILED", "other").failed()]
    {
        check([
            ("authorised", event.clone(), paid.as_str(), paid_manual.as_str()),
            ("captured", event.clone().eur(500), &unmatched(CAPTURED), SAME),
            ("captured", event.clone().usd(1000), &unmatched(CAPTURED), SAME),
            ("part captured", event, &unmatched(CAPTURED), &part),
        ]);
    }
}

#[test]
fn refund_refunds_its_amount() {
    for refund in [modification("REFUND", "R2"), reversal("refund", "R2")] {
        let refund = || refund.clone();
        check([
            ("captured", refund(), REFUNDED, SAME),
            ("captured", refund().eur(400), PARTLY_REFUNDED, SAME),
            ("part refunded", refund().eur(600), REFUNDED, SAME),
            (
                "part refunded",
                refund().eur(599),
                "partiallyRefunded confirmed 1000/1000/999 none",
                SAME,
            ),
            ("chargeback reversed", refund(), REFUNDED, SAME),
        ]);
    }
}

#[test]
fn refunds_are_limited_by_the_authorised_amount_or_under_manual_capture_by_captures() {
    for refund in [modification("REFUND", "R2"), reversal("refund", "R2")] {
        let refund = || refund.clone();
        check([
            (
                "authorised",
                refund(),
                REFUNDED,
                "refunded confirmed 1000/0/1000 none !refund_exceeds_captured",
            ),
            (
                "authorised",
                refund().eur(400),
                PARTLY_REFUNDED,
                "refunded confirmed 1000/0/400 none !refund_exceeds_captured",
            ),
            (
                "part captured",
                refund().eur(400),
                PARTLY_REFUNDED,
                "refunded confirmed 1000/400/400 none",
            ),
            (
                "answered Authorised",
                refund(),
                "refunded unconfirmed 1000/0/1000 none",
                "refunded unconfirmed 1000/0/1000 none !refund_exceeds_captured",
            ),
        ]);
    }
}

#[test]
fn refund_beyond_the_captured_amount_needs_attention() {
    for refund in [modification("REFUND", "R2"), reversal("refund", "R2")] {
        let refund = || refund.clone();
        check([
            (
                "captured",
                refund().eur(1001),
                "refunded confirmed 1000/1000/1001 none !refund_exceeds_captured",
                SAME,
            ),
            (
                "part refunded",
                refund(),
                "refunded confirmed 1000/1000/1400 none !refund_exceeds_captured",
                SAME,
            ),
            (
                "cancelled",
                refund(),
                "refunded unconfirmed 0/0/1000 none !refund_exceeds_captured",
                SAME,
            ),
        ]);
    }
}

#[test]
fn failed_refund_refunds_nothing() {
    let from = ["authorised", "captured", "part refunded", "refunded", "cancelled"];
    for failed in [modification("REFUND", "R2").failed(), reversal("refund", "R2").failed()] {
        check(from.map(|from| (from, failed.clone(), UNCHANGED, UNCHANGED)));
    }
    check([
        ("refunded", modification("REFUND", "R").failed().at(1000), UNCHANGED, UNCHANGED),
        ("refunded", modification("REFUND", "R").failed().at(1001), CAPTURED, SAME),
    ]);
}

#[test]
fn refund_failed_undoes_its_refund_regardless_of_success() {
    let named = || modification("REFUND_FAILED", "R");
    let nameless = || modification("REFUND_FAILED", "other");
    for event in [
        named(),
        named().failed(),
        nameless(),
        nameless().failed(),
        modification("REFUNDED_REVERSED", "R"),
        modification("REFUNDED_REVERSED", "other"),
    ] {
        check([
            ("refunded", event.clone(), CAPTURED, SAME),
            ("part refunded", event.eur(400), CAPTURED, SAME),
        ]);
    }
    check([("part refunded", named(), CAPTURED, SAME)]);
}

#[test]
fn unmatched_refund_failed_needs_attention() {
    for event in [
        modification("REFUND_FAILED", "other"),
        modification("REFUND_FAILED", "other").failed(),
        modification("REFUNDED_REVERSED", "other"),
    ] {
        let unmatched = |line: &str| format!("{line} !refund_failed_unmatched");
        check([
            ("captured", event.clone(), &*unmatched(CAPTURED), SAME),
            ("refunded", event.clone().eur(400), &*unmatched(REFUNDED), SAME),
            ("refunded", event.clone().usd(1000), &*unmatched(REFUNDED), SAME),
            ("part refunded", event, &*unmatched(PARTLY_REFUNDED), SAME),
        ]);
    }
}

#[test]
fn modification_webhook_in_another_currency_counts_as_zero_and_needs_attention() {
    check([
        (
            "authorised",
            modification("CAPTURE", "C2").usd(1000),
            "captured confirmed 1000/1000/0 success !currency_differs",
            "captured confirmed 1000/0/0 success !currency_differs",
        ),
        (
            "captured",
            modification("REFUND", "R2").usd(1000),
            "captured confirmed 1000/1000/0 success !currency_differs",
            SAME,
        ),
    ]);
}
