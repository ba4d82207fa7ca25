//! What becomes of an attempt: AUTHORISATION and OFFER_CLOSED.

use super::{SAME, UNCHANGED, check};
use crate::facts::{Says, authorisation, offer_closed, offer_closed_of};

const PAID: &str = "authorised confirmed 1000/1000/0 success";
const PAID_MANUAL: &str = "authorised confirmed 1000/0/0 success";
const REFUSED: &str = "refused unconfirmed 0/0/0 retryWithAmazonPay";
const EXPIRED: &str = "expired unconfirmed 0/0/0 startOver";

#[test]
fn an_authorisation_of_success_beats_every_answer() {
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
fn an_authorisation_of_success_does_not_bring_back_what_ended() {
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
fn an_authorisation_of_failure_beats_every_answer_but_one_that_the_attempt_failed() {
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
    // How it failed, the answer says more precisely.
    let from = ["answered Refused", "answered Cancelled", "answered Error", "rejected", "created"];
    check(from.map(|from| (from, authorisation("P").failed(), UNCHANGED, SAME)));
}

#[test]
fn of_contradicting_authorisations_the_later_counts_then_the_one_of_success() {
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
fn an_authorisation_of_failure_for_another_payment_changes_nothing() {
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
fn an_offer_closed_ends_an_attempt_without_a_result() {
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
fn an_offer_closed_does_not_touch_a_result() {
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
