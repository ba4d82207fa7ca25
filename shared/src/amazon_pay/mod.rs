//! The part of Amazon Pay Checkout v2 that payments through Adyen need.
//!
//! The shopper's browser creates a checkout session with a signed button payload. Update Checkout
//! Session sets the amount. After the shopper has confirmed, Get Checkout Session returns the
//! `amazonPayToken` that Adyen charges. Complete Checkout Session is never called, because it
//! would end the session before Adyen charges it.

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
