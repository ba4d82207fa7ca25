//! Stored payment methods as Adyen keeps them: `POST /listRecurringDetails` of the Recurring
//! API and `DELETE /storedPaymentMethods/{id}` of the Checkout API.

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    client::{CallError, Client, ServiceError},
    lenient::lenient,
};
use crate::domain::{shopper_reference::ShopperReference, token::TokenId};

/// Whose payment methods are asked for. Source: Recurring API v68, `RecurringDetailsRequest`.
///
/// It can name a contract, and then lists what was stored for that contract only. All are
/// asked for here, so that what is not listed may have been removed.
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
    /// The entries that could be read.
    pub details: Vec<RecurringDetail>,
    /// True if that is all. Only then does an absence say anything.
    pub complete: bool,
}

/// The outcome of removing a stored payment method.
#[derive(Debug)]
pub enum Removal {
    /// It is removed.
    Removed,
    /// Adyen has none of that name.
    Gone,
    /// Adyen answers as if nothing were there, but not in its own words.
    NotFound(CallError),
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
    /// The stored payment methods of a shopper.
    ///
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
        let listed = self.ask_recurring("listRecurringDetails", &request, until).await;
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
            // A request before, whose answer was lost, may have removed it.
            true if failure.in_doubt => Ok(Removal::Removed),
            true if bare => Ok(Removal::NotFound(failure.error)),
            true => Ok(Removal::Gone),
            false => Err(failure.error),
        }
    }
}

/// An entry of the list, if it says what it is.
fn detail(entry: Value) -> Option<RecurringDetail> {
    let wrapper: RecurringDetailWrapper = serde_json::from_value(entry).ok()?;
    Some(wrapper.recurring_detail).filter(|detail| !detail.recurring_detail_reference.is_empty())
}

impl ServiceError {
    /// Returns whether Adyen knows no such stored payment method, or no longer: errors 800, contract
    /// not found, and 803, payment detail not found.
    pub fn is_gone(&self) -> bool {
        matches!(self.error_code.as_str(), "800" | "803")
    }
}
