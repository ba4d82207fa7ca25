//! The workbench of `cargo dev`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acts;
mod diagnostics;
mod guard;
mod lists;
mod orders;
mod secrets;
mod webhooks;
mod world;
