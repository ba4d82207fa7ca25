//! Where each attempt stands: Adyen's answers, corrected by its webhooks.

use std::collections::BTreeSet;

use super::{Attempt, Order, Outcome, reports::Reports};
use crate::adyen::{notification::EventCode, payments::ResultCode};

/// Where one attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
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

impl AttemptState {
    /// Whether the outcome is open.
    pub fn unresolved(self) -> bool {
        matches!(self, Self::Unknown | Self::AwaitsShopper | Self::Processing)
    }
}

/// The state that an answer alone leads to.
impl From<&ResultCode> for AttemptState {
    fn from(result_code: &ResultCode) -> Self {
        match result_code {
            ResultCode::Authorised => AttemptState::Authorised,
            ResultCode::Refused => AttemptState::Refused,
            ResultCode::Cancelled => AttemptState::Cancelled,
            ResultCode::Error => AttemptState::Error,
            ResultCode::RedirectShopper
            | ResultCode::IdentifyShopper
            | ResultCode::ChallengeShopper => AttemptState::AwaitsShopper,
            ResultCode::AuthenticationFinished
            | ResultCode::AuthenticationNotRequired
            | ResultCode::PartiallyAuthorised
            | ResultCode::Pending
            | ResultCode::PresentToShopper
            | ResultCode::Received
            | ResultCode::Success
            | ResultCode::Unknown(_) => AttemptState::Processing,
        }
    }
}

impl Attempt {
    /// Where the attempt stands by Adyen's answers alone.
    pub fn state(&self) -> AttemptState {
        match self.outcome() {
            None => AttemptState::Unknown,
            Some(Outcome::Answered { result_code, .. }) => result_code.into(),
            Some(Outcome::Rejected(_)) => AttemptState::Error,
        }
    }

    /// What Adyen answered, unless it is not what the attempt came to.
    pub(super) fn result_code_if(&self, state: AttemptState) -> Option<ResultCode> {
        let Some(Outcome::Answered { result_code, .. }) = self.outcome() else {
            return None;
        };
        (AttemptState::from(result_code) == state).then(|| result_code.clone())
    }
}

/// Where an attempt stands, and the payment that it made.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Where it stands.
    pub state: AttemptState,
    /// Adyen's name of the payment, as answered or as an AUTHORISATION brought it.
    pub psp_reference: Option<String>,
}

/// Where each attempt stands.
pub(super) fn resolve(order: &Order, reports: &Reports) -> Vec<Resolution> {
    let mut psp_references: Vec<Option<String>> =
        order.attempts.iter().map(|attempt| attempt.psp_reference.clone()).collect();

    // An AUTHORISATION that names no attempt speaks for the only one without a reference
    // and without a result; of several, a success before a failure, then the latest.
    let mut nameless = order
        .attempts
        .iter()
        .enumerate()
        .filter(|(_, attempt)| attempt.psp_reference.is_none() && attempt.state().unresolved());
    if let (Some((at, _)), None) = (nameless.next(), nameless.next()) {
        let named: BTreeSet<&str> = psp_references.iter().flatten().map(String::as_str).collect();
        psp_references[at] = reports
            .with_code(&EventCode::Authorisation)
            .into_iter()
            .filter(|event| !named.contains(event.psp_reference.as_str()))
            .max_by_key(|event| (event.success, event.date(), &event.psp_reference))
            .map(|event| event.psp_reference.clone());
    }

    let mut resolutions: Vec<Resolution> = order
        .attempts
        .iter()
        .zip(psp_references)
        .map(|(attempt, psp_reference)| {
            let verdict = psp_reference.as_deref().and_then(|named| reports.authorisation(named));
            let answered = attempt.state();
            let state = match verdict {
                Some(event) if event.success => AttemptState::Authorised,
                // How an attempt ended without money, the answer knows better.
                Some(_) if answered.unresolved() || answered == AttemptState::Authorised => {
                    AttemptState::Refused
                }
                _ => answered,
            };
            Resolution { state, psp_reference }
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
            attempt.state = AttemptState::Expired;
        }
    }
    resolutions
}
