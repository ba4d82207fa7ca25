//! Selects the report that counts when several have the same code and reference.

use std::collections::{BTreeMap, BTreeSet};

use super::{AdyenEvent, dispute::Disputes};
use crate::domain::event_code::EventCode;

/// The events, with one report for each code and reference: the latest, or of the same date the
/// successful one.
pub(super) struct Reports<'a> {
    counting: BTreeMap<(&'a EventCode, &'a str), &'a AdyenEvent>,
    disputes: Disputes<'a>,
}

impl<'a> Reports<'a> {
    pub(super) fn of(events: &'a [AdyenEvent]) -> Self {
        let mut counting: BTreeMap<_, &AdyenEvent> = BTreeMap::new();
        for event in events {
            let report =
                counting.entry((&event.event_code, event.psp_reference.as_str())).or_insert(event);
            if (event.date(), event.success) > (report.date(), report.success) {
                *report = event;
            }
        }
        Self { counting, disputes: Disputes::of(events) }
    }

    pub(super) fn authorisation(&self, psp_reference: &str) -> Option<&'a AdyenEvent> {
        self.get(&EventCode::Authorisation, psp_reference)
    }

    pub(super) fn get(&self, code: &EventCode, psp_reference: &str) -> Option<&'a AdyenEvent> {
        self.counting.get(&(code, psp_reference)).copied()
    }

    pub(super) fn payment_of(&self, event: &'a AdyenEvent) -> &'a str {
        self.disputes.payment_of(event)
    }

    /// Returns the reports of a code, sorted by date.
    pub(super) fn with_code(&self, code: &EventCode) -> Vec<&'a AdyenEvent> {
        let mut events: Vec<_> =
            self.counting.values().copied().filter(|event| event.event_code == *code).collect();
        events.sort_by_key(|event| (event.date(), *event));
        events
    }

    /// Returns the reports of a code about a payment, sorted by date.
    pub(super) fn about(&self, payment: &str, code: &EventCode) -> Vec<&'a AdyenEvent> {
        let mut events = self.with_code(code);
        events.retain(|event| self.payment_of(event) == payment);
        events
    }

    /// Returns all payments that events name.
    pub(super) fn payments(&self) -> BTreeSet<&'a str> {
        self.counting.values().map(|event| self.payment_of(event)).collect()
    }

    pub(super) fn disputes_of(&self, payment: &str) -> BTreeSet<&'a str> {
        let about = self.counting.values().filter(|event| self.payment_of(event) == payment);
        about.filter_map(|event| event.dispute()).collect()
    }

    /// Returns true if an event reports the failure of a capture or refund with this pspReference.
    /// The event that reports its acceptance may arrive later.
    pub(super) fn failed(&self, code: &EventCode, payment: &str, psp_reference: &str) -> bool {
        self.failures(code, payment, psp_reference).next().is_some()
    }

    /// Returns true if an accepted capture or refund failed later. A failed capture can be repeated
    /// by Adyen, which is then marked as "recaptured".
    pub(super) fn undone(&self, accepted: &'a AdyenEvent) -> bool {
        let recaptured = accepted.is_recapture();
        let payment = self.payment_of(accepted);
        let mut failures = self.failures(&accepted.event_code, payment, &accepted.psp_reference);
        failures.any(|failure| !recaptured || accepted.date() <= failure.date())
    }

    fn failures(
        &self,
        code: &EventCode,
        payment: &str,
        psp_reference: &str,
    ) -> impl Iterator<Item = &'a AdyenEvent> {
        let failures = failing(code).iter().filter_map(|code| self.get(code, psp_reference));
        failures.filter(move |failure| self.payment_of(failure) == payment)
    }
}

/// Returns the codes that report a later failure of an accepted event.
pub(super) fn failing(code: &EventCode) -> &'static [EventCode] {
    match code {
        EventCode::Capture => &[EventCode::CaptureFailed],
        EventCode::Refund | EventCode::CancelOrRefund => {
            &[EventCode::RefundFailed, EventCode::RefundedReversed]
        }
        _ => &[],
    }
}
