//! The start of a function: variables, secrets and connections.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod configuration;
mod connections;
mod rotation;
mod secrets;
