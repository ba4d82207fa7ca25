//! Requests to pay are matched to attempts.

mod ended;
mod keys;
mod open;

use shared::domain::order::{Order, PayDecision, PaymentInstrument, Submission};

use crate::facts::{self, manual, outcome, request};

const DAY: i64 = 24 * 60 * 60;

/// Takes a request when it is sent.
fn take(order: &mut Order, request: &Submission) -> PayDecision {
    facts::take(order, PaymentInstrument::AmazonPay, request, request.sent_at)
}

fn pay(order: &mut Order, token: &str, second: i64) -> PayDecision {
    take(order, &request(token, None, second))
}

fn pay_with_key(order: &mut Order, token: &str, key: &str, second: i64) -> PayDecision {
    take(order, &request(token, key, second))
}

/// An order whose first attempt, with the token `A`, was sent in second 0.
fn begun() -> Order {
    let mut order = manual();
    assert_eq!(pay(&mut order, "A", 0).sends(), Some(1));
    order
}

/// The same order with an answer of the payment `P`.
fn answered_with(result_code: &str) -> Order {
    let mut order = begun();
    order.attempts[0].answer(outcome(result_code), Some("P".to_owned()));
    order
}

fn in_progress(taken: PayDecision) -> bool {
    matches!(taken, PayDecision::InProgress { .. })
}
