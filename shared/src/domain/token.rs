//! A shopper's stored payment method, which Adyen calls a token.
//!
//! A [`Token`] stores each of its events once and derives everything else from them, so the
//! result does not depend on the order or number of deliveries. A disabled token stays disabled,
//! whatever arrives later. A token that Adyen's list lacks is not disabled, because the list may
//! lag or belong to another account or role. The absence is stored as a hint for the merchant;
//! Adyen's answer to the next charge decides.

use crate::limits;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    date,
    reference::Reference,
    shopper_reference::ShopperReference,
    text::{Text, open_enum},
    unknown::{SCHEMA, Unknown},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenId {
    pub shopper_reference: ShopperReference,
    pub stored_payment_method_id: Text<64>,
}

open_enum! {
    TokenEventType {
        Created = "recurring.token.created",
        Updated = "recurring.token.updated",
        /// The shopper stored the same payment method again.
        AlreadyExisting = "recurring.token.alreadyExisting",
        Disabled = "recurring.token.disabled",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    #[serde(flatten)]
    pub key: TokenId,
    /// Incremented by every write, which is conditional on the previous version.
    pub version: u64,
    /// The [`SCHEMA`] of the version that last wrote the token.
    pub schema: u32,
    pub updated_at: Timestamp,
    /// The time at which Adyen's list was first found to lack the token: see
    /// [`Token::unlisted_since`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_since: Option<Timestamp>,
    /// Sorted by date.
    pub events: Vec<TokenEvent>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Type and cause identify an event. The later of two reports of the same event is stored,
/// with the earlier time of receipt. `Ord` compares dates first, so the field order matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvent {
    /// Adyen's date; None if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(rename = "type")]
    pub kind: TokenEventType,
    /// The pspReference of the cause, which for a new token is its payment. Without a pspReference
    /// it describes the cause.
    pub event_id: String,
    /// Adyen's name of the payment method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The order of the payment that caused the event, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The first receipt.
    pub received_at: Timestamp,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenStatus {
    /// The token can be charged.
    Active,
    Disabled,
}

impl TokenEvent {
    /// Returns the event for a token that was disabled without a webhook. `cause` is the
    /// pspReference of the charge, or describes the cause. The date is cut to the second like
    /// Adyen's dates, so that a later webhook about the same cause is not dated earlier.
    pub fn disabled(cause: &str, reference: Option<Reference>, now: Timestamp) -> Self {
        let subsecond = SignedDuration::from_nanos(now.subsec_nanosecond().into());
        Self {
            created_at: Some(now - subsecond),
            kind: TokenEventType::Disabled,
            event_id: cause.to_owned(),
            payment_method: None,
            reference,
            received_at: now,
            unknown: Unknown::default(),
        }
    }

    /// Returns Adyen's date within the limits of [`date::happened`].
    pub fn date(&self) -> Timestamp {
        date::happened(self.created_at, self.received_at)
    }

    /// Returns true if `event_id` is the pspReference of a payment.
    pub fn names_payment(&self) -> bool {
        self.kind != TokenEventType::Disabled && !self.event_id.is_empty()
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.event_id) == (&other.kind, &other.event_id)
    }

    /// Returns true if the event must be stored for ever. Only the latest of the others matter.
    fn is_permanent(&self) -> bool {
        matches!(self.kind, TokenEventType::Created | TokenEventType::Disabled)
    }
}

impl Token {
    pub fn new(key: TokenId, now: Timestamp) -> Self {
        Self {
            key,
            version: 0,
            schema: SCHEMA,
            updated_at: now,
            unlisted_since: None,
            events: Vec::new(),
            unknown: Unknown::default(),
        }
    }

    /// Records an event. A known event is only replaced by a later report of it, or by one that
    /// adds the order's reference or an earlier receipt.
    pub fn record(&mut self, mut event: TokenEvent) {
        if let Some(at) = self.events.iter().position(|known| known.is_same(&event)) {
            let known = self.events.remove(at);
            let reference = known.reference.clone().or(event.reference.clone());
            let received_at = known.received_at.min(event.received_at);
            event = TokenEvent { reference, received_at, ..known.max(event) };
        }
        let earlier = |known: &TokenEvent| (known.date(), known) < (event.date(), &event);
        let at = self.events.partition_point(earlier);
        self.events.insert(at, event);
        // Compare Adyen's own dates: unlike `date()`, a later report never makes them earlier.
        let transient =
            || self.events.iter().enumerate().filter(|(_, event)| !event.is_permanent());
        if transient().count() > limits::TRANSIENT_EVENTS
            && let Some((earliest, _)) = transient().min_by_key(|(_, event)| *event)
        {
            self.events.remove(earliest);
        }
    }

    /// Adds the order of the payment that created the token, because that order may become known
    /// after the event.
    pub fn link(&mut self, psp_reference: &str, reference: &Reference) {
        let origin = self.origin();
        if let Some(origin) = origin.filter(|origin| origin.event_id == psp_reference) {
            self.record(TokenEvent { reference: Some(reference.clone()), ..origin.clone() });
        }
    }

    /// Records that the token was disabled, unless it already is.
    pub fn disable(&mut self, event: TokenEvent) {
        if self.disabled_at().is_none() {
            self.record(event);
        }
    }

    pub fn status(&self) -> TokenStatus {
        match self.disabled_at() {
            Some(_) => TokenStatus::Disabled,
            None => TokenStatus::Active,
        }
    }

    /// Returns the time since which Adyen's list lacks an active token, unless a later event shows
    /// that the token exists.
    pub fn unlisted_since(&self) -> Option<Timestamp> {
        let seen_after = |since: &Timestamp| self.last_seen_at().is_some_and(|at| at > *since);
        let disabled = self.disabled_at().is_some();
        self.unlisted_since.filter(|since| !disabled && !seen_after(since))
    }

    pub fn disabled_at(&self) -> Option<Timestamp> {
        let disabled = |event: &&TokenEvent| event.kind == TokenEventType::Disabled;
        self.events.iter().find(disabled).map(TokenEvent::date)
    }

    /// Returns the date of the creation, or of the first event if the creation is unknown.
    pub fn created_at(&self) -> Timestamp {
        let created = |event: &&TokenEvent| event.kind == TokenEventType::Created;
        let first = self.events.iter().find(created).or(self.events.first());
        first.map_or(self.updated_at, TokenEvent::date)
    }

    /// Returns the date of the latest event that shows that the token exists.
    pub fn last_seen_at(&self) -> Option<Timestamp> {
        let exists = |event: &&TokenEvent| event.kind != TokenEventType::Disabled;
        self.events.iter().rfind(exists).map(TokenEvent::date)
    }

    /// Returns the payment method's name from the latest event that has one.
    pub fn payment_method(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.payment_method.as_deref())
    }

    /// Returns the payment that created the token, or else the latest payment that used it.
    pub fn psp_reference(&self) -> Option<&str> {
        self.origin().map(|event| event.event_id.as_str())
    }

    /// Returns the order of the payment that [`Token::psp_reference`] names.
    pub fn reference(&self) -> Option<&Reference> {
        self.origin()?.reference.as_ref()
    }

    fn origin(&self) -> Option<&TokenEvent> {
        let mut naming = self.events.iter().filter(|event| event.names_payment());
        let created = |event: &&TokenEvent| event.kind == TokenEventType::Created;
        naming.clone().find(created).or_else(|| naming.next_back())
    }
}
