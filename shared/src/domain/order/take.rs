//! Which request to pay belongs to which attempt, so that none is
//! processed twice.
//!
//! Attempt n is written before Adyen is called, together with the key with which Adyen is
//! called for it, and with where that key was made for. Whatever tabs, processes, retries and
//! changed configurations send for attempt n, Adyen processes one request at most. n + 1 begins only when n can
//! bring no money any more, or waits for the shopper.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    Attempt, AttemptState, Derived, NextStep, Order, PaymentInstrument, Status, Submission, Target,
    idempotency_key,
    room::{ATTEMPTS, TRIES},
};

/// What to do with a request to pay. Attempts count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayDecision {
    /// Send it as this attempt, with the attempt's key.
    Send {
        /// The attempt.
        attempt: usize,
    },
    /// It is this attempt, which has ended.
    Ended {
        /// The attempt.
        attempt: usize,
    },
    /// Another request is with Adyen.
    InProgress {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The order is paid.
    Paid,
    /// The order was paid and cancelled.
    Cancelled,
    /// The outcome of this attempt can no longer be asked for.
    Unknown {
        /// The attempt.
        attempt: usize,
    },
    /// The caller's `Idempotency-Key` came with another request before.
    KeyReused,
    /// The order was tried too often.
    TooMany,
}

/// A request whose outcome is unknown is in flight for as long as a function may run.
pub const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(30);

/// Adyen keeps keys for seven days; one that old might be processed anew.
pub(super) const KEY_LIFE: SignedDuration = SignedDuration::from_hours(6 * 24);

/// When to look again at a payment that is pending at Adyen.
const PENDING_RETRY: Duration = Duration::from_secs(60);

impl Order {
    /// Whether the caller's `Idempotency-Key` came with another request before.
    pub fn knows_key_of(&self, request: &Submission) -> bool {
        let mut submissions = self.attempts.iter().flat_map(|attempt| &attempt.submissions);
        submissions.any(|earlier| request.reuses_key_of(earlier))
    }

    /// Decides what a request to pay is, and records it where it is sent: to `target`.
    pub fn take(
        &mut self,
        target: &Target,
        method: PaymentInstrument,
        request: &Submission,
        now: Timestamp,
    ) -> PayDecision {
        if self.knows_key_of(request) {
            return PayDecision::KeyReused;
        }
        let derived = Derived::of(self);
        let highest = self.attempts.len();
        // An offer that closed and names no attempt may be that of an attempt before. And where
        // Adyen has not answered, to the payment or to what the browser brought back, the
        // outcome is open still.
        let named = |at: usize| {
            let payment = derived.attempts[at].psp_reference.as_deref();
            let mut offers = self.closed_offers();
            offers.any(|offer| Some(offer.payment()) == payment)
        };
        let state = |at: usize| match (derived.attempts[at].state, self.attempts[at].state()) {
            (AttemptState::Expired, AttemptState::Unknown) => AttemptState::Unknown,
            (AttemptState::Expired, AttemptState::Processing) if at > 0 && !named(at) => {
                AttemptState::Processing
            }
            (AttemptState::Expired, answered)
                if self.attempts[at].details_in_flight()
                    || derived.attempts[..at].iter().any(|it| it.state.unresolved()) =>
            {
                answered
            }
            (state, _) => state,
        };
        let current = highest.checked_sub(1).map(state);

        let repeats = |attempt: &Attempt| {
            attempt.submissions.iter().any(|earlier| earlier.is_repeated_by(request))
        };
        if let Some(at) = self.attempts.iter().rposition(repeats) {
            if !state(at).unresolved() {
                return PayDecision::Ended { attempt: at + 1 };
            }
            // A superseded attempt's token begins a new attempt like any other.
            if at + 1 == highest && !derived.status.was_paid() {
                let sent = self.send_again(target, now);
                if let (PayDecision::Send { .. }, Some(attempt)) = (sent, self.attempts.last_mut())
                {
                    attempt.sent_again(request, now);
                }
                return sent;
            }
        }
        if derived.status.was_paid() {
            return PayDecision::Paid;
        }
        match (current, self.attempts.last()) {
            (Some(state), Some(attempt)) if state.unresolved() => match state {
                AttemptState::AwaitsShopper if !attempt.details_in_flight() => {}
                // Waiting for the shopper, what the browser brought back is at Adyen.
                AttemptState::Unknown | AttemptState::AwaitsShopper => {
                    let waited = now.duration_since(attempt.last_sent_at());
                    if waited < IN_FLIGHT {
                        let left =
                            IN_FLIGHT.saturating_sub(waited).max(SignedDuration::from_secs(1));
                        return PayDecision::InProgress { retry_after: left.unsigned_abs() };
                    }
                    if attempt.submissions.len() == TRIES || self.is_full() {
                        return PayDecision::TooMany;
                    }
                    // Under the same key Adyen returns what became of the first request, or
                    // processes this one.
                    let sent = self.send_again(target, now);
                    if let (PayDecision::Send { .. }, Some(attempt)) =
                        (sent, self.attempts.last_mut())
                    {
                        attempt.submissions.push(request.clone());
                    }
                    return sent;
                }
                _ => {
                    return PayDecision::InProgress { retry_after: PENDING_RETRY };
                }
            },
            _ if derived.status == Status::Cancelled && derived.next_step == NextStep::None => {
                return PayDecision::Cancelled;
            }
            _ => {}
        }
        if highest == ATTEMPTS || self.is_full() {
            return PayDecision::TooMany;
        }
        // What AUTHORISATIONs said of attempts without a reference is resolved before the next.
        for (attempt, resolution) in self.attempts.iter_mut().zip(derived.attempts) {
            attempt.psp_reference = resolution.psp_reference;
        }
        let closed = self.closed_offers().map(|offer| offer.psp_reference.clone());
        let closed = closed.collect();
        let key = idempotency_key(&target.merchant_account, &self.reference, highest + 1);
        let begun = Attempt::new(target, key, method, request.clone(), now, closed);
        self.attempts.push(begun);
        PayDecision::Send { attempt: highest + 1 }
    }

    /// The attempt, from 1, that made a payment. One not heard of belongs to the highest, if
    /// that waits for what the browser brings back.
    pub fn attempt_of(&self, psp_reference: Option<&str>) -> Option<usize> {
        let named = self.attempts.iter().position(|attempt| {
            psp_reference.is_some() && attempt.psp_reference.as_deref() == psp_reference
        });
        let waits = |at: &usize| self.attempts[*at].state() == AttemptState::AwaitsShopper;
        let highest = self.attempts.len().checked_sub(1).filter(waits);
        named.or(highest).map(|at| at + 1)
    }

    fn send_again(&mut self, target: &Target, now: Timestamp) -> PayDecision {
        let number = self.attempts.len();
        match self.attempts.last_mut() {
            Some(attempt) if !attempt.can_be_sent_again(target, now) => {
                attempt.outcome_unknown = true;
                attempt.submissions.iter_mut().for_each(|sent| sent.request = None);
                PayDecision::Unknown { attempt: number }
            }
            _ => PayDecision::Send { attempt: number },
        }
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
        let unknown = derived.attempts.last().map(|it| it.state) == Some(AttemptState::Unknown);
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
