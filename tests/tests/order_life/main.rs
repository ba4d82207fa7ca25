//! The life of an order: its derived values, and its decisions about requests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod facts;
mod modify;
mod properties;
mod scenarios;
mod table;
mod take;
