//! Payment methods other than Amazon Pay: what is accepted, what arrives at Adyen, and when the
//! shopper may try again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accepted;
mod actions;
mod examples;
mod one_click;
mod raw_card_data;
mod shop;
mod tries;
