//! Modifications, order events and the schedule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod modifications;
mod order_events;
mod recovery;
mod stored_amounts;
mod undecided;
