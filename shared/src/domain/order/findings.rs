//! Collects the reasons for attention, and when time alone will raise the next one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::status::Attention;

/// The reasons found so far.
pub(super) struct Findings {
    /// The order's clock: when it was last written.
    now: Timestamp,
    pub(super) attention: BTreeSet<Attention>,
    /// The earliest deadline that has not passed.
    pub(super) overdue_at: Option<Timestamp>,
}

impl Findings {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, attention: BTreeSet::new(), overdue_at: None }
    }

    /// Raises a reason.
    pub(super) fn raise(&mut self, reason: Attention) {
        self.attention.insert(reason);
    }

    /// Raises a reason once a deadline has passed. Until then the deadline is remembered.
    pub(super) fn raise_from(&mut self, deadline: Timestamp, reason: Attention) {
        if deadline <= self.now {
            self.raise(reason);
        } else {
            self.overdue_at = Some(self.overdue_at.map_or(deadline, |known| known.min(deadline)));
        }
    }
}

/// The moment that long after another, or the last that there is.
pub(super) fn after(moment: Timestamp, time: SignedDuration) -> Timestamp {
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}
