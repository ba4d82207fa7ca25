//! Erases the shopper's personal data from an order.
//!
//! The facts about money stay: attempts, amounts, pspReferences, dates and codes, and the digests and
//! keys by which a repeated request is recognised. The derived values are therefore the same before
//! and after.

use jiff::Timestamp;

use super::{Derived, Order, Outcome, Status};
use crate::domain::shopper_reference::ShopperReference;

/// Replaces a person's note.
const ERASED: &str = "erased";

impl Order {
    pub fn is_of(&self, shopper: &ShopperReference) -> bool {
        self.shopper_reference.as_deref() == Some(shopper.as_str())
    }

    /// Assigns the order to the shopper of a new request to pay. An order names one shopper, so that
    /// an export or erasure of any shopper's data finds everything; what it stores of an earlier one
    /// is dropped.
    pub fn assign(&mut self, shopper: Option<String>) {
        let Some(shopper) = shopper.filter(|it| Some(it) != self.shopper_reference.as_ref()) else {
            return;
        };
        for sent in self.attempts.iter_mut().flat_map(|attempt| &mut attempt.submissions) {
            if sent.shopper_reference.as_ref() != Some(&shopper) {
                sent.forget_shopper();
            }
        }
        self.shopper_reference = Some(shopper);
    }

    /// Erases the personal data. Returns false and changes nothing while the outcome of an attempt is
    /// open, because the schedule or a person may need the data to find it out.
    pub fn erase(&mut self, now: Timestamp) -> bool {
        if Derived::of(self).status == Status::Pending {
            return false;
        }
        self.shopper_reference = None;
        self.erased_at = Some(now);
        for attempt in &mut self.attempts {
            attempt.submissions.iter_mut().for_each(|sent| sent.forget_shopper());
            let details = attempt.details.iter_mut().map(|details| &mut details.outcome);
            for outcome in details.chain([&mut attempt.outcome]) {
                if let Some(Outcome::Answered { refusal_reason, .. }) = outcome {
                    *refusal_reason = None;
                }
            }
            if let Some(closed) = &mut attempt.closed {
                ERASED.clone_into(&mut closed.text);
            }
        }
        for acknowledgement in self.acknowledged.values_mut() {
            ERASED.clone_into(&mut acknowledgement.note.text);
        }
        self.keep_erased();
        true
    }

    /// Erases what a webhook brings to an erased order again.
    pub fn keep_erased(&mut self) {
        if self.erased_at.is_some() {
            self.events.iter_mut().for_each(|event| event.erase());
        }
    }

    /// True if the order was erased, and nobody has paid it again since.
    pub fn is_erased(&self) -> bool {
        self.erased_at.is_some() && self.shopper_reference.is_none()
    }
}
