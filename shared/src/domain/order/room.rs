//! How large an order may become.
//!
//! An order is one item, which DynamoDB limits to 400 KB. Requests are limited, so that there is
//! always room for Adyen's answers and webhooks.

use super::Order;

/// An order of this many bytes, written as JSON, takes no further requests.
const FULL: usize = 150 * 1024;

/// The most attempts of an order.
pub(super) const ATTEMPTS: usize = 100;

/// The most requests to pay that an attempt keeps.
pub(super) const SUBMISSIONS: usize = 20;

/// The most results of the shopper's browser that an attempt keeps.
const DETAILS: usize = 20;

/// The most modifications of an order.
pub(super) const MODIFICATIONS: usize = 200;

/// The most events that are kept of those that change nothing.
pub(super) const INERT_EVENTS: usize = 100;

/// The most bytes that are kept of a text that only people read.
const TEXT: usize = 128;

impl Order {
    /// Returns true if the order takes no further requests.
    pub fn is_full(&self) -> bool {
        serde_json::to_vec(self).map_or(true, |written| written.len() >= FULL)
    }

    /// Returns true if an attempt, from 1, takes no further results of the shopper's browser.
    pub fn is_full_of_details(&self, attempt: usize) -> bool {
        let attempt = attempt.checked_sub(1).and_then(|at| self.attempts.get(at));
        attempt.is_none_or(|attempt| attempt.details.len() >= DETAILS) || self.is_full()
    }
}

/// A text that only people read, without what is too much of it.
pub fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT));
    text
}
