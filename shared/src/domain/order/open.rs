//! Derives when the schedule can next act on an order.
//!
//! | open | since | due |
//! |---|---|---|
//! | an attempt without an answer | its start | 30 seconds after it was last sent |
//! | details without an answer | the start of the attempt | 30 seconds after they were sent |
//! | an attempt that waits for the shopper, without vouchers and transfers | its start | 25 hours after the last request for it |
//! | a modification that Adyen may not have received | its request | 30 seconds after it was last sent |
//! | a deadline that raises a reason for attention | the deadline | the deadline |
//!
//! An order is open only while the schedule can act. An outcome that is marked as unknown is left
//! to a person, unless its idempotency key still works. A payment that is pending at Adyen is left
//! to Adyen. The interval between fruitless looks grows from five minutes to six hours, so that
//! stuck orders do not delay the others.
//!
//! The order's last write serves as the current time, because derived values depend on the order
//! alone.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Attempt, AttemptStatus, Derived, ModificationState, Order, PendingOn, Resolution, Status,
};
use crate::domain::unknown::Unknown;
use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub since: Timestamp,
    /// The time of the next look.
    pub due_at: Timestamp,
    /// The next deadline that raises a reason for attention.
    pub overdue_at: Option<Timestamp>,
    /// True if something has no outcome yet. Otherwise the order is only open so that it is
    /// written at `overdue_at`.
    pub unresolved: bool,
    /// The time since which the newest task is open.
    newest: Timestamp,
}

/// The schedule's last look that left the order open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub at: Timestamp,
    /// The number of looks, this one included, since the newest task was opened.
    pub times: u32,
    #[serde(flatten)]
    pub unknown: Unknown,
}

struct Task {
    since: Timestamp,
    due_at: Timestamp,
}

impl Task {
    fn after(since: Timestamp, last: Timestamp, wait: SignedDuration) -> Self {
        Self { since, due_at: later(last, wait) }
    }
}

impl Look {
    fn next_at(&self) -> Timestamp {
        let doubled = 2_i32.saturating_pow(self.times.saturating_sub(1));
        later(self.at, limits::LAST_LOOK.min(limits::FIRST_LOOK.saturating_mul(doubled)))
    }
}

impl Open {
    /// Derives it from the states of attempts and modifications.
    pub(super) fn of(
        order: &Order,
        status: Status,
        attempts: &[Resolution],
        modifications: &[ModificationState],
        overdue_at: Option<Timestamp>,
    ) -> Option<Self> {
        let last = order.attempts.last().zip(attempts.last());
        let attempt = last.filter(|_| status == Status::Pending);
        let attempt = attempt.and_then(|(it, resolution)| of_attempt(order, it, resolution.status));
        let mut tasks: Vec<Task> = of_modifications(order, modifications).chain(attempt).collect();
        let unresolved = !tasks.is_empty();
        tasks.extend(overdue_at.map(|at| Task { since: at, due_at: at }));
        let due_at = |task: &Task| match &order.look {
            Some(look) if look.at >= task.since => task.due_at.max(look.next_at()),
            _ => task.due_at,
        };
        Some(Self {
            since: tasks.iter().map(|task| task.since).min()?,
            due_at: tasks.iter().map(due_at).min()?,
            overdue_at,
            unresolved,
            newest: tasks.iter().map(|task| task.since).max()?,
        })
    }
}

fn of_attempt(order: &Order, attempt: &Attempt, status: AttemptStatus) -> Option<Task> {
    let since = attempt.started_at;
    match status {
        AttemptStatus::Pending(PendingOn::Answer) => {
            let can_ask = attempt.submissions.last().is_some_and(|sent| sent.request.is_some())
                && !attempt.key_expired(order.updated_at);
            (can_ask || !attempt.outcome_unknown)
                .then(|| Task::after(since, attempt.last_sent_at(), limits::IN_FLIGHT))
        }
        _ if attempt.details_in_flight() => {
            let sent = attempt.details.iter().filter(|details| details.outcome.is_none());
            let first =
                sent.map(|details| details.sent_at).min().filter(|_| !attempt.outcome_unknown);
            first.map(|first| Task::after(since, first, limits::IN_FLIGHT))
        }
        AttemptStatus::Pending(PendingOn::Shopper) if !attempt.is_paid_later() => {
            Some(Task::after(since, attempt.last_sent_at(), limits::SHOPPER))
        }
        _ => None,
    }
}

fn of_modifications(order: &Order, states: &[ModificationState]) -> impl Iterator<Item = Task> {
    let in_doubt = order.modifications.iter().zip(states).filter(|(_, state)| state.in_doubt());
    in_doubt
        .filter(|(it, _)| !it.outcome_unknown || it.can_be_recovered(order.updated_at))
        .map(|(it, _)| Task::after(it.requested_at, it.sent_at, limits::IN_FLIGHT))
}

impl Order {
    /// Marks the last attempt as abandoned if it has waited too long for its shopper, and returns
    /// true then.
    pub fn abandon(&mut self, now: Timestamp) -> bool {
        let derived = Derived::of(self);
        let status = derived.attempts.last().map(|attempt| attempt.status);
        let pending = derived.status == Status::Pending;
        match self.attempts.last_mut() {
            Some(attempt)
                if pending
                    && status == Some(AttemptStatus::Pending(PendingOn::Shopper))
                    && !attempt.is_paid_later()
                    && later(attempt.last_sent_at(), limits::SHOPPER) <= now =>
            {
                attempt.abandoned_at = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Records that the schedule has looked and left something open.
    pub fn record_look(&mut self, now: Timestamp) {
        let newest = Derived::of(self).open.map(|open| open.newest);
        let last = self.look.take();
        let again = last.filter(|look| newest.is_none_or(|newest| look.at >= newest));
        let look = again.unwrap_or_else(|| Look { at: now, times: 0, unknown: Unknown::default() });
        self.look = Some(Look { at: now, times: look.times.saturating_add(1), ..look });
    }
}

/// Adds without overflow.
fn later(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
