//! Decides to which attempt a request to pay belongs, so that no payment is made twice.
//!
//! Attempt n is written before Adyen is called, together with its idempotency key and the account
//! and endpoint that the key was made for. Therefore Adyen processes at most one request of
//! attempt n, however many tabs, processes, retries and changed configurations send one. Attempt
//! n + 1 begins only when n can bring no money any more, or waits for the shopper.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    Attempt, AttemptStatus, Derived, NextStep, Order, PaymentInstrument, PendingOn, Status,
    Submission, Target, idempotency_key,
};
use crate::{domain::amount::Amount, limits};

/// The decision about a request to pay. Attempts count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayDecision {
    /// It begins this attempt.
    Begin { attempt: usize },
    /// It repeats a request of this attempt, and is sent again with the attempt's key.
    Repeat { attempt: usize },
    /// It is another request than this attempt's, whose outcome is unknown. It is sent with the
    /// attempt's key, so that Adyen returns the outcome of the earlier one or processes this one.
    Replace { attempt: usize },
    /// It repeats a request of this attempt, which has ended.
    Ended { attempt: usize },
    /// Another request is with Adyen.
    InProgress { retry_after: Duration },
    /// The order is paid.
    Paid,
    /// The order was paid and cancelled.
    Cancelled,
    /// The outcome of this attempt can no longer be asked for.
    Unknown { attempt: usize },
    /// The caller's `Idempotency-Key` was already used for a different request.
    KeyReused,
    /// The order has another amount, which its first attempt fixed.
    AmountDiffers,
    /// The order has reached its limit of attempts, or of requests.
    TooMany,
}

impl PayDecision {
    /// The attempt as which the request is sent to Adyen, if it is sent.
    pub fn sends(self) -> Option<usize> {
        match self {
            Self::Begin { attempt } | Self::Repeat { attempt } | Self::Replace { attempt } => {
                Some(attempt)
            }
            _ => None,
        }
    }

    /// Returns true if the request is sent for the first time.
    pub fn is_new(self) -> bool {
        matches!(self, Self::Begin { .. } | Self::Replace { .. })
    }
}

impl Order {
    /// True if the caller's `Idempotency-Key` was already used for a different request.
    fn knows_key_of(&self, request: &Submission) -> bool {
        let mut submissions = self.attempts.iter().flat_map(|attempt| &attempt.submissions);
        submissions.any(|earlier| request.reuses_key_of(earlier))
    }

    /// Decides to which attempt a request to pay `amount` belongs, without recording it.
    pub fn decide(
        &self,
        target: &Target,
        amount: Amount,
        request: &Submission,
        now: Timestamp,
    ) -> PayDecision {
        if self.knows_key_of(request) {
            return PayDecision::KeyReused;
        }
        if *self.amount != amount {
            return PayDecision::AmountDiffers;
        }
        let derived = Derived::of(self);
        let highest = self.attempts.len();
        if let Some(attempt) = self.attempt_that_sent(request) {
            match derived.attempts[attempt - 1].status {
                // A superseded attempt's token begins a new attempt like any other.
                AttemptStatus::Pending(_) | AttemptStatus::MaybeExpired(_) => {
                    if attempt == highest && !derived.status.was_paid() {
                        let decision =
                            self.send_again(PayDecision::Repeat { attempt }, target, now);
                        // A voucher whose key has expired cannot be shown again, so the next
                        // attempt begins. Another method could supersede this one too.
                        let is_replaceable = request.reusable
                            && derived.attempts[attempt - 1].status
                                == AttemptStatus::Pending(PendingOn::Shopper);
                        if decision.sends().is_some() || !is_replaceable {
                            return decision;
                        }
                    }
                }
                // A reusable instrument may be tried again after it brought no money, unless the
                // caller's key says that this is the old request.
                AttemptStatus::Refused
                | AttemptStatus::Cancelled
                | AttemptStatus::Error
                | AttemptStatus::Expired
                    if request.reusable && request.idempotency_key.is_none() => {}
                _ => return PayDecision::Ended { attempt },
            }
        }
        if derived.status.was_paid() {
            return PayDecision::Paid;
        }
        let (Some(attempt), Some(resolution)) = (self.attempts.last(), derived.attempts.last())
        else {
            return self.begin_next();
        };
        match resolution.status {
            // After refused, cancelled, error and expired the next attempt may begin, because this
            // one can no longer take money. An authorised one was cancelled, or it would be paid.
            AttemptStatus::Refused
            | AttemptStatus::Cancelled
            | AttemptStatus::Error
            | AttemptStatus::Expired
            | AttemptStatus::Authorised => match derived.status {
                Status::Cancelled if derived.next_step == NextStep::None => PayDecision::Cancelled,
                _ => self.begin_next(),
            },
            AttemptStatus::Pending(on) | AttemptStatus::MaybeExpired(on) => match on {
                // The shopper may choose anew.
                PendingOn::Shopper => self.begin_next(),
                PendingOn::Answer | PendingOn::DetailsAnswer => self.replace(attempt, target, now),
                PendingOn::FinalResult => {
                    PayDecision::InProgress { retry_after: limits::PENDING_RETRY }
                }
            },
        }
    }

    /// The last attempt, from 1, that has sent the same request.
    fn attempt_that_sent(&self, request: &Submission) -> Option<usize> {
        let sent = |attempt: &Attempt| {
            attempt.submissions.iter().any(|earlier| earlier.is_repeated_by(request))
        };
        self.attempts.iter().rposition(sent).map(|at| at + 1)
    }

    fn begin_next(&self) -> PayDecision {
        match self.attempts.len() {
            limits::ATTEMPTS => PayDecision::TooMany,
            _ if self.is_full() => PayDecision::TooMany,
            highest => PayDecision::Begin { attempt: highest + 1 },
        }
    }

    fn replace(&self, attempt: &Attempt, target: &Target, now: Timestamp) -> PayDecision {
        let waited = now.duration_since(attempt.last_sent_at());
        if waited < limits::IN_FLIGHT {
            let left = limits::IN_FLIGHT.saturating_sub(waited).max(SignedDuration::from_secs(1));
            return PayDecision::InProgress { retry_after: left.unsigned_abs() };
        }
        if attempt.submissions.len() == limits::SUBMISSIONS || self.is_full() {
            return PayDecision::TooMany;
        }
        self.send_again(PayDecision::Replace { attempt: self.attempts.len() }, target, now)
    }

    fn send_again(&self, sent: PayDecision, target: &Target, now: Timestamp) -> PayDecision {
        match self.attempts.last() {
            Some(attempt) if !attempt.can_be_sent_again(target, now) => {
                PayDecision::Unknown { attempt: self.attempts.len() }
            }
            _ => sent,
        }
    }

    pub fn record_decision(
        &mut self,
        decision: PayDecision,
        target: &Target,
        method: PaymentInstrument,
        request: &Submission,
        now: Timestamp,
    ) {
        if matches!(decision, PayDecision::Begin { .. }) {
            self.begin(target, method, request, now);
            return;
        }
        let Some(attempt) = self.attempts.last_mut() else { return };
        match decision {
            PayDecision::Repeat { .. } => attempt.sent_again(request, now),
            PayDecision::Replace { .. } => attempt.submissions.push(request.clone()),
            PayDecision::Unknown { .. } => {
                attempt.outcome_unknown = true;
                attempt.submissions.iter_mut().for_each(|sent| sent.request = None);
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        target: &Target,
        method: PaymentInstrument,
        request: &Submission,
        now: Timestamp,
    ) {
        // Store the payments from AUTHORISATIONs with their attempts before the next one begins.
        let resolutions = Derived::of(self).attempts;
        for (attempt, resolution) in self.attempts.iter_mut().zip(resolutions) {
            attempt.psp_reference = resolution.psp_reference;
        }
        let closed = self.closed_offers().map(|offer| offer.psp_reference.clone()).collect();
        let number = self.attempts.len() + 1;
        let key = idempotency_key(&target.merchant_account, &self.reference, number);
        let attempt = Attempt::new(target, key, method, request.clone(), now, closed);
        self.attempts.push(attempt);
    }

    /// The attempt, counted from 1, that made a payment. An unknown payment belongs to the highest
    /// attempt if that waits for the shopper.
    pub fn attempt_of(&self, psp_reference: Option<&str>) -> Option<usize> {
        let named = self.attempts.iter().position(|attempt| {
            psp_reference.is_some() && attempt.psp_reference.as_deref() == psp_reference
        });
        let waits = |at: &usize| self.attempts[*at].answered().requires_action();
        let highest = self.attempts.len().checked_sub(1).filter(waits);
        named.or(highest).map(|at| at + 1)
    }

    /// Drops the requests that will not be sent again, because they contain the shopper's e-mail
    /// address, name and address. Only the last request of the highest attempt may be sent again,
    /// while its outcome is unknown, the order is not paid, and Adyen knows its key.
    pub(super) fn drop_requests(&mut self, now: Timestamp) {
        let mut submissions = self.attempts.iter().flat_map(|attempt| &attempt.submissions);
        if submissions.all(|sent| sent.request.is_none()) {
            return;
        }
        let derived = Derived::of(self);
        let unknown = derived
            .attempts
            .last()
            .is_some_and(|it| it.status == AttemptStatus::Pending(PendingOn::Answer));
        let mut kept = self
            .attempts
            .last()
            .filter(|attempt| unknown && !derived.status.was_paid() && !attempt.key_expired(now))
            .and_then(|attempt| attempt.submissions.last()?.request.clone());
        for sent in self.attempts.iter_mut().flat_map(|attempt| &mut attempt.submissions).rev() {
            sent.request = kept.take();
        }
    }
}
