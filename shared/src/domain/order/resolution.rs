//! Where each attempt stands: Adyen's answers, corrected by its webhooks.

use std::collections::BTreeSet;

use super::{AdyenEvent, Attempt, Order, Outcome, reports::Reports};
use crate::domain::{event_code::EventCode, result_code::ResultCode};

/// Where one attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStatus {
    /// Adyen's answer is not known.
    Unknown,
    /// The shopper must act.
    AwaitsShopper,
    /// Adyen has no final result.
    Processing,
    /// Paid.
    Authorised,
    /// Refused.
    Refused,
    /// The shopper cancelled.
    Cancelled,
    /// It went wrong.
    Error,
    /// The shopper let the time pass.
    Expired,
}

impl AttemptStatus {
    /// Returns whether the outcome is open.
    pub fn unresolved(self) -> bool {
        matches!(self, Self::Unknown | Self::AwaitsShopper | Self::Processing)
    }
}

/// The state that an answer alone leads to.
impl From<&ResultCode> for AttemptStatus {
    fn from(result_code: &ResultCode) -> Self {
        match result_code {
            ResultCode::Authorised => AttemptStatus::Authorised,
            ResultCode::Refused => AttemptStatus::Refused,
            ResultCode::Cancelled => AttemptStatus::Cancelled,
            ResultCode::Error => AttemptStatus::Error,
            ResultCode::RedirectShopper
            | ResultCode::IdentifyShopper
            | ResultCode::ChallengeShopper => AttemptStatus::AwaitsShopper,
            ResultCode::AuthenticationFinished
            | ResultCode::AuthenticationNotRequired
            | ResultCode::PartiallyAuthorised
            | ResultCode::Pending
            | ResultCode::PresentToShopper
            | ResultCode::Received
            | ResultCode::Success
            | ResultCode::Unknown(_) => AttemptStatus::Processing,
        }
    }
}

impl Attempt {
    /// Where the attempt stands by Adyen's answers alone.
    pub fn state(&self) -> AttemptStatus {
        match self.outcome() {
            None => AttemptStatus::Unknown,
            Some(Outcome::Answered { result_code, .. }) => result_code.into(),
            Some(Outcome::Rejected(_)) => AttemptStatus::Error,
            Some(Outcome::Unknown(_)) => AttemptStatus::Processing,
        }
    }

    /// Returns true if Adyen processed it and took no money. A rejection has no AUTHORISATION.
    fn was_answered_without_money(&self) -> bool {
        let state = self.state();
        let answered = matches!(self.outcome(), Some(Outcome::Answered { .. }));
        answered && !state.unresolved() && state != AttemptStatus::Authorised
    }

    /// Returns Adyen's result code, unless the attempt ended otherwise.
    pub fn result_code_if(&self, state: AttemptStatus) -> Option<ResultCode> {
        let Some(Outcome::Answered { result_code, .. }) = self.outcome() else {
            return None;
        };
        (AttemptStatus::from(result_code) == state).then(|| result_code.clone())
    }
}

/// Where an attempt stands, and the payment that it made.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Where it stands.
    pub state: AttemptStatus,
    /// The same for a further request to pay: an expiry counts only once no call to Adyen and
    /// no earlier attempt can be what the closed offer was about.
    pub certain: AttemptStatus,
    /// Adyen's name of the payment, as answered or as an AUTHORISATION brought it.
    pub psp_reference: Option<String>,
}

/// Which AUTHORISATION belongs to which attempt that knows no payment.
struct TakeOver<'a> {
    /// The payment of each attempt, once it has one.
    payments: Vec<Option<String>>,
    /// The AUTHORISATIONs that no attempt has, the best last: a success after a failure, then
    /// by date.
    unclaimed: Vec<&'a AdyenEvent>,
}

impl TakeOver<'_> {
    /// Gives an attempt without a payment the best AUTHORISATION that fits.
    fn take(&mut self, at: usize, fits: impl Fn(&AdyenEvent) -> bool) {
        if self.payments[at].is_none()
            && let Some(best) = self.unclaimed.iter().rposition(|event| fits(event))
        {
            self.payments[at] = Some(self.unclaimed.remove(best).psp_reference.clone());
        }
    }
}

/// The payment of each attempt: the one that it knows, else the one of an AUTHORISATION that it
/// takes over.
///
/// Adyen may answer without a pspReference, so an AUTHORISATION that no attempt names belongs to
/// one of the attempts that know none. In this sequence:
///
/// 1. One whose details Adyen answered with that payment, although the answer was not bound.
/// 2. One that was answered: a success to `Authorised`, a failure where it ended without money.
/// 3. The only unresolved one. With several, nobody knows whose it is.
/// 4. Where none is unresolved, a failure is that of one whose `Authorised` was wrong.
fn payments(order: &Order, reports: &Reports) -> Vec<Option<String>> {
    let payments: Vec<Option<String>> =
        order.attempts.iter().map(|attempt| attempt.psp_reference.clone()).collect();
    let known: BTreeSet<&str> = payments.iter().flatten().map(String::as_str).collect();
    let mut unclaimed = reports.with_code(&EventCode::Authorisation);
    unclaimed.retain(|event| !known.contains(event.psp_reference.as_str()));
    unclaimed.sort_by_key(|event| (event.success, event.date(), &event.psp_reference));
    let mut found = TakeOver { payments, unclaimed };

    let attempts = || order.attempts.iter().enumerate().rev();
    for (at, attempt) in attempts() {
        found.take(at, |event| attempt.claims(&event.psp_reference));
    }
    for (at, attempt) in attempts() {
        match attempt.state() {
            AttemptStatus::Authorised => found.take(at, |event| event.success),
            _ if attempt.was_answered_without_money() => found.take(at, |event| !event.success),
            _ => {}
        }
    }
    let nameless = attempts().filter(|(at, _)| found.payments[*at].is_none());
    let mut unresolved = nameless.filter(|(_, attempt)| attempt.state().unresolved());
    match (unresolved.next(), unresolved.next()) {
        (Some((only, _)), None) => found.take(only, |_| true),
        (None, _) => {
            for (at, attempt) in attempts() {
                if attempt.state() == AttemptStatus::Authorised {
                    found.take(at, |event| !event.success);
                }
            }
        }
        _ => {}
    }
    found.payments
}

/// Where each attempt stands.
pub(super) fn resolve(order: &Order, reports: &Reports) -> Vec<Resolution> {
    let mut resolutions: Vec<Resolution> = order
        .attempts
        .iter()
        .zip(payments(order, reports))
        .map(|(attempt, psp_reference)| {
            let verdict = psp_reference.as_deref().and_then(|named| reports.authorisation(named));
            let answered = attempt.state();
            let state = match verdict {
                Some(event) if event.success => AttemptStatus::Authorised,
                // A failed AUTHORISATION only says "not paid". The answer's status says how:
                // refused, cancelled or error.
                Some(_) if answered.unresolved() || answered == AttemptStatus::Authorised => {
                    AttemptStatus::Refused
                }
                _ if answered == AttemptStatus::AwaitsShopper && attempt.is_abandoned() => {
                    AttemptStatus::Expired
                }
                _ => answered,
            };
            Resolution { state, certain: state, psp_reference }
        })
        .collect();

    let offers = reports.with_code(&EventCode::OfferClosed);
    for offer in offers.into_iter().filter(|event| event.success) {
        let named =
            |attempt: &Resolution| attempt.psp_reference.as_deref() == Some(offer.payment());
        // Adyen dates events to the second, so an attempt of the same second began before,
        // unless the offer had closed by then as we know.
        let open = |at: &usize| {
            let attempt = &order.attempts[*at];
            resolutions[*at].state.unresolved()
                && attempt.started_at.as_second() <= offer.date().as_second()
                && !attempt.closed_before.contains(&offer.psp_reference)
        };
        let ended =
            resolutions.iter().position(named).or_else(|| (0..resolutions.len()).rev().find(open));
        if let Some(attempt) = ended.map(|at| &mut resolutions[at])
            && attempt.state.unresolved()
        {
            attempt.state = AttemptStatus::Expired;
        }
    }
    for at in 0..resolutions.len() {
        resolutions[at].certain = certain(order, reports, &resolutions, at);
    }
    resolutions
}

/// Where an attempt stands for a further request to pay. While a call to Adyen is unanswered the
/// outcome is unknown, and an OFFER_CLOSED that names no payment may belong to an earlier
/// attempt. In both cases the attempt does not count as expired.
fn certain(
    order: &Order,
    reports: &Reports,
    resolutions: &[Resolution],
    at: usize,
) -> AttemptStatus {
    let Resolution { state, psp_reference, .. } = &resolutions[at];
    if *state != AttemptStatus::Expired {
        return *state;
    }
    let attempt = &order.attempts[at];
    let offers = reports.with_code(&EventCode::OfferClosed);
    let is_named = offers
        .iter()
        .any(|offer| offer.success && Some(offer.payment()) == psp_reference.as_deref());
    let earlier_is_open = || resolutions[..at].iter().any(|it| it.state.unresolved());
    match attempt.state() {
        AttemptStatus::Unknown => AttemptStatus::Unknown,
        AttemptStatus::Processing if at > 0 && !is_named => AttemptStatus::Processing,
        answered if attempt.details_in_flight() || earlier_is_open() => answered,
        _ => AttemptStatus::Expired,
    }
}
