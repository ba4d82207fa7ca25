//! Which of several reports about one reference counts.

use std::collections::{BTreeMap, BTreeSet};

use super::Event;
use crate::adyen::notification::EventCode;

/// The events with one report left for each code and reference: the one that counts.
pub(super) struct Reports<'a>(BTreeMap<(&'a EventCode, &'a str), &'a Event>);

impl<'a> Reports<'a> {
    pub(super) fn of(events: &'a [Event]) -> Self {
        let mut reports: BTreeMap<_, &Event> = BTreeMap::new();
        for event in events {
            let report =
                reports.entry((&event.event_code, event.psp_reference.as_str())).or_insert(event);
            if (event.date(), event.success) > (report.date(), report.success) {
                *report = event;
            }
        }
        Self(reports)
    }

    /// What counts as Adyen's verdict on a payment.
    pub(super) fn authorisation(&self, psp_reference: &str) -> Option<&'a Event> {
        self.get(&EventCode::Authorisation, psp_reference)
    }

    /// What counts of a code and a reference.
    pub(super) fn get(&self, code: &EventCode, psp_reference: &str) -> Option<&'a Event> {
        self.0.get(&(code, psp_reference)).copied()
    }

    /// Whether what a modification did was undone.
    pub(super) fn undo(&self, psp_reference: &str) -> bool {
        let undoing =
            [EventCode::CaptureFailed, EventCode::RefundFailed, EventCode::RefundedReversed];
        undoing.iter().any(|code| self.get(code, psp_reference).is_some())
    }

    /// The reports of a code, by date.
    pub(super) fn with_code(&self, code: EventCode) -> Vec<&'a Event> {
        let mut events: Vec<_> =
            self.0.values().copied().filter(|event| event.event_code == code).collect();
        events.sort_by_key(|event| (event.date(), *event));
        events
    }

    /// The payments that events speak of.
    pub(super) fn payments(&self) -> BTreeSet<&'a str> {
        self.0.values().map(|event| event.payment()).collect()
    }
}
