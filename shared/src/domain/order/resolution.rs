//! Derives the status of each attempt from Adyen's answers and webhooks.

use std::collections::BTreeSet;

use super::{
    AdyenEvent, Attempt, Order, Outcome,
    explain::{Cause, Effect, Witness},
    reports::Reports,
};
use crate::domain::{event_code::EventCode, result_code::ResultCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStatus {
    Pending(PendingOn),
    Authorised,
    Refused,
    /// By the shopper.
    Cancelled,
    Error,
    /// The shopper did not act in time.
    Expired,
    /// An offer closed, but it may be an earlier attempt's, or a call to Adyen was unanswered
    /// then. The order counts as expired, but a further request to pay treats the attempt as
    /// pending.
    MaybeExpired(PendingOn),
}

/// The answer, action or webhook that a pending attempt waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingOn {
    /// Adyen's answer to `/payments`.
    Answer,
    /// The shopper's action.
    Shopper,
    /// Adyen's answer to `/payments/details`, after the shopper's action.
    DetailsAnswer,
    /// Adyen's final result, which a webhook brings.
    FinalResult,
}

impl AttemptStatus {
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Pending(_))
    }

    /// Returns true if the order counts as expired.
    pub fn is_expired(self) -> bool {
        matches!(self, Self::Expired | Self::MaybeExpired(_))
    }

    /// Returns true if the attempt waits for its shopper, or for Adyen's answer to what the
    /// shopper's browser returned.
    pub fn requires_action(self) -> bool {
        matches!(self, Self::Pending(PendingOn::Shopper | PendingOn::DetailsAnswer))
    }
}

impl From<&ResultCode> for AttemptStatus {
    fn from(result_code: &ResultCode) -> Self {
        match result_code {
            ResultCode::Authorised => AttemptStatus::Authorised,
            ResultCode::Refused => AttemptStatus::Refused,
            ResultCode::Cancelled => AttemptStatus::Cancelled,
            ResultCode::Error => AttemptStatus::Error,
            ResultCode::RedirectShopper
            | ResultCode::IdentifyShopper
            | ResultCode::ChallengeShopper => AttemptStatus::Pending(PendingOn::Shopper),
            ResultCode::AuthenticationFinished
            | ResultCode::AuthenticationNotRequired
            | ResultCode::PartiallyAuthorised
            | ResultCode::Pending
            | ResultCode::PresentToShopper
            | ResultCode::Received
            | ResultCode::Success
            | ResultCode::Unknown(_) => AttemptStatus::Pending(PendingOn::FinalResult),
        }
    }
}

impl Attempt {
    /// The status by Adyen's answers alone, without webhooks.
    pub(super) fn answered(&self) -> AttemptStatus {
        match self.outcome() {
            None => AttemptStatus::Pending(PendingOn::Answer),
            Some(Outcome::Answered { result_code, has_action, .. }) => match result_code.into() {
                // An action is for the shopper, whatever the result code is: a voucher or a QR
                // code is PresentToShopper or Pending until it is paid.
                AttemptStatus::Pending(on) if *has_action || on == PendingOn::Shopper => {
                    let on = match self.details_in_flight() {
                        true => PendingOn::DetailsAnswer,
                        false => PendingOn::Shopper,
                    };
                    AttemptStatus::Pending(on)
                }
                status => status,
            },
            Some(Outcome::Rejected(_)) => AttemptStatus::Error,
            Some(Outcome::Unknown(_)) => AttemptStatus::Pending(PendingOn::FinalResult),
        }
    }

    /// True if Adyen processed it and took no money. A rejection does not count, because no
    /// AUTHORISATION follows it.
    fn was_answered_without_money(&self) -> bool {
        matches!(self.outcome(), Some(Outcome::Answered { .. }))
            && matches!(
                self.answered(),
                AttemptStatus::Refused | AttemptStatus::Cancelled | AttemptStatus::Error
            )
    }

    /// Returns Adyen's result code if no webhook contradicts it.
    pub fn result_code_if(&self, status: AttemptStatus) -> Option<ResultCode> {
        match self.outcome() {
            Some(Outcome::Answered { result_code, .. }) if self.answered() == status => {
                Some(result_code.clone())
            }
            _ => None,
        }
    }
}

/// The status of an attempt, and the payment that it made.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    pub status: AttemptStatus,
    /// Adyen's name of the payment, as answered or as an AUTHORISATION brought it.
    pub psp_reference: Option<String>,
}

/// Assigns AUTHORISATIONs to attempts without a payment.
struct Assignment<'a> {
    /// The payment of each attempt.
    payments: Vec<Option<String>>,
    /// The unassigned AUTHORISATIONs, the best last: successes after failures, then by date.
    unclaimed: Vec<&'a AdyenEvent>,
}

impl Assignment<'_> {
    /// Assigns the best AUTHORISATION that fits to an attempt without a payment.
    fn assign(&mut self, at: usize, fits: impl Fn(&AdyenEvent) -> bool) {
        if self.payments[at].is_none()
            && let Some(best) = self.unclaimed.iter().rposition(|event| fits(event))
        {
            self.payments[at] = Some(self.unclaimed.remove(best).psp_reference.clone());
        }
    }
}

/// The payment of each attempt: its own or, without one, that of an assigned AUTHORISATION.
///
/// Adyen may answer without a pspReference, so an AUTHORISATION of an unknown payment belongs to an
/// attempt without a payment. It is assigned to the first of these:
///
/// 1. An attempt whose details Adyen answered with that payment, although the answer was not bound.
/// 2. An attempt with the same result: a success to `Authorised`, a failure to one that ended
///    without money.
/// 3. The only unresolved attempt. If there are several, it is not assigned.
/// 4. If no attempt is unresolved, a failure to an attempt that was answered with `Authorised`.
fn payments(order: &Order, reports: &Reports) -> Vec<Option<String>> {
    let payments: Vec<Option<String>> =
        order.attempts.iter().map(|attempt| attempt.psp_reference.clone()).collect();
    let known: BTreeSet<&str> = payments.iter().flatten().map(String::as_str).collect();
    let mut unclaimed = reports.with_code(&EventCode::Authorisation);
    unclaimed.retain(|event| !known.contains(event.psp_reference.as_str()));
    unclaimed.sort_by_key(|event| (event.success, event.date(), &event.psp_reference));
    let mut found = Assignment { payments, unclaimed };

    let attempts = || order.attempts.iter().enumerate().rev();
    for (at, attempt) in attempts() {
        found.assign(at, |event| attempt.claims(&event.psp_reference));
    }
    for (at, attempt) in attempts() {
        match attempt.answered() {
            AttemptStatus::Authorised => found.assign(at, |event| event.success),
            _ if attempt.was_answered_without_money() => found.assign(at, |event| !event.success),
            _ => {}
        }
    }
    let nameless = attempts().filter(|(at, _)| found.payments[*at].is_none());
    let mut unresolved = nameless.filter(|(_, attempt)| attempt.answered().is_pending());
    match (unresolved.next(), unresolved.next()) {
        (Some((only, _)), None) => found.assign(only, |_| true),
        (None, _) => {
            for (at, attempt) in attempts() {
                if attempt.answered() == AttemptStatus::Authorised {
                    found.assign(at, |event| !event.success);
                }
            }
        }
        _ => {}
    }
    found.payments
}

pub(super) fn resolve(
    order: &Order,
    reports: &Reports,
    witness: &mut impl Witness,
) -> Vec<Resolution> {
    let mut resolutions: Vec<Resolution> = order
        .attempts
        .iter()
        .zip(payments(order, reports))
        .enumerate()
        .map(|(at, (attempt, psp_reference))| {
            let verdict = psp_reference.as_deref().and_then(|named| reports.authorisation(named));
            let answered = attempt.answered();
            let (status, cause) = match verdict {
                Some(event) if event.success => (AttemptStatus::Authorised, Cause::Authorisation),
                // A failed AUTHORISATION has no more detail. Keep the answer's status, which is
                // refused, cancelled or error.
                Some(_) if answered.is_pending() || answered == AttemptStatus::Authorised => {
                    (AttemptStatus::Refused, Cause::AuthorisationFailed)
                }
                _ if answered.requires_action() && attempt.is_abandoned() => {
                    (AttemptStatus::Expired, Cause::Abandoned)
                }
                _ if answered.is_pending() && attempt.is_closed() => {
                    (AttemptStatus::Error, Cause::Closed)
                }
                _ => (answered, Cause::Answer),
            };
            witness.attempt(at, cause);
            Resolution { status, psp_reference }
        })
        .collect();

    let offers = reports.with_code(&EventCode::OfferClosed);
    for offer in offers.into_iter().filter(|event| event.success) {
        let named =
            |attempt: &Resolution| attempt.psp_reference.as_deref() == Some(offer.payment());
        // Adyen dates events to the second, so an attempt of the same second counts as begun
        // before the offer closed, unless the attempt recorded the offer as closed.
        let open = |at: &usize| {
            let attempt = &order.attempts[*at];
            resolutions[*at].status.is_pending()
                && attempt.started_at.as_second() <= offer.date().as_second()
                && !attempt.closed_before.contains(&offer.psp_reference)
        };
        let ended =
            resolutions.iter().position(named).or_else(|| (0..resolutions.len()).rev().find(open));
        if let Some(at) = ended
            && resolutions[at].status.is_pending()
        {
            resolutions[at].status = AttemptStatus::Expired;
            witness.attempt(at, Cause::OfferClosed);
            witness.event(offer, Effect::ClosesOffer);
        }
    }
    for at in 0..resolutions.len() {
        if resolutions[at].status == AttemptStatus::Expired
            && let Some(on) = may_be_pending(order, reports, &resolutions, at)
        {
            resolutions[at].status = AttemptStatus::MaybeExpired(on);
            witness.attempt(at, Cause::MaybePending);
        }
    }
    resolutions
}

/// Returns what an expired attempt may still be pending on. While a call to Adyen is unanswered
/// the outcome is unknown, and an OFFER_CLOSED that names no payment may belong to an earlier
/// attempt.
fn may_be_pending(
    order: &Order,
    reports: &Reports,
    resolutions: &[Resolution],
    at: usize,
) -> Option<PendingOn> {
    let attempt = &order.attempts[at];
    let AttemptStatus::Pending(on) = attempt.answered() else { return None };
    let is_named = || {
        let offers = reports.with_code(&EventCode::OfferClosed);
        let payment = resolutions[at].psp_reference.as_deref();
        offers.iter().any(|offer| offer.success && Some(offer.payment()) == payment)
    };
    let doubtful = match on {
        PendingOn::Answer => true,
        PendingOn::FinalResult if at > 0 && !is_named() => true,
        _ => {
            attempt.details_in_flight() || resolutions[..at].iter().any(|it| it.status.is_pending())
        }
    };
    doubtful.then_some(on)
}
