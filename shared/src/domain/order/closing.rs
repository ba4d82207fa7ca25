//! Ends the doubt about an attempt, after a person has found no payment of it at Adyen.
//!
//! A closing is a fact beside the others. It counts only while Adyen's answer is missing, so that
//! any answer and webhook of Adyen's outranks it. A closed attempt is never sent again; the next
//! one has a key of its own, so the statement of the person is all that prevents a second payment.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Attempt, AttemptStatus, Order, PendingOn, shortened};
use crate::domain::{text::checked, unknown::Unknown};
use crate::limits;

/// A person's statement about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub text: String,
    /// The person or system, as the merchant's token names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub at: Timestamp,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Statement {
    pub fn new(text: String, by: Option<String>, at: Timestamp) -> Self {
        Self { text, by: by.map(shortened), at, unknown: Unknown::default() }
    }
}

checked! {
    /// A person's words about a decision.
    Note, limits::NOTE, "expected 1 to 256 characters, not only blanks",
    |text| !text.trim().is_empty()
}

/// The reason for which an attempt cannot be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclosable {
    NoSuchAttempt,
    /// Its outcome is known.
    Ended,
    /// The shopper can act, or pay in another way.
    WaitsForShopper,
    /// Adyen has the payment, and reports its result.
    PendingAtAdyen,
    /// A function may still be waiting for Adyen's answer.
    InFlight {
        retry_after: Duration,
    },
}

impl Order {
    /// Closes an attempt, counted from 1. A repeated closing changes nothing.
    ///
    /// # Errors
    /// [`Unclosable`].
    pub fn close(&mut self, number: usize, reason: Statement) -> Result<(), Unclosable> {
        let status = self.attempt_status(number).ok_or(Unclosable::NoSuchAttempt)?;
        let attempt = self.attempt_mut(number).ok_or(Unclosable::NoSuchAttempt)?;
        if attempt.closed.is_some() {
            return Ok(());
        }
        match status {
            AttemptStatus::Pending(on) | AttemptStatus::MaybeExpired(on) => {
                attempt.may_close(on, reason.at)?;
            }
            _ => return Err(Unclosable::Ended),
        }
        attempt.closed = Some(reason);
        Ok(())
    }
}

impl Attempt {
    fn may_close(&self, on: PendingOn, now: Timestamp) -> Result<(), Unclosable> {
        if !self.lacks_answer() {
            return Err(match on {
                PendingOn::Shopper => Unclosable::WaitsForShopper,
                _ => Unclosable::PendingAtAdyen,
            });
        }
        let left = limits::IN_FLIGHT - now.duration_since(self.last_sent_at());
        match left.is_positive() {
            true => Err(Unclosable::InFlight { retry_after: left.unsigned_abs() }),
            false => Ok(()),
        }
    }

    /// True if Adyen has not answered a request of it.
    pub(super) fn lacks_answer(&self) -> bool {
        self.outcome.is_none() || self.details_in_flight()
    }

    /// True if a person closed it, and Adyen has not answered since.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some() && self.lacks_answer()
    }
}
