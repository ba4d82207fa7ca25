//! How a payment ends: CANCELLATION, TECHNICAL_CANCEL, CANCEL_OR_REFUND, EXPIRE.

use super::{SAME, UNCHANGED, check};
use crate::facts::{Says, expire, modification, reversal};

const CANCELLED: &str = "cancelled unconfirmed 0/0/0 none";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";
const CAPTURED: &str = "captured confirmed 1000/1000/0 success !cancelled_after_capture";

#[test]
fn a_cancel_takes_a_payment_back_that_was_not_captured() {
    for cancel in [
        modification("CANCELLATION", "Y"),
        modification("TECHNICAL_CANCEL", "Y"),
        reversal("cancel", "Y"),
    ] {
        let cancel = || cancel.clone();
        check([
            ("answered Authorised", cancel(), CANCELLED, SAME),
            ("authorised", cancel(), CANCELLED, SAME),
            ("cancelled", cancel(), UNCHANGED, UNCHANGED),
            ("expired", cancel().at(1001), CANCELLED, SAME),
            ("expired", cancel().at(999), UNCHANGED, UNCHANGED),
        ]);
    }
}

#[test]
fn a_cancel_of_what_is_captured_needs_attention_and_leaves_the_money() {
    for cancel in [
        modification("CANCELLATION", "Y"),
        modification("TECHNICAL_CANCEL", "Y"),
        reversal("cancel", "Y"),
    ] {
        let cancel = || cancel.clone();
        check([
            ("captured", cancel(), CAPTURED, SAME),
            (
                "part refunded",
                cancel(),
                "partiallyRefunded confirmed 1000/1000/400 none !cancelled_after_capture",
                SAME,
            ),
        ]);
    }
}

#[test]
fn a_cancel_of_what_was_never_authorised_changes_nothing() {
    let from = [
        "redirect",
        "pending",
        "answered Refused",
        "answered Cancelled",
        "refused",
        "offer closed",
    ];
    for cancel in [
        modification("CANCELLATION", "Y"),
        modification("TECHNICAL_CANCEL", "Y"),
        reversal("cancel", "Y"),
    ] {
        check(from.map(|from| (from, cancel.clone(), UNCHANGED, UNCHANGED)));
    }
}

#[test]
fn a_cancel_or_refund_that_does_not_say_which_changes_nothing_and_needs_attention() {
    let unclear = || modification("CANCEL_OR_REFUND", "Y");
    check([
        (
            "authorised",
            unclear(),
            "authorised confirmed 1000/1000/0 success !cancel_or_refund_unclear",
            "authorised confirmed 1000/0/0 success !cancel_or_refund_unclear",
        ),
        (
            "captured",
            unclear(),
            "captured confirmed 1000/1000/0 success !cancel_or_refund_unclear",
            SAME,
        ),
        (
            "captured",
            reversal("something new", "Y"),
            "captured confirmed 1000/1000/0 success !cancel_or_refund_unclear",
            SAME,
        ),
    ]);
}

#[test]
fn an_expiry_ends_what_was_not_captured() {
    check([
        ("answered Authorised", expire("P"), EXPIRED, SAME),
        ("authorised", expire("P"), EXPIRED, SAME),
        ("cancelled", expire("P").at(1001), EXPIRED, SAME),
        ("cancelled", expire("P").at(999), UNCHANGED, UNCHANGED),
        ("captured", expire("P"), UNCHANGED, UNCHANGED),
        // Adyen no longer captures the rest by itself.
        ("part captured", expire("P"), "captured confirmed 1000/400/0 success", SAME),
        ("part refunded", expire("P"), UNCHANGED, UNCHANGED),
        ("refunded", expire("P"), UNCHANGED, UNCHANGED),
        ("redirect", expire("P"), UNCHANGED, UNCHANGED),
        ("refused", expire("P"), UNCHANGED, UNCHANGED),
    ]);
}

#[test]
fn of_contradicting_reports_of_a_cancel_the_later_counts_then_the_one_of_success() {
    check([
        ("cancelled", modification("CANCELLATION", "X").failed().at(999), UNCHANGED, UNCHANGED),
        ("cancelled", modification("CANCELLATION", "X").failed().at(1000), UNCHANGED, UNCHANGED),
        (
            "cancelled",
            modification("CANCELLATION", "X").failed().at(1001),
            "authorised confirmed 1000/1000/0 success",
            "authorised confirmed 1000/0/0 success",
        ),
    ]);
}
