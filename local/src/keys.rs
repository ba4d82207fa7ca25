//! The development keys. They are public, so they are safe only on one machine.

pub use adyen_simulator::keys::{
    ADYEN_API_KEY, CLIENT_KEY, MERCHANT_ACCOUNT, STANDARD_HMAC_KEY, TOKEN_HMAC_KEY,
};

/// Signs checkout tokens, which browsers carry.
pub const CHECKOUT_TOKEN_KEY: &str = "development-only-checkout-token-key";

/// Signs merchant tokens, which the merchant's backend carries.
pub const MERCHANT_TOKEN_KEY: &str = "development-only-merchant-token-key";
