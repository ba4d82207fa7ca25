//! Finds the payment and the stage of each dispute.
//!
//! All events of a dispute share its pspReference. The first ones name the payment as
//! originalReference. CHARGEBACK_REVERSED, SECOND_CHARGEBACK and PREARBITRATION_… name it only if
//! the Customer Area is configured so. Source: Adyen's page "Dispute webhooks", and the examples
//! of its webhook specification.

use std::collections::BTreeMap;

use super::{
    AdyenEvent,
    explain::{Effect, Witness},
    reports::Reports,
};
use crate::domain::event_code::EventCode;

/// Dispute events for which Adyen documents no movement of money. They still matter because one
/// of them may be the first to name the payment.
const WITHOUT_MONEY: [&str; 12] = [
    "NOTIFICATION_OF_CHARGEBACK",
    "REQUEST_FOR_INFORMATION",
    "DISPUTE_DEFENSE_PERIOD_ENDED",
    "DISPUTE_OPENED_WITH_CHARGEBACK",
    "INFORMATION_SUPPLIED",
    "ISSUER_COMMENTS",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
    "PREARBITRATION_ACCEPTED",
    "PREARBITRATION_DECLINED",
    "PREARBITRATION_ISSUER_WITHDRAWN",
    "PREARBITRATION_OPEN",
    "SCHEME_ARBITRATION",
];

impl AdyenEvent {
    /// Returns the dispute's pspReference if this is a dispute event.
    pub(super) fn dispute(&self) -> Option<&str> {
        use EventCode::*;
        let decides = matches!(
            self.event_code,
            Chargeback
                | ChargebackReversed
                | SecondChargeback
                | PrearbitrationWon
                | PrearbitrationLost
                | SchemeArbitrationWon
                | SchemeArbitrationLost
        );
        let of_dispute = decides || WITHOUT_MONEY.contains(&self.event_code.as_str());
        of_dispute.then_some(self.psp_reference.as_str())
    }

    /// Returns the dispute if the event also names its payment.
    pub(super) fn ties_dispute(&self) -> Option<&str> {
        self.dispute().filter(|_| self.original_reference.is_some())
    }
}

/// Maps each dispute to its payment, if an event names it.
pub(super) struct Disputes<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Disputes<'a> {
    pub(super) fn of(events: &'a [AdyenEvent]) -> Self {
        let mut payments = BTreeMap::new();
        for event in events {
            if let Some(dispute) = event.ties_dispute() {
                payments.entry(dispute).or_insert(event.payment());
            }
        }
        Self(payments)
    }

    /// Returns the payment that the event names, or else the payment of its dispute.
    pub(super) fn payment_of(&self, event: &'a AdyenEvent) -> &'a str {
        let known = || self.0.get(event.dispute()?).copied();
        let nameless = event.original_reference.is_none();
        nameless.then(known).flatten().unwrap_or(event.payment())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DisputeState {
    /// No money has left the merchant, as far as is known.
    Open,
    /// The shopper's bank took the money back.
    ChargedBack,
    /// Like [`DisputeState::ChargedBack`], but Adyen does not document whether money moved.
    Lost,
}

pub(super) fn disputes(
    payment: &str,
    reports: &Reports,
    witness: &mut impl Witness,
) -> Vec<DisputeState> {
    let disputes = reports.disputes_of(payment);
    let states = disputes.into_iter().map(|dispute| {
        let (state, decisive) = state(dispute, payment, reports);
        if let Some(event) = decisive {
            let effect = match state {
                DisputeState::Open => Effect::LiftsDispute,
                DisputeState::ChargedBack => Effect::ChargesBack,
                DisputeState::Lost => Effect::LosesDispute,
            };
            witness.event(event, effect);
        }
        state
    });
    states.collect()
}

/// Derives the state from the last stage reached, because events may arrive in any order. Returns
/// the event of that stage too.
fn state<'a>(
    dispute: &str,
    payment: &str,
    reports: &Reports<'a>,
) -> (DisputeState, Option<&'a AdyenEvent>) {
    use EventCode::*;
    let reached = |code: EventCode| {
        let report = reports.get(&code, dispute).filter(|event| event.success);
        report.filter(|event| reports.payment_of(event) == payment)
    };
    if let Some(event) = reached(SecondChargeback) {
        return (DisputeState::ChargedBack, Some(event));
    }
    let date = |event: Option<&AdyenEvent>| event.map(AdyenEvent::date);
    let stages =
        [(SchemeArbitrationWon, SchemeArbitrationLost), (PrearbitrationWon, PrearbitrationLost)];
    for (won, lost) in stages {
        match (reached(won), reached(lost)) {
            (None, None) => {}
            (won, lost) if date(lost) >= date(won) => return (DisputeState::Lost, lost),
            (won, _) => return (DisputeState::Open, won),
        }
    }
    match (reached(ChargebackReversed), reached(Chargeback)) {
        (None, Some(event)) => (DisputeState::ChargedBack, Some(event)),
        (reversed, _) => (DisputeState::Open, reversed),
    }
}
