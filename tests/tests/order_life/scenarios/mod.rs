//! Histories of orders, also out of sequence.

mod acknowledged;
mod attempts;
mod confirmed;
mod money;
mod offers;
mod open;
mod time;
mod too_many_events;
mod two_payments;
mod webhooks;
