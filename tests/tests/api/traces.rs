//! Assertions that a request left nothing behind.

use adyen_simulator::Books;
use tests::Stack;

/// Asserts that nothing was sent to Adyen.
pub fn nothing_sent(stack: &Stack, row: &str) {
    let calls = stack.adyen().with_books(|books: &Books| books.calls.len());
    assert_eq!(calls, 0, "{row} was sent to Adyen");
}

/// Asserts that nothing was written.
pub async fn nothing_written(stack: &Stack) {
    for table in ["orders", "tokens"] {
        let items = stack.dynamodb().scan().table_name(table).send().await;
        assert_eq!(items.unwrap().count(), 0, "{table}");
    }
}
