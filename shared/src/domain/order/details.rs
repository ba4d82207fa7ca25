//! Decides about the details that the shopper's browser returned after an action, and records
//! Adyen's answer to them.
//!
//! Each result is sent once, however often the browser posts it: a repeated one has the same
//! content and the same idempotency key.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    AnswerIdentity, Attempt, AttemptStatus, Derived, Details, Order, Outcome, PendingOn, Rejection,
    Target, attempt::sent_after,
};
use crate::domain::error_code::rejects_content;
use crate::limits;

/// The decision about details. Attempts count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailsDecision {
    /// Send them. `sent_first_at` is now, unless they were sent before.
    Send {
        attempt: usize,
        sent_first_at: Option<Timestamp>,
    },
    /// They can change nothing any more, so the attempt is returned as it is.
    Ended {
        attempt: usize,
    },
    /// They cannot be sent, because the attempt was made for another merchant account or another
    /// host of Adyen's.
    Unknown {
        attempt: usize,
    },
    /// A later attempt has replaced the one that they are for.
    Superseded {
        by: usize,
    },
    NoSuchAttempt,
    /// The order is paid by another attempt.
    Paid,
    /// Adyen has not answered another request of the attempt.
    InProgress {
        retry_after: Duration,
    },
    /// The attempt has reached its limit of details.
    TooMany,
}

/// The result of details that Adyen rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectedDetails {
    /// A webhook was quicker, and has ended the attempt.
    Ended,
    /// The order is paid by another attempt.
    Paid,
    /// The rejection may be the consequence of the same request, sent before.
    Unknown,
    /// The details are unusable, and the attempt waits for others.
    Unusable,
}

impl Order {
    /// Decides about details of this digest. Without a number they are for the last attempt.
    pub fn decide_details(
        &self,
        target: &Target,
        attempt_named: Option<usize>,
        content: &str,
        now: Timestamp,
    ) -> DetailsDecision {
        let derived = Derived::of(self);
        let highest = self.attempts.len();
        let number = attempt_named.unwrap_or(highest);
        let at = number.checked_sub(1);
        let Some((attempt, resolution)) =
            at.and_then(|at| Some((self.attempts.get(at)?, derived.attempts.get(at)?)))
        else {
            return DetailsDecision::NoSuchAttempt;
        };
        let known = attempt.details.iter().find(|it| it.content == content);
        if !resolution.status.takes_details() || known.is_some_and(|it| !it.needs_answer()) {
            return DetailsDecision::Ended { attempt: number };
        }
        // The last attempt has no action, so details without a number are those of an earlier one.
        let are_earlier = attempt_named.is_none()
            && highest > 1
            && resolution.status == AttemptStatus::Pending(PendingOn::FinalResult);
        if number < highest || are_earlier {
            return DetailsDecision::Superseded { by: highest };
        }
        if derived.status.was_paid() {
            return DetailsDecision::Paid;
        }
        // An action is returned only after the answer with it is stored.
        if attempt.outcome.is_none() {
            return DetailsDecision::InProgress { retry_after: limits::IN_FLIGHT.unsigned_abs() };
        }
        if attempt.target != *target {
            return DetailsDecision::Unknown { attempt: number };
        }
        if known.is_some() {
            return DetailsDecision::Send { attempt: number, sent_first_at: None };
        }
        if let Some(retry_after) = attempt.details_in_flight_for(now) {
            return DetailsDecision::InProgress { retry_after };
        }
        if self.is_full_of_details(number) {
            return DetailsDecision::TooMany;
        }
        DetailsDecision::Send { attempt: number, sent_first_at: Some(now) }
    }

    pub fn record_details_decision(
        &mut self,
        decision: DetailsDecision,
        content: &str,
        now: Timestamp,
    ) {
        match decision {
            DetailsDecision::Unknown { attempt } => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.outcome_unknown = true;
                }
            }
            DetailsDecision::Send { attempt, .. } => {
                let Some(attempt) = self.attempt_mut(attempt) else { return };
                match attempt.details.iter_mut().find(|it| it.content == content) {
                    None => attempt.details.push(Details::new(content.to_owned(), now)),
                    // If the earlier request is rejected, its sender sees that it was not the
                    // last one.
                    Some(known) if known.outcome.is_none() => {
                        known.sent_at = sent_after(known.sent_at, now);
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }

    /// Records Adyen's answer with the attempt that the answer is bound to, and returns that
    /// attempt. An unbound answer that `challenges` the shopper once more is kept with the attempt
    /// that the details were posted for, because a challenge ends nothing. The details of any other
    /// unbound answer stay unanswered until a webhook names its payment.
    pub fn conclude_details(
        &mut self,
        posted_for: usize,
        content: &str,
        outcome: Outcome,
        answer: &AnswerIdentity,
        challenges: bool,
        now: Timestamp,
    ) -> Option<usize> {
        let psp_reference = answer.psp_reference.map(str::to_owned);
        if let Some(bound) = self.bound_attempt(answer, posted_for) {
            if bound != posted_for {
                self.withdraw_details(posted_for, content);
            }
            self.attempt_mut(bound)?.answer_details(content, outcome, psp_reference, now);
            return Some(bound);
        }
        let attempt = self.attempt_mut(posted_for)?;
        if challenges {
            attempt.answer_details(content, outcome, None, now);
            return Some(posted_for);
        }
        attempt.claim(content, psp_reference);
        None
    }

    /// Drops unanswered details that are not this attempt's.
    pub fn withdraw_details(&mut self, attempt: usize, content: &str) {
        if let Some(attempt) = self.attempt_mut(attempt) {
            attempt.drop_unanswered(|it| it.content == content);
        }
    }

    /// Drops the rejected details so that the attempt waits for the shopper again. Keeps them if
    /// the same was sent earlier or later and may have been processed, which only the rejection of
    /// a field rules out. `sent_first_at` is that of the decision. Returns what became of the
    /// attempt.
    pub fn reject_details(
        &mut self,
        attempt: usize,
        content: &str,
        sent_first_at: Option<Timestamp>,
        rejection: &Rejection,
    ) -> RejectedDetails {
        let of_field = rejects_content(&rejection.error_code);
        let decides = |it: &Details| Some(it.sent_at) == sent_first_at || of_field;
        if let Some(attempt) = self.attempt_mut(attempt) {
            attempt.drop_unanswered(|it| it.content == content && decides(it));
        }
        let in_flight = self.attempt(attempt).is_some_and(Attempt::details_in_flight);
        match self.attempt_status(attempt) {
            Some(status) if status.takes_details() => match Derived::of(self).status.was_paid() {
                true => RejectedDetails::Paid,
                false if in_flight && !rejection.is_deployment_error() => RejectedDetails::Unknown,
                false => RejectedDetails::Unusable,
            },
            _ => RejectedDetails::Ended,
        }
    }
}

impl AttemptStatus {
    /// Returns true if details may still conclude the attempt. An expired one takes details too,
    /// because only Adyen knows if an offer is closed for good.
    fn takes_details(self) -> bool {
        self.is_pending() || self.is_expired()
    }
}

impl Attempt {
    /// Returns how long other details may still be with Adyen. If the shopper sent details from an
    /// outdated page meanwhile, both could be paid.
    fn details_in_flight_for(&self, now: Timestamp) -> Option<Duration> {
        let unanswered = self.details.iter().filter(|other| other.outcome.is_none());
        let left = unanswered.map(|other| limits::IN_FLIGHT - now.duration_since(other.sent_at));
        left.filter(|left| left.is_positive()).max().map(|left| left.unsigned_abs())
    }
}
