//! What the facts of an order add up to.
//!
//! # Events
//!
//! A *payment* is a pspReference that was authorised: by an AUTHORISATION, or as long as
//! there is none by the answer `Authorised`. It *stands* until a cancellation or EXPIRE of
//! it succeeds, and for good once a capture of it stands. Of several reports about one
//! reference the one with the later `eventDate` counts, then the one of success.
//!
//! | event | success true | success false |
//! |---|---|---|
//! | AUTHORISATION | the payment is authorised, whatever the answer said | the attempt is refused, unless the answer said already how it ended without money |
//! | OFFER_CLOSED | the attempt that it names, else the highest one begun before it, expired if it was unresolved | nothing |
//! | CAPTURE | a capture stands | nothing was captured |
//! | CAPTURE_FAILED | undoes the capture that it names, else the newest standing one of its amount | the same |
//! | CANCELLATION, TECHNICAL_CANCEL | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `cancel` | the payment is cancelled | nothing |
//! | CANCEL_OR_REFUND, `refund` | a refund stands | nothing |
//! | REFUND | a refund stands | nothing was refunded |
//! | REFUND_FAILED | undoes the refund that it names, else the newest standing one of its amount | the same |
//! | REFUNDED_REVERSED | as REFUND_FAILED | the same |
//! | EXPIRE | what was not captured of the payment is gone | nothing |
//! | CHARGEBACK | the payment is charged back unless CHARGEBACK_REVERSED is there too | nothing |
//! | CHARGEBACK_REVERSED | lifts every CHARGEBACK of the payment | nothing |
//! | SECOND_CHARGEBACK | the payment is charged back for good | nothing |
//! | NOTIFICATION_OF_CHARGEBACK, REQUEST_FOR_INFORMATION, all others | nothing | nothing |
//!
//! A CAPTURE whose reason says that it was recaptured, dated after the CAPTURE_FAILED that
//! names it, stands again. A CANCEL_OR_REFUND without `modification.action` changes no
//! status, leaves nothing open to further requests, and needs attention.
//!
//! # Status, the first that applies
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

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    AttemptState, Attention, Capture, ModificationState, NextStep, Order, Resolution, Status,
    ledger::{AskedFor, Ledger, SumSaturating, ledgers},
    modification,
    reports::Reports,
    resolution::resolve,
};
use crate::adyen::payments::ResultCode;

/// What the facts of an order add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// Where the order stands.
    pub status: Status,
    /// Whether Adyen's webhook says that a standing payment was made: ship on that.
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
    /// What Adyen answered to that attempt, unless a webhook contradicts it.
    pub result_code: Option<ResultCode>,
    /// What the storefront shows next.
    pub next_step: NextStep,
    /// What a person should look at.
    pub needs_attention: Vec<Attention>,
    /// Since when the outcome is open, of the payment or of a modification.
    pub unsettled_since: Option<Timestamp>,
    /// Where each attempt stands.
    pub attempts: Vec<Resolution>,
    /// What became of each modification.
    pub modifications: Vec<ModificationState>,
    /// The payments that were authorised.
    pub payments: Vec<Payment>,
}

/// A payment that was authorised, and what may still be done with it, in minor units.
/// What was asked for and is not decided counts as done.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Adyen's name of it.
    pub psp_reference: String,
    /// Whether it neither was cancelled nor expired.
    pub stands: bool,
    /// Under manual capture.
    pub open_to_capture: i64,
    /// The whole, before a capture.
    pub open_to_cancel: i64,
    /// What was taken and not given back.
    pub open_to_refund: i64,
    /// The whole, before a refund.
    pub open_to_reverse: i64,
}

impl Payment {
    fn of(ledger: &Ledger, capture: Capture) -> Self {
        let authorised = ledger.authorised.unwrap_or(0);
        let AskedFor { captures, refunds, end } = &ledger.asked_for;
        let captured = ledger.taken_by_capture.saturating_add(*captures);
        let returned = ledger.refunded.saturating_add(*refunds);
        let gone = *end || ledger.unclear;
        let open = |value: i64, allowed: bool| if allowed && !gone { value.max(0) } else { 0 };
        let untouched = ledger.stands() && captured == 0 && returned == 0;
        // Confirmed, it counts as captured.
        let captures_itself = capture == Capture::Automatic && ledger.confirmed;
        Self {
            psp_reference: ledger.psp_reference.clone(),
            stands: ledger.stands(),
            open_to_capture: open(
                authorised.saturating_sub(captured),
                capture == Capture::Manual && ledger.ended.is_none(),
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
        let mut attention = BTreeSet::new();
        let modifications = modification::states(order, &reports);
        let ledgers = ledgers(order, &attempts, &modifications, &reports, &mut attention);
        let highest = attempts.last().map(|attempt| attempt.state);
        let (status, payment) = decide(&ledgers, highest);

        let standing: Vec<&Ledger> = standing(&ledgers).collect();
        let unreturned = standing.iter().filter(|payment| !payment.refunded_in_full());
        let unreturned: Vec<String> =
            unreturned.map(|payment| payment.psp_reference.clone()).collect();
        if unreturned.len() > 1 {
            attention.insert(Attention::PaidTwice(unreturned));
        }
        let last = order.attempts.last();
        let pending = last.filter(|_| status == Status::Pending);
        if pending.is_some_and(|attempt| attempt.outcome_unknown) {
            attention.insert(Attention::OutcomeUnknown);
        }
        if modifications.contains(&ModificationState::Unknown) {
            attention.insert(Attention::ModificationUnknown);
        }
        let in_doubt = order.modifications.iter().zip(&modifications);
        let in_doubt = in_doubt
            .filter(|(_, state)| state.in_doubt())
            .map(|(modification, _)| modification.requested_at);
        let unsettled_since = pending.map(|attempt| attempt.started_at);
        let unsettled_since = in_doubt.chain(unsettled_since).min();
        if order.events_dropped {
            attention.insert(Attention::TooManyEvents);
        }

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
            confirmed: standing.iter().any(|payment| payment.confirmed),
            authorised: standing.iter().filter_map(|payment| payment.authorised).sum_saturating(),
            captured: ledgers.iter().map(|ledger| ledger.captured).sum_saturating(),
            refunded: ledgers.iter().map(|ledger| ledger.refunded).sum_saturating(),
            attempt: number,
            psp_reference: named.filter(|named| !named.is_empty()).cloned(),
            result_code: decisive
                .and_then(|(attempt, resolution)| attempt.result_code_if(resolution.state)),
            next_step: NextStep::after(status, payment.is_some(), decisive),
            needs_attention: attention.into_iter().collect(),
            unsettled_since,
            payments: ledgers
                .iter()
                .filter(|ledger| ledger.authorised.is_some())
                .map(|ledger| Payment::of(ledger, order.capture))
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
fn standing(ledgers: &[Ledger]) -> impl Iterator<Item = &Ledger> {
    ledgers.iter().filter(|ledger| ledger.authorised.is_some() && ledger.stands())
}

/// The status, and the payment that decided it, if it was one.
fn decide(ledgers: &[Ledger], highest: Option<AttemptState>) -> (Status, Option<&Ledger>) {
    let payments = || ledgers.iter().filter(|ledger| ledger.authorised.is_some());
    let newest_standing = standing(ledgers).max_by_key(|payment| payment.age());
    let newest = payments().max_by_key(|payment| payment.age());
    let refunded = ledgers.iter().map(|ledger| ledger.refunded).sum_saturating();
    let taken = ledgers.iter().map(|ledger| ledger.taken).sum_saturating();

    let paid = if ledgers.iter().any(|ledger| ledger.charged_back) {
        Some(Status::ChargedBack)
    } else if refunded > 0 && refunded >= taken {
        Some(Status::Refunded)
    } else if refunded > 0 {
        Some(Status::PartiallyRefunded)
    } else if ledgers.iter().any(|ledger| ledger.has_capture) {
        Some(Status::Captured)
    } else {
        newest_standing.map(|_| Status::Authorised)
    };
    if let Some(status) = paid {
        return (status, newest_standing.or(newest));
    }
    if highest.is_some_and(AttemptState::unresolved) {
        return (Status::Pending, None);
    }
    if let Some((payment, (_, status))) = newest.and_then(|payment| Some((payment, payment.ended?)))
    {
        return (status, Some(payment));
    }
    let status = match highest {
        Some(AttemptState::Refused) => Status::Refused,
        Some(AttemptState::Cancelled) => Status::Cancelled,
        Some(AttemptState::Expired) => Status::Expired,
        Some(AttemptState::Error) => Status::Error,
        _ => Status::Created,
    };
    (status, None)
}
