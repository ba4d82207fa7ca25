//! Disputes: CHARGEBACK, CHARGEBACK_REVERSED, SECOND_CHARGEBACK.

use super::{SAME, UNCHANGED, check};
use crate::facts::{Says, modification};

const CHARGED_BACK: &str = "chargedBack confirmed 1000/1000/0 none";

#[test]
fn a_chargeback_beats_everything_else() {
    for event in [modification("CHARGEBACK", "D2"), modification("SECOND_CHARGEBACK", "D2")] {
        check([
            ("authorised", event.clone(), CHARGED_BACK, "chargedBack confirmed 1000/0/0 none"),
            ("captured", event.clone(), CHARGED_BACK, SAME),
            ("part refunded", event.clone(), "chargedBack confirmed 1000/1000/400 none", SAME),
            ("refunded", event.clone(), "chargedBack confirmed 1000/1000/1000 none", SAME),
            ("charged back", event, UNCHANGED, UNCHANGED),
        ]);
    }
}

#[test]
fn a_chargeback_reversed_lifts_every_chargeback_but_the_second_whatever_came_first() {
    let reversed = || modification("CHARGEBACK_REVERSED", "E2");
    check([
        ("charged back", reversed(), "captured confirmed 1000/1000/0 success", SAME),
        ("charged back", reversed().at(1), "captured confirmed 1000/1000/0 success", SAME),
        ("chargeback reversed", modification("CHARGEBACK", "D2").at(2000), UNCHANGED, UNCHANGED),
        ("charged back again", reversed().at(2000), UNCHANGED, UNCHANGED),
        ("chargeback reversed", modification("SECOND_CHARGEBACK", "F").at(1), CHARGED_BACK, SAME),
        ("captured", reversed(), UNCHANGED, UNCHANGED),
    ]);
}

#[test]
fn a_chargeback_reversed_lifts_no_chargeback_of_another_payment() {
    let reversed = modification("CHARGEBACK_REVERSED", "E2").of("Q");
    check([("charged back", reversed, UNCHANGED, UNCHANGED)]);
}
