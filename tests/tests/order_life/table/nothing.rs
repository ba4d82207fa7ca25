//! Events that change nothing in any state.

use super::{STATES, UNCHANGED, check};
use crate::facts::{EventBuilder, authorisation, expire, modification, offer_closed, reversal};

#[test]
fn notices_and_unknown_event_codes_change_nothing() {
    for code in [
        "NOTIFICATION_OF_CHARGEBACK",
        "REQUEST_FOR_INFORMATION",
        "INFORMATION_SUPPLIED",
        "PREARBITRATION_OPEN",
        "RECURRING_CONTRACT",
        "AUTHORISATION_ADJUSTMENT",
        "capture",
        "",
    ] {
        for event in [modification(code, "N"), modification(code, "N").failed()] {
            check(STATES.map(|(from, _)| (from, event.clone(), UNCHANGED, UNCHANGED)));
        }
    }
}

#[test]
fn failed_modification_events_change_nothing() {
    for event in [
        offer_closed(),
        modification("CAPTURE", "N"),
        modification("CANCELLATION", "N"),
        modification("TECHNICAL_CANCEL", "N"),
        modification("CANCEL_OR_REFUND", "N"),
        reversal("cancel", "N"),
        reversal("refund", "N"),
        modification("REFUND", "N"),
        expire("P"),
        modification("CHARGEBACK", "N"),
        modification("CHARGEBACK_REVERSED", "N"),
        modification("SECOND_CHARGEBACK", "N"),
        modification("PREARBITRATION_WON", "N"),
        modification("PREARBITRATION_LOST", "N"),
        modification("SCHEME_ARBITRATION_WON", "N"),
        modification("SCHEME_ARBITRATION_LOST", "N"),
    ] {
        // Some states have successful reports of the same age, which outrank these failures.
        let event = event.failed();
        check(STATES.map(|(from, _)| (from, event.clone(), UNCHANGED, UNCHANGED)));
    }
}

#[test]
fn repeated_events_change_nothing() {
    check(
        STATES
            .map(|(from, _)| (from, authorisation("Q").failed().at(1), UNCHANGED, UNCHANGED))
            .into_iter()
            .filter(
                // In these states the event belongs to the attempt without a pspReference.
                |(from, ..)| !matches!(*from, "unknown" | "redirect of an unnamed payment"),
            ),
    );
    for (from, _) in STATES {
        let order = super::state(shared::domain::order::Capture::Manual, from);
        let events = order.events.clone();
        assert_eq!(crate::facts::OrderBuilder::with_events(order.clone(), events), order, "{from}");
    }
}
