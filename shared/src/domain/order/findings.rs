//! Collects the reasons for attention, and the time at which the next one will arise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{sha256, status::Attention};

pub(super) struct Findings {
    /// The order's last write, because derived values depend on the order alone.
    now: Timestamp,
    /// Each reason with the facts that raised it.
    reasons: BTreeMap<Attention, BTreeSet<String>>,
    /// The earliest deadline that has not passed.
    pub(super) overdue_at: Option<Timestamp>,
}

impl Findings {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, reasons: BTreeMap::new(), overdue_at: None }
    }

    /// Raises a reason. `fact` is what raised it, beyond the payments that the reason names. It is
    /// part of a stored digest, so another text makes an acknowledged reason come back.
    pub(super) fn raise(&mut self, reason: Attention, fact: impl Into<String>) {
        self.reasons.entry(reason).or_default().insert(fact.into());
    }

    /// Raises a reason if a deadline has passed, and otherwise keeps the deadline.
    pub(super) fn raise_from(
        &mut self,
        deadline: Timestamp,
        reason: Attention,
        fact: impl Into<String>,
    ) {
        if deadline <= self.now {
            self.raise(reason, fact);
        } else {
            self.overdue_at = Some(self.overdue_at.map_or(deadline, |known| known.min(deadline)));
        }
    }

    /// Returns the reasons, each with the digest of its facts.
    pub(super) fn reasons(self) -> Vec<(Attention, String)> {
        let digest = |reason: &Attention, facts: BTreeSet<String>| {
            let lines = std::iter::once(reason.to_string()).chain(facts).collect::<Vec<_>>();
            sha256(&lines.iter().map(String::as_bytes).collect::<Vec<_>>())
        };
        let reasons = self.reasons.into_iter();
        reasons.map(|(reason, facts)| (reason.clone(), digest(&reason, facts))).collect()
    }
}

/// Adds without overflow.
pub(super) fn after(moment: Timestamp, time: SignedDuration) -> Timestamp {
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}
