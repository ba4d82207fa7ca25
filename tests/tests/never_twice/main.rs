//! A payment is never made twice and never lost, whatever fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attempts;
mod binding;
mod configuration;
mod cost;
mod details;
mod faults;
mod killed;
mod races;
mod random;
mod rejections;
mod shop;
mod shopper;
mod stored;
mod throttled;
mod unknown;
