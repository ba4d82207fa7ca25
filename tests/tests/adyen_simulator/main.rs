//! The Adyen simulator behaves as Adyen's documentation says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser;
mod faults;
mod https;
mod idempotency;
mod modifications;
mod persistence;
mod recurring;
mod scenarios;
mod three_ds;
mod validation;
mod webhooks;
mod world;
