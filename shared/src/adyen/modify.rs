//! Asking Adyen to modify a payment: sent under its own key, the answer kept.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    adyen::client::{CallError, Client},
    domain::{
        amount::Amount,
        error_code::rejects_content,
        order::{Order, Recorded, RefundReason, Rejection, Target},
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

/// Adyen has received the request; a webhook tells what became of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationResponse {
    psp_reference: String,
}

/// The clients and the target of modification requests.
pub struct ModificationSender<'a> {
    /// Adyen.
    pub adyen: &'a Client,
    /// The orders.
    pub orders: &'a Orders,
    /// Where requests go.
    pub target: &'a Target,
}

/// Adyen's answer.
pub enum ModificationAnswer {
    /// It is kept with the modification.
    Kept,
    /// It does not take this request; one before may have been received.
    NotThis(Rejection),
    /// Nothing that is known.
    Nothing,
}

impl ModificationSender<'_> {
    /// Sends a modification that `order` has and that is to be sent, and keeps the answer.
    /// Gives the order as far as it is known then.
    ///
    /// # Errors
    /// [`StoreError`] where the answer could not be kept. Sent again, it comes back.
    pub async fn ask(
        &self,
        order: Order,
        recorded: Recorded,
        until: Instant,
    ) -> Result<(Order, ModificationAnswer), StoreError> {
        let modification = order.modifications.get(recorded.at).ok_or(StoreError::Gone)?;
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
        let (answer, speaks_for_all) = match answered {
            Ok(response) => (Ok(response.psp_reference), true),
            Err(CallError::Rejected { status, error }) => {
                tracing::warn!(%reference, path, status, errorCode = error.error_code, "rejected");
                let rejection = error.rejection(status);
                (Err(rejection), rejects_content(&error.error_code))
            }
            Err(CallError::Unknown(reason)) => {
                tracing::warn!(%reference, path, reason, "outcome unknown");
                return Ok((order, ModificationAnswer::Nothing));
            }
        };
        let (order, kept) = self
            .orders
            .within(until)
            .update(order, |order| {
                let modification = order.modifications.get_mut(recorded.at);
                let modification = modification.ok_or(StoreError::Gone)?;
                // An earlier request under the key may have been received, which only the
                // rejection of a field rules out.
                let alone = recorded.first && recorded.sent_at == Some(modification.sent_at);
                let counts = speaks_for_all || alone;
                if counts {
                    modification.answer(answer.clone());
                }
                Ok::<_, StoreError>(counts)
            })
            .await?;
        let said = match (answer, kept) {
            (Err(rejection), false) => ModificationAnswer::NotThis(rejection),
            _ => ModificationAnswer::Kept,
        };
        Ok((order, said))
    }
}
