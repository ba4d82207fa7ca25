//! A webhook of Adyen, stored with its order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::unknown::Unknown;
use crate::domain::{date, event_code::EventCode};

/// Code, pspReference and success identify an event. The later of two reports of the same event is
/// stored, with the earlier time of receipt. `Ord` compares dates first, so the field order
/// matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdyenEvent {
    /// Adyen's date; None if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_date: Option<Timestamp>,
    pub event_code: EventCode,
    /// The reference of the event itself; for AUTHORISATION and EXPIRE that of the payment.
    pub psp_reference: String,
    pub success: bool,
    /// The payment's reference, for events about a modification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<EventAmount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For CANCEL_OR_REFUND: `cancel` or `refund`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modification_action: Option<String>,
    /// The first receipt.
    pub received_at: Timestamp,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Part of the `reason` of a capture that Adyen has repeated.
const RECAPTURED: &str = "recaptured";

/// An event's amount, which unlike [`Amount`](crate::domain::amount::Amount) may be zero or in
/// any currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventAmount {
    pub currency: String,
    /// Minor units.
    pub value: i64,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl AdyenEvent {
    /// Returns Adyen's date within the limits of [`date::happened`].
    pub fn date(&self) -> Timestamp {
        date::happened(self.event_date, self.received_at)
    }

    /// Merges two reports of the same event.
    pub(super) fn merged(self, other: Self) -> Self {
        let received_at = self.received_at.min(other.received_at);
        Self { received_at, ..self.max(other) }
    }

    /// Drops the reason, which may have digits of a card or name the shopper. The order depends only on
    /// whether it is a recapture.
    pub(super) fn erase(&mut self) {
        let recaptured = self.is_recapture().then(|| RECAPTURED.to_owned());
        self.reason = recaptured;
    }

    /// Returns true if Adyen has repeated a failed capture.
    pub(super) fn is_recapture(&self) -> bool {
        self.reason.as_deref().is_some_and(|reason| reason.to_lowercase().contains(RECAPTURED))
    }

    pub fn key(&self) -> (&EventCode, &str, bool) {
        (&self.event_code, &self.psp_reference, self.success)
    }

    /// Returns the event and its amount in one line. Its date does not count, because a repeated
    /// report may have another.
    pub(super) fn line(&self) -> String {
        let amount = self.amount.as_ref().map(|it| format!("{} {}", it.currency, it.value));
        let amount = amount.unwrap_or_default();
        format!("{} {} {} {amount}", self.event_code, self.psp_reference, self.success)
    }

    /// Returns the payment that the event names.
    pub fn payment(&self) -> &str {
        match &self.original_reference {
            Some(original) if !self.is_authorisation() => original,
            _ => &self.psp_reference,
        }
    }

    pub(super) fn is_authorisation(&self) -> bool {
        self.event_code == EventCode::Authorisation
    }

    /// Returns true if the event may name a payment that its order does not know yet.
    pub(super) fn introduces_payment(&self) -> bool {
        matches!(self.event_code, EventCode::Authorisation | EventCode::OfferClosed)
    }

    /// Returns true if an order's status or money may depend on the event. Failures count too,
    /// because one may contradict a success that arrives later.
    pub(super) fn moves_order(&self) -> bool {
        use EventCode::{NotificationOfChargeback, RequestForInformation, Unknown};
        !matches!(self.event_code, NotificationOfChargeback | RequestForInformation | Unknown(_))
    }
}
