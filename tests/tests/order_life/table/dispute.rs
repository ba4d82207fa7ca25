//! Disputes: CHARGEBACK, CHARGEBACK_REVERSED, SECOND_CHARGEBACK, PREARBITRATION_WON and _LOST,
//! SCHEME_ARBITRATION_WON and _LOST.

use shared::domain::order::AdyenEvent;

use super::{SAME, UNCHANGED, check};
use crate::facts::{EventBuilder, modification};

const CAPTURED: &str = "captured confirmed 1000/1000/0 success";
const CHARGED_BACK: &str = "chargedBack confirmed 1000/1000/0 none";
const LOST: &str = "chargedBack confirmed 1000/1000/0 none !prearbitration_lost";

/// An event of the states' dispute, once with the payment's reference and once without.
fn dispute_event(event_code: &str) -> [AdyenEvent; 2] {
    let event = modification(event_code, "D");
    [event.clone(), event.without_payment()]
}

#[test]
fn chargeback_outranks_every_other_status() {
    for event in [modification("CHARGEBACK", "D2"), modification("SECOND_CHARGEBACK", "D2")] {
        check([
            ("authorised", event.clone(), CHARGED_BACK, "chargedBack confirmed 1000/0/0 none"),
            ("captured", event.clone(), CHARGED_BACK, SAME),
            ("part refunded", event.clone(), "chargedBack confirmed 1000/1000/400 none", SAME),
            ("refunded", event.clone(), "chargedBack confirmed 1000/1000/1000 none", SAME),
            ("charged back", event.clone(), UNCHANGED, UNCHANGED),
            ("lost in pre-arbitration", event, UNCHANGED, UNCHANGED),
        ]);
    }
}

#[test]
fn chargeback_reversed_lifts_its_dispute_in_any_sequence() {
    for reversed in dispute_event("CHARGEBACK_REVERSED") {
        check([
            ("charged back", reversed.clone(), CAPTURED, SAME),
            ("charged back", reversed.clone().at(1), CAPTURED, SAME),
            ("charged back", reversed.clone().failed(), UNCHANGED, UNCHANGED),
            ("charged back again", reversed.clone().at(2000), UNCHANGED, UNCHANGED),
            ("lost in pre-arbitration", reversed.clone().at(2000), UNCHANGED, UNCHANGED),
            ("captured", reversed, UNCHANGED, UNCHANGED),
        ]);
    }
    for chargeback in dispute_event("CHARGEBACK") {
        check([("chargeback reversed", chargeback.at(2000), UNCHANGED, UNCHANGED)]);
    }
}

#[test]
fn second_chargeback_is_final_in_any_sequence() {
    for second in dispute_event("SECOND_CHARGEBACK") {
        check([
            ("chargeback reversed", second.clone().at(1), CHARGED_BACK, SAME),
            ("lost in pre-arbitration", second.at(1), CHARGED_BACK, SAME),
        ]);
    }
    for won in
        [dispute_event("PREARBITRATION_WON"), dispute_event("SCHEME_ARBITRATION_WON")].concat()
    {
        check([("charged back again", won.at(2000), UNCHANGED, UNCHANGED)]);
    }
}

#[test]
fn prearbitration_lost_charges_back_and_needs_attention() {
    for lost in
        [dispute_event("PREARBITRATION_LOST"), dispute_event("SCHEME_ARBITRATION_LOST")].concat()
    {
        check([
            ("charged back", lost.clone(), LOST, SAME),
            ("chargeback reversed", lost.clone(), LOST, SAME),
            ("chargeback reversed", lost.clone().at(1), LOST, SAME),
            ("chargeback reversed", lost.failed(), UNCHANGED, UNCHANGED),
        ]);
    }
}

#[test]
fn prearbitration_won_lifts_the_dispute_unless_lost_later() {
    for won in dispute_event("PREARBITRATION_WON") {
        check([
            ("charged back", won.clone(), CAPTURED, SAME),
            ("chargeback reversed", won.clone(), UNCHANGED, UNCHANGED),
            ("lost in pre-arbitration", won.clone().at(999), UNCHANGED, UNCHANGED),
            // With equal dates, the state that is worse for the merchant counts.
            ("lost in pre-arbitration", won.clone().at(1000), UNCHANGED, UNCHANGED),
            ("lost in pre-arbitration", won.at(1001), CAPTURED, SAME),
        ]);
    }
}

#[test]
fn scheme_arbitration_outranks_prearbitration() {
    for won in dispute_event("SCHEME_ARBITRATION_WON") {
        check([
            ("charged back", won.clone(), CAPTURED, SAME),
            ("lost in pre-arbitration", won.at(1), CAPTURED, SAME),
        ]);
    }
}

#[test]
fn event_of_one_dispute_does_not_change_another() {
    for event in [
        modification("CHARGEBACK_REVERSED", "D2"),
        modification("CHARGEBACK_REVERSED", "D2").of("Q"),
        modification("CHARGEBACK_REVERSED", "D").of("Q"),
        modification("CHARGEBACK_REVERSED", "D2").without_payment(),
        modification("PREARBITRATION_WON", "D2"),
        modification("PREARBITRATION_WON", "D").of("Q"),
    ] {
        check([("charged back", event, UNCHANGED, UNCHANGED)]);
    }
}
