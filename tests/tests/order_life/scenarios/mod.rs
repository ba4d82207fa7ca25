//! What happens to orders in practice, and out of sequence.

mod attempts;
mod money;
mod offers;
mod too_many_events;
mod webhooks;
