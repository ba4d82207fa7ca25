//! Stored payment methods: created, listed, charged without the shopper, removed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod charges;
mod creation;
mod erasure;
mod jobs;
mod life;
mod listing;
mod personal_data;
mod removal;
mod shop;
