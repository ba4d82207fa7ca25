//! What Adyen tells arrives, once, whatever happens on the way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bodies;
mod contested;
mod dates;
mod disputes;
mod failures;
mod finding;
mod flood;
mod histories;
mod money;
mod parsers;
mod senders;
mod signature_properties;
mod signatures;
mod standard;
mod token;
mod token_senders;
mod world;
