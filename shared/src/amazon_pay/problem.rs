//! Why a checkout session cannot be confirmed or paid, and what the storefront does then.

use super::{
    client::{CallError, Refusal},
    session::{State, StatusDetails},
};
use crate::{
    order::{NextStep, Status},
    problem::{Code, Problem},
};

/// What is wrong with a checkout session, or with asking for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionProblem {
    /// The shopper or Amazon Pay cancelled it, or the card was declined.
    #[error("the checkout session was cancelled: {0}")]
    Canceled(String),
    /// It was open for too long.
    #[error("the checkout session has expired")]
    Expired,
    /// It was completed, so that Adyen can no longer charge it.
    #[error("the checkout session was completed")]
    Completed,
    /// Amazon Pay does not know it.
    #[error("there is no such checkout session")]
    Unknown,
    /// It is for another order, or for none yet.
    #[error("the checkout session is for another order")]
    WrongOrder,
    /// It is for another amount, or for none yet.
    #[error("the checkout session is for another amount")]
    AmountMismatch,
    /// Amazon Pay gives no token: the shopper did not confirm, or the key is not enabled
    /// for Adyen.
    #[error("the checkout session has no amazonPayToken")]
    NoToken,
    /// Amazon Pay does not take requests from this deployment.
    #[error("Amazon Pay does not accept our key or account: {0}")]
    Configuration(String),
    /// Amazon Pay did not accept the request.
    #[error("Amazon Pay did not accept the request: {0}")]
    Rejected(String),
    /// Amazon Pay cannot be reached, or gave no usable answer.
    #[error("Amazon Pay is not available: {0}")]
    Unavailable(String),
}

impl SessionProblem {
    /// Why a session that is not open cannot be used.
    pub(super) fn ended(status: &StatusDetails) -> Option<Self> {
        let reason = status.reason_code.clone().unwrap_or_default();
        match &status.state {
            State::Open => None,
            State::Completed => Some(Self::Completed),
            State::Canceled if reason == "Expired" => Some(Self::Expired),
            State::Canceled => Some(Self::Canceled(reason)),
            State::Unknown(state) => Some(Self::Unavailable(format!("state {state}"))),
        }
    }

    /// For a program to switch on.
    pub fn code(&self) -> Code {
        match self {
            Self::Canceled(_) => Code::CheckoutSessionCanceled,
            Self::Expired => Code::CheckoutSessionExpired,
            Self::Completed => Code::CheckoutSessionCompleted,
            Self::Unknown => Code::CheckoutSessionNotFound,
            Self::WrongOrder => Code::CheckoutSessionWrongOrder,
            Self::AmountMismatch => Code::AmountMismatch,
            Self::NoToken => Code::AmazonPayTokenMissing,
            Self::Configuration(_) => Code::AmazonPayConfiguration,
            Self::Rejected(_) => Code::AmazonPayRejected,
            Self::Unavailable(_) => Code::AmazonPayUnavailable,
        }
    }

    /// For a storefront to switch on: where a session is no use any more, a new one is.
    pub fn next_step(&self) -> NextStep {
        match self {
            Self::Canceled(_)
            | Self::Expired
            | Self::Completed
            | Self::Unknown
            | Self::WrongOrder
            | Self::AmountMismatch => NextStep::StartOver,
            Self::NoToken | Self::Configuration(_) | Self::Rejected(_) | Self::Unavailable(_) => {
                NextStep::ShowError
            }
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::Canceled(_) => "The shopper begins again at Amazon Pay's button.",
            Self::Expired => "A session is open for 24 hours; the shopper begins again.",
            Self::Completed => "Adyen charges open sessions only; the shopper begins again.",
            Self::Unknown => "Amazon Pay does not know that id.",
            Self::WrongOrder => {
                "The checkout session belongs to another order, or PATCH /checkoutSessions/{id} \
                 has not assigned it to an order yet; the shopper begins again."
            }
            Self::AmountMismatch => {
                "PATCH /checkoutSessions/{id} sets the order's amount before the shopper confirms."
            }
            Self::NoToken => {
                "Either the shopper has not confirmed at amazonPayRedirectUrl, or the key is not \
                 enabled for Adyen: it must be the one from Adyen's Customer Area."
            }
            Self::Configuration(_) => {
                "Amazon Pay does not take requests from this deployment; its log says more."
            }
            Self::Rejected(_) => "Amazon Pay did not accept the request; reasonCode says why.",
            Self::Unavailable(_) => "Amazon Pay gave no answer; try again in a moment.",
        }
    }
}

impl From<CallError> for SessionProblem {
    fn from(error: CallError) -> Self {
        let (status, Refusal { reason_code, .. }) = match error {
            CallError::Unavailable(reason) => return Self::Unavailable(reason),
            CallError::Refused { status, refusal } => (status, refusal),
        };
        match (status, reason_code.as_str()) {
            (404, _) => Self::Unknown,
            (401 | 403, _) => Self::Configuration(reason_code),
            (_, "CheckoutSessionCanceled") => Self::Canceled(String::new()),
            _ => Self::Rejected(reason_code),
        }
    }
}

impl From<SessionProblem> for Problem {
    /// With `nextStep` and `message`, as a payment's answer has them, and Amazon Pay's
    /// `reasonCode` where it gave one.
    fn from(problem: SessionProblem) -> Self {
        let status = match problem {
            SessionProblem::Expired => Status::Expired,
            _ => Status::Created,
        };
        let next_step = problem.next_step();
        let answer = Self::new(problem.code(), problem.detail())
            .with("nextStep", next_step)
            .with("message", next_step.message(status));
        match problem {
            SessionProblem::Canceled(reason) | SessionProblem::Rejected(reason)
                if !reason.is_empty() =>
            {
                answer.with("reasonCode", reason)
            }
            SessionProblem::Unavailable(_) => answer.retry_after(1),
            _ => answer,
        }
    }
}
