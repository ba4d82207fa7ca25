//! Adyen's errors, and what they say about the request.
//!
//! Two questions decide whether a payment may be made anew, and both are answered here alone:
//! whether the request that got the error was processed, and whether an earlier one with the
//! same content may have been.

use http::StatusCode;
use serde::Deserialize;

use super::lenient::{lenient_word, word};

/// Source: Checkout API, `ServiceError`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceError {
    /// Such as `702` or `14_030`.
    #[serde(deserialize_with = "word")]
    pub error_code: String,
    /// `validation`, `security`, `configuration`, `internal`, …
    #[serde(default, deserialize_with = "lenient_word")]
    pub error_type: Option<String>,
    /// Adyen's name of the request.
    #[serde(default, deserialize_with = "lenient_word")]
    pub psp_reference: Option<String>,
}

/// Codes that Adyen returns before it processes a payment, so that none was made whatever the
/// status and the errorType are: the API key (000), its roles (010), the merchant account (901),
/// what the account is set up for (905, 905_2), and Amazon Pay's keys at Adyen (5_605, 5_607,
/// 5_616).
const BEFORE_PROCESSING: [&str; 8] =
    ["000", "010", "901", "905", "905_2", "5_605", "5_607", "5_616"];

/// Types of error that reject a request. Adyen does not document whether a payment was made
/// where it returns another type, such as `internal`.
const REJECTING: [&str; 3] = ["validation", "security", "configuration"];

impl ServiceError {
    /// Returns true if the request that got this error was not processed and will not be. A 5xx
    /// does not say so, because it may interrupt a payment that has begun.
    pub(super) fn rejects(&self, status: StatusCode) -> bool {
        let rejecting = self.error_type.as_deref().is_some_and(|kind| REJECTING.contains(&kind));
        BEFORE_PROCESSING.contains(&self.error_code.as_str())
            || (status.is_client_error() && rejecting)
    }
}
