//! Undoes captures and refunds that failed after they were accepted.
//!
//! REFUND_FAILED, REFUNDED_REVERSED and CAPTURE_FAILED undo the refund or capture with the same
//! pspReference, even if they arrive first. A failure with an unknown pspReference undoes the
//! newest refund or capture of the same amount. An unmatched failure may have arrived early, so it
//! raises attention only after a delay.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    AdyenEvent, Modification, ModificationState, Order,
    findings::after,
    reports::{Reports, failing},
};
use crate::domain::event_code::EventCode;
use crate::limits;

/// The failures of one payment's captures, or of its refunds, with the requests they may match.
pub(super) struct Failures<'a> {
    failures: Vec<&'a AdyenEvent>,
    /// The pspReferences of events and of our own requests.
    names: BTreeSet<&'a str>,
    /// Our requests whose pspReference is not known.
    nameless: Vec<&'a Modification>,
}

impl<'a> Failures<'a> {
    /// Collects the failures of accepted captures or refunds, whose events have one of `codes`.
    pub(super) fn of(
        codes: &'static [EventCode],
        payment: &str,
        order: &'a Order,
        states: &[ModificationState],
        reports: &Reports<'a>,
    ) -> Self {
        let about = |code: &EventCode| reports.about(payment, code);
        let reported = codes.iter().flat_map(about).map(|event| event.psp_reference.as_str());
        let failing: BTreeSet<&EventCode> = codes.iter().flat_map(failing).collect();
        let requested =
            order.modifications.iter().zip(states).filter(|(it, _)| {
                it.payment == payment && codes.contains(&it.operation.event_code())
            });
        let named = requested.clone().filter_map(|(it, _)| it.psp_reference.as_deref());
        let nameless = requested.filter(|(_, state)| state.in_doubt()).map(|(it, _)| it);
        Self {
            names: reported.chain(named).collect(),
            nameless: nameless.collect(),
            failures: failing.into_iter().flat_map(about).collect(),
        }
    }

    /// Removes the failed events from `accepted`. Returns when each unmatched failure
    /// needs attention, and the failure itself.
    pub(super) fn undo(
        self,
        accepted: &mut Vec<&'a AdyenEvent>,
        reports: &Reports<'a>,
    ) -> Vec<(Timestamp, String)> {
        let Self { failures, names, mut nameless } = self;
        accepted.retain(|event| !reports.undone(event));
        let mut unmatched = Vec::new();
        for failure in failures {
            if names.contains(failure.psp_reference.as_str()) {
                continue;
            }
            // The failure may belong to a request whose answer was lost, so it must not undo
            // another.
            let lost = nameless.iter().position(|it| it.is_about(failure));
            if let Some(at) = lost {
                nameless.remove(at);
            } else if let Some(at) = newest(accepted, failure) {
                accepted.remove(at);
                continue;
            }
            let deadline = after(failure.received_at, limits::UNMATCHED_FAILURE);
            unmatched.push((deadline, failure.line()));
        }
        unmatched
    }
}

/// Returns the position of the newest accepted event of the same amount, preferring events that
/// are dated before the failure.
fn newest(accepted: &[&AdyenEvent], failure: &AdyenEvent) -> Option<usize> {
    let candidates = accepted.iter().enumerate().filter(|(_, it)| it.amount == failure.amount);
    let newest = candidates.max_by_key(|(_, it)| (it.date() <= failure.date(), it.date(), **it));
    newest.map(|(at, _)| at)
}
