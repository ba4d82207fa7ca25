//! The merchant account and Adyen endpoint of a request.

use serde::{Deserialize, Serialize};

/// Stored with every request that must be processed once. Adyen's idempotency keys are valid for
/// one company account and one endpoint, so the same key elsewhere would make a new payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub merchant_account: String,
    /// The host of the Checkout API, without port or version.
    pub endpoint: String,
}
