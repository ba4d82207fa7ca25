//! A shopper's stored payment method, which Adyen calls a token.
//!
//! A [`Token`] holds facts: what happened to it, each event once. Whether it can be charged
//! and the rest is derived from them, so that the same facts give the same token in whatever
//! sequence and however often they came. Once an event disabled it a token stays so: nothing
//! that is late, or that was delivered again, makes it chargeable. A list of Adyen's that lacks a
//! token disables nothing, because the list may lag, or be of another account or role: it is
//! kept as a hint for the merchant, and Adyen's answer to a charge decides.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    date,
    reference::Reference,
    shopper_reference::ShopperReference,
    text::{Text, open_enum},
    unknown::{SCHEMA, Unknown},
};

/// A token's identity: its shopper, and Adyen's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenId {
    /// The merchant's name for the shopper.
    pub shopper_reference: ShopperReference,
    /// Adyen's name for the token.
    pub stored_payment_method_id: Text<64>,
}

open_enum! {
    TokenEventType {
        /// A token was created.
        Created = "recurring.token.created",
        /// A token's details changed.
        Updated = "recurring.token.updated",
        /// The details were stored already.
        AlreadyExisting = "recurring.token.alreadyExisting",
        /// A token cannot be charged any more.
        Disabled = "recurring.token.disabled",
    }
}

/// The facts of one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its name.
    #[serde(flatten)]
    pub key: TokenId,
    /// Counts the writes; each is conditional on the one before.
    pub version: u64,
    /// The [`SCHEMA`] of the version that wrote it last.
    #[serde(default)]
    pub schema: u32,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Since when Adyen's list lacks it, which is a hint: see [`Token::unlisted_since`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_since: Option<Timestamp>,
    /// Sorted by date.
    pub events: Vec<TokenEvent>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Something that happened to a token. Known by its type and what caused it; of two reports
/// of the same the later is kept, which is what the field order and `Ord` are for, with the
/// time at which the first came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvent {
    /// When it happened, as Adyen says; none where that could not be read.
    #[serde(with = "date::stored")]
    pub created_at: Option<Timestamp>,
    #[serde(rename = "type")]
    pub kind: TokenEventType,
    /// The pspReference of what caused it, for a new token its payment; where Adyen named
    /// none, what it was.
    pub event_id: String,
    /// The payment method's name, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The order of that payment, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// When it was received first; earlier versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// True if a token can be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenStatus {
    /// It can.
    Active,
    /// It cannot.
    Disabled,
}

impl TokenEvent {
    /// The end of a token that no webhook told of: `cause` is the pspReference of a charge of
    /// the order, or says what else ended it. Dated to the second, as Adyen's events are: its
    /// own report of the same end, should one come, has no earlier date.
    pub fn disabled(cause: &str, reference: Option<Reference>, now: Timestamp) -> Self {
        let into_second = SignedDuration::from_nanos(now.subsec_nanosecond().into());
        Self {
            created_at: Some(now - into_second),
            kind: TokenEventType::Disabled,
            event_id: cause.to_owned(),
            payment_method: None,
            reference,
            received_at: Some(now),
            unknown: Unknown::default(),
        }
    }

    /// When it happened, as far as its date can be believed.
    pub fn date(&self) -> Timestamp {
        date::happened(self.created_at, self.received_at)
    }

    /// Returns whether what caused it was a payment of the shopper.
    pub fn names_payment(&self) -> bool {
        self.kind != TokenEventType::Disabled && !self.event_id.is_empty()
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.event_id) == (&other.kind, &other.event_id)
    }

    /// Returns whether the token may depend on it for ever; of the others the latest say all.
    fn lasts(&self) -> bool {
        matches!(self.kind, TokenEventType::Created | TokenEventType::Disabled)
    }
}

impl Token {
    /// Of the events that do not last the latest are kept, up to this number.
    const PASSING_EVENTS: usize = 100;

    /// A token to which nothing has happened.
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

    /// Records an event. One that is known already changes nothing, unless it is a later
    /// report of the same, or brings the order.
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
        // By what Adyen wrote, which no later report makes earlier.
        let passing = || self.events.iter().enumerate().filter(|(_, event)| !event.lasts());
        if passing().count() > Self::PASSING_EVENTS
            && let Some((earliest, _)) = passing().min_by_key(|(_, event)| *event)
        {
            self.events.remove(earliest);
        }
    }

    /// Names the order of the payment that created it, which may have become known later.
    pub fn link(&mut self, psp_reference: &str, reference: &Reference) {
        let origin = self.origin();
        if let Some(origin) = origin.filter(|origin| origin.event_id == psp_reference) {
            self.record(TokenEvent { reference: Some(reference.clone()), ..origin.clone() });
        }
    }

    /// Ends it, unless an event did so before.
    pub fn disable(&mut self, event: TokenEvent) {
        if self.disabled_at().is_none() {
            self.record(event);
        }
    }

    /// Returns whether it can be charged.
    pub fn status(&self) -> TokenStatus {
        match self.disabled_at() {
            Some(_) => TokenStatus::Disabled,
            None => TokenStatus::Active,
        }
    }

    /// Since when Adyen's list lacks a token that may be charged, unless Adyen has told of it since.
    pub fn unlisted_since(&self) -> Option<Timestamp> {
        let told_since = |since: &Timestamp| self.last_seen_at().is_some_and(|at| at > *since);
        let ended = self.disabled_at().is_some();
        self.unlisted_since.filter(|since| !ended && !told_since(since))
    }

    /// Since when it cannot be charged.
    pub fn disabled_at(&self) -> Option<Timestamp> {
        let disabled = |event: &&TokenEvent| event.kind == TokenEventType::Disabled;
        self.events.iter().find(disabled).map(TokenEvent::date)
    }

    /// When it was created, or else first heard of.
    pub fn created_at(&self) -> Timestamp {
        let created = |event: &&TokenEvent| event.kind == TokenEventType::Created;
        let told = self.events.iter().find(created).or(self.events.first());
        told.map_or(self.updated_at, TokenEvent::date)
    }

    /// When Adyen last told of it as one that exists.
    pub fn last_seen_at(&self) -> Option<Timestamp> {
        let exists = |event: &&TokenEvent| event.kind != TokenEventType::Disabled;
        self.events.iter().rfind(exists).map(TokenEvent::date)
    }

    /// The payment method's name, as Adyen said last.
    pub fn payment_method(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.payment_method.as_deref())
    }

    /// The payment that created it, or else the last one known to have named it.
    pub fn psp_reference(&self) -> Option<&str> {
        self.origin().map(|event| event.event_id.as_str())
    }

    /// The order of that payment, where it is known.
    pub fn reference(&self) -> Option<&Reference> {
        self.origin()?.reference.as_ref()
    }

    fn origin(&self) -> Option<&TokenEvent> {
        let mut naming = self.events.iter().filter(|event| event.names_payment());
        let created = |event: &&TokenEvent| event.kind == TokenEventType::Created;
        naming.clone().find(created).or_else(|| naming.next_back())
    }
}
