//! Asking Adyen for a payment: sent under its attempt's key, the answer kept.

use tokio::time::Instant;

use crate::{
    adyen::{
        client::{CallError, Client},
        payments::{PaymentRequest, PaymentResponse, RequiredAction},
        sync,
    },
    domain::{
        error_code::rejects_content,
        order::{Capture, Order, Outcome, Rejection, Submission},
        result_code::ResultCode,
    },
    platform::observe::{self, Metric},
    store::{Orders, StoreError, Tokens},
};

/// The clients and tables that a charge needs.
pub struct PaymentSender<'a> {
    /// Adyen.
    pub adyen: &'a Client,
    /// The orders.
    pub orders: &'a Orders,
    /// The stored payment methods.
    pub tokens: &'a Tokens,
}

/// The outcome.
pub enum Charge {
    /// Adyen answered, and the answer is kept. What the shopper must do next is not.
    Answered(Option<RequiredAction>),
    /// Adyen did not take this request, but another one that was sent for the attempt may
    /// have been processed.
    Rejected(Rejection),
    /// Nobody knows yet.
    Unknown,
}

impl PaymentSender<'_> {
    /// Sends a request to pay as an attempt, from 1, that `order` has, and keeps the answer.
    /// Gives the order as far as it is known then.
    ///
    /// # Errors
    /// [`StoreError`] where the answer could not be kept. The same request, sent again,
    /// brings it back.
    pub async fn charge(
        &self,
        order: Order,
        attempt: usize,
        sent: &Submission,
        mut payment: PaymentRequest,
        until: Instant,
    ) -> Result<(Order, Charge), StoreError> {
        // Adyen may have charged by then, so that keeping its answer has all the time there is.
        let (orders, tokens) = (self.orders.within(until), self.tokens.within(until));
        if order.capture == Capture::Manual {
            payment.additional_data.insert("manualCapture", "true");
        }
        let reference = order.reference.clone();
        let key = order.key_of(attempt, &payment.merchant_account);
        let answered =
            self.adyen.post::<PaymentResponse>("payments", &payment, Some(&key), until).await;
        observe(&answered);
        // Adyen replays the first response for an idempotency key, so this one may belong to
        // another request of the same attempt.
        let mut submissions = order.submissions(attempt).iter();
        let is_about_this = submissions.all(|other| other.instrument == sent.instrument);
        if let Some(token) = payment.stored_payment_method().filter(|_| is_about_this) {
            sync::after_charge(&tokens, &token, &answered, &reference).await?;
        }
        let (outcome, psp_reference, asked) = match answered {
            Ok(response) => {
                let asked = response.required_action();
                (Outcome::from(&response), response.psp_reference, asked)
            }
            Err(CallError::Rejected { status, error }) => {
                tracing::warn!(%reference, attempt, status, errorCode = error.error_code, "rejected");
                let rejection = error.rejection(status);
                (Outcome::Rejected(rejection), error.psp_reference, None)
            }
            Err(CallError::Unknown(reason)) => {
                tracing::warn!(%reference, attempt, reason, "outcome unknown");
                return Ok((order, Charge::Unknown));
            }
        };
        let (order, kept) = orders
            .update(order, |order| {
                let attempt = order.attempt_mut(attempt).ok_or(StoreError::Gone)?;
                if matches!(&outcome, Outcome::Rejected(it) if !ends(it, &attempt.submissions, sent)) {
                    return Ok(false);
                }
                attempt.answer(outcome.clone(), psp_reference.clone());
                Ok::<_, StoreError>(true)
            })
            .await?;
        let charge = match outcome {
            Outcome::Rejected(rejection) if !kept => Charge::Rejected(rejection),
            _ => Charge::Answered(asked),
        };
        Ok((order, charge))
    }
}

/// Tells what Adyen made of a payment, or of what a browser brought back for one.
pub fn observe(answered: &Result<PaymentResponse, CallError>) {
    let (result, is_error) = match answered {
        Ok(response) => {
            let result = response.result_code.as_str();
            (result, response.result_code == ResultCode::Error)
        }
        Err(CallError::Rejected { status, error }) => {
            let is_ours = error.rejection(*status).is_ours();
            ("Rejected", is_ours || *status >= 500)
        }
        Err(CallError::Unknown(_)) => ("Unknown", true),
    };
    observe::outcome(result);
    observe::count(Metric::Payment(result.to_owned()));
    if is_error {
        observe::count(Metric::PaymentError);
    }
}

/// Returns true if a rejection of `sent` ends its attempt. It does if no other request was sent,
/// or if all had the same content and Adyen rejects a field of it. Otherwise another request,
/// sent before or since, may have been processed.
fn ends(rejection: &Rejection, submissions: &[Submission], sent: &Submission) -> bool {
    match submissions {
        [first] => {
            first == sent
                || (first.content == sent.content && rejects_content(&rejection.error_code))
        }
        _ => false,
    }
}
