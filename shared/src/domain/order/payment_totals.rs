//! Adds up what was authorised, captured and refunded of each payment.

use jiff::Timestamp;

use super::{
    AdyenEvent, Capture, ModificationState, Operation, Order,
    dispute::{DisputeState, disputes},
    explain::{Effect, Witness},
    failures::Failures,
    findings::Findings,
    reports::Reports,
    resolution::{AttemptStatus, Resolution},
    status::{Attention, Status},
};
use crate::domain::event_code::EventCode;

/// Amounts are minor units of the order's currency.
pub(super) struct PaymentTotals {
    pub(super) psp_reference: String,
    /// The attempt that made the payment, from 1.
    pub(super) attempt: Option<usize>,
    pub(super) at: Timestamp,
    pub(super) authorised: Option<i64>,
    /// True once a successful AUTHORISATION has arrived.
    pub(super) confirmed: bool,
    /// Its AUTHORISATION, if that has another amount than the order.
    pub(super) differing: Option<String>,
    pub(super) has_capture: bool,
    pub(super) captured: i64,
    /// Excludes automatic captures.
    pub(super) taken_by_capture: i64,
    /// The limit for refunds.
    pub(super) taken: i64,
    pub(super) refunded: i64,
    pub(super) charged_back: bool,
    /// Set if the payment was cancelled or expired.
    pub(super) ended: Option<(Timestamp, Status)>,
    /// True if a reversal may have cancelled or refunded the payment.
    pub(super) unclear: bool,
    pub(super) undecided: Undecided,
}

/// The minor units of undecided modifications.
#[derive(Default)]
pub(super) struct Undecided {
    pub(super) captures: i64,
    pub(super) refunds: i64,
    /// True if an undecided cancel or reversal may end the whole payment.
    pub(super) end: bool,
}

impl PaymentTotals {
    pub(super) fn stands(&self) -> bool {
        self.has_capture || self.ended.is_none()
    }

    pub(super) fn refunded_in_full(&self) -> bool {
        self.refunded > 0 && self.refunded >= self.taken
    }

    /// Returns true if the whole payment was refunded or ended, and no dispute took its money. Such
    /// a payment does not count if another payment stands.
    pub(super) fn is_over(&self) -> bool {
        !self.charged_back && (self.refunded_in_full() || !self.stands())
    }

    /// Returns the key that sorts payments by age.
    pub(super) fn age(&self) -> (Timestamp, &str) {
        (self.at, &self.psp_reference)
    }
}

/// Adds up every payment that was authorised or modified.
pub(super) fn totals(
    order: &Order,
    attempts: &[Resolution],
    modifications: &[ModificationState],
    reports: &Reports,
    findings: &mut Findings,
    witness: &mut impl Witness,
) -> Vec<PaymentTotals> {
    let authorised = |attempt: &&Resolution| attempt.status == AttemptStatus::Authorised;
    let mut payments = reports.payments();
    // An authorisation without a reference still counts.
    let named = |attempt: &'_ Resolution| attempt.psp_reference.clone().unwrap_or_default();
    let made: Vec<String> = attempts.iter().filter(authorised).map(named).collect();
    payments.extend(made.iter().map(String::as_str));

    let mut totals: Vec<PaymentTotals> = payments
        .into_iter()
        .map(|payment| PaymentTotals {
            undecided: undecided(payment, order, modifications),
            ..payment_totals(payment, order, modifications, reports, findings, witness)
        })
        .collect();
    for payment in &mut totals {
        let attempt = attempts
            .iter()
            .position(|attempt| authorised(&attempt) && named(attempt) == payment.psp_reference);
        if let Some(at) = attempt {
            payment.attempt = Some(at + 1);
            payment.at = order.attempts[at].started_at;
            // Until the webhook arrives, count the order's amount as authorised.
            payment.authorised = payment.authorised.or(Some(order.amount.value));
        }
        balance(payment, &order.capture, findings);
    }
    totals
}

/// Adds up the events of one pspReference.
fn payment_totals(
    psp_reference: &str,
    order: &Order,
    modifications: &[ModificationState],
    reports: &Reports,
    findings: &mut Findings,
    witness: &mut impl Witness,
) -> PaymentTotals {
    let of = |code: EventCode| reports.about(psp_reference, &code);
    let succeeded = |code: EventCode| of(code).into_iter().filter(|event| event.success);

    let report = reports.authorisation(psp_reference);
    if let Some(report) = report {
        witness.event(report, if report.success { Effect::Authorises } else { Effect::Refuses });
    }
    let authorised = report.filter(|event| event.success);
    let authorised = authorised.map(|event| value(event, order, findings));

    let mut captures: Vec<&AdyenEvent> = succeeded(EventCode::Capture).collect();
    let mut refunds: Vec<&AdyenEvent> = succeeded(EventCode::Refund).collect();
    let mut cancellations: Vec<&AdyenEvent> =
        succeeded(EventCode::Cancellation).chain(succeeded(EventCode::TechnicalCancel)).collect();
    let mut unclear = Vec::new();
    for reversal in succeeded(EventCode::CancelOrRefund) {
        match reversal.modification_action.as_deref() {
            Some("cancel") => cancellations.push(reversal),
            Some("refund") => refunds.push(reversal),
            _ => {
                unclear.push(reversal.line());
                witness.event(reversal, Effect::Unclear);
            }
        }
    }
    // Those that are undone below are not noted as standing.
    captures.iter().chain(&refunds).for_each(|event| witness.event(event, Effect::Undone));
    let failures = |codes: &'static [EventCode]| {
        Failures::of(codes, psp_reference, order, modifications, reports)
    };
    let failed_captures = failures(&[EventCode::Capture]);
    for (deadline, failure) in failed_captures.undo(&mut captures, reports) {
        findings.raise_from(deadline, Attention::CaptureFailedUnmatched, failure);
    }
    let failed_refunds = failures(&[EventCode::Refund, EventCode::CancelOrRefund]);
    for (deadline, failure) in failed_refunds.undo(&mut refunds, reports) {
        findings.raise_from(deadline, Attention::RefundFailedUnmatched, failure);
    }

    let mut sum = |events: &[&AdyenEvent]| {
        events.iter().map(|it| value(it, order, findings)).sum_saturating()
    };
    let (captured, refunded) = (sum(&captures), sum(&refunds));
    captures.iter().for_each(|event| witness.event(event, Effect::Captures));
    refunds.iter().for_each(|event| witness.event(event, Effect::Refunds));
    cancellations.iter().for_each(|event| witness.event(event, Effect::Cancels));
    succeeded(EventCode::Expire).for_each(|event| witness.event(event, Effect::Expires));
    let cancelled = cancellations.iter().map(|event| event.date()).max();
    let expired = succeeded(EventCode::Expire).map(AdyenEvent::date).max();
    let ended = match (cancelled, expired) {
        (Some(cancelled), Some(expired)) if expired > cancelled => Some((expired, Status::Expired)),
        (Some(cancelled), _) => Some((cancelled, Status::Cancelled)),
        (None, Some(expired)) => Some((expired, Status::Expired)),
        (None, None) => None,
    };

    let wanted = (order.amount.currency.code(), order.amount.value);
    let differs = |event: &AdyenEvent| match &event.amount {
        Some(amount) => (amount.currency.as_str(), amount.value) != wanted,
        // A refused payment needs no amount.
        None => event.success,
    };
    let is_unclear = !unclear.is_empty();
    for reversal in unclear {
        findings.raise(Attention::CancelOrRefundUnclear, reversal);
    }
    if cancelled.is_some() && !captures.is_empty() {
        findings.raise(Attention::CancelledAfterCapture, format!("{psp_reference} {captured}"));
    }
    let disputes = disputes(psp_reference, reports, witness);
    let lost = disputes.iter().filter(|dispute| **dispute == DisputeState::Lost).count();
    if lost > 0 {
        findings.raise(Attention::PrearbitrationLost, format!("{psp_reference} {lost}"));
    }
    PaymentTotals {
        psp_reference: psp_reference.to_owned(),
        attempt: None,
        at: report.map_or(Timestamp::UNIX_EPOCH, AdyenEvent::date),
        authorised,
        confirmed: authorised.is_some(),
        differing: report.filter(|event| differs(event)).map(AdyenEvent::line),
        has_capture: !captures.is_empty(),
        captured,
        taken_by_capture: captured,
        taken: 0,
        refunded,
        charged_back: disputes.iter().any(|dispute| *dispute != DisputeState::Open),
        ended,
        unclear: is_unclear,
        undecided: Undecided::default(),
    }
}

/// Returns the amount of an event in minor units of the order's currency. Raises attention and
/// returns zero if the currency differs or the amount cannot be read.
fn value(event: &AdyenEvent, order: &Order, findings: &mut Findings) -> i64 {
    match &event.amount {
        Some(amount) if amount.currency == order.amount.currency.code() => amount.value.max(0),
        Some(_) => {
            findings.raise(Attention::CurrencyDiffers, event.line());
            0
        }
        None => {
            findings.raise(Attention::AmountUnreadable, event.line());
            0
        }
    }
}

/// Adds up the undecided modifications of a payment.
fn undecided(psp_reference: &str, order: &Order, states: &[ModificationState]) -> Undecided {
    let modifications = order.modifications.iter().zip(states);
    let open = modifications.filter(|(it, state)| it.payment == psp_reference && state.open());
    let mut undecided = Undecided::default();
    for (modification, _) in open {
        match &modification.operation {
            Operation::Capture => {
                undecided.captures = undecided.captures.saturating_add(modification.value)
            }
            Operation::Refund => {
                undecided.refunds = undecided.refunds.saturating_add(modification.value)
            }
            // An operation of a newer version may end the payment.
            Operation::Cancel | Operation::Reversal | Operation::Unknown(_) => {
                undecided.end = true;
            }
        }
    }
    undecided
}

/// Computes what was taken, and raises attention if captures or refunds exceed their limit.
fn balance(payment_totals: &mut PaymentTotals, capture: &Capture, findings: &mut Findings) {
    let authorised = payment_totals.authorised.unwrap_or(0);
    let PaymentTotals { psp_reference, captured, .. } = &*payment_totals;
    if *captured > authorised {
        let fact = format!("{psp_reference} {captured} {authorised}");
        findings.raise(Attention::CaptureExceedsAuthorised, fact);
    }
    payment_totals.taken = payment_totals.captured;
    if *capture == Capture::Automatic && payment_totals.ended.is_none() {
        payment_totals.taken = payment_totals.taken.max(authorised);
        if payment_totals.confirmed {
            payment_totals.captured = payment_totals.captured.max(authorised);
        }
    }
    let PaymentTotals { psp_reference, refunded, taken, .. } = &*payment_totals;
    if refunded > taken {
        let fact = format!("{psp_reference} {refunded} {taken}");
        findings.raise(Attention::RefundExceedsCaptured, fact);
    }
}

/// Sums without overflow, because a webhook can contain any number.
pub(super) trait SumSaturating: Iterator<Item = i64> + Sized {
    fn sum_saturating(self) -> i64 {
        self.fold(0, i64::saturating_add)
    }
}

impl<I: Iterator<Item = i64>> SumSaturating for I {}
