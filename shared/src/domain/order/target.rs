//! Where the requests of an order go.

/// The merchant account that is paid, and the Adyen that is called.
///
/// Both are kept with every request that must be processed once: Adyen knows an idempotency key
/// within one company account and one endpoint only, so that the same key somewhere else would
/// be a new payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The merchant account.
    pub merchant_account: String,
    /// The host of the Checkout API, without port or version.
    pub endpoint: String,
}

impl Target {
    /// Returns true if a request was made for this target. A request of an older version, which
    /// did not store its target, counts as made for any.
    pub(super) fn is(&self, merchant_account: Option<&str>, endpoint: Option<&str>) -> bool {
        merchant_account.is_none_or(|account| account == self.merchant_account)
            && endpoint.is_none_or(|endpoint| endpoint == self.endpoint)
    }
}
