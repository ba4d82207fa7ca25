//! Adyen's connection to Amazon Pay, which Drop-in needs.

use serde_json::Value;
use url::Url;

use crate::books::Amount;

/// Amazon Pay, as Adyen uses it with the merchant's private key.
pub trait AmazonPay: Send + Sync {
    /// The `configuration` of the payment method: the merchant's ids.
    fn configuration(&self) -> Value;

    /// Signs the payload of a button.
    fn sign(&self, payload: &str) -> String;

    /// Sets the amount of a session and the URL to return to, and returns the page on which the
    /// shopper confirms.
    fn update(&self, session: &str, amount: &Amount, return_url: &Url) -> Option<String>;

    /// The token of a session that the shopper confirmed for that amount.
    fn token(&self, session: &str, amount: &Amount) -> Option<String>;

    /// The page on which the shopper picks another card.
    fn page(&self, session: &str) -> Option<String>;
}
