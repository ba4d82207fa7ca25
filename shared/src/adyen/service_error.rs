//! Adyen's errors. Only this file decides if a request with an error was processed;
//! `domain/error_code.rs` decides if an earlier request with the same content may have been.

use http::StatusCode;
use serde::Deserialize;

use super::lenient::{lenient_word, word};

/// Source: Checkout API, `ServiceError`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceError {
    /// For example `702` or `14_030`.
    #[serde(deserialize_with = "word")]
    pub error_code: String,
    /// `validation`, `security`, `configuration`, `internal`, …
    #[serde(default, deserialize_with = "lenient_word")]
    pub error_type: Option<String>,
    /// Adyen's text for developers, which may quote the request.
    #[serde(default, deserialize_with = "lenient_word")]
    pub message: Option<String>,
    /// Adyen's reference of the request.
    #[serde(default, deserialize_with = "lenient_word")]
    pub psp_reference: Option<String>,
}

/// Codes that Adyen returns before it processes a payment, so that no payment was made whatever
/// the status and the errorType are. They reject the API key (000), its roles (010), the merchant
/// account (901), the account's configuration (905, 905_2), or Amazon Pay's keys at Adyen (5_605,
/// 5_607, 5_616).
const BEFORE_PROCESSING: [&str; 8] =
    ["000", "010", "901", "905", "905_2", "5_605", "5_607", "5_616"];

/// Types of error that reject a request. After another type, such as `internal`, a payment may
/// have been made; Adyen does not document it.
const REJECTING: [&str; 3] = ["validation", "security", "configuration"];

impl ServiceError {
    /// True if the request was not processed and will not be. A 5xx with another code does not
    /// prove it, because Adyen may have begun the payment before the error.
    pub(super) fn rejects(&self, status: StatusCode) -> bool {
        let rejecting = self.error_type.as_deref().is_some_and(|kind| REJECTING.contains(&kind));
        BEFORE_PROCESSING.contains(&self.error_code.as_str())
            || (status.is_client_error() && rejecting)
    }
}
