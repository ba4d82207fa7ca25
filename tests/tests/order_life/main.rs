//! An order's life: what its facts add up to, and which request belongs to which attempt.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod facts;
mod modify;
mod properties;
mod scenarios;
mod table;
mod take;
