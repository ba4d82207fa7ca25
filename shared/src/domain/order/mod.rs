//! The order's life.
//!
//! An [`Order`] holds facts: the attempts to pay it and the events that Adyen reported.
//! Everything else, the status above all, is derived from them by [`Derived::of`], so that
//! the same facts give the same order in whatever sequence and however often they came.

mod attempt;
mod binding;
mod content;
mod decide;
mod derive;
mod dispute;
mod event;
mod failures;
mod findings;
mod modification;
mod next_step;
mod open;
mod payment_totals;
mod reports;
mod resolution;
mod room;
mod status;
mod target;

pub use attempt::{
    Attempt, Details, Outcome, PaymentInstrument, Rejection, Submission, idempotency_key, sha256,
};
pub use binding::Named;
pub use content::content_digest;
pub use decide::{IN_FLIGHT, PayDecision};
pub use derive::{Derived, Payment};
pub use event::{AdyenEvent, EventAmount};
pub use modification::{
    DecidedWithin, Modification, ModificationRequest, ModificationState, Operation, Recorded,
    RefundReason, Refusal,
};
pub use next_step::NextStep;
pub use open::{Look, Open};
pub use resolution::{AttemptStatus, Resolution};
pub use room::shortened;
pub use status::{Attention, Status};
pub use target::Target;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use self::room::INERT_EVENTS;
use crate::domain::{
    amount::Amount,
    event_code::EventCode,
    reference::Reference,
    text::open_enum,
    unknown::{Kept, SCHEMA, Unknown},
};

open_enum! {
    /// When the money of an authorised payment is taken.
    Capture {
        /// By Adyen, by itself.
        Automatic = "automatic",
        /// When the merchant asks for it.
        Manual = "manual",
    }
}

/// The facts of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The merchant's name for it.
    pub reference: Reference,
    /// Counts the writes; each is conditional on the one before.
    pub version: u64,
    /// The [`SCHEMA`] of the version that wrote it last.
    #[serde(default)]
    pub schema: u32,
    /// What it costs, fixed by the first attempt.
    pub amount: Kept<Amount>,
    /// Fixed by the first attempt.
    pub capture: Capture,
    /// The merchant's name for the shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<String>,
    /// When the first attempt began.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Attempt n is at n - 1.
    pub attempts: Vec<Attempt>,
    /// What the merchant asked for since, in sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifications: Vec<Modification>,
    /// Sorted by their key.
    #[serde(deserialize_with = "by_key")]
    pub events: Vec<AdyenEvent>,
    /// True if events were dropped because there were too many.
    #[serde(default)]
    pub events_dropped: bool,
    /// Payments, by pspReference, of which two orders know, this one and another.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contested: BTreeSet<String>,
    /// The schedule's last look that left something open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Order {
    /// An order to which nothing has happened.
    pub fn new(
        reference: Reference,
        amount: Amount,
        capture: Capture,
        shopper_reference: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            reference,
            version: 0,
            schema: SCHEMA,
            amount: amount.into(),
            capture,
            shopper_reference,
            created_at: now,
            updated_at: now,
            attempts: Vec::new(),
            modifications: Vec::new(),
            events: Vec::new(),
            events_dropped: false,
            contested: BTreeSet::new(),
            look: None,
            unknown: Unknown::default(),
        }
    }

    /// An attempt, from 1.
    pub fn attempt_mut(&mut self, number: usize) -> Option<&mut Attempt> {
        self.attempts.get_mut(number.checked_sub(1)?)
    }

    /// What Adyen told of offers that closed.
    fn closed_offers(&self) -> impl Iterator<Item = &AdyenEvent> {
        let closed =
            |event: &&AdyenEvent| event.event_code == EventCode::OfferClosed && event.success;
        self.events.iter().filter(closed)
    }

    /// The requests that were sent for an attempt, from 1.
    pub fn submissions(&self, number: usize) -> &[Submission] {
        let attempt = number.checked_sub(1).and_then(|at| self.attempts.get(at));
        attempt.map(|attempt| attempt.submissions.as_slice()).unwrap_or_default()
    }

    /// The payments that this order knows, and the disputes about them, by pspReference.
    pub fn psp_references(&self) -> BTreeSet<&str> {
        let attempts = self.attempts.iter().filter_map(|attempt| attempt.psp_reference.as_deref());
        let authorisations = self
            .events
            .iter()
            .filter(|event| event.is_authorisation())
            .map(|event| event.psp_reference.as_str());
        attempts.chain(authorisations).chain(self.disputes()).collect()
    }

    /// The disputes about payments of this order, by pspReference.
    pub(crate) fn disputes(&self) -> BTreeSet<&str> {
        self.events.iter().filter_map(AdyenEvent::ties_dispute).collect()
    }

    /// Returns whether an event that names this order's reference is about this order: it speaks of
    /// a payment that the order knows, or introduces one.
    pub fn claims(&self, event: &AdyenEvent) -> bool {
        test_reference(event).is_none()
            && (event.introduces_payment() || self.psp_references().contains(event.payment()))
    }

    /// Records an event, and returns whether it is new. One that is known already changes
    /// nothing, unless it is a later report of the same or was received earlier.
    pub fn record(&mut self, event: AdyenEvent) -> bool {
        match self.position(&event) {
            Ok(at) => {
                let known = self.events.remove(at);
                self.events.insert(at, known.merged(event));
                false
            }
            Err(at) => {
                self.events.insert(at, event);
                self.limit_inert_events();
                true
            }
        }
    }

    /// Where an event is, or belongs.
    fn position(&self, event: &AdyenEvent) -> Result<usize, usize> {
        let key = event.key();
        self.events.binary_search_by(|known| known.key().cmp(&key))
    }

    /// Keeps the earliest of too many events that change nothing, whatever order they came in.
    fn limit_inert_events(&mut self) {
        let moving = self.events.iter().filter(|event| event.moves_order());
        let disputes: BTreeSet<&str> = moving.filter_map(AdyenEvent::dispute).collect();
        // An event that changes nothing may say which payment a dispute is about.
        let is_needed =
            |event: &AdyenEvent| event.dispute().is_some_and(|it| disputes.contains(it));
        let inert = |event: &&AdyenEvent| !event.moves_order() && !is_needed(event);
        if self.events.iter().filter(inert).count() > INERT_EVENTS {
            let latest = self.events.iter().filter(inert).max().map(AdyenEvent::key);
            if let Some(at) =
                latest.and_then(|key| self.events.iter().position(|event| event.key() == key))
            {
                self.events.remove(at);
                self.events_dropped = true;
            }
        }
    }
}

/// Sorts the events that it reads, because a version that knows other event codes sorts them
/// differently.
fn by_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AdyenEvent>, D::Error> {
    let mut events = Vec::<AdyenEvent>::deserialize(deserializer)?;
    events.sort_by(|one, other| one.key().cmp(&other.key()));
    Ok(events)
}

/// The reference by which an event is known to have been sent from the Customer Area, to try a
/// webhook out. It is about no payment, whatever else it names.
pub(crate) fn test_reference(event: &AdyenEvent) -> Option<&str> {
    let marked = |reference: &&str| {
        let start = reference.get(..5);
        start.is_some_and(|start| start.eq_ignore_ascii_case("test_"))
    };
    let references = [Some(event.psp_reference.as_str()), event.original_reference.as_deref()];
    references.into_iter().flatten().find(marked)
}
