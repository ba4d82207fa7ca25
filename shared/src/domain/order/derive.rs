//! The values derived from an order's facts.
//!
//! # Events
//!
//! A *payment* is a pspReference that was authorised by an AUTHORISATION or, until one arrives, by
//! the answer `Authorised`. It *stands* until a cancellation or EXPIRE of it succeeds, and always
//! while a capture of it stands. If several events have the same code and reference, the one with
//! the later `eventDate` counts and, with equal dates, the successful one. An unreadable date counts
//! as the time of receipt, and a date more than a day after the receipt is limited to that day.
//!
//! | event | success true | success false |
//! |---|---|---|
//! | AUTHORISATION | the payment is authorised, whatever the answer was | the attempt is refused, unless it already ended without money |
//! | OFFER_CLOSED | the attempt with its payment, or else the highest one that began before it, is expired if it was unresolved | nothing |
//! | CAPTURE | a capture stands | nothing was captured |
//! | CAPTURE_FAILED | undoes the capture with its pspReference, even if that arrives later, or else the newest standing one of the same amount | the same |
//! | CANCELLATION, TECHNICAL_CANCEL | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `cancel` | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `refund` | a refund stands | nothing |
//! | REFUND | a refund stands | nothing was refunded |
//! | REFUND_FAILED | undoes the refund with its pspReference, even if that arrives later, or else the newest standing one of the same amount | the same |
//! | REFUNDED_REVERSED | as REFUND_FAILED | the same |
//! | EXPIRE | the uncaptured amount of the payment has expired | nothing |
//! | CHARGEBACK | the dispute stands, and with it its payment is charged back | nothing |
//! | CHARGEBACK_REVERSED | lifts the dispute | nothing |
//! | PREARBITRATION_WON | lifts the dispute | nothing |
//! | PREARBITRATION_LOST | the dispute stands again, and needs attention | nothing |
//! | SCHEME_ARBITRATION_WON, SCHEME_ARBITRATION_LOST | as PREARBITRATION_WON and _LOST, which they override | nothing |
//! | SECOND_CHARGEBACK | the dispute stands for good | nothing |
//! | NOTIFICATION_OF_CHARGEBACK, REQUEST_FOR_INFORMATION, other events of a dispute | identifies the dispute's payment | the same |
//! | all others | nothing | nothing |
//!
//! All events of a *dispute* share its pspReference. An event without a payment belongs to the
//! payment of another event of its dispute. The last stage that a dispute has reached decides,
//! because events may arrive in any sequence. From last to first the stages are SECOND_CHARGEBACK,
//! arbitration, pre-arbitration, CHARGEBACK_REVERSED and CHARGEBACK. If a stage was both won and
//! lost, the later event counts.
//!
//! A failure with the pspReference of a request made here undoes only that request. A failure that
//! may belong to a request whose answer was lost undoes nothing. A failure that matches nothing
//! needs attention ten minutes after its receipt.
//!
//! An attempt that a person closed counts as ended in an error until an answer or a webhook of
//! Adyen's has another result. If it was paid after all, the payment counts and needs attention.
//!
//! An abandoned attempt counts as expired until its shopper returns or a webhook has another result.
//!
//! A CAPTURE stands again if its reason is a recapture and it is dated after its CAPTURE_FAILED. A
//! CANCEL_OR_REFUND without `modification.action` changes no status, leaves nothing open to further
//! requests, and needs attention.
//!
//! # Status
//!
//! The first status that applies is the order's. A payment that was refunded in full, was cancelled
//! or has expired does not count for status and amounts if another one stands, unless it is charged
//! back.
//!
//! 1. `chargedBack`: a payment is charged back.
//! 2. `refunded`, `partiallyRefunded`: refunds stand. They are compared with the captured amount
//!    or, under automatic capture, with the authorised amount.
//! 3. `captured`: a capture stands.
//! 4. `authorised`: a payment stands.
//! 5. `pending`: the highest attempt is unresolved. Lower ones that are unresolved too are
//!    superseded.
//! 6. `cancelled`, `expired`: the end of the newest payment.
//! 7. `refused`, `cancelled`, `error`, `expired`: the end of the highest attempt.
//! 8. `created`.

use jiff::Timestamp;

use super::{
    AttemptStatus, Attention, Capture, ModificationState, NextStep, Open, Order, Resolution,
    Status,
    explain::{Rule, Witness},
    findings::{Findings, after},
    modification,
    payment_totals::{PaymentTotals, SumSaturating, Undecided, totals},
    reports::Reports,
    resolution::resolve,
};
use crate::domain::result_code::ResultCode;
use crate::limits;

/// The values derived from an order's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    pub status: Status,
    /// True once AUTHORISATIONs of payments that stand add up to the order's amount. Merchants
    /// ship on it.
    pub confirmed: bool,
    /// Minor units authorised by the payments that stand.
    pub authorised: i64,
    /// Minor units captured. Under automatic capture a confirmed payment counts in full.
    pub captured: i64,
    /// Minor units of the refunds that stand.
    pub refunded: i64,
    /// The attempt that decided the status, counted from 1. 0 if there is no attempt.
    pub attempt: usize,
    /// The payment that decided the status.
    pub psp_reference: Option<String>,
    /// Adyen's answer to that attempt, unless a webhook contradicts it.
    pub result_code: Option<ResultCode>,
    pub next_step: NextStep,
    pub needs_attention: Vec<Attention>,
    /// The digest of the facts that raised each of them.
    pub attention_facts: Vec<String>,
    /// The reasons that a person has acknowledged, and whose facts are still the same.
    pub acknowledged: Vec<Attention>,
    /// The next deadline that raises a reason for attention. It is later than the order's last
    /// write.
    pub overdue_at: Option<Timestamp>,
    /// When the schedule can next act on the order, if it can.
    pub open: Option<Open>,
    pub attempts: Vec<Resolution>,
    pub modifications: Vec<ModificationState>,
    /// The authorised payments.
    pub payments: Vec<Payment>,
}

/// An authorised payment, and the minor units that are open to each operation. An undecided
/// request counts as succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    pub psp_reference: String,
    /// True if it was neither cancelled nor expired.
    pub stands: bool,
    /// Zero under automatic capture.
    pub open_to_capture: i64,
    /// The whole amount until a capture, then zero.
    pub open_to_cancel: i64,
    /// The captured amount that was not returned.
    pub open_to_refund: i64,
    /// The whole amount until a refund, then zero.
    pub open_to_reverse: i64,
}

impl Payment {
    fn of(payment: &PaymentTotals, capture: &Capture) -> Self {
        let authorised = payment.authorised.unwrap_or(0);
        let Undecided { captures, refunds, end } = &payment.undecided;
        let captured = payment.taken_by_capture.saturating_add(*captures);
        let returned = payment.refunded.saturating_add(*refunds);
        // Operations need the payment's reference.
        let gone = *end || payment.unclear || payment.psp_reference.is_empty();
        let open = |value: i64, allowed: bool| if allowed && !gone { value.max(0) } else { 0 };
        let untouched = payment.stands() && captured == 0 && returned == 0;
        // Under automatic capture a confirmed payment counts as captured.
        let captures_itself = *capture == Capture::Automatic && payment.confirmed;
        Self {
            psp_reference: payment.psp_reference.clone(),
            stands: payment.stands(),
            open_to_capture: open(
                authorised.saturating_sub(captured),
                *capture == Capture::Manual && payment.ended.is_none(),
            ),
            open_to_cancel: open(authorised, untouched && !captures_itself),
            open_to_refund: open(payment.taken.saturating_sub(returned), !payment.charged_back),
            open_to_reverse: open(payment.taken, returned == 0 && !payment.charged_back),
        }
    }
}

impl Derived {
    pub fn of(order: &Order) -> Self {
        Self::witnessed(order, &mut ())
    }

    pub(super) fn witnessed(order: &Order, witness: &mut impl Witness) -> Self {
        let reports = Reports::of(&order.events);
        let attempts = resolve(order, &reports, witness);
        let mut findings = Findings::at(order.updated_at);
        let modifications = modification::states(order, &reports);
        let totals = totals(order, &attempts, &modifications, &reports, &mut findings, witness);
        let counting = counting(&totals);
        let highest = attempts.last().map(|attempt| attempt.status);
        let (rule, status, payment) = decide(&counting, highest);
        witness.rule(rule);

        let standing: Vec<&PaymentTotals> = standing(&counting).collect();
        let confirming = standing.iter().filter(|payment| payment.confirmed);
        let confirming = confirming.filter_map(|payment| payment.authorised).sum_saturating();
        let confirmed =
            standing.iter().any(|payment| payment.confirmed) && confirming >= order.amount.value;
        look_at_payments(order, &attempts, &counting, confirmed, &mut findings);
        let last = order.attempts.last();
        let pending = last.filter(|_| status == Status::Pending);
        if pending.is_some_and(|attempt| attempt.outcome_unknown) {
            let sent = last.map_or(0, |attempt| attempt.submissions.len() + attempt.details.len());
            findings.raise(Attention::OutcomeUnknown, format!("{} {sent}", attempts.len()));
        }
        for (at, state) in modifications.iter().enumerate() {
            let fact = at.to_string();
            match state {
                ModificationState::Unknown => {
                    findings.raise(Attention::ModificationUnknown, fact);
                }
                ModificationState::Received => {
                    let deadline = order.modifications[at].decide_by;
                    findings.raise_from(deadline, Attention::ModificationUndecided, fact);
                }
                _ => {}
            }
        }
        if order.events_dropped {
            findings.raise(Attention::TooManyEvents, "");
        }
        if !order.contested.is_empty() {
            let contested = order.contested.iter().cloned().collect();
            findings.raise(Attention::PaymentOfAnotherOrder(contested), "");
        }

        let overdue_at = findings.overdue_at;
        let (acknowledged, reasons): (Vec<_>, Vec<_>) = findings
            .reasons()
            .into_iter()
            .partition(|(reason, facts)| order.is_acknowledged(reason, facts));
        let (needs_attention, attention_facts) = reasons.into_iter().unzip();
        let open = Open::of(order, status, &attempts, &modifications, overdue_at);
        // Describe the payment that decided the status or, without one, the highest attempt.
        let number = payment.and_then(|payment| payment.attempt).unwrap_or(attempts.len());
        let at = number.checked_sub(1);
        let decisive = at.and_then(|at| Some((order.attempts.get(at)?, attempts.get(at)?)));
        let named = match payment {
            Some(payment) => Some(&payment.psp_reference),
            None => decisive.and_then(|(_, resolution)| resolution.psp_reference.as_ref()),
        };
        Self {
            status,
            confirmed,
            authorised: standing.iter().filter_map(|payment| payment.authorised).sum_saturating(),
            captured: counting.iter().map(|payment| payment.captured).sum_saturating(),
            refunded: counting.iter().map(|payment| payment.refunded).sum_saturating(),
            attempt: number,
            psp_reference: named.filter(|named| !named.is_empty()).cloned(),
            result_code: decisive
                .and_then(|(attempt, resolution)| attempt.result_code_if(resolution.status)),
            next_step: NextStep::after(status, payment.is_some(), decisive),
            needs_attention,
            attention_facts,
            acknowledged: acknowledged.into_iter().map(|(reason, _)| reason).collect(),
            overdue_at,
            open,
            payments: totals
                .iter()
                .filter(|payment| payment.authorised.is_some())
                .map(|payment| Payment::of(payment, &order.capture))
                .collect(),
            attempts,
            modifications,
        }
    }
}

impl Derived {
    /// Minor units.
    pub fn open_to_capture(&self) -> i64 {
        self.payments.iter().map(|payment| payment.open_to_capture).sum_saturating()
    }

    /// Minor units.
    pub fn open_to_refund(&self) -> i64 {
        self.payments.iter().map(|payment| payment.open_to_refund).sum_saturating()
    }
}

fn standing<'a>(totals: &[&'a PaymentTotals]) -> impl Iterator<Item = &'a PaymentTotals> {
    totals.iter().copied().filter(|payment| payment.authorised.is_some() && payment.stands())
}

/// The payments that stand and were not refunded in full.
fn unreturned<'a>(totals: &[&'a PaymentTotals]) -> impl Iterator<Item = &'a PaymentTotals> {
    standing(totals).filter(|payment| !payment.refunded_in_full())
}

/// The payments that count. One that is over does not count if another one stands.
fn counting(totals: &[PaymentTotals]) -> Vec<&PaymentTotals> {
    let mut counting: Vec<&PaymentTotals> = totals.iter().collect();
    if unreturned(&counting).next().is_some() {
        counting.retain(|payment| !payment.is_over());
    }
    counting
}

/// Raises reasons for attention about the amounts, the number, the attempts and the confirmation
/// of payments.
fn look_at_payments(
    order: &Order,
    attempts: &[Resolution],
    counting: &[&PaymentTotals],
    confirmed: bool,
    findings: &mut Findings,
) {
    let unreturned: Vec<&PaymentTotals> = unreturned(counting).collect();
    let named = |payment: &&PaymentTotals| payment.psp_reference.clone();
    if unreturned.len() > 1 {
        findings.raise(Attention::PaidTwice(unreturned.iter().map(named).collect()), "");
    }
    let late = unreturned.iter().filter(|payment| is_of_closed(order, attempts, payment));
    let late: Vec<String> = late.map(named).collect();
    if !late.is_empty() {
        findings.raise(Attention::ClosedAttemptPaid(late), "");
    }
    for event in counting.iter().filter_map(|payment| payment.differing.as_ref()) {
        findings.raise(Attention::AmountDiffers, event);
    }
    for payment in unreturned.iter().filter(|payment| payment.confirmed && !confirmed) {
        let authorised = payment.authorised.unwrap_or_default();
        findings.raise(Attention::PaidInPart, format!("{} {authorised}", payment.psp_reference));
    }
    let unreported = unreturned.iter().filter(|payment| !payment.confirmed);
    let unreported = unreported.filter_map(|payment| payment.attempt);
    for number in unreported {
        let Some(attempt) = order.attempt(number) else { continue };
        let answered_at = attempt.last_sent_at().max(attempt.started_at);
        let deadline = after(answered_at, limits::AUTHORISATION);
        findings.raise_from(deadline, Attention::Unconfirmed, number.to_string());
    }
}

/// True if a payment is of an attempt that a person had closed. A payment that no attempt knows may
/// be of any that has none.
fn is_of_closed(order: &Order, attempts: &[Resolution], payment: &PaymentTotals) -> bool {
    let mut attempts = order.attempts.iter().zip(attempts).enumerate();
    attempts.any(|(at, (attempt, resolution))| {
        attempt.closed.is_some()
            && match payment.attempt {
                Some(number) => number == at + 1,
                None => resolution.psp_reference.is_none(),
            }
    })
}

/// The rule that applies, the status, and the payment that decided it.
fn decide<'a>(
    totals: &[&'a PaymentTotals],
    highest: Option<AttemptStatus>,
) -> (Rule, Status, Option<&'a PaymentTotals>) {
    let payments = || totals.iter().copied().filter(|payment| payment.authorised.is_some());
    let newest_standing = standing(totals).max_by_key(|payment| payment.age());
    let newest = payments().max_by_key(|payment| payment.age());
    let refunded = totals.iter().map(|payment| payment.refunded).sum_saturating();
    let taken = totals.iter().map(|payment| payment.taken).sum_saturating();

    let paid = if totals.iter().any(|payment| payment.charged_back) {
        Some((Rule::ChargedBack, Status::ChargedBack))
    } else if refunded > 0 && refunded >= taken {
        Some((Rule::RefundsStand, Status::Refunded))
    } else if refunded > 0 {
        Some((Rule::RefundsStand, Status::PartiallyRefunded))
    } else if totals.iter().any(|payment| payment.has_capture) {
        Some((Rule::CaptureStands, Status::Captured))
    } else {
        newest_standing.map(|_| (Rule::PaymentStands, Status::Authorised))
    };
    if let Some((rule, status)) = paid {
        return (rule, status, newest_standing.or(newest));
    }
    if highest.is_some_and(AttemptStatus::is_pending) {
        return (Rule::AttemptUnresolved, Status::Pending, None);
    }
    if let Some((payment, (_, status))) = newest.and_then(|payment| Some((payment, payment.ended?)))
    {
        return (Rule::PaymentEnded, status, Some(payment));
    }
    let status = match highest {
        Some(AttemptStatus::Refused) => Status::Refused,
        Some(AttemptStatus::Cancelled) => Status::Cancelled,
        Some(AttemptStatus::Expired | AttemptStatus::MaybeExpired(_)) => Status::Expired,
        Some(AttemptStatus::Error) => Status::Error,
        _ => return (Rule::NoAttempt, Status::Created, None),
    };
    (Rule::AttemptEnded, status, None)
}
