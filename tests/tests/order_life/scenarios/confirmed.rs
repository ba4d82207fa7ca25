//! An order is confirmed if AUTHORISATIONs of payments that stand add up to its amount.

use shared::domain::order::{AdyenEvent, Order};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, authorisation, automatic, expire, manual,
    modification,
};

/// Two attempts that Adyen answered as authorised.
fn twice() -> Order {
    manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("RedirectShopper", "Q"))
}

#[test]
fn authorisation_below_the_amount_confirms_nothing_and_needs_attention() {
    for value in [0, 1, 999] {
        let order = automatic().with_attempt(answered("Authorised", "P"));
        let part = order.with_event(authorisation("P").eur(value));
        let expected = format!(
            "authorised unconfirmed {value}/{value}/0 success !amount_differs !paid_in_part"
        );
        assert_summary(&part, &expected);
        assert_summary(
            &part.with_event(authorisation("P").at(2000)),
            "authorised confirmed 1000/1000/0 success",
        );
    }
}

#[test]
fn authorisation_above_the_amount_confirms_and_needs_attention() {
    let order = automatic()
        .with_attempt(answered("Authorised", "P"))
        .with_event(authorisation("P").eur(1001));
    assert_summary(&order, "authorised confirmed 1001/1001/0 success !amount_differs");
}

#[test]
fn authorisation_in_another_currency_or_unreadable_amount_confirms_nothing() {
    let order = || automatic().with_attempt(answered("Authorised", "P"));
    assert_summary(
        &order().with_event(authorisation("P").usd(100_000)),
        "authorised unconfirmed 0/0/0 success !amount_differs !currency_differs !paid_in_part",
    );
    let unreadable = AdyenEvent { amount: None, ..authorisation("P") };
    assert_summary(
        &order().with_event(unreadable),
        "authorised unconfirmed 0/0/0 success !amount_differs !amount_unreadable !paid_in_part",
    );
}

#[test]
fn standing_payments_are_added_up_to_confirm() {
    let parts = twice().with_events([authorisation("P").eur(400), authorisation("Q").eur(600)]);
    assert_summary(
        &parts,
        "authorised confirmed 1000/0/0 success !amount_differs !paid_twice: P, Q",
    );
    let too_little =
        twice().with_events([authorisation("P").eur(400), authorisation("Q").eur(599)]);
    assert_summary(
        &too_little,
        "authorised unconfirmed 999/0/0 success !amount_differs !paid_in_part !paid_twice: P, Q",
    );
    // A returned payment does not count.
    for gone in [modification("CANCELLATION", "X"), expire("P")] {
        assert_summary(
            &parts.clone().with_event(gone.at(2000)),
            "authorised unconfirmed 600/0/0 success !amount_differs !paid_in_part",
        );
    }
}

#[test]
fn answer_without_a_webhook_confirms_no_part() {
    let order = manual()
        .with_attempt(answered("RedirectShopper", "P"))
        .with_attempt(answered("Authorised", "Q"))
        .with_event(authorisation("P").eur(400));
    assert_summary(
        &order,
        "authorised unconfirmed 1400/0/0 success !amount_differs !paid_in_part !paid_twice: P, Q",
    );
}

#[test]
fn returned_part_needs_no_attention() {
    let part =
        automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P").eur(1));
    assert_summary(
        &part.with_event(modification("REFUND", "R").eur(1)),
        "refunded unconfirmed 1/1/1 none !amount_differs",
    );
}

#[test]
fn an_order_stays_confirmed_when_it_is_refunded_or_charged_back() {
    let paid = automatic().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    for (event, expected) in [
        (modification("REFUND", "R").eur(400), "partiallyRefunded confirmed 1000/1000/400 none"),
        (modification("REFUND", "R"), "refunded confirmed 1000/1000/1000 none"),
        (modification("CHARGEBACK", "D"), "chargedBack confirmed 1000/1000/0 none"),
    ] {
        assert_summary(&paid.clone().with_event(event), expected);
    }
}
