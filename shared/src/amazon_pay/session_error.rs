//! The reasons for which a checkout session cannot be confirmed or paid.

use super::{
    client::{CallError, Refusal},
    session::{State, StatusDetails},
};
use crate::domain::order::NextStep;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The shopper or Amazon Pay cancelled it, or the card was declined.
    #[error("the checkout session was cancelled: {0}")]
    Canceled(String),
    #[error("the checkout session has expired")]
    Expired,
    /// It was completed, so that Adyen can no longer charge it.
    #[error("the checkout session was completed")]
    Completed,
    #[error("there is no such checkout session")]
    Unknown,
    /// It belongs to another order, or to none yet.
    #[error("the checkout session is for another order")]
    WrongOrder,
    /// It has another amount, or none yet.
    #[error("the checkout session is for another amount")]
    AmountMismatch,
    /// Amazon Pay returned no token, because the shopper did not confirm or the key is not enabled
    /// for Adyen.
    #[error("the checkout session has no amazonPayToken")]
    NoToken,
    #[error("Amazon Pay rejects this deployment's key or account: {0}")]
    Configuration(String),
    #[error("Amazon Pay rejected the request: {0}")]
    Rejected(String),
    /// Amazon Pay cannot be reached, or its answer is unusable.
    #[error("Amazon Pay is not available: {0}")]
    Unavailable(String),
}

impl SessionError {
    /// The reason for which a session has ended, or `None` if it is open.
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

    /// The storefront's next step. A session that can no longer be used needs a new one.
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
}

impl From<CallError> for SessionError {
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
