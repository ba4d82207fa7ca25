//! The merchant account and Adyen endpoint of a request.

/// Stored with every request that must be processed once. Adyen's idempotency keys are valid for
/// one company account and one endpoint, so the same key elsewhere would make a new payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub merchant_account: String,
    /// The host of the Checkout API, without port or version.
    pub endpoint: String,
}

impl Target {
    /// Returns true if a request was created for this target. Older versions did not store the
    /// target; their requests match any.
    pub(super) fn is(&self, merchant_account: Option<&str>, endpoint: Option<&str>) -> bool {
        merchant_account.is_none_or(|account| account == self.merchant_account)
            && endpoint.is_none_or(|endpoint| endpoint == self.endpoint)
    }
}
