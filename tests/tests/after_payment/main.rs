//! Modifications, order events, the schedule, and what a person finds and decides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attention;
mod doubt;
mod find;
mod modifications;
mod order_events;
mod recovery;
mod stored_amounts;
mod undecided;
