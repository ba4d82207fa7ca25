//! Decides what Adyen's answer to a request means for what was requested, and records it.
//!
//! Adyen replays the first response for an idempotency key, so a rejection may be the consequence
//! of the same request, sent before, or of another one with the same key. It is recorded only if
//! no earlier request can have been processed.

use super::{NextStep, Order, Outcome, Rejection, SentModification, Submission};
use crate::domain::error_code::rejects_content;

/// The meaning of Adyen's answer to a request of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerDecision {
    /// It is the attempt's outcome.
    Recorded,
    /// The same request was sent before, and the rejection may be the consequence of it.
    Unknown,
    /// Another request of the attempt was sent before, and may still succeed.
    InProgress,
    /// The request is unusable, so the shopper must start over or the deployment must be corrected,
    /// whatever became of an earlier one.
    Unusable,
}

impl Order {
    /// Decides about Adyen's answer to a request that was sent for an attempt, counted from 1, and
    /// records it if it is the attempt's outcome. Returns None if there is no such attempt.
    pub fn conclude_payment(
        &mut self,
        attempt: usize,
        sent: &Submission,
        outcome: &Outcome,
        psp_reference: Option<String>,
    ) -> Option<AnswerDecision> {
        let attempt = self.attempt_mut(attempt)?;
        let decision = match outcome {
            Outcome::Rejected(rejection) => rejected(&attempt.submissions, sent, rejection),
            _ => AnswerDecision::Recorded,
        };
        if decision == AnswerDecision::Recorded {
            attempt.answer(outcome.clone(), psp_reference);
        }
        Some(decision)
    }

    /// Records Adyen's answer to a modification, unless it is a rejection and an earlier request
    /// with the same key may have been received. Returns true if it was recorded, and None if there
    /// is no such modification.
    pub fn conclude_modification(
        &mut self,
        sent: &SentModification,
        answer: Result<String, Rejection>,
    ) -> Option<bool> {
        let modification = self.modifications.get_mut(sent.at)?;
        let is_only = sent.first && sent.sent_at == modification.sent_at;
        let decides = match &answer {
            Ok(_) => true,
            // Both have the same content.
            Err(rejection) => is_only || rejects_content(&rejection.error_code),
        };
        if decides {
            modification.answer(answer);
        }
        Some(decides)
    }
}

/// Decides about the rejection of `sent`. It ends the attempt if `sent` is the only submission, or
/// if the only one recorded has the same content and Adyen rejects a field of it.
fn rejected(
    submissions: &[Submission],
    sent: &Submission,
    rejection: &Rejection,
) -> AnswerDecision {
    match submissions {
        [only]
            if only.is(sent)
                || (only.content == sent.content && rejects_content(&rejection.error_code)) =>
        {
            AnswerDecision::Recorded
        }
        [_] if !rejection.is_deployment_error() => AnswerDecision::Unknown,
        [_, _, ..] if rejection.next_step() != NextStep::StartOver => AnswerDecision::InProgress,
        _ => AnswerDecision::Unusable,
    }
}
