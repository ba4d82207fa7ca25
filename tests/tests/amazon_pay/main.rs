//! Amazon Pay's side of the checkout: what is signed, what a storefront gets, what goes
//! wrong, and the simulator that the rest is proven against.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod amounts;
mod configuration;
mod confirm;
mod create;
mod payments;
mod signing;
mod simulator;
mod token;
mod whole_path;
mod world;
