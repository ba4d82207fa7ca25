//! The next step of a storefront.
//!
//! | `resultCode` | status | nextStep |
//! |---|---|---|
//! | Authorised | `authorised` | `success` |
//! | Refused | `refused` | `retryWithAmazonPay`; `startOver` if the token was revoked (50) |
//! | Cancelled | `cancelled` | `tryAnotherMethod` |
//! | Error | `error` | `showError` |
//! | RedirectShopper, IdentifyShopper, ChallengeShopper | `pending` | `handleAction` |
//! | Pending, Received, PresentToShopper | `pending` | `wait` |
//! | PartiallyAuthorised, AuthenticationFinished, AuthenticationNotRequired, Success, any other | `pending` | `wait`, for the webhook |
//! | none, outcome unknown | `pending` | `wait` |
//!
//! | `errorCode` | meaning | nextStep |
//! |---|---|---|
//! | 5_602, 5_603, 5_606 | the token does not exist, is corrupt or cannot be charged | `startOver` |
//! | 800, 803 | the stored payment method does not exist | `startOver` for Amazon Pay, `tryAnotherMethod` for any other method |
//! | 5_611, 5_615 | Amazon rejects the payment, or lacks the authentication data | `retryWithAmazonPay` |
//! | 5_610 | Amazon Pay is not available | `tryAnotherMethod` |
//! | 5_601, 5_604, 5_605, 5_607, 5_608, 5_609, 5_612, 5_613, 5_614, 5_616, any other | Amazon's, Adyen's or the deployment's fault | `showError` |
//!
//! The status is `error` for all of these, and for an attempt that a person closed, after which
//! the shopper starts over. The reason of a refusal is not shown to the shopper,
//! who is asked for another card in any case.

use serde::Serialize;

use super::{Attempt, AttemptStatus, Outcome, PendingOn, Resolution, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NextStep {
    /// Thank the shopper.
    Success,
    /// Do nothing, because the order is over.
    None,
    /// Pass Adyen's `action` to the browser.
    HandleAction,
    /// Poll the order.
    Wait,
    /// Send the shopper back to Amazon Pay to choose another card.
    RetryWithAmazonPay,
    /// Offer another attempt or another payment method.
    TryAnotherMethod,
    ShowError,
    /// Begin a new Amazon Pay session.
    StartOver,
}

impl NextStep {
    /// Returns the step after a status. `attempt` is the attempt that decided the status; its
    /// outcome can refine the step.
    pub(super) fn after(
        status: Status,
        payment_decided: bool,
        attempt: Option<(&Attempt, &Resolution)>,
    ) -> Self {
        match status {
            Status::Authorised | Status::Captured => Self::Success,
            Status::Refunded | Status::PartiallyRefunded | Status::ChargedBack => Self::None,
            Status::Cancelled if payment_decided => Self::None,
            Status::Cancelled => Self::TryAnotherMethod,
            Status::Expired | Status::Created => Self::StartOver,
            Status::Pending => match attempt {
                Some((_, resolution))
                    if resolution.status == AttemptStatus::Pending(PendingOn::Shopper) =>
                {
                    Self::HandleAction
                }
                _ => Self::Wait,
            },
            Status::Refused if attempt.is_some_and(|(attempt, _)| !attempt.is_amazon_pay()) => {
                Self::TryAnotherMethod
            }
            Status::Refused => match attempt.and_then(|(attempt, _)| attempt.outcome()) {
                Some(Outcome::Answered { refusal_reason_code: Some(code), .. }) => {
                    Self::after_refusal(code)
                }
                _ => Self::RetryWithAmazonPay,
            },
            Status::Error if attempt.is_some_and(|(attempt, _)| attempt.is_closed()) => {
                Self::StartOver
            }
            Status::Error => match attempt.map(|(attempt, _)| (attempt, attempt.outcome())) {
                Some((attempt, Some(Outcome::Rejected(rejection)))) => {
                    attempt.step_after(rejection)
                }
                _ => Self::ShowError,
            },
        }
    }

    fn after_refusal(refusal_reason_code: &str) -> Self {
        match refusal_reason_code {
            "50" => Self::StartOver,
            _ => Self::RetryWithAmazonPay,
        }
    }

    /// Returns the step after a request that Adyen did not process.
    pub(super) fn after_error(error_code: &str) -> Self {
        match error_code {
            "5_602" | "5_603" | "5_606" | "800" | "803" => Self::StartOver,
            "5_611" | "5_615" => Self::RetryWithAmazonPay,
            "5_610" => Self::TryAnotherMethod,
            _ => Self::ShowError,
        }
    }

    /// Returns a message for the shopper.
    pub fn message(self, status: Status) -> &'static str {
        match (self, status) {
            (Self::Success, _) => "Your payment was successful. Thank you.",
            (Self::None, Status::Cancelled) => "This order was cancelled.",
            (Self::None, Status::ChargedBack) => "This payment was returned by your bank.",
            (Self::None, Status::PartiallyRefunded) => "Part of your payment was refunded.",
            (Self::None, _) => "Your payment was refunded.",
            (Self::HandleAction, _) => "Please confirm your payment.",
            (Self::Wait, _) => "Your payment is being processed. Please wait a moment.",
            (Self::RetryWithAmazonPay, _) => {
                "Your payment was not accepted. Please choose a different card in Amazon Pay and try again."
            }
            (Self::TryAnotherMethod, Status::Error) => {
                "This payment method is not available just now. Please choose a different one."
            }
            (Self::TryAnotherMethod, Status::Refused) => {
                "Your payment was refused. Please choose a different payment method."
            }
            (Self::TryAnotherMethod, _) => {
                "You cancelled the payment. You can try again or choose a different payment method."
            }
            (Self::ShowError, _) => "There was an error processing your payment.",
            (Self::StartOver, Status::Expired) => "Your payment timed out. Please start again.",
            (Self::StartOver, _) => "Please start your Amazon Pay payment again.",
        }
    }
}
