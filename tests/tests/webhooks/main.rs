//! Every webhook is applied exactly once, whatever fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bodies;
mod contested;
mod dates;
mod dead_letters;
mod disputes;
mod failures;
mod finding;
mod flood;
mod foreign;
mod histories;
mod letters;
mod money;
mod newer;
mod parsers;
mod room;
mod senders;
mod signature_properties;
mod standard;
mod token;
mod token_senders;
mod unreadable;
mod world;
