//! An order is confirmed if AUTHORISATIONs of payments that stand add up to its amount.

use shared::domain::order::{AdyenEvent, Order};

use crate::facts::{
    Facts, Says, answered, authorisation, automatic, comes_to, expire, manual, modification,
};

/// Two attempts that Adyen answered as authorised.
fn twice() -> Order {
    manual().tried(answered("RedirectShopper", "P")).tried(answered("RedirectShopper", "Q"))
}

#[test]
fn authorisation_below_the_amount_confirms_nothing_and_needs_attention() {
    for value in [0, 1, 999] {
        let order = automatic().tried(answered("Authorised", "P"));
        let part = order.told(authorisation("P").eur(value));
        let expected = format!(
            "authorised unconfirmed {value}/{value}/0 success !amount_differs !paid_in_part"
        );
        comes_to(&part, &expected);
        comes_to(
            &part.told(authorisation("P").at(2000)),
            "authorised confirmed 1000/1000/0 success",
        );
    }
}

#[test]
fn authorisation_above_the_amount_confirms_and_needs_attention() {
    let order = automatic().tried(answered("Authorised", "P")).told(authorisation("P").eur(1001));
    comes_to(&order, "authorised confirmed 1001/1001/0 success !amount_differs");
}

#[test]
fn authorisation_in_another_currency_or_unreadable_amount_confirms_nothing() {
    let order = || automatic().tried(answered("Authorised", "P"));
    comes_to(
        &order().told(authorisation("P").usd(100_000)),
        "authorised unconfirmed 0/0/0 success !amount_differs !currency_differs !paid_in_part",
    );
    let unreadable = AdyenEvent { amount: None, ..authorisation("P") };
    comes_to(
        &order().told(unreadable),
        "authorised unconfirmed 0/0/0 success !amount_differs !amount_unreadable !paid_in_part",
    );
}

#[test]
fn standing_payments_are_added_up_to_confirm() {
    let parts = twice().told_all([authorisation("P").eur(400), authorisation("Q").eur(600)]);
    comes_to(&parts, "authorised confirmed 1000/0/0 success !amount_differs !paid_twice: P, Q");
    let too_little = twice().told_all([authorisation("P").eur(400), authorisation("Q").eur(599)]);
    comes_to(
        &too_little,
        "authorised unconfirmed 999/0/0 success !amount_differs !paid_in_part !paid_twice: P, Q",
    );
    // A returned payment does not count.
    for gone in [modification("CANCELLATION", "X"), expire("P")] {
        comes_to(
            &parts.clone().told(gone.at(2000)),
            "authorised unconfirmed 600/0/0 success !amount_differs !paid_in_part",
        );
    }
}

#[test]
fn answer_without_a_webhook_confirms_no_part() {
    let order = manual()
        .tried(answered("RedirectShopper", "P"))
        .tried(answered("Authorised", "Q"))
        .told(authorisation("P").eur(400));
    comes_to(
        &order,
        "authorised unconfirmed 1400/0/0 success !amount_differs !paid_in_part !paid_twice: P, Q",
    );
}

#[test]
fn returned_part_needs_no_attention() {
    let part = automatic().tried(answered("Authorised", "P")).told(authorisation("P").eur(1));
    comes_to(
        &part.told(modification("REFUND", "R").eur(1)),
        "refunded unconfirmed 1/1/1 none !amount_differs",
    );
}

#[test]
fn an_order_stays_confirmed_when_it_is_refunded_or_charged_back() {
    let paid = automatic().tried(answered("Authorised", "P")).told(authorisation("P"));
    for (event, expected) in [
        (modification("REFUND", "R").eur(400), "partiallyRefunded confirmed 1000/1000/400 none"),
        (modification("REFUND", "R"), "refunded confirmed 1000/1000/1000 none"),
        (modification("CHARGEBACK", "D"), "chargedBack confirmed 1000/1000/0 none"),
    ] {
        comes_to(&paid.clone().told(event), expected);
    }
}
