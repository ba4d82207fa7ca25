//! The HTTP API, on the bundle with Adyen's simulator.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser_access;
mod errors;
mod field_owners;
mod jwt;
mod page;
mod shop;
mod three_ds;
mod tokens;
mod trace_ids;
mod traces;
mod validation;
