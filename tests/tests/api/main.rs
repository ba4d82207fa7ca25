//! The HTTP API as its callers know it, on the bundle with Adyen's simulator.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod errors;
mod jwt;
mod page;
mod powers;
mod shop;
mod three_ds;
mod tokens;
mod trace_ids;
mod traces;
mod validation;
