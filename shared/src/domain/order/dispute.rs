//! Disputes: the payment that each is about, and how far it has come.
//!
//! All events of a dispute have the dispute's own pspReference. The first ones name the payment
//! as their originalReference. Later ones often do not: CHARGEBACK_REVERSED, SECOND_CHARGEBACK
//! and PREARBITRATION_… do only where the Customer Area is set so. Source: Adyen's page "Dispute
//! webhooks", and the examples of its webhook specification.

use std::collections::BTreeMap;

use super::{AdyenEvent, reports::Reports};
use crate::domain::event_code::EventCode;

/// AdyenEvent codes of a dispute for which Adyen documents no movement of money. One of them may be
/// the first that names the payment.
const NEWS: [&str; 12] = [
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
    /// The pspReference of the dispute that it is about, if it is about one.
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
        let told = decides || NEWS.contains(&self.event_code.as_str());
        told.then_some(self.psp_reference.as_str())
    }

    /// The dispute that it ties to a payment, because it names both.
    pub(super) fn ties_dispute(&self) -> Option<&str> {
        self.dispute().filter(|_| self.original_reference.is_some())
    }
}

/// The payment of every dispute for which an event names one.
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

    /// The payment that an event is about: the one that it names, else that of its dispute.
    pub(super) fn payment_of(&self, event: &'a AdyenEvent) -> &'a str {
        let known = || self.0.get(event.dispute()?).copied();
        let nameless = event.original_reference.is_none();
        nameless.then(known).flatten().unwrap_or(event.payment())
    }
}

/// How far a dispute has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DisputeState {
    /// The money is with the merchant, as far as is known.
    Open,
    /// The shopper's bank took the money back.
    ChargedBack,
    /// As [`DisputeState::ChargedBack`], but Adyen does not document whether the money moved.
    Lost,
}

/// The state of each dispute of a payment.
pub(super) fn disputes(payment: &str, reports: &Reports) -> Vec<DisputeState> {
    let named = reports.names_of_disputes(payment);
    named.into_iter().map(|dispute| state(dispute, payment, reports)).collect()
}

/// The stage that a dispute has reached decides, in whatever sequence its events came.
fn state(dispute: &str, payment: &str, reports: &Reports) -> DisputeState {
    use EventCode::*;
    let reached = |code: EventCode| {
        let report = reports.get(&code, dispute).filter(|event| event.success);
        report.filter(|event| reports.payment_of(event) == payment).map(AdyenEvent::date)
    };
    if reached(SecondChargeback).is_some() {
        return DisputeState::ChargedBack;
    }
    let stages =
        [(SchemeArbitrationWon, SchemeArbitrationLost), (PrearbitrationWon, PrearbitrationLost)];
    for (won, lost) in stages {
        match (reached(won), reached(lost)) {
            (None, None) => {}
            (won, lost) if lost >= won => return DisputeState::Lost,
            _ => return DisputeState::Open,
        }
    }
    if reached(ChargebackReversed).is_none() && reached(Chargeback).is_some() {
        return DisputeState::ChargedBack;
    }
    DisputeState::Open
}
