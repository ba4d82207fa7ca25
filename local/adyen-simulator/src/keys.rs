//! The development keys of the simulator. They are public, so they are safe only on one machine.

/// The merchant account, spelled as in Adyen's documentation, so that its examples work unchanged.
pub const MERCHANT_ACCOUNT: &str = "ADYEN_MERCHANT_ACCOUNT";

/// The API key that the simulator accepts.
pub const ADYEN_API_KEY: &str = "development-only-adyen-api-key";

/// The client key, with which browsers call. A key that begins with `test_` is for Adyen's own hosts.
pub const CLIENT_KEY: &str = "development-only-adyen-client-key";

/// Signs standard webhooks: hex, as Adyen's Customer Area shows it.
pub const STANDARD_HMAC_KEY: &str =
    "dead0001dead0001dead0001dead0001dead0001dead0001dead0001dead0001";

/// Signs the webhooks of stored payment methods (`recurring.token.*`), in hex.
pub const TOKEN_HMAC_KEY: &str = "dead0002dead0002dead0002dead0002dead0002dead0002dead0002dead0002";
