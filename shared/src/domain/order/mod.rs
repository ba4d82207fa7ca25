//! An [`Order`] stores the attempts to pay it, its modifications and Adyen's events.
//! [`Derived::of`] derives everything else, such as the status, so the result does not depend on
//! the order or number of deliveries.

mod acknowledgement;
mod attempt;
mod binding;
mod change;
mod closing;
mod conclude;
mod content;
mod decide;
mod derive;
mod details;
mod dispute;
mod erase;
mod event;
mod explain;
mod failures;
mod findings;
mod modification;
mod next_step;
mod open;
mod payment_totals;
mod recovery;
mod reports;
mod resolution;
mod room;
mod status;
mod target;

pub use acknowledgement::Acknowledgement;
pub use attempt::{
    Attempt, Details, Outcome, PaymentInstrument, Rejection, Submission, idempotency_key, sha256,
};
pub use binding::AnswerIdentity;
pub use change::Change;
pub use closing::{Note, Statement, Unclosable};
pub use conclude::AnswerDecision;
pub use content::content_digest;
pub use decide::PayDecision;
pub use derive::{Derived, Payment};
pub use details::{DetailsDecision, RejectedDetails};
pub use event::{AdyenEvent, EventAmount};
pub use explain::{Cause, Effect, Explanation, Rule};
pub use modification::{
    DecidedWithin, Modification, ModificationDecision, ModificationRequest, ModificationState,
    Operation, RecordedModification, RefundReason, Refusal, SentModification,
};
pub use next_step::NextStep;
pub use open::{Look, Open};
pub use recovery::Finding;
pub use resolution::{AttemptStatus, PendingOn, Resolution};
pub use room::shortened;
pub use status::{Attention, Status};
pub use target::Target;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::{
    amount::Amount,
    event_code::EventCode,
    reference::Reference,
    text::open_enum,
    unknown::{Kept, SCHEMA, Unknown},
};
use crate::limits;

open_enum! {
    Capture {
        /// Adyen captures without a request.
        Automatic = "automatic",
        /// The merchant requests each capture.
        Manual = "manual",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    pub reference: Reference,
    /// Incremented by every write, which is conditional on the previous version.
    pub version: u64,
    /// The [`SCHEMA`] of the version that last wrote the order.
    pub schema: u32,
    /// Fixed by the first attempt.
    pub amount: Kept<Amount>,
    /// Fixed by the first attempt.
    pub capture: Capture,
    /// The shopper of the latest attempt that has one. None after an erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<String>,
    /// When the shopper's personal data were last erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// The start of the first attempt.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Attempt n is at index n - 1.
    pub attempts: Vec<Attempt>,
    /// In the order in which the merchant requested them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifications: Vec<Modification>,
    /// Sorted by [`AdyenEvent::key`].
    #[serde(deserialize_with = "by_key")]
    pub events: Vec<AdyenEvent>,
    /// True if events were dropped because there were too many.
    pub events_dropped: bool,
    /// The pspReferences of payments that another order claims too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contested: BTreeSet<String>,
    /// The reasons for attention that a person acknowledged, by their codes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub acknowledged: BTreeMap<String, Acknowledgement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Order {
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
            erased_at: None,
            created_at: now,
            updated_at: now,
            attempts: Vec::new(),
            modifications: Vec::new(),
            events: Vec::new(),
            events_dropped: false,
            contested: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            look: None,
            unknown: Unknown::default(),
        }
    }

    /// Drops what an order must not keep any longer. Every write does so.
    pub fn drop_outdated(&mut self, now: Timestamp) {
        self.drop_requests(now);
        self.drop_acknowledgements();
        self.keep_erased();
    }

    /// Begins the version that is written next. It is derived as of `now`.
    pub fn begin_version(&mut self, now: Timestamp) {
        self.schema = SCHEMA;
        self.version += 1;
        self.updated_at = now;
    }

    /// Returns an attempt; numbers count from 1.
    pub fn attempt(&self, number: usize) -> Option<&Attempt> {
        self.attempts.get(number.checked_sub(1)?)
    }

    /// Returns an attempt; numbers count from 1.
    pub fn attempt_mut(&mut self, number: usize) -> Option<&mut Attempt> {
        self.attempts.get_mut(number.checked_sub(1)?)
    }

    /// Returns where an attempt stands; numbers count from 1.
    pub fn attempt_status(&self, number: usize) -> Option<AttemptStatus> {
        let at = number.checked_sub(1)?;
        Derived::of(self).attempts.get(at).map(|attempt| attempt.status)
    }

    /// Returns the events of closed offers.
    fn closed_offers(&self) -> impl Iterator<Item = &AdyenEvent> {
        let closed =
            |event: &&AdyenEvent| event.event_code == EventCode::OfferClosed && event.success;
        self.events.iter().filter(closed)
    }

    /// Returns the requests that were sent for an attempt; numbers count from 1.
    pub fn submissions(&self, number: usize) -> &[Submission] {
        self.attempt(number).map(|attempt| attempt.submissions.as_slice()).unwrap_or_default()
    }

    /// Returns the pspReferences of this order's payments and of their disputes.
    pub fn psp_references(&self) -> BTreeSet<&str> {
        let attempts = self.attempts.iter().filter_map(|attempt| attempt.psp_reference.as_deref());
        let authorisations = self
            .events
            .iter()
            .filter(|event| event.is_authorisation())
            .map(|event| event.psp_reference.as_str());
        attempts.chain(authorisations).chain(self.disputes()).collect()
    }

    /// Returns the pspReferences by which the order can be found.
    pub(crate) fn pointed(&self) -> BTreeSet<&str> {
        let modifications = self.modifications.iter();
        let modifications = modifications.filter_map(|it| it.psp_reference.as_deref());
        self.psp_references().into_iter().chain(modifications).collect()
    }

    /// Returns the pspReferences of the payments that another order may contest. A dispute is not
    /// contested, because its payment is.
    pub(crate) fn contestable(&self) -> BTreeSet<&str> {
        self.psp_references().difference(&self.disputes()).copied().collect()
    }

    /// Returns the pspReferences of the disputes about this order's payments.
    pub(crate) fn disputes(&self) -> BTreeSet<&str> {
        self.events.iter().filter_map(AdyenEvent::ties_dispute).collect()
    }

    /// Returns true if an event with this order's reference belongs to this order, because it
    /// introduces a payment or names one that the order knows.
    pub fn claims(&self, event: &AdyenEvent) -> bool {
        test_reference(event).is_none()
            && (event.introduces_payment() || self.psp_references().contains(event.payment()))
    }

    /// Records an event and returns whether it is new. A known event is only replaced by a later
    /// report of it, or by one with an earlier receipt.
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

    /// Returns the index of an event, or the index at which to insert it.
    fn position(&self, event: &AdyenEvent) -> Result<usize, usize> {
        let key = event.key();
        self.events.binary_search_by(|known| known.key().cmp(&key))
    }

    /// Drops the latest of too many events that change nothing, independently of the order of
    /// arrival.
    fn limit_inert_events(&mut self) {
        let moving = self.events.iter().filter(|event| event.moves_order());
        let disputes: BTreeSet<&str> = moving.filter_map(AdyenEvent::dispute).collect();
        // An event that changes nothing may be the one that names a dispute's payment.
        let is_needed =
            |event: &AdyenEvent| event.dispute().is_some_and(|it| disputes.contains(it));
        let inert = |event: &&AdyenEvent| !event.moves_order() && !is_needed(event);
        if self.events.iter().filter(inert).count() > limits::INERT_EVENTS {
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

/// Sorts events after reading them, because a version with other event codes sorts differently.
fn by_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AdyenEvent>, D::Error> {
    let mut events = Vec::<AdyenEvent>::deserialize(deserializer)?;
    events.sort_by(|one, other| one.key().cmp(&other.key()));
    Ok(events)
}

/// Returns the `test_` reference that marks an event as a test webhook from the Customer Area.
/// Such an event is not about any payment, whatever else it names.
pub(crate) fn test_reference(event: &AdyenEvent) -> Option<&str> {
    let marked = |reference: &&str| {
        let start = reference.get(..5);
        start.is_some_and(|start| start.eq_ignore_ascii_case("test_"))
    };
    let references = [Some(event.psp_reference.as_str()), event.original_reference.as_deref()];
    references.into_iter().flatten().find(marked)
}
