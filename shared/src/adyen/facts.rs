//! Converts Adyen's requests and answers into the parts that an order stores.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    payment_method::PaymentMethod,
    payments::{PaymentRequest, PaymentResponse, RecurringProcessingModel},
    service_error::ServiceError,
};
use crate::domain::{
    order::{
        AnswerIdentity, AttemptStatus, Outcome, PaymentInstrument, Rejection, Submission,
        content_digest, sha256, shortened,
    },
    token::TokenId,
    unknown::Unknown,
};

impl PaymentRequest {
    /// The digests by which a repeated request is recognised. `body` is the caller's.
    pub fn submission(
        &self,
        body: &Map<String, Value>,
        idempotency_key: Option<String>,
        now: Timestamp,
    ) -> Submission {
        let content = json!(self).to_string();
        let stored = self.stored_payment_method();
        let instrument = self.instrument();
        let is_charge = instrument == PaymentInstrument::StoredPaymentMethod;
        Submission {
            // Digests contain the reference, also those of the content and of the body. Without
            // it, one table of digests would reveal the telephone numbers and accounts of all
            // orders, and orders paid with the same account would have the same digest.
            instrument: sha256(&[
                self.reference.as_str().as_bytes(),
                self.payment_method.identity().as_bytes(),
            ]),
            caller_body: content_digest(body),
            idempotency_key,
            content: sha256(&[content.as_bytes()]),
            sent_at: now,
            request: is_charge.then_some(content),
            reusable: instrument == PaymentInstrument::OneClick
                || matches!(self.payment_method, PaymentMethod::Reusable(_)),
            stored_payment_method_id: stored
                .as_ref()
                .map(|token| token.stored_payment_method_id.to_string()),
            shopper_reference: stored.map(|token| token.shopper_reference.as_str().to_owned()),
            unknown: Unknown::default(),
        }
    }

    /// The kind of instrument, which the attempt stores.
    pub fn instrument(&self) -> PaymentInstrument {
        match self.payment_method {
            PaymentMethod::AmazonPayToken { .. }
            | PaymentMethod::AmazonPaySession { .. }
            | PaymentMethod::CheckoutSession { .. } => PaymentInstrument::AmazonPay,
            PaymentMethod::StoredPaymentMethod { .. }
                if self.recurring_processing_model
                    == Some(RecurringProcessingModel::CardOnFile) =>
            {
                PaymentInstrument::OneClick
            }
            PaymentMethod::StoredPaymentMethod { .. } => PaymentInstrument::StoredPaymentMethod,
            PaymentMethod::SingleUse { .. } | PaymentMethod::Reusable(_) => {
                PaymentInstrument::Other
            }
        }
    }

    /// Returns true if it can be sent to Adyen: a checkout session must be redeemed before.
    pub fn is_complete(&self) -> bool {
        !matches!(self.payment_method, PaymentMethod::CheckoutSession { .. })
    }

    /// Returns the stored payment method that it charges, if it charges one.
    pub fn stored_payment_method(&self) -> Option<TokenId> {
        let PaymentMethod::StoredPaymentMethod { id, .. } = &self.payment_method else {
            return None;
        };
        Some(TokenId {
            stored_payment_method_id: id.clone(),
            shopper_reference: self.shopper_reference.clone()?,
        })
    }
}

impl PaymentResponse {
    /// The order, payment and amount that this answer names.
    pub fn identity(&self) -> AnswerIdentity<'_> {
        let amount = self.amount.as_ref();
        AnswerIdentity {
            psp_reference: self.psp_reference.as_deref(),
            merchant_reference: self.merchant_reference.as_deref(),
            currency: amount.and_then(|amount| amount.currency.as_deref()),
            value: amount.and_then(|amount| amount.value.as_ref()?.value()),
        }
    }

    /// True if the shopper must complete another challenge. A challenge does not conclude an
    /// attempt, so it may be shown even if the answer is not bound to one.
    pub fn challenges(&self) -> bool {
        self.action.is_some() && AttemptStatus::from(&self.result_code).is_pending()
    }
}

impl From<&PaymentResponse> for Outcome {
    fn from(response: &PaymentResponse) -> Self {
        Self::Answered {
            result_code: response.result_code.clone(),
            refusal_reason: response.refusal_reason.clone().map(shortened),
            refusal_reason_code: response.refusal_reason_code.clone().map(shortened),
            has_action: response.action.is_some(),
            unknown: Unknown::default(),
        }
    }
}

impl ServiceError {
    /// The part of an error that is stored. The message of a payment's error is not, because it
    /// may quote the request.
    pub fn rejection(&self, status: u16) -> Rejection {
        Rejection {
            status,
            error_code: shortened(self.error_code.clone()),
            error_type: self.error_type.clone().map(shortened),
            message: None,
            unknown: Unknown::default(),
        }
    }
}
