//! Lists and removes stored payment methods at Adyen: `POST /listRecurringDetails` of the
//! Recurring API and `DELETE /storedPaymentMethods/{id}` of the Checkout API.

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    client::{CallError, Client, ServiceError},
    lenient::lenient,
};
use crate::domain::{shopper_reference::ShopperReference, token::TokenId};

/// Source: Recurring API v68, `RecurringDetailsRequest`.
///
/// It names no contract, so Adyen lists the payment methods of all contracts, and one that is
/// missing may have been removed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecurringDetailsRequest<'a> {
    merchant_account: &'a str,
    shopper_reference: &'a str,
}

/// Source: Recurring API v68, `RecurringDetailsResult`. It is empty if nothing is stored.
#[derive(Default, Deserialize)]
struct RecurringDetailsResult {
    #[serde(default)]
    details: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct RecurringDetailWrapper {
    #[serde(rename = "RecurringDetail")]
    recurring_detail: RecurringDetail,
}

/// The stored payment methods of a shopper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The readable entries.
    pub details: Vec<RecurringDetail>,
    /// True if every entry was readable. Otherwise a missing payment method may be an unreadable
    /// entry.
    pub complete: bool,
}

#[derive(Debug)]
pub enum Removal {
    Removed,
    /// Adyen does not know the payment method, or removed it before.
    Gone,
    /// A 404 or 422 without an error of Adyen's, so the configured URL may be wrong.
    NotFound(CallError),
}

/// Source: Recurring API v68, `RecurringDetail`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecurringDetail {
    /// The `storedPaymentMethodId`.
    pub recurring_detail_reference: String,
    #[serde(default, deserialize_with = "lenient")]
    pub variant: Option<String>,
    /// More specific than `variant`, such as the kind of card.
    #[serde(default, deserialize_with = "lenient")]
    pub payment_method_variant: Option<String>,
    /// ISO 8601 with an offset.
    #[serde(default, deserialize_with = "lenient")]
    pub creation_date: Option<String>,
    /// The pspReference of the payment that created it.
    #[serde(default, deserialize_with = "lenient")]
    pub first_psp_reference: Option<String>,
}

impl Client {
    /// # Errors
    /// [`CallError`].
    pub async fn list_recurring_details(
        &self,
        merchant_account: &str,
        shopper_reference: &ShopperReference,
        until: Instant,
    ) -> Result<Listed, CallError> {
        let request = RecurringDetailsRequest {
            merchant_account,
            shopper_reference: shopper_reference.as_str(),
        };
        let listed = self.post_recurring("listRecurringDetails", &request, until).await;
        let result: RecurringDetailsResult = match listed {
            Err(CallError::Rejected { error, .. }) if error.is_gone() => Default::default(),
            listed => listed?,
        };
        let entries = result.details.unwrap_or_default();
        let listed = entries.len();
        let details: Vec<_> = entries.into_iter().filter_map(detail).collect();
        Ok(Listed { complete: details.len() == listed, details })
    }

    /// Removes a stored payment method for good.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn remove_stored_payment_method(
        &self,
        merchant_account: &str,
        key: &TokenId,
        until: Instant,
    ) -> Result<Removal, CallError> {
        let path = ["storedPaymentMethods", &*key.stored_payment_method_id];
        let query = [
            ("merchantAccount", merchant_account),
            ("shopperReference", key.shopper_reference.as_str()),
        ];
        let Err(failure) = self.delete(path, query, until).await else {
            return Ok(Removal::Removed);
        };
        let (gone, bare) = match (&failure.error, failure.bare_status) {
            (CallError::Rejected { error, .. }, _) => (error.is_gone(), false),
            (_, Some(StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY)) => (true, true),
            _ => (false, false),
        };
        match gone {
            // An earlier try, whose answer was lost, may have removed it.
            true if failure.in_doubt => Ok(Removal::Removed),
            true if bare => Ok(Removal::NotFound(failure.error)),
            true => Ok(Removal::Gone),
            false => Err(failure.error),
        }
    }
}

/// An entry of the list, or `None` if it lacks its reference.
fn detail(entry: Value) -> Option<RecurringDetail> {
    let wrapper: RecurringDetailWrapper = serde_json::from_value(entry).ok()?;
    Some(wrapper.recurring_detail).filter(|detail| !detail.recurring_detail_reference.is_empty())
}

impl ServiceError {
    /// True for errors 800 (contract not found) and 803 (payment detail not found): the stored
    /// payment method does not exist, or no longer.
    pub fn is_gone(&self) -> bool {
        matches!(self.error_code.as_str(), "800" | "803")
    }
}
