//! Amazon Pay: signatures, checkout sessions, failures,
//! and the simulator that the tests run against.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod configuration;
mod confirm;
mod create;
mod payments;
mod signing;
mod simulator;
mod token;
mod whole_path;
mod world;
