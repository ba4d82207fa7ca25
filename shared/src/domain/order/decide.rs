//! Which attempt a request to pay belongs to, so that no payment is made twice.
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
    room::{ATTEMPTS, SUBMISSIONS},
};

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
    /// The caller's `Idempotency-Key` came with another request before.
    KeyReused,
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

/// A request whose outcome is unknown is in flight for as long as a function may run.
pub const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(30);

/// Adyen keeps keys for seven days; one that old might be processed anew.
pub(super) const KEY_LIFE: SignedDuration = SignedDuration::from_hours(6 * 24);

/// When to look again at a payment that is pending at Adyen.
const PENDING_RETRY: Duration = Duration::from_secs(60);

impl Order {
    /// Returns whether the caller's `Idempotency-Key` came with another request before.
    pub fn knows_key_of(&self, request: &Submission) -> bool {
        let mut submissions = self.attempts.iter().flat_map(|attempt| &attempt.submissions);
        submissions.any(|earlier| request.reuses_key_of(earlier))
    }

    /// Decides what a request to pay is to the order. Nothing is recorded.
    pub fn decide(&self, target: &Target, request: &Submission, now: Timestamp) -> PayDecision {
        if self.knows_key_of(request) {
            return PayDecision::KeyReused;
        }
        let derived = Derived::of(self);
        let highest = self.attempts.len();
        if let Some(attempt) = self.attempt_that_sent(request) {
            match derived.attempts[attempt - 1].status {
                // A superseded attempt's token begins a new attempt like any other.
                AttemptStatus::Pending(_) | AttemptStatus::MaybeExpired(_) => {
                    if attempt == highest && !derived.status.was_paid() {
                        return self.send_again(PayDecision::Repeat { attempt }, target, now);
                    }
                }
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
                PendingOn::FinalResult => PayDecision::InProgress { retry_after: PENDING_RETRY },
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
            ATTEMPTS => PayDecision::TooMany,
            _ if self.is_full() => PayDecision::TooMany,
            highest => PayDecision::Begin { attempt: highest + 1 },
        }
    }

    fn replace(&self, attempt: &Attempt, target: &Target, now: Timestamp) -> PayDecision {
        let waited = now.duration_since(attempt.last_sent_at());
        if waited < IN_FLIGHT {
            let left = IN_FLIGHT.saturating_sub(waited).max(SignedDuration::from_secs(1));
            return PayDecision::InProgress { retry_after: left.unsigned_abs() };
        }
        if attempt.submissions.len() == SUBMISSIONS || self.is_full() {
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

    /// Writes a decision down.
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
        // An attempt keeps the payment that an AUTHORISATION brought it before the next begins.
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

    /// The attempt, from 1, that made a payment. One not heard of belongs to the highest, if
    /// that waits for what the browser brings back.
    pub fn attempt_of(&self, psp_reference: Option<&str>) -> Option<usize> {
        let named = self.attempts.iter().position(|attempt| {
            psp_reference.is_some() && attempt.psp_reference.as_deref() == psp_reference
        });
        let waits = |at: &usize| self.attempts[*at].answered().requires_action();
        let highest = self.attempts.len().checked_sub(1).filter(waits);
        named.or(highest).map(|at| at + 1)
    }

    /// The key with which Adyen is called for an attempt, from 1. One that an older version
    /// began does not have it.
    pub fn key_of(&self, number: usize, merchant_account: &str) -> String {
        let attempt = number.checked_sub(1).and_then(|at| self.attempts.get(at));
        let kept = attempt.and_then(|attempt| attempt.key.clone());
        kept.unwrap_or_else(|| idempotency_key(merchant_account, &self.reference, number))
    }

    /// Drops the requests that will not be sent again, because they have the shopper's e-mail
    /// address, name and address. The last one of the highest attempt alone may be sent again,
    /// for as long as its outcome is unknown, nothing else paid the order, and Adyen knows its
    /// key.
    pub fn drop_requests(&mut self, now: Timestamp) {
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
