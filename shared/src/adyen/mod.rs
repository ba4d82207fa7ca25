//! Adyen's API and webhooks: models, client and signatures.
//!
//! Fields of Adyen's messages that are not in these models are ignored.

pub mod charge;
pub mod client;
mod facts;
pub mod hmac;
pub mod inbox;
mod lenient;
pub mod modify;
pub mod notification;
pub mod order_terms;
pub mod payment_method;
pub mod payment_methods;
pub mod payments;
pub mod recurring;
pub mod service_error;
pub mod shopper;
pub mod sync;
pub mod token_notification;
pub mod verifier;
pub mod webhook;
