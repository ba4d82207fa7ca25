//! Collects the reasons for attention, and the time at which the next one will arise.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::status::Attention;

pub(super) struct Findings {
    /// The order's last write, because derived values depend on the order alone.
    now: Timestamp,
    pub(super) attention: BTreeSet<Attention>,
    /// The earliest deadline that has not passed.
    pub(super) overdue_at: Option<Timestamp>,
}

impl Findings {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, attention: BTreeSet::new(), overdue_at: None }
    }

    pub(super) fn raise(&mut self, reason: Attention) {
        self.attention.insert(reason);
    }

    /// Raises a reason if a deadline has passed, and otherwise keeps the deadline.
    pub(super) fn raise_from(&mut self, deadline: Timestamp, reason: Attention) {
        if deadline <= self.now {
            self.raise(reason);
        } else {
            self.overdue_at = Some(self.overdue_at.map_or(deadline, |known| known.min(deadline)));
        }
    }
}

/// Adds without overflow.
pub(super) fn after(moment: Timestamp, time: SignedDuration) -> Timestamp {
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}
