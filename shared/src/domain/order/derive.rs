//! The values derived from an order's facts.
//!
//! # Events
//!
//! A *payment* is a pspReference that was authorised: by an AUTHORISATION, or as long as
//! there is none by the answer `Authorised`. It *stands* until a cancellation or EXPIRE of
//! it succeeds, and for good once a capture of it stands. Of several reports about one
//! reference the one with the later `eventDate` counts, then the one of success. A date that
//! cannot be read counts as the time of receipt, and none counts as later than a day after it.
//!
//! | event | success true | success false |
//! |---|---|---|
//! | AUTHORISATION | the payment is authorised, whatever the answer said | the attempt is refused, unless the answer said already how it ended without money |
//! | OFFER_CLOSED | the attempt that it names, else the highest one begun before it, expired if it was unresolved | nothing |
//! | CAPTURE | a capture stands | nothing was captured |
//! | CAPTURE_FAILED | undoes the capture whose pspReference it has, whichever comes first, else the newest standing one of its amount | the same |
//! | CANCELLATION, TECHNICAL_CANCEL | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `cancel` | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `refund` | a refund stands | nothing |
//! | REFUND | a refund stands | nothing was refunded |
//! | REFUND_FAILED | undoes the refund whose pspReference it has, whichever comes first, else the newest standing one of its amount | the same |
//! | REFUNDED_REVERSED | as REFUND_FAILED | the same |
//! | EXPIRE | what was not captured of the payment is gone | nothing |
//! | CHARGEBACK | the dispute stands, and with it its payment is charged back | nothing |
//! | CHARGEBACK_REVERSED | lifts the dispute | nothing |
//! | PREARBITRATION_WON | lifts the dispute | nothing |
//! | PREARBITRATION_LOST | the dispute stands again, and needs attention | nothing |
//! | SCHEME_ARBITRATION_WON, SCHEME_ARBITRATION_LOST | as PREARBITRATION_WON and _LOST, and beats them | nothing |
//! | SECOND_CHARGEBACK | the dispute stands for good | nothing |
//! | NOTIFICATION_OF_CHARGEBACK, REQUEST_FOR_INFORMATION, other news of a dispute | which payment the dispute is about | the same |
//! | all others | nothing | nothing |
//!
//! A *dispute* is the pspReference that all its events share. One that names no payment is about
//! the payment that another event of its dispute names. The stage that a dispute has reached
//! decides and not the sequence of its events: SECOND_CHARGEBACK, arbitration, pre-arbitration,
//! CHARGEBACK_REVERSED, CHARGEBACK. Where a stage was both won and lost, the later one counts.
//!
//! A failure whose pspReference is that of a request made here undoes that one alone. One that
//! may be about a request whose answer was lost undoes none. One that fits nothing needs
//! attention ten minutes after it was received.
//!
//! An attempt that waited for its shopper until the schedule gave it up counts as expired, until
//! its shopper comes back or a webhook tells better.
//!
//! A CAPTURE whose reason says that it was recaptured, dated after the CAPTURE_FAILED that
//! names it, stands again. A CANCEL_OR_REFUND without `modification.action` changes no
//! status, leaves nothing open to further requests, and needs attention.
//!
//! # Status, the first that applies
//!
//! A payment that was refunded in full, was cancelled or has expired does not count for status
//! and amounts where another one stands, unless it is charged back.
//!
//! 1. `chargedBack`: a payment is charged back.
//! 2. `refunded`, `partiallyRefunded`: refunds stand; against the captures that stand, or
//!    under automatic capture against what was authorised.
//! 3. `captured`: a capture stands.
//! 4. `authorised`: a payment stands.
//! 5. `pending`: the highest attempt is unresolved. Lower ones that are unresolved too are
//!    superseded.
//! 6. `cancelled`, `expired`: as the last payment ended.
//! 7. `refused`, `cancelled`, `error`, `expired`: as the highest attempt ended.
//! 8. `created`.

use jiff::{SignedDuration, Timestamp};

use super::{
    AttemptStatus, Attention, Capture, ModificationState, NextStep, Open, Order, Resolution,
    Status,
    findings::{Findings, after},
    modification,
    payment_totals::{AskedFor, PaymentTotals, SumSaturating, totals},
    reports::Reports,
    resolution::resolve,
};
use crate::domain::result_code::ResultCode;

/// How long the AUTHORISATION may take of a payment that Adyen answered as authorised.
const CONFIRMED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// The values derived from an order's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// Where the order stands.
    pub status: Status,
    /// True once AUTHORISATIONs of payments that stand add up to the order's amount. Ship on that.
    pub confirmed: bool,
    /// Minor units authorised by the payments that stand.
    pub authorised: i64,
    /// Minor units captured; under automatic capture a confirmed payment counts in full.
    pub captured: i64,
    /// Minor units of the refunds that stand.
    pub refunded: i64,
    /// The attempt that decided the status, from 1; 0 where there is none.
    pub attempt: usize,
    /// The payment that decided the status.
    pub psp_reference: Option<String>,
    /// Adyen's answer to that attempt, unless a webhook contradicts it.
    pub result_code: Option<ResultCode>,
    /// The storefront's next step.
    pub next_step: NextStep,
    /// The reasons why a person should look at the order.
    pub needs_attention: Vec<Attention>,
    /// When time alone will raise a further reason for attention, if nothing happens before:
    /// later than the order was last written.
    pub overdue_at: Option<Timestamp>,
    /// When the schedule can next act on the order, if it can.
    pub open: Option<Open>,
    /// Where each attempt stands.
    pub attempts: Vec<Resolution>,
    /// The state of each modification.
    pub modifications: Vec<ModificationState>,
    /// The payments that were authorised.
    pub payments: Vec<Payment>,
}

/// A payment that was authorised, and what may still be done with it, in minor units.
/// An undecided request counts as done.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Adyen's name of it.
    pub psp_reference: String,
    /// True if it neither was cancelled nor expired.
    pub stands: bool,
    /// Under manual capture.
    pub open_to_capture: i64,
    /// The whole, before a capture.
    pub open_to_cancel: i64,
    /// The captured amount that was not returned.
    pub open_to_refund: i64,
    /// The whole, before a refund.
    pub open_to_reverse: i64,
}

impl Payment {
    fn of(ledger: &PaymentTotals, capture: &Capture) -> Self {
        let authorised = ledger.authorised.unwrap_or(0);
        let AskedFor { captures, refunds, end } = &ledger.asked_for;
        let captured = ledger.taken_by_capture.saturating_add(*captures);
        let returned = ledger.refunded.saturating_add(*refunds);
        // Without a name Adyen cannot be asked to do anything with it.
        let gone = *end || ledger.unclear || ledger.psp_reference.is_empty();
        let open = |value: i64, allowed: bool| if allowed && !gone { value.max(0) } else { 0 };
        let untouched = ledger.stands() && captured == 0 && returned == 0;
        // Confirmed, it counts as captured.
        let captures_itself = *capture == Capture::Automatic && ledger.confirmed;
        Self {
            psp_reference: ledger.psp_reference.clone(),
            stands: ledger.stands(),
            open_to_capture: open(
                authorised.saturating_sub(captured),
                *capture == Capture::Manual && ledger.ended.is_none(),
            ),
            open_to_cancel: open(authorised, untouched && !captures_itself),
            open_to_refund: open(ledger.taken.saturating_sub(returned), !ledger.charged_back),
            open_to_reverse: open(ledger.taken, returned == 0 && !ledger.charged_back),
        }
    }
}

impl Derived {
    /// Adds up the facts.
    pub fn of(order: &Order) -> Self {
        let reports = Reports::of(&order.events);
        let attempts = resolve(order, &reports);
        let mut findings = Findings::at(order.updated_at);
        let modifications = modification::states(order, &reports);
        let totals = totals(order, &attempts, &modifications, &reports, &mut findings);
        let counting = counting(&totals);
        let highest = attempts.last().map(|attempt| attempt.status);
        let (status, payment) = decide(&counting, highest);

        let standing: Vec<&PaymentTotals> = standing(&counting).collect();
        let confirming = standing.iter().filter(|payment| payment.confirmed);
        let confirming = confirming.filter_map(|payment| payment.authorised).sum_saturating();
        let confirmed =
            standing.iter().any(|payment| payment.confirmed) && confirming >= order.amount.value;
        look_at_payments(order, &counting, confirmed, &mut findings);
        let last = order.attempts.last();
        let pending = last.filter(|_| status == Status::Pending);
        if pending.is_some_and(|attempt| attempt.outcome_unknown) {
            findings.raise(Attention::OutcomeUnknown);
        }
        for (modification, state) in order.modifications.iter().zip(&modifications) {
            match state {
                ModificationState::Unknown => findings.raise(Attention::ModificationUnknown),
                ModificationState::Received => {
                    findings.raise_from(modification.due(), Attention::ModificationUndecided);
                }
                _ => {}
            }
        }
        if order.events_dropped {
            findings.raise(Attention::TooManyEvents);
        }
        if !order.contested.is_empty() {
            let contested = order.contested.iter().cloned().collect();
            findings.raise(Attention::PaymentOfAnotherOrder(contested));
        }

        let open = Open::of(order, status, &attempts, &modifications, findings.overdue_at);
        // Speak of the payment that decided, else of the highest attempt.
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
            captured: counting.iter().map(|ledger| ledger.captured).sum_saturating(),
            refunded: counting.iter().map(|ledger| ledger.refunded).sum_saturating(),
            attempt: number,
            psp_reference: named.filter(|named| !named.is_empty()).cloned(),
            result_code: decisive
                .and_then(|(attempt, resolution)| attempt.result_code_if(resolution.status)),
            next_step: NextStep::after(status, payment.is_some(), decisive),
            needs_attention: findings.attention.into_iter().collect(),
            overdue_at: findings.overdue_at,
            open,
            payments: totals
                .iter()
                .filter(|ledger| ledger.authorised.is_some())
                .map(|ledger| Payment::of(ledger, &order.capture))
                .collect(),
            attempts,
            modifications,
        }
    }
}

impl Derived {
    /// Minor units that may be captured.
    pub fn open_to_capture(&self) -> i64 {
        self.payments.iter().map(|payment| payment.open_to_capture).sum_saturating()
    }

    /// Minor units that may be refunded.
    pub fn open_to_refund(&self) -> i64 {
        self.payments.iter().map(|payment| payment.open_to_refund).sum_saturating()
    }
}

/// The payments that stand.
fn standing<'a>(totals: &[&'a PaymentTotals]) -> impl Iterator<Item = &'a PaymentTotals> {
    totals.iter().copied().filter(|ledger| ledger.authorised.is_some() && ledger.stands())
}

/// The payments that stand and were not given back.
fn unreturned<'a>(totals: &[&'a PaymentTotals]) -> impl Iterator<Item = &'a PaymentTotals> {
    standing(totals).filter(|payment| !payment.refunded_in_full())
}

/// The payments that count. One that is over does not count where another one stands.
fn counting(totals: &[PaymentTotals]) -> Vec<&PaymentTotals> {
    let mut counting: Vec<&PaymentTotals> = totals.iter().collect();
    if unreturned(&counting).next().is_some() {
        counting.retain(|payment| !payment.is_over());
    }
    counting
}

/// Raises reasons for attention about the amounts, the number and the confirmation of payments.
fn look_at_payments(
    order: &Order,
    counting: &[&PaymentTotals],
    confirmed: bool,
    findings: &mut Findings,
) {
    let unreturned: Vec<&PaymentTotals> = unreturned(counting).collect();
    let named = |payment: &&PaymentTotals| payment.psp_reference.clone();
    if unreturned.len() > 1 {
        findings.raise(Attention::PaidTwice(unreturned.iter().map(named).collect()));
    }
    if counting.iter().any(|payment| payment.amount_differs) {
        findings.raise(Attention::AmountDiffers);
    }
    if !confirmed && unreturned.iter().any(|payment| payment.confirmed) {
        findings.raise(Attention::PaidInPart);
    }
    let unreported = unreturned.iter().filter(|payment| !payment.confirmed);
    let attempts = unreported.filter_map(|payment| order.attempts.get(payment.attempt? - 1));
    for attempt in attempts {
        let answered_at = attempt.last_sent_at().max(attempt.started_at);
        findings.raise_from(after(answered_at, CONFIRMED_WITHIN), Attention::Unconfirmed);
    }
}

/// The status, and the payment that decided it, if it was one.
fn decide<'a>(
    totals: &[&'a PaymentTotals],
    highest: Option<AttemptStatus>,
) -> (Status, Option<&'a PaymentTotals>) {
    let payments = || totals.iter().copied().filter(|ledger| ledger.authorised.is_some());
    let newest_standing = standing(totals).max_by_key(|payment| payment.age());
    let newest = payments().max_by_key(|payment| payment.age());
    let refunded = totals.iter().map(|ledger| ledger.refunded).sum_saturating();
    let taken = totals.iter().map(|ledger| ledger.taken).sum_saturating();

    let paid = if totals.iter().any(|ledger| ledger.charged_back) {
        Some(Status::ChargedBack)
    } else if refunded > 0 && refunded >= taken {
        Some(Status::Refunded)
    } else if refunded > 0 {
        Some(Status::PartiallyRefunded)
    } else if totals.iter().any(|ledger| ledger.has_capture) {
        Some(Status::Captured)
    } else {
        newest_standing.map(|_| Status::Authorised)
    };
    if let Some(status) = paid {
        return (status, newest_standing.or(newest));
    }
    if highest.is_some_and(AttemptStatus::is_pending) {
        return (Status::Pending, None);
    }
    if let Some((payment, (_, status))) = newest.and_then(|payment| Some((payment, payment.ended?)))
    {
        return (status, Some(payment));
    }
    let status = match highest {
        Some(AttemptStatus::Refused) => Status::Refused,
        Some(AttemptStatus::Cancelled) => Status::Cancelled,
        Some(AttemptStatus::Expired | AttemptStatus::MaybeExpired(_)) => Status::Expired,
        Some(AttemptStatus::Error) => Status::Error,
        _ => Status::Created,
    };
    (status, None)
}
