//! Stored payment methods as Adyen keeps them: `POST /listRecurringDetails` of the Recurring
//! API and `DELETE /storedPaymentMethods/{id}` of the Checkout API.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    client::{CallError, Client, ServiceError},
    notification::lenient,
    shopper::ShopperReference,
};
use crate::token::TokenKey;

/// Whose payment methods are asked for. Source: Recurring API v68, `RecurringDetailsRequest`.
///
/// It can name a contract, and then lists what was stored for that contract only. All are
/// asked for here: what is not listed counts as removed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecurringDetailsRequest<'a> {
    merchant_account: &'a str,
    shopper_reference: &'a str,
}

/// Source: Recurring API v68, `RecurringDetailsResult`; empty where nothing is stored.
#[derive(Default, Deserialize)]
struct RecurringDetailsResult {
    #[serde(default)]
    details: Vec<RecurringDetailWrapper>,
}

#[derive(Deserialize)]
struct RecurringDetailWrapper {
    #[serde(rename = "RecurringDetail")]
    recurring_detail: RecurringDetail,
}

/// A stored payment method. Source: Recurring API v68, `RecurringDetail`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecurringDetail {
    /// The `storedPaymentMethodId`.
    pub recurring_detail_reference: String,
    /// The payment method.
    #[serde(default, deserialize_with = "lenient")]
    pub variant: Option<String>,
    /// The same in more detail, such as the card's kind.
    #[serde(default, deserialize_with = "lenient")]
    pub payment_method_variant: Option<String>,
    /// ISO 8601 with an offset.
    #[serde(default, deserialize_with = "lenient")]
    pub creation_date: Option<String>,
    /// The payment that created it.
    #[serde(default, deserialize_with = "lenient")]
    pub first_psp_reference: Option<String>,
}

impl Client {
    /// All that is stored for a shopper.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list_recurring_details(
        &self,
        merchant_account: &str,
        shopper_reference: &ShopperReference,
        until: Instant,
    ) -> Result<Vec<RecurringDetail>, CallError> {
        let request = RecurringDetailsRequest {
            merchant_account,
            shopper_reference: shopper_reference.as_str(),
        };
        let listed = self
            .ask_recurring("listRecurringDetails", &request, until)
            .await;
        let result: RecurringDetailsResult = match listed {
            Err(CallError::Rejected { error, .. }) if error.is_gone() => Default::default(),
            listed => listed?,
        };
        let details = result.details.into_iter();
        Ok(details.map(|wrapper| wrapper.recurring_detail).collect())
    }

    /// Removes a stored payment method for good. Gives whether it was there.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn remove_stored_payment_method(
        &self,
        merchant_account: &str,
        key: &TokenKey,
        until: Instant,
    ) -> Result<bool, CallError> {
        let path = ["storedPaymentMethods", &*key.stored_payment_method_id];
        let query = [
            ("merchantAccount", merchant_account),
            ("shopperReference", key.shopper_reference.as_str()),
        ];
        match self.delete(path, query, until).await {
            Ok(()) => Ok(true),
            Err(CallError::Rejected { error, .. }) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl ServiceError {
    /// Whether Adyen knows no such stored payment method, or no longer: errors 800, contract
    /// not found, and 803, payment detail not found.
    pub fn is_gone(&self) -> bool {
        matches!(self.error_code.as_str(), "800" | "803")
    }
}
