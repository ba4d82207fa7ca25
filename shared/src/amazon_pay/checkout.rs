//! What is asked of a checkout session: to be confirmed for an amount, and for its token.

use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    client::{CallError, Client},
    price::Price,
    problem::SessionProblem,
    session::{AmazonPayToken, CheckoutSession, CheckoutSessionId},
};
use crate::{amount::Amount, reference::Reference};

/// Source: Amazon Pay, Update Checkout Session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    payment_details: PaymentDetails,
    merchant_metadata: MerchantMetadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentDetails {
    /// The acquirer authorises and captures, not Amazon Pay.
    payment_intent: &'static str,
    charge_amount: Price,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MerchantMetadata<'a> {
    merchant_reference_id: &'a Reference,
}

impl Client {
    /// Get Checkout Session.
    ///
    /// # Errors
    /// [`SessionProblem`]; a session that is not open is none.
    pub async fn checkout_session(
        &self,
        id: &CheckoutSessionId,
        until: Instant,
    ) -> Result<CheckoutSession, SessionProblem> {
        self.call(Method::GET, id, "", None, until).await.map_err(|error| noted(error, id))
    }

    /// Update Checkout Session with the order's amount. Gives the `amazonPayRedirectUrl`
    /// where the shopper confirms.
    ///
    /// # Errors
    /// [`SessionProblem`].
    pub async fn confirm(
        &self,
        id: &CheckoutSessionId,
        amount: &Amount,
        reference: &Reference,
        until: Instant,
    ) -> Result<String, SessionProblem> {
        let update = Update {
            payment_details: PaymentDetails {
                payment_intent: "Confirm",
                charge_amount: amount.into(),
            },
            merchant_metadata: MerchantMetadata { merchant_reference_id: reference },
        };
        let payload = serde_json::to_string(&update)
            .map_err(|error| SessionProblem::Unavailable(error.to_string()))?;
        // A key of this call's own: sent again it is the same update, but the same amount
        // set once more, after another one, is a new update. 32 characters, Amazon Pay's limit.
        let key = format!("{:032x}", fastrand::u128(..));
        let session: CheckoutSession =
            match self.call(Method::PATCH, id, &payload, Some(&key), until).await {
                Ok(session) => session,
                Err(CallError::Refused { refusal, .. })
                    if matches!(
                        refusal.reason_code.as_str(),
                        "InvalidCheckoutSessionStatus" | "CheckoutSessionCanceled"
                    ) =>
                {
                    // The refusal does not say how the session ended.
                    let session = self.checkout_session(id, until).await?;
                    return Err(SessionProblem::ended(&session.status_details)
                        .unwrap_or(SessionProblem::Rejected(refusal.reason_code)));
                }
                Err(error) => return Err(noted(error, id)),
            };
        if let Some(problem) = SessionProblem::ended(&session.status_details) {
            return Err(problem);
        }
        session.web_checkout_details.and_then(|details| details.amazon_pay_redirect_url).ok_or_else(
            || {
                let missing: Vec<_> = session
                    .constraints
                    .into_iter()
                    .flatten()
                    .map(|constraint| constraint.constraint_id)
                    .collect();
                SessionProblem::Rejected(missing.join(", "))
            },
        )
    }

    /// The token that Adyen charges, of a session that the shopper confirmed for this
    /// amount. Asks by Get Checkout Session alone; the session stays open.
    ///
    /// # Errors
    /// [`SessionProblem`].
    pub async fn chargeable_token(
        &self,
        id: &CheckoutSessionId,
        amount: &Amount,
        until: Instant,
    ) -> Result<AmazonPayToken, SessionProblem> {
        let session = self.checkout_session(id, until).await?;
        if let Some(problem) = SessionProblem::ended(&session.status_details) {
            return Err(problem);
        }
        let charge_amount = session.payment_details.and_then(|details| details.charge_amount);
        if !charge_amount.is_some_and(|price| price.is(amount)) {
            return Err(SessionProblem::AmountMismatch);
        }
        session.amazon_pay_token.ok_or(SessionProblem::NoToken)
    }
}

/// What the caller is not told belongs in the log.
fn noted(error: CallError, id: &CheckoutSessionId) -> SessionProblem {
    match &error {
        CallError::Refused { status, refusal } => tracing::warn!(
            checkout_session = %id,
            status,
            reason = refusal.reason_code,
            message = refusal.message,
            "Amazon Pay refused"
        ),
        CallError::Unavailable(reason) => {
            tracing::warn!(checkout_session = %id, reason, "Amazon Pay is not available");
        }
    }
    error.into()
}
