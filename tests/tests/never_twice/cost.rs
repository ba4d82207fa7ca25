//! The DynamoDB calls and the capacity of an order.

use std::fmt::Write as _;
use std::io::Write as _;

use adyen_simulator::{Fault, Release};
use serde_json::Value;
use tests::backend;
use tests::faulty::Call;
use tests::faulty_dynamodb::units;

use crate::shop::Shop;
use crate::shopper::{post, result};

/// The DynamoDB calls of a request, and their consumed capacity.
#[derive(Debug, PartialEq)]
struct Cost {
    calls: Vec<String>,
    /// Capacity units.
    units: f64,
}

impl Cost {
    fn of(calls: &[Call]) -> Self {
        Self { calls: calls.iter().map(described).collect(), units: calls.iter().map(units).sum() }
    }

    fn is(&self, calls: &[&str]) {
        assert_eq!(self.calls, calls, "{self:?}");
    }
}

/// The operation, with the number of items of a transaction.
fn described(call: &Call) -> String {
    let request: Value = serde_json::from_slice(&call.request).unwrap();
    match request["TransactItems"].as_array() {
        Some(items) => format!("{}({})", call.name, items.len()),
        None => call.name.clone(),
    }
}

impl Shop {
    /// The cost since the last call of `cost`.
    fn cost(&self) -> Cost {
        let cost = Cost::of(&self.dynamodb.calls());
        self.dynamodb.begin(|_| None);
        cost
    }
}

#[tokio::test]
async fn payment_costs_three_writes_in_two_round_trips() {
    let shop = Shop::open().await;
    let simulator = shop.simulator();
    let mut table = String::from("never_twice: the DynamoDB calls of an order\n");
    let mut row = |what: &str, cost: &Cost| {
        let calls = cost.calls.join(", ");
        writeln!(table, "  {what:<42} {:>4} units  {calls}", cost.units).unwrap();
    };
    simulator.hold_webhooks();

    shop.pay("A", "T").await;
    let payment = shop.cost();
    row("a payment", &payment);
    // First the attempt is written, then the answer with the payment's pointer. Nothing is read.
    payment.is(&["PutItem", "TransactWriteItems(2)"]);

    simulator.release_webhooks(Release::InOrder).await;
    let webhook = shop.cost();
    row("its webhook", &webhook);
    webhook.is(&["GetItem", "PutItem"]);

    simulator.hold_webhooks();
    simulator.inject(Fault::lost_answer());
    shop.pay("B", "T").await;
    shop.cost().is(&["PutItem"]);
    simulator.release_webhooks(Release::InOrder).await;
    let webhook = shop.cost();
    row("the webhook of a payment whose answer was lost", &webhook);
    // The pointer is a second item.
    webhook.is(&["GetItem", "TransactWriteItems(2)"]);

    simulator.hold_webhooks();
    let redirected = shop.pay("C", "T-3DS-REDIRECT").await;
    let payment = shop.cost();
    row("a payment that needs 3-D Secure", &payment);
    payment.is(&["PutItem", "PutItem"]);
    let body = result(Some(1), &redirected.body["action"], true);
    post(&shop.stack, "C", "/payments/details", &body).await;
    let details = shop.cost();
    row("its details", &details);
    details.is(&["GetItem", "PutItem", "TransactWriteItems(2)"]);

    shop.pay("D", "T-REFUSED").await;
    shop.cost();
    shop.pay("D", "T2").await;
    let retry = shop.cost();
    row("a payment after a refusal", &retry);
    // The failed condition of the first write returns the order.
    retry.is(&["PutItem", "PutItem", "TransactWriteItems(2)"]);

    shop.pay("A", "T").await;
    let again = shop.cost();
    row("the same payment again", &again);
    again.is(&["PutItem"]);

    let answer = shop.stack.get("/orders/A", &backend()).await;
    assert_eq!(answer.status, 200);
    let read = shop.cost();
    row("a question about an order", &read);
    read.is(&["GetItem"]);

    // Printed past the capture of `cargo test`.
    std::io::stderr().lock().write_all(table.as_bytes()).unwrap();
}
