//! Captures, cancels, refunds and reversals, and what a schedule looks after.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod modifications;
mod order_events;
mod recovery;
mod stored_amounts;
mod undecided;
