//! How a function starts: what it reads, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod configuration;
mod connections;
mod rotation;
mod secrets;
