//! Events about an attempt: AUTHORISATION and OFFER_CLOSED.

use super::{SAME, UNCHANGED, check};
use crate::facts::{EventBuilder, authorisation, offer_closed, offer_closed_of};

const PAID: &str = "authorised confirmed 1000/1000/0 success";
const PAID_MANUAL: &str = "authorised confirmed 1000/0/0 success";
const REFUSED: &str = "refused unconfirmed 0/0/0 retryWithAmazonPay";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";

#[test]
fn successful_authorisation_outranks_every_answer() {
    let from = [
        "created",
        "unknown",
        "redirect",
        "redirect of an unnamed payment",
        "pending",
        "answered Authorised",
        "answered Refused",
        "answered Cancelled",
        "answered Error",
        "rejected",
        "offer closed",
        "refused",
    ];
    check(from.map(|from| (from, authorisation("P"), PAID, PAID_MANUAL)));
}

#[test]
fn successful_authorisation_does_not_revive_an_ended_payment() {
    let from = [
        "captured",
        "part captured",
        "part refunded",
        "refunded",
        "cancelled",
        "expired",
        "charged back",
        "chargeback reversed",
        "charged back again",
    ];
    check(from.map(|from| (from, authorisation("P").at(2000), UNCHANGED, UNCHANGED)));
}

#[test]
fn failed_authorisation_makes_an_attempt_refused_unless_it_ended_without_money() {
    let from = [
        "unknown",
        "redirect",
        "redirect of an unnamed payment",
        "pending",
        "answered Authorised",
        "offer closed",
        "refused",
    ];
    check(from.map(|from| (from, authorisation("P").failed(), REFUSED, SAME)));
    // The answer's status is more precise than a failed AUTHORISATION.
    let from = ["answered Refused", "answered Cancelled", "answered Error", "rejected", "created"];
    check(from.map(|from| (from, authorisation("P").failed(), UNCHANGED, SAME)));
}

#[test]
fn later_authorisation_counts_then_the_successful_one() {
    check([
        ("authorised", authorisation("P").failed().at(999), UNCHANGED, UNCHANGED),
        ("authorised", authorisation("P").failed().at(1000), UNCHANGED, UNCHANGED),
        ("authorised", authorisation("P").failed().at(1001), REFUSED, SAME),
        ("refused", authorisation("P").at(499), REFUSED, SAME),
        ("refused", authorisation("P").at(500), PAID, PAID_MANUAL),
        ("refused", authorisation("P").at(501), PAID, PAID_MANUAL),
    ]);
}

#[test]
fn failed_authorisation_of_another_payment_changes_nothing() {
    let from = [
        "redirect",
        "pending",
        "answered Authorised",
        "answered Refused",
        "answered Cancelled",
        "rejected",
        "offer closed",
        "authorised",
        "captured",
        "refunded",
        "cancelled",
        "expired",
        "charged back",
    ];
    check(from.map(|from| (from, authorisation("Q").failed(), UNCHANGED, UNCHANGED)));
}

#[test]
fn offer_closed_expires_an_unresolved_attempt() {
    check([
        ("unknown", offer_closed(), EXPIRED, SAME),
        ("redirect", offer_closed(), EXPIRED, SAME),
        ("redirect of an unnamed payment", offer_closed(), EXPIRED, SAME),
        ("pending", offer_closed(), EXPIRED, SAME),
        ("redirect", offer_closed_of("P"), EXPIRED, SAME),
        ("pending", offer_closed_of("P"), EXPIRED, SAME),
    ]);
}

#[test]
fn offer_closed_does_not_change_a_result() {
    let from = [
        "created",
        "answered Authorised",
        "answered Refused",
        "answered Cancelled",
        "answered Error",
        "rejected",
        "refused",
        "authorised",
        "captured",
        "part captured",
        "part refunded",
        "refunded",
        "cancelled",
        "expired",
        "charged back",
    ];
    for event in [offer_closed(), offer_closed_of("P"), offer_closed_of("P").at(2000)] {
        check(from.map(|from| (from, event.clone(), UNCHANGED, UNCHANGED)));
    }
}
