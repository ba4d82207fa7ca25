//! Problems for unusable checkout sessions, and for a deployment without Amazon Pay's keys.

use crate::{
    amazon_pay::{AmazonPay, SessionError},
    domain::order::Status,
    http::problem::{Code, Problem},
};

/// # Errors
/// `amazon_pay_not_configured`.
pub fn configured(amazon_pay: Option<&AmazonPay>) -> Result<&AmazonPay, Problem> {
    amazon_pay.ok_or_else(|| {
        Problem::new(Code::AmazonPayNotConfigured, "None of the AMAZON_PAY_ variables is set.")
    })
}

fn code(error: &SessionError) -> Code {
    match error {
        SessionError::Canceled(_) => Code::CheckoutSessionCanceled,
        SessionError::Expired => Code::CheckoutSessionExpired,
        SessionError::Completed => Code::CheckoutSessionCompleted,
        SessionError::Unknown => Code::CheckoutSessionNotFound,
        SessionError::WrongOrder => Code::CheckoutSessionWrongOrder,
        SessionError::AmountMismatch => Code::AmountMismatch,
        SessionError::NoToken => Code::AmazonPayTokenMissing,
        SessionError::Configuration(_) => Code::AmazonPayConfiguration,
        SessionError::Rejected(_) => Code::AmazonPayRejected,
        SessionError::Unavailable(_) => Code::AmazonPayUnavailable,
    }
}

fn detail(error: &SessionError) -> &'static str {
    match error {
        SessionError::Canceled(_) => "The shopper must start over at Amazon Pay's button.",
        SessionError::Expired => "A session expires after 24 hours. The shopper must start over.",
        SessionError::Completed => "Adyen charges open sessions only. The shopper must start over.",
        SessionError::Unknown => "Amazon Pay has no checkout session with this id.",
        SessionError::WrongOrder => {
            "The checkout session belongs to another order, or PATCH /checkoutSessions/{id} \
             has not assigned it to an order yet. The shopper must start over."
        }
        SessionError::AmountMismatch => {
            "PATCH /checkoutSessions/{id} sets the order's amount before the shopper confirms."
        }
        SessionError::NoToken => {
            "Either the shopper has not confirmed at amazonPayRedirectUrl, or the key is not \
             enabled for Adyen: it must be the one from Adyen's Customer Area."
        }
        SessionError::Configuration(_) => {
            "Amazon Pay rejects this deployment's key or account. See the function's log."
        }
        SessionError::Rejected(_) => {
            "Amazon Pay rejected the request; `reasonCode` has the reason."
        }
        SessionError::Unavailable(_) => "Amazon Pay did not answer. Try again in a moment.",
    }
}

impl From<SessionError> for Problem {
    /// Adds `nextStep` and `message`, as in the answer to a payment, and Amazon Pay's
    /// `reasonCode` if there is one.
    fn from(problem: SessionError) -> Self {
        let status = match problem {
            SessionError::Expired => Status::Expired,
            _ => Status::Created,
        };
        let next_step = problem.next_step();
        let answer = Self::new(code(&problem), detail(&problem))
            .with("nextStep", next_step)
            .with("message", next_step.message(status));
        match problem {
            SessionError::Canceled(reason) | SessionError::Rejected(reason)
                if !reason.is_empty() =>
            {
                answer.with("reasonCode", reason)
            }
            SessionError::Unavailable(_) => answer.retry_after(1),
            _ => answer,
        }
    }
}
