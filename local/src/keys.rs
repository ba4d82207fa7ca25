//! Development keys. They are printed, committed and known to everybody: good
//! for a simulator on one machine and for nothing else.

/// The simulator's merchant account, spelled as Adyen's documentation spells
/// it, so that its examples work as they stand.
pub const MERCHANT_ACCOUNT: &str = "ADYEN_MERCHANT_ACCOUNT";

/// The API key that the simulator takes.
pub const ADYEN_API_KEY: &str = "development-only-adyen-api-key";

/// Signs checkout tokens, those for browsers.
pub const CHECKOUT_TOKEN_KEY: &str = "development-only-checkout-token-key";

/// Signs merchant tokens, those for the merchant's backend.
pub const MERCHANT_TOKEN_KEY: &str = "development-only-merchant-token-key";

/// Signs standard webhooks: hex, as Adyen's Customer Area shows it.
pub const STANDARD_HMAC_KEY: &str =
    "dead0001dead0001dead0001dead0001dead0001dead0001dead0001dead0001";

/// Signs the webhooks of stored payment methods (`recurring.token.*`), a
/// webhook of its own with its own key.
pub const TOKEN_HMAC_KEY: &str = "dead0002dead0002dead0002dead0002dead0002dead0002dead0002dead0002";
