//! Explores every interleaving of an order's rules, within bounds.
//!
//! The decisions, the records and the derivation are the product's own functions; see
//! [`orders`]. This crate adds what surrounds them: processes that die, a store, and an Adyen that
//! answers in every way that it may.

pub mod adyen;
pub mod change;
pub mod explore;
pub mod orders;
pub mod properties;
pub mod rules;
pub mod scenario;
pub mod step;
pub mod system;
pub mod world;
