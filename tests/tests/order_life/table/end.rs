//! Events that end a payment: CANCELLATION, TECHNICAL_CANCEL, CANCEL_OR_REFUND, EXPIRE.

use shared::domain::order::AdyenEvent;

use super::{SAME, UNCHANGED, check};
use crate::facts::{EventBuilder, expire, modification, reversal};

const CANCELLED: &str = "cancelled unconfirmed 0/0/0 none";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";
const CAPTURED: &str = "captured confirmed 1000/1000/0 success !cancelled_after_capture";

fn cancellations() -> [AdyenEvent; 3] {
    [
        modification("CANCELLATION", "Y"),
        modification("TECHNICAL_CANCEL", "Y"),
        reversal("cancel", "Y"),
    ]
}

#[test]
fn cancellation_ends_an_uncaptured_payment() {
    for cancel in cancellations() {
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
fn cancellation_of_a_captured_payment_needs_attention_and_changes_no_amount() {
    for cancel in cancellations() {
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
fn cancellation_of_an_unauthorised_payment_changes_nothing() {
    let from = [
        "redirect",
        "pending",
        "answered Refused",
        "answered Cancelled",
        "refused",
        "offer closed",
    ];
    for cancel in cancellations() {
        check(from.map(|from| (from, cancel.clone(), UNCHANGED, UNCHANGED)));
    }
}

#[test]
fn cancel_or_refund_without_an_action_changes_no_status_and_needs_attention() {
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
fn expire_ends_an_uncaptured_payment() {
    check([
        ("answered Authorised", expire("P"), EXPIRED, SAME),
        ("authorised", expire("P"), EXPIRED, SAME),
        ("cancelled", expire("P").at(1001), EXPIRED, SAME),
        ("cancelled", expire("P").at(999), UNCHANGED, UNCHANGED),
        ("cancelled", expire("P").at(1000), UNCHANGED, UNCHANGED),
        ("captured", expire("P"), UNCHANGED, UNCHANGED),
        // Adyen no longer captures the rest automatically.
        ("part captured", expire("P"), "captured confirmed 1000/400/0 success", SAME),
        ("part refunded", expire("P"), UNCHANGED, UNCHANGED),
        ("refunded", expire("P"), UNCHANGED, UNCHANGED),
        ("redirect", expire("P"), UNCHANGED, UNCHANGED),
        ("refused", expire("P"), UNCHANGED, UNCHANGED),
    ]);
}

#[test]
fn later_report_of_a_cancellation_counts_then_the_successful_one() {
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
