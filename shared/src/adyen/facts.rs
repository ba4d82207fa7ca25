//! The facts that an order keeps of Adyen's requests and answers.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    payments::{PaymentRequest, PaymentResponse},
    service_error::ServiceError,
};
use crate::domain::{
    order::{
        AttemptStatus, Named, Outcome, Rejection, Submission, content_digest, sha256, shortened,
    },
    token::TokenId,
    unknown::Unknown,
};

impl PaymentRequest {
    /// Identifies a request to pay. `asked` is its body as the caller sent it.
    pub fn submission(
        &self,
        asked: &Map<String, Value>,
        idempotency_key: Option<String>,
        now: Timestamp,
    ) -> Submission {
        let method = &self.payment_method;
        let content = json!(self).to_string();
        let stored = method.stored_payment_method_id.as_ref();
        let shopper = self.shopper_reference.as_ref().filter(|_| stored.is_some());
        let instrument = match (
            &method.amazon_pay_token,
            &method.amazon_checkout_session_id,
            &method.stored_payment_method_id,
        ) {
            (Some(token), ..) => format!("amazonPayToken:{}", &**token),
            (_, Some(session), _) => format!("amazonCheckoutSessionId:{session}"),
            (.., Some(id)) => format!("storedPaymentMethodId:{}", &**id),
            (None, None, None) => String::new(),
        };
        Submission {
            instrument: sha256(&[instrument.as_bytes()]),
            asked: idempotency_key.is_some().then(|| content_digest(asked)),
            idempotency_key,
            content: sha256(&[content.as_bytes()]),
            sent_at: now,
            stored_payment_method_id: stored.map(|id| id.to_string()),
            shopper_reference: shopper.map(|shopper| shopper.as_str().to_owned()),
            request: stored.map(|_| content),
            unknown: Unknown::default(),
        }
    }

    /// The stored payment method that it charges, if it charges one.
    pub fn stored_payment_method(&self) -> Option<TokenId> {
        Some(TokenId {
            stored_payment_method_id: self.payment_method.stored_payment_method_id.clone()?,
            shopper_reference: self.shopper_reference.clone()?,
        })
    }
}

impl PaymentResponse {
    /// The order, payment and amount that it names.
    pub fn named(&self) -> Named<'_> {
        let amount = self.amount.as_ref();
        Named {
            psp_reference: self.psp_reference.as_deref(),
            merchant_reference: self.merchant_reference.as_deref(),
            currency: amount.and_then(|amount| amount.currency.as_deref()),
            value: amount.and_then(|amount| amount.value.as_ref()?.value()),
        }
    }

    /// Returns true if it challenges the shopper once more. A challenge concludes nothing, so it
    /// may be shown even if the answer is bound to nothing.
    pub fn challenges(&self) -> bool {
        self.action.is_some()
            && AttemptStatus::from(&self.result_code) == AttemptStatus::AwaitsShopper
    }
}

impl From<&PaymentResponse> for Outcome {
    fn from(response: &PaymentResponse) -> Self {
        Self::Answered {
            result_code: response.result_code.clone(),
            refusal_reason: response.refusal_reason.clone().map(shortened),
            refusal_reason_code: response.refusal_reason_code.clone().map(shortened),
            unknown: Unknown::default(),
        }
    }
}

impl ServiceError {
    /// The part of a rejection that is kept. The message is not, because it may quote the request.
    pub fn rejection(&self, status: u16) -> Rejection {
        Rejection {
            status,
            error_code: shortened(self.error_code.clone()),
            error_type: self.error_type.clone().map(shortened),
            unknown: Unknown::default(),
        }
    }
}
