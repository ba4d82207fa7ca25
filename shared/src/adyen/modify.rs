//! Sends a modification to Adyen under its own idempotency key, and stores the answer.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    adyen::client::{CallError, Client},
    domain::{
        amount::Amount,
        order::{Order, RefundReason, Rejection, SentModification, Target, shortened},
        reference::Reference,
    },
    store::{Orders, StoreError},
};

/// Source: Checkout API, `/payments/{paymentPspReference}/captures`, `cancels`, `refunds` and
/// `reversals`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModificationRequest<'a> {
    merchant_account: &'a str,
    reference: &'a Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_refund_reason: Option<RefundReason>,
}

/// Adyen has received the request; the result follows in a webhook.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationResponse {
    psp_reference: String,
}

pub struct ModificationSender<'a> {
    pub adyen: &'a Client,
    pub orders: &'a Orders,
    pub target: &'a Target,
}

pub enum ModificationAnswer {
    /// The answer is stored with the modification.
    Stored,
    /// Adyen rejected this request. The rejection is not stored, because an earlier request
    /// under the same key may have been received.
    Rejected(Rejection),
    Unknown,
}

impl ModificationSender<'_> {
    /// Sends a modification that is recorded in `order`, stores the answer and returns the
    /// updated order.
    ///
    /// # Errors
    /// [`StoreError`] if the answer could not be stored. Adyen replays it to the same request.
    pub async fn send(
        &self,
        order: Order,
        sent: SentModification,
        until: Instant,
    ) -> Result<(Order, ModificationAnswer), StoreError> {
        let modification = order.modifications.get(sent.at).ok_or(StoreError::Gone)?;
        let operation = &modification.operation;
        let path = format!("payments/{}/{}", modification.payment, operation.path());
        let body = ModificationRequest {
            merchant_account: &self.target.merchant_account,
            reference: &order.reference,
            amount: operation
                .has_amount()
                .then_some(Amount { currency: order.amount.currency, value: modification.value }),
            merchant_refund_reason: modification.merchant_refund_reason.clone(),
        };
        let key = Some(modification.key.as_str());
        let reference = order.reference.clone();
        let answered = self.adyen.post::<ModificationResponse>(&path, &body, key, until).await;
        let answer = match answered {
            Ok(response) => Ok(response.psp_reference),
            Err(CallError::Rejected { status, error }) => {
                tracing::warn!(%reference, path, status, errorCode = error.error_code, "modification rejected");
                let message = error.message.clone().map(shortened);
                Err(Rejection { message, ..error.rejection(status) })
            }
            Err(CallError::Unknown(reason)) => {
                tracing::warn!(%reference, path, reason, "modification outcome unknown");
                return Ok((order, ModificationAnswer::Unknown));
            }
        };
        let (order, is_stored) = self
            .orders
            .within(until)
            .update(order, |order| {
                order.conclude_modification(&sent, answer.clone()).ok_or(StoreError::Gone)
            })
            .await?;
        let answer = match (answer, is_stored) {
            (Err(rejection), false) => ModificationAnswer::Rejected(rejection),
            _ => ModificationAnswer::Stored,
        };
        Ok((order, answer))
    }
}
