//! Erases the shopper's personal data from an order.
//!
//! The facts about money stay: attempts, amounts, pspReferences, dates and codes, and the digests and
//! keys by which a repeated request is recognised. The derived values are therefore the same before
//! and after. Adyen's later answers and webhooks need no more, so only an attempt that Adyen has not
//! answered prevents an erasure.

use jiff::Timestamp;

use super::{Attempt, Derived, Order, Outcome, Status, sha256};
use crate::domain::shopper_reference::ShopperReference;

/// Replaces a person's note.
const ERASED: &str = "erased";

/// Precedes the digest of a caller's key. A key is ASCII, so none begins with it.
const DIGEST: &str = "erased → ";

fn erased_key(key: &str) -> String {
    format!("{DIGEST}{}", sha256(&[key.as_bytes()]))
}

/// Replaces a caller's `Idempotency-Key` by its digest, because the key may name the shopper and must
/// still be recognised.
fn erase_key(key: &mut Option<String>) {
    if let Some(known) = key.as_mut().filter(|known| !known.starts_with(DIGEST)) {
        *known = erased_key(known);
    }
}

/// Returns true if a request has the stored key of a caller.
pub(super) fn is_key(stored: Option<&String>, sent: Option<&String>) -> bool {
    match (stored, sent) {
        (Some(stored), Some(sent)) => stored == sent || *stored == erased_key(sent),
        _ => stored == sent,
    }
}

impl Order {
    pub fn is_of(&self, shopper: &ShopperReference) -> bool {
        self.shopper_reference.as_deref() == Some(shopper.as_str())
    }

    /// Assigns the order to the shopper of a new request to pay. An order names one shopper, so that
    /// an export or erasure of any shopper's data finds everything; the data of an earlier one are
    /// dropped.
    pub fn assign(&mut self, shopper: Option<String>) {
        let Some(shopper) = shopper.filter(|it| Some(it) != self.shopper_reference.as_ref()) else {
            return;
        };
        self.drop_personal_data();
        self.shopper_reference = Some(shopper);
    }

    /// Erases the personal data. Returns false and changes nothing while Adyen's answer to the last
    /// attempt or to its details is missing, because the schedule or a person may need the data to
    /// find out the outcome.
    pub fn erase(&mut self, now: Timestamp) -> bool {
        if Derived::of(self).status == Status::Pending
            && self.attempts.last().is_some_and(Attempt::lacks_answer)
        {
            return false;
        }
        self.shopper_reference = None;
        self.erased_at = Some(now);
        self.drop_personal_data();
        true
    }

    fn drop_personal_data(&mut self) {
        for attempt in &mut self.attempts {
            for sent in &mut attempt.submissions {
                sent.forget_shopper();
                erase_key(&mut sent.idempotency_key);
            }
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
        for modification in &mut self.modifications {
            erase_key(&mut modification.idempotency_key);
        }
        self.drop_reasons();
    }

    fn drop_reasons(&mut self) {
        self.events.iter_mut().for_each(|event| event.erase());
    }

    /// Erases what a webhook, an answer or a request brings to an erased order again.
    pub(super) fn keep_erased(&mut self) {
        if self.is_erased() {
            self.drop_personal_data();
        } else if self.erased_at.is_some() {
            // A late webhook may be about the payment of the shopper who was erased.
            self.drop_reasons();
        }
    }

    /// True if the order was erased, and nobody has paid it again since.
    pub fn is_erased(&self) -> bool {
        self.erased_at.is_some() && self.shopper_reference.is_none()
    }
}
