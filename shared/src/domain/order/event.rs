//! A webhook as a fact of its order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::unknown::Unknown;
use crate::domain::{date, event_code::EventCode};

/// A webhook as a fact. Known by its code, its reference and its success; of two reports of
/// the same the later is kept, which is what the field order and `Ord` are for, with the time
/// at which the first came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdyenEvent {
    /// When it happened, as Adyen says; none where that could not be read.
    #[serde(with = "date::stored")]
    pub event_date: Option<Timestamp>,
    pub event_code: EventCode,
    /// The event's own reference; for AUTHORISATION and EXPIRE the payment's.
    pub psp_reference: String,
    /// True if it worked.
    pub success: bool,
    /// For modifications the payment's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<EventAmount>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For CANCEL_OR_REFUND: `cancel` or `refund`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modification_action: Option<String>,
    /// When it was received first; earlier versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// An amount as events carry it: zero and any currency are possible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventAmount {
    /// Currency code.
    pub currency: String,
    /// Minor units.
    pub value: i64,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl AdyenEvent {
    /// When it happened, as far as its date can be believed.
    pub fn date(&self) -> Timestamp {
        date::happened(self.event_date, self.received_at)
    }

    /// The one of two reports of the same event that counts.
    pub(super) fn merged(self, other: Self) -> Self {
        let received_at = self.received_at.min(other.received_at);
        Self { received_at, ..self.max(other) }
    }

    /// What identifies an event.
    pub fn key(&self) -> (&EventCode, &str, bool) {
        (&self.event_code, &self.psp_reference, self.success)
    }

    /// The payment that it is about.
    pub fn payment(&self) -> &str {
        match &self.original_reference {
            Some(original) if !self.is_authorisation() => original,
            _ => &self.psp_reference,
        }
    }

    pub(super) fn is_authorisation(&self) -> bool {
        self.event_code == EventCode::Authorisation
    }

    /// Returns whether it may name a payment of which its order has not heard.
    pub(super) fn introduces_payment(&self) -> bool {
        matches!(self.event_code, EventCode::Authorisation | EventCode::OfferClosed)
    }

    /// Returns whether an order's status or money may depend on it. A failed request may contradict
    /// a report of success that has yet to come.
    pub(super) fn moves_order(&self) -> bool {
        use EventCode::{NotificationOfChargeback, RequestForInformation, Unknown};
        !matches!(self.event_code, NotificationOfChargeback | RequestForInformation | Unknown(_))
    }
}
