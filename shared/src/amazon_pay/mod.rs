//! Amazon Pay Checkout v2, as far as paying through Adyen needs it.
//!
//! A signed button payload lets the shopper's browser create a checkout session; Update
//! Checkout Session fixes the amount; once the shopper confirmed, Get Checkout Session
//! gives the `amazonPayToken` that Adyen charges. Complete Checkout Session is never
//! called: with an acquirer it would end the session that the acquirer charges.

mod button;
mod checkout;
pub mod client;
mod config;
mod key;
mod price;
mod session;
mod session_error;
pub mod signing;

pub use button::{
    ChargePermissionType, CheckoutUrl, Frequency, FrequencyUnit, RecurringMetadata, Scope,
    SignedButton, WebCheckoutDetails,
};
pub use checkout::Payable;
pub use client::Client;
pub use config::{AmazonPay, Region, VARIABLES};
pub use key::PrivateKey;
pub use price::Price;
pub use session::{AmazonPayToken, CheckoutSession, CheckoutSessionId};
pub use session_error::SessionError;
