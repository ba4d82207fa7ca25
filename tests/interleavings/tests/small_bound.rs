//! The bounds that CI explores, and rules that are broken on purpose.
//!
//! `cargo run --release -p interleavings -- --help` lists larger bounds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;

use interleavings::{
    explore::Report,
    properties::{NEVER_TWICE, NOTHING_MISSING, SAYS_THE_BOOKS},
    rules::Broken,
    scenario::{Bounds, Scenario},
    system::System,
};

/// More states than any of these explorations has.
const LIMIT: usize = 5_000_000;

const TABS: &str = "two tabs with different methods";
const NAMELESS: &str = "answers that name neither order nor attempt";

/// By default no process dies, so that the tests are quick. CI sets `INTERLEAVINGS_CRASHES=1`.
fn assert_holds(name: &str) {
    let crashes = std::env::var("INTERLEAVINGS_CRASHES").map_or(0, |it| it.parse().unwrap());
    let report = System::new(Scenario { crashes, ..scenario(name) }).explore(LIMIT);
    // Printed past the capture of `cargo test`.
    let mut out = std::io::stderr().lock();
    writeln!(out, "interleavings, {name}: {report}").unwrap();
    drop(out);
    assert!(report.counterexample.is_none() && !report.stopped, "{name}: {report}");
    assert!(report.states > 1_000, "{name}: hardly anything happens: {report}");
}

fn scenario(name: &str) -> Scenario {
    let mut scenarios = Scenario::all(Bounds::SMALL).into_iter();
    scenarios.find(|it| it.name == name).expect("the scenario")
}

#[test]
fn two_tabs_with_different_methods_hold_every_property() {
    assert_holds(TABS);
}

#[test]
fn answers_that_name_neither_order_nor_attempt_hold_every_property() {
    assert_holds(NAMELESS);
}

#[test]
fn bank_beside_a_card_holds_every_property() {
    assert_holds("a bank beside a card");
}

#[test]
fn recurring_job_beside_a_shopper_holds_every_property() {
    assert_holds("a recurring job beside a shopper");
}

#[test]
fn merchant_who_refunds_holds_every_property() {
    assert_holds("a merchant who refunds");
}

#[test]
fn person_who_refunds_in_the_customer_area_holds_every_property() {
    assert_holds("a person who refunds in the Customer Area");
}

/// Explores a scenario with a broken rule until a property is violated.
fn violated(broken: Broken, name: &str) -> Report {
    System::new(Scenario { broken: Some(broken), ..scenario(name) }).explore(LIMIT)
}

fn assert_found(report: Report, property: &str, steps: &[&str]) {
    let found = report.counterexample.as_ref().unwrap_or_else(|| panic!("nothing found: {report}"));
    assert_eq!(found.property, property, "{report}");
    for step in steps {
        assert!(found.steps.iter().any(|it| it.contains(step)), "no step \"{step}\": {report}");
    }
}

#[test]
fn key_that_depends_on_the_token_is_found() {
    let report = violated(Broken::KeyOfToken, TABS);
    assert_found(report, NEVER_TWICE, &["attempt 1 with Token", "attempt 1 with Card"]);
}

#[test]
fn webhook_that_is_acknowledged_before_it_is_stored_is_found() {
    let report = violated(Broken::AcknowledgedFirst, TABS);
    assert_found(report, NOTHING_MISSING, &["Adyen delivers AUTHORISATION", "the process dies"]);
}

#[test]
fn attempt_that_supersedes_details_in_flight_is_found() {
    let report = violated(Broken::SupersedesInFlight, TABS);
    assert_found(report, NEVER_TWICE, &["the browser posts the result of PAYMENT-1", "attempt 2"]);
}

#[test]
fn server_error_that_ends_an_attempt_is_found() {
    let report = violated(Broken::ServerErrorEnds, TABS);
    assert_found(report, NEVER_TWICE, &["the answer 500", "attempt 2"]);
}

#[test]
fn result_of_any_payment_that_concludes_an_attempt_is_found() {
    let report = violated(Broken::ResultOfAnyPayment, NAMELESS);
    assert_found(report, SAYS_THE_BOOKS, &["the answer Authorised FOREIGN"]);
}
