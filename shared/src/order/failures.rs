//! Captures and refunds that failed after they were accepted.
//!
//! REFUND_FAILED, REFUNDED_REVERSED and CAPTURE_FAILED undo the one whose pspReference they
//! have, also where they come first. One whose pspReference is not known undoes the newest of
//! its amount. One that fits nothing may be early, and waits for a while before a person is told.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Event, Modification, ModificationState, Order,
    findings::after,
    reports::{Reports, failing},
};
use crate::adyen::notification::EventCode;

/// How long a failure that fits nothing waits for what it undoes.
const HELD: SignedDuration = SignedDuration::from_mins(10);

/// The failures of one kind of a payment, and what they may be about.
pub(super) struct Failures<'a> {
    failures: Vec<&'a Event>,
    /// The pspReferences of what was reported, or was received by Adyen from here.
    names: BTreeSet<&'a str>,
    /// What was asked for from here, and has no known pspReference yet.
    nameless: Vec<&'a Modification>,
}

impl<'a> Failures<'a> {
    /// Those of what is reported with these codes.
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

    /// Takes what failed out of what was accepted. Returns, for each failure that fits nothing,
    /// when a person should look at it.
    pub(super) fn undo(
        self,
        accepted: &mut Vec<&'a Event>,
        reports: &Reports<'a>,
    ) -> Vec<Timestamp> {
        let Self { failures, names, mut nameless } = self;
        accepted.retain(|event| !reports.undone(event));
        let mut unmatched = Vec::new();
        for failure in failures {
            if names.contains(failure.psp_reference.as_str()) {
                continue;
            }
            // It may be about a request whose answer was lost, so it undoes no other.
            let lost = nameless.iter().position(|it| it.is_about(failure));
            if let Some(at) = lost {
                nameless.remove(at);
            } else if let Some(at) = newest(accepted, failure) {
                accepted.remove(at);
                continue;
            }
            unmatched.push(after(failure.received_at.unwrap_or(failure.date()), HELD));
        }
        unmatched
    }
}

/// The newest that was accepted before a failure of its amount, else the newest of all.
fn newest(accepted: &[&Event], failure: &Event) -> Option<usize> {
    let candidates = accepted.iter().enumerate().filter(|(_, it)| it.amount == failure.amount);
    let newest = candidates.max_by_key(|(_, it)| (it.date() <= failure.date(), it.date(), **it));
    newest.map(|(at, _)| at)
}
