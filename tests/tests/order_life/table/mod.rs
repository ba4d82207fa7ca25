//! Every kind of webhook, of success and of failure, in every state of an order.
//!
//! A row has the state before, the event, and the summary after it, under automatic
//! and under manual capture.

mod attempt;
mod dispute;
mod end;
mod money;
mod nothing;

use shared::domain::order::{AdyenEvent, Capture, Order};

use crate::facts::{
    EventBuilder, OrderBuilder, answered, assert_summary, authorisation, expire, modification,
    offer_closed, order, rejected, summary, unknown,
};

/// The same summary as under automatic capture.
const SAME: &str = "the same";
/// The same summary as before the webhook.
const UNCHANGED: &str = "unchanged";

type Row<'a> = (&'a str, AdyenEvent, &'a str, &'a str);

#[track_caller]
fn check<'a>(rows: impl IntoIterator<Item = Row<'a>>) {
    for (from, event, automatic, manual) in rows {
        let manual = if manual == SAME { automatic } else { manual };
        for (capture, expected) in [(Capture::Automatic, automatic), (Capture::Manual, manual)] {
            let before = state(capture.clone(), from);
            let unchanged = summary(&before);
            let expected = if expected == UNCHANGED { &unchanged } else { expected };
            println!("{from}, {capture:?}, then {}", event.event_code.as_str());
            assert_summary(&before.with_event(event.clone()), expected);
        }
    }
}

/// All states of an order whose only payment is `P`, with their summaries under manual capture.
const STATES: [(&str, &str); 23] = [
    ("created", "created unconfirmed 0/0/0 startOver"),
    ("unknown", "pending unconfirmed 0/0/0 wait"),
    ("redirect", "pending unconfirmed 0/0/0 handleAction"),
    ("redirect of an unnamed payment", "pending unconfirmed 0/0/0 handleAction"),
    ("pending", "pending unconfirmed 0/0/0 wait"),
    ("answered Authorised", "authorised unconfirmed 1000/0/0 success"),
    ("answered Refused", "refused unconfirmed 0/0/0 retryWithAmazonPay"),
    ("answered Cancelled", "cancelled unconfirmed 0/0/0 tryAnotherMethod"),
    ("answered Error", "error unconfirmed 0/0/0 showError"),
    ("rejected", "error unconfirmed 0/0/0 showError"),
    ("offer closed", "expired unconfirmed 0/0/0 startOver"),
    ("refused", "refused unconfirmed 0/0/0 retryWithAmazonPay"),
    ("authorised", "authorised confirmed 1000/0/0 success"),
    ("captured", "captured confirmed 1000/1000/0 success"),
    ("part captured", "captured confirmed 1000/400/0 success"),
    ("part refunded", "partiallyRefunded confirmed 1000/1000/400 none"),
    ("refunded", "refunded confirmed 1000/1000/1000 none"),
    ("cancelled", "cancelled unconfirmed 0/0/0 none"),
    ("expired", "expired unconfirmed 0/0/0 startOver"),
    ("charged back", "chargedBack confirmed 1000/1000/0 none"),
    ("chargeback reversed", "captured confirmed 1000/1000/0 success"),
    ("charged back again", "chargedBack confirmed 1000/1000/0 none"),
    ("lost in pre-arbitration", "chargedBack confirmed 1000/1000/0 none !prearbitration_lost"),
];

fn state(capture: Capture, name: &str) -> Order {
    let order = order(capture);
    let authorised =
        || order.clone().with_attempt(answered("Authorised", "P")).with_event(authorisation("P"));
    let captured = || authorised().with_event(modification("CAPTURE", "C"));
    let charged_back = || captured().with_event(modification("CHARGEBACK", "D"));
    let reversed = || charged_back().with_event(modification("CHARGEBACK_REVERSED", "D"));
    match name {
        "created" => order,
        "unknown" => order.with_attempt(unknown()),
        "redirect" => order.with_attempt(answered("RedirectShopper", "P")),
        "redirect of an unnamed payment" => order.with_attempt(answered("RedirectShopper", None)),
        "pending" => order.with_attempt(answered("Pending", "P")),
        "answered Authorised" => order.with_attempt(answered("Authorised", "P")),
        "answered Refused" => order.with_attempt(answered("Refused", "P")),
        "answered Cancelled" => order.with_attempt(answered("Cancelled", "P")),
        "answered Error" => order.with_attempt(answered("Error", "P")),
        "rejected" => order.with_attempt(rejected("702", "P")),
        "offer closed" => {
            order.with_attempt(answered("RedirectShopper", "P")).with_event(offer_closed())
        }
        "refused" => order
            .with_attempt(answered("RedirectShopper", "P"))
            .with_event(authorisation("P").failed().at(500)),
        "authorised" => authorised(),
        "captured" => captured(),
        "part captured" => authorised().with_event(modification("CAPTURE", "C").eur(400)),
        "part refunded" => captured().with_event(modification("REFUND", "R").eur(400)),
        "refunded" => captured().with_event(modification("REFUND", "R")),
        "cancelled" => authorised().with_event(modification("CANCELLATION", "X")),
        "expired" => authorised().with_event(expire("P")),
        "charged back" => charged_back(),
        "chargeback reversed" => reversed(),
        "charged back again" => reversed().with_event(modification("SECOND_CHARGEBACK", "D")),
        "lost in pre-arbitration" => {
            reversed().with_event(modification("PREARBITRATION_LOST", "D"))
        }
        _ => panic!("no such state: {name}"),
    }
}

#[test]
fn every_named_state_has_its_summary() {
    for (name, manual) in STATES {
        assert_summary(&state(Capture::Manual, name), manual);
        // Under automatic capture a confirmed payment counts as captured in full.
        let automatic = match name {
            "authorised" | "part captured" => {
                manual.replace("/0/0", "/1000/0").replace("/400/", "/1000/")
            }
            _ => manual.to_owned(),
        };
        assert_summary(&state(Capture::Automatic, name), &automatic);
    }
}
