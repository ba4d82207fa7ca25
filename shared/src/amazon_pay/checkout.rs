//! Confirms a checkout session for an amount, and reads its token.

use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    client::{CallError, Client},
    price::Price,
    session::{AmazonPayToken, CheckoutSession, CheckoutSessionId},
    session_error::SessionError,
};
use crate::domain::{amount::Amount, reference::Reference};

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

/// The order that a session is to pay.
#[derive(Debug, Clone, Copy)]
pub struct Payable<'a> {
    /// The order.
    pub reference: &'a Reference,
    pub amount: &'a Amount,
    /// True if a session that names no order may pay it. The merchant's backend knows whose
    /// session it sends; a browser sends any id that it saw in a URL.
    pub unnamed: bool,
}

impl Client {
    /// Get Checkout Session.
    ///
    /// # Errors
    /// [`SessionError`]; a session that is not open is none.
    pub async fn checkout_session(
        &self,
        id: &CheckoutSessionId,
        until: Instant,
    ) -> Result<CheckoutSession, SessionError> {
        self.call(Method::GET, id, "", None, until).await.map_err(|error| noted(error, id))
    }

    /// Assigns a session to an order, with the order's amount, unless it belongs to another
    /// order. Returns the `amazonPayRedirectUrl` where the shopper confirms.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn confirm(
        &self,
        id: &CheckoutSessionId,
        amount: &Amount,
        reference: &Reference,
        until: Instant,
    ) -> Result<String, SessionError> {
        let before = self.checkout_session(id, until).await?;
        usable_for(&before, reference, true)?;
        let after = self.update(id, amount, reference, until).await?;
        usable_for(&after, reference, true)?;
        if before.order().is_none() || after.order().is_none() {
            // Amazon Pay has no conditional update. Two orders may have found the session
            // without an owner, and the later update won.
            let standing = self.checkout_session(id, until).await?;
            usable_for(&standing, reference, false)?;
        }
        redirect_url(after)
    }

    /// Update Checkout Session.
    async fn update(
        &self,
        id: &CheckoutSessionId,
        amount: &Amount,
        reference: &Reference,
        until: Instant,
    ) -> Result<CheckoutSession, SessionError> {
        let update = Update {
            payment_details: PaymentDetails {
                payment_intent: "Confirm",
                charge_amount: amount.into(),
            },
            merchant_metadata: MerchantMetadata { merchant_reference_id: reference },
        };
        let payload = serde_json::to_string(&update)
            .map_err(|error| SessionError::Unavailable(error.to_string()))?;
        // A key of this call's own: sent again it is the same update, but the same amount
        // set once more, after another one, is a new update. 32 characters, Amazon Pay's limit.
        let key = format!("{:032x}", fastrand::u128(..));
        match self.call(Method::PATCH, id, &payload, Some(&key), until).await {
            Ok(session) => Ok(session),
            Err(CallError::Refused { refusal, .. })
                if matches!(
                    refusal.reason_code.as_str(),
                    "InvalidCheckoutSessionStatus" | "CheckoutSessionCanceled"
                ) =>
            {
                // The refusal does not say how the session ended.
                let session = self.checkout_session(id, until).await?;
                Err(SessionError::ended(&session.status_details)
                    .unwrap_or(SessionError::Rejected(refusal.reason_code)))
            }
            Err(error) => Err(noted(error, id)),
        }
    }

    /// The token that Adyen charges, of a session that the shopper confirmed for this
    /// order. Asks by Get Checkout Session alone; the session stays open.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn chargeable_token(
        &self,
        id: &CheckoutSessionId,
        order: Payable<'_>,
        until: Instant,
    ) -> Result<AmazonPayToken, SessionError> {
        let session = self.checkout_session(id, until).await?;
        usable_for(&session, order.reference, true)?;
        let details = session.payment_details.as_ref();
        let charge_amount = details.and_then(|details| details.charge_amount.as_ref());
        if !charge_amount.is_some_and(|price| price.is(order.amount)) {
            return Err(SessionError::AmountMismatch);
        }
        usable_for(&session, order.reference, order.unnamed)?;
        session.amazon_pay_token.ok_or(SessionError::NoToken)
    }
}

/// Checks that a session is open and belongs to the order, or to none where `unnamed` may do.
fn usable_for(
    session: &CheckoutSession,
    reference: &Reference,
    unnamed: bool,
) -> Result<(), SessionError> {
    if let Some(problem) = SessionError::ended(&session.status_details) {
        return Err(problem);
    }
    match session.order() {
        Some(order) if order == reference.as_str() => Ok(()),
        None if unnamed => Ok(()),
        _ => Err(SessionError::WrongOrder),
    }
}

/// Where the shopper confirms.
fn redirect_url(session: CheckoutSession) -> Result<String, SessionError> {
    let details = session.web_checkout_details;
    details.and_then(|details| details.amazon_pay_redirect_url).ok_or_else(|| {
        let constraints = session.constraints.into_iter().flatten();
        let missing: Vec<_> = constraints.map(|constraint| constraint.constraint_id).collect();
        SessionError::Rejected(missing.join(", "))
    })
}

/// Logs the details that are not returned to the caller.
fn noted(error: CallError, id: &CheckoutSessionId) -> SessionError {
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
