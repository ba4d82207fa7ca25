//! Limits the size of an order.
//!
//! An order is one item, and DynamoDB limits an item to 400 KB. Requests are limited so that there
//! is always room for Adyen's answers and webhooks.

use super::Order;
use crate::limits;

impl Order {
    /// Returns true if the order accepts no further requests.
    pub fn is_full(&self) -> bool {
        serde_json::to_vec(self).map_or(true, |written| written.len() >= limits::ORDER)
    }

    /// Returns true if an attempt accepts no further details; numbers count from 1.
    pub fn is_full_of_details(&self, attempt: usize) -> bool {
        self.attempt(attempt).is_none_or(|it| it.details.len() >= limits::DETAILS) || self.is_full()
    }
}

/// Truncates a text that only people read.
pub fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(limits::TEXT));
    text
}
