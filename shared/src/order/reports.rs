//! Which of several reports about one reference counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Modification, Order};
use crate::adyen::notification::EventCode;

/// The events with one report left for each code and reference: the one that counts.
pub(super) struct Reports<'a>(BTreeMap<(&'a EventCode, &'a str), &'a Event>);

impl<'a> Reports<'a> {
    pub(super) fn of(events: &'a [Event]) -> Self {
        let mut reports: BTreeMap<_, &Event> = BTreeMap::new();
        for event in events {
            let report = reports
                .entry((&event.event_code, event.psp_reference.as_str()))
                .or_insert(event);
            if (event.event_date, event.success) > (report.event_date, report.success) {
                *report = event;
            }
        }
        Self(reports)
    }

    /// What counts as Adyen's verdict on a payment.
    pub(super) fn authorisation(&self, psp_reference: &str) -> Option<&'a Event> {
        self.0
            .get(&(&EventCode::Authorisation, psp_reference))
            .copied()
    }

    /// Whether Adyen said what became of a modification. One whose answer was lost has no
    /// reference: an event of its kind and amount speaks of it that speaks of no other.
    pub(super) fn decided(&self, modification: &Modification, order: &Order) -> bool {
        let code = modification.operation.event_code();
        if let Some(named) = &modification.psp_reference {
            return self.0.contains_key(&(&code, named.as_str()));
        }
        self.0.values().any(|event| {
            let amount = event.amount.as_ref().map(|amount| amount.value);
            event.event_code == code
                && event.payment() == modification.payment
                && (!modification.operation.has_amount() || amount == Some(modification.value))
                && order.modifications.iter().all(|other| {
                    other.psp_reference.as_deref() != Some(event.psp_reference.as_str())
                })
        })
    }

    /// The reports of a code, by date.
    pub(super) fn with_code(&self, code: EventCode) -> Vec<&'a Event> {
        let mut events: Vec<_> = self
            .0
            .values()
            .copied()
            .filter(|event| event.event_code == code)
            .collect();
        events.sort();
        events
    }

    /// The payments that events speak of.
    pub(super) fn payments(&self) -> BTreeSet<&'a str> {
        self.0.values().map(|event| event.payment()).collect()
    }
}
