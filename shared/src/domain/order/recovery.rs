//! Decides what the schedule does with an order whose outcome has been open for too long.
//!
//! A shopper's payment is never sent again, because the shopper may have left. A charge of a
//! stored payment method and a modification are the merchant's own requests, so they are sent
//! again with the same key. An outcome that stays unknown is marked for a person, and an attempt
//! that waited too long for its shopper is abandoned.

use jiff::Timestamp;

use super::{Attempt, AttemptStatus, Derived, Open, Order, PendingOn, Status, Submission};

/// The result of a look at an open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing is open any more.
    Resolved,
    /// Something is still open, but not for too long.
    Waits,
    /// The shopper did not come back.
    Abandoned,
    /// The outcome is unknown and is marked for a person now.
    Unknown,
    /// The outcome is unknown and was marked before.
    UnknownBefore,
}

/// When outcomes were marked as unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Marked {
    Nothing,
    Before,
    Now,
}

fn mark(outcome_unknown: &mut bool) -> Marked {
    match std::mem::replace(outcome_unknown, true) {
        true => Marked::Before,
        false => Marked::Now,
    }
}

impl Open {
    /// Returns true if the schedule has nothing to do yet: nothing has been open since before
    /// `overdue`, and no deadline has passed.
    pub fn is_early(&self, overdue: Timestamp, now: Timestamp) -> bool {
        let deadline_passed = self.overdue_at.is_some_and(|at| at <= now);
        self.due_at > now || (self.since >= overdue && !deadline_passed)
    }
}

impl Order {
    /// Returns the charge of a stored payment method whose outcome is unknown, if its request is
    /// kept.
    pub fn charge_in_doubt(&self) -> Option<&Submission> {
        let status = Derived::of(self).attempts.last()?.status;
        let sent = self.attempts.last()?.submissions.last()?;
        let is_unknown = status == AttemptStatus::Pending(PendingOn::Answer);
        (is_unknown && sent.request.is_some()).then_some(sent)
    }

    /// Returns the indexes of the modifications requested before `overdue` that Adyen may not have
    /// received.
    pub fn modifications_in_doubt(&self, overdue: Timestamp) -> Vec<usize> {
        let states = Derived::of(self).modifications;
        let modifications = self.modifications.iter().zip(states).enumerate();
        let in_doubt =
            modifications.filter(|(_, (it, state))| state.in_doubt() && it.requested_at < overdue);
        in_doubt.map(|(at, _)| at).collect()
    }

    /// Concludes a look: abandons an attempt, marks what has been in doubt since before `overdue`,
    /// and sets the time of the next look.
    pub fn conclude_look(&mut self, overdue: Timestamp, now: Timestamp) -> Finding {
        let has_abandoned = self.abandon(now);
        let marked = self.mark_unknown(overdue);
        let derived = Derived::of(self);
        // The attempt is abandoned already if only DynamoDB's answer to this write was lost.
        let is_abandoned = derived.status == Status::Expired
            && self.attempts.last().is_some_and(Attempt::is_abandoned);
        if derived.open.is_some_and(|open| open.due_at <= now) {
            self.record_look(now);
        }
        match derived.open {
            _ if marked == Marked::Now => Finding::Unknown,
            _ if marked == Marked::Before && has_abandoned => Finding::Unknown,
            _ if marked == Marked::Before => Finding::UnknownBefore,
            _ if is_abandoned => Finding::Abandoned,
            Some(open) if open.unresolved => Finding::Waits,
            _ => Finding::Resolved,
        }
    }

    /// Marks what has been in doubt since before `overdue`.
    fn mark_unknown(&mut self, overdue: Timestamp) -> Marked {
        let mut marked = Marked::Nothing;
        for at in self.modifications_in_doubt(overdue) {
            marked = marked.max(mark(&mut self.modifications[at].outcome_unknown));
        }
        let status = Derived::of(self).attempts.last().map(|attempt| attempt.status);
        if let Some((attempt, status)) = self.attempts.last_mut().zip(status)
            && match status {
                AttemptStatus::Pending(PendingOn::Answer) => attempt.started_at < overdue,
                AttemptStatus::Pending(_) => attempt.details_in_doubt(overdue),
                _ => false,
            }
        {
            marked = marked.max(mark(&mut attempt.outcome_unknown));
        }
        marked
    }
}
