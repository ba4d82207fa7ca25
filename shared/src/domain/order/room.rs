//! Limits the size of an order.
//!
//! An order is one item, and DynamoDB limits an item to 400 KB. Requests are limited so that there
//! is always room for Adyen's answers and webhooks.

use super::Order;

/// An order whose JSON has this many bytes accepts no further requests.
const FULL: usize = 150 * 1024;

/// Limits the attempts of an order.
pub(super) const ATTEMPTS: usize = 100;

/// Limits the requests to pay of an attempt.
pub(super) const SUBMISSIONS: usize = 20;

/// Limits the details, sent by the shopper's browser, of an attempt.
const DETAILS: usize = 20;

/// Limits the modifications of an order.
pub(super) const MODIFICATIONS: usize = 200;

/// Limits the events that change nothing.
pub(super) const INERT_EVENTS: usize = 100;

/// Limits a text that only people read, in bytes.
const TEXT: usize = 128;

impl Order {
    /// Returns true if the order accepts no further requests.
    pub fn is_full(&self) -> bool {
        serde_json::to_vec(self).map_or(true, |written| written.len() >= FULL)
    }

    /// Returns true if an attempt accepts no further details; numbers count from 1.
    pub fn is_full_of_details(&self, attempt: usize) -> bool {
        let attempt = attempt.checked_sub(1).and_then(|at| self.attempts.get(at));
        attempt.is_none_or(|attempt| attempt.details.len() >= DETAILS) || self.is_full()
    }
}

/// Truncates a text that only people read.
pub fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT));
    text
}
