//! Assigns a checkout session to an order, and reads its token.

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
    /// `Confirm`, because Adyen authorises and captures, and not Amazon Pay.
    payment_intent: &'static str,
    charge_amount: Price,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MerchantMetadata<'a> {
    merchant_reference_id: &'a Reference,
}

/// The order that a session pays.
#[derive(Debug, Clone, Copy)]
pub struct Payable<'a> {
    pub reference: &'a Reference,
    pub amount: &'a Amount,
    /// True if a session without an order may pay it. Only the merchant's backend may use one,
    /// because a browser may send another shopper's session id.
    pub unnamed: bool,
}

impl Client {
    /// Get Checkout Session.
    ///
    /// # Errors
    /// [`SessionError`]. A session that is not open is not an error.
    pub async fn checkout_session(
        &self,
        id: &CheckoutSessionId,
        until: Instant,
    ) -> Result<CheckoutSession, SessionError> {
        self.call(Method::GET, id, "", None, until).await.map_err(|error| logged(error, id))
    }

    /// Sets the session's order and amount, unless it belongs to another order. Returns the
    /// `amazonPayRedirectUrl`, at which the shopper confirms.
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
            // Amazon Pay has no conditional update. If two requests assigned the session to
            // different orders at once, the later one won, so read it again.
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
        // The key belongs to this call. A key derived from the amount would make Amazon Pay
        // ignore the update that restores an earlier amount. 32 characters are the limit.
        let key = format!("{:032x}", fastrand::u128(..));
        match self.call(Method::PATCH, id, &payload, Some(&key), until).await {
            Ok(session) => Ok(session),
            Err(CallError::Refused { refusal, .. })
                if matches!(
                    refusal.reason_code.as_str(),
                    "InvalidCheckoutSessionStatus" | "CheckoutSessionCanceled"
                ) =>
            {
                // The error does not contain the reason for which the session ended.
                let session = self.checkout_session(id, until).await?;
                Err(SessionError::ended(&session.status_details)
                    .unwrap_or(SessionError::Rejected(refusal.reason_code)))
            }
            Err(error) => Err(logged(error, id)),
        }
    }

    /// Returns the token that Adyen charges, if the shopper confirmed the session for this order.
    /// It calls only Get Checkout Session, so the session stays open.
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

/// Checks that a session is open and belongs to the order, or to none if `unnamed` is true.
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

fn redirect_url(session: CheckoutSession) -> Result<String, SessionError> {
    let details = session.web_checkout_details;
    details.and_then(|details| details.amazon_pay_redirect_url).ok_or_else(|| {
        let constraints = session.constraints.into_iter().flatten();
        let missing: Vec<_> = constraints.map(|constraint| constraint.constraint_id).collect();
        SessionError::Rejected(missing.join(", "))
    })
}

/// Logs the details of an error, because they are not returned to the caller.
fn logged(error: CallError, id: &CheckoutSessionId) -> SessionError {
    match &error {
        CallError::Refused { status, refusal } => tracing::warn!(
            checkout_session = %id,
            status,
            reason = refusal.reason_code,
            message = refusal.message,
            "request rejected by Amazon Pay"
        ),
        CallError::Unavailable(reason) => {
            tracing::warn!(checkout_session = %id, reason, "no usable answer from Amazon Pay");
        }
    }
    error.into()
}
