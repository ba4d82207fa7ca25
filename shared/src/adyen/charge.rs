//! Sends a payment to Adyen under its attempt's idempotency key, and stores the answer.

use tokio::time::Instant;

use crate::{
    adyen::{
        client::{CallError, Client},
        payments::{PaymentRequest, PaymentResponse, RequiredAction},
        sync,
    },
    domain::{
        order::{AnswerDecision, Capture, Order, Outcome, Rejection, Submission},
        result_code::ResultCode,
    },
    platform::observe::{self, Metric},
    store::{Orders, StoreError, Tokens},
};

pub struct PaymentSender<'a> {
    pub adyen: &'a Client,
    pub orders: &'a Orders,
    pub tokens: &'a Tokens,
}

pub enum Charge {
    /// The answer is stored, but not the action for the shopper.
    Answered(Option<RequiredAction>),
    /// Adyen rejected this request. The rejection is not stored, because another request of the
    /// attempt may have been processed.
    Rejected(Rejection),
    /// Another request of the attempt may still succeed.
    InProgress,
    Unknown,
}

impl PaymentSender<'_> {
    /// Sends a payment for an attempt (counted from 1) of `order`, stores the answer and returns
    /// the updated order.
    ///
    /// # Errors
    /// [`StoreError`] if the answer could not be stored. Adyen replays it to the same request.
    pub async fn charge(
        &self,
        order: Order,
        attempt: usize,
        sent: &Submission,
        mut payment: PaymentRequest,
        until: Instant,
    ) -> Result<(Order, Charge), StoreError> {
        // Adyen may have charged by the time of a write, so retry writes until the deadline.
        let (orders, tokens) = (self.orders.within(until), self.tokens.within(until));
        if order.capture == Capture::Manual {
            payment.additional_data.insert("manualCapture", "true");
        }
        let reference = order.reference.clone();
        let key = order.attempt(attempt).ok_or(StoreError::Gone)?.key.clone();
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
        match &answered {
            Ok(_) => {}
            Err(CallError::Rejected { status, error }) => {
                tracing::warn!(%reference, attempt, status, errorCode = error.error_code, "payment rejected");
            }
            Err(CallError::Unknown(reason)) => {
                tracing::warn!(%reference, attempt, reason, "payment outcome unknown");
            }
        }
        let Some((outcome, psp_reference)) = outcome(&answered) else {
            return Ok((order, Charge::Unknown));
        };
        let (order, decision) = orders
            .update(order, |order| {
                let psp_reference = psp_reference.clone();
                order
                    .conclude_payment(attempt, sent, &outcome, psp_reference)
                    .ok_or(StoreError::Gone)
            })
            .await?;
        let charge = match (decision, outcome) {
            (AnswerDecision::Unusable, Outcome::Rejected(rejection)) => Charge::Rejected(rejection),
            (AnswerDecision::InProgress, _) => Charge::InProgress,
            (AnswerDecision::Unknown, _) => Charge::Unknown,
            _ => Charge::Answered(answered.ok().and_then(|response| response.required_action())),
        };
        Ok((order, charge))
    }
}

/// Returns the outcome of a call to `/payments`, and the pspReference in it. None if the outcome is
/// unknown.
pub fn outcome(answered: &Result<PaymentResponse, CallError>) -> Option<(Outcome, Option<String>)> {
    match answered {
        Ok(response) => Some((response.into(), response.psp_reference.clone())),
        Err(CallError::Rejected { status, error }) => {
            Some((Outcome::Rejected(error.rejection(*status)), error.psp_reference.clone()))
        }
        Err(CallError::Unknown(_)) => None,
    }
}

/// Records the outcome of a call to `/payments` or `/payments/details` for the log and metrics.
pub fn observe(answered: &Result<PaymentResponse, CallError>) {
    let (result, is_error) = match answered {
        Ok(response) => {
            let result = response.result_code.as_str();
            (result, response.result_code == ResultCode::Error)
        }
        Err(CallError::Rejected { status, error }) => {
            let is_deployment_error = error.rejection(*status).is_deployment_error();
            ("Rejected", is_deployment_error || *status >= 500)
        }
        Err(CallError::Unknown(_)) => ("Unknown", true),
    };
    observe::outcome(result);
    observe::count(Metric::Payment(result.to_owned()));
    if is_error {
        observe::count(Metric::PaymentError);
    }
}
