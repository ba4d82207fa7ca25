//! Throttled writes are retried within the request's time, so that a charged payment is not
//! answered with 503.

use std::time::{Duration, Instant};

use adyen_simulator::Release;
use adyen_simulator::webhook::Event;
use local::keys;
use serde_json::json;
use simulator_http::Fault;
use tests::faulty::Call;
use tests::faulty_dynamodb::{cancelled, conflict, throttled};
use tests::{backend, browser};

use crate::shop::{Shop, assert_paid, assert_problem};

/// More often than the SDK tries.
const TURNED_AWAY: usize = 7;

/// Rejects the first calls of an operation.
fn first_calls(operation: &'static str, fault: Fault) -> impl FnMut(&Call) -> Option<Fault> {
    let mut left = TURNED_AWAY;
    move |call| {
        let turned_away = call.name == operation && left > 0;
        left -= usize::from(turned_away);
        turned_away.then(|| fault.clone())
    }
}

/// The ways in which DynamoDB rejects a transaction of an order and a pointer.
fn transactions() -> Vec<Fault> {
    vec![
        cancelled(&["ThrottlingError", "None"]),
        cancelled(&["None", "ThrottlingError"]),
        cancelled(&["ProvisionedThroughputExceeded", "None"]),
        cancelled(&["None", "ProvisionedThroughputExceeded"]),
        cancelled(&["TransactionConflict", "None"]),
        cancelled(&["None", "TransactionConflict"]),
        cancelled(&["ThrottlingError", "TransactionConflict"]),
        throttled(),
    ]
}

#[tokio::test]
async fn throttled_write_of_a_payments_answer_is_retried() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    for (number, fault) in transactions().into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        shop.dynamodb.begin(first_calls("TransactWriteItems", fault.clone()));
        assert_paid(&shop.pay(&reference, "AMZN").await, "authorised", 1, "success");
        assert_eq!(shop.authorisations(&reference), 1, "{fault:?}");
        let order = shop.order(&reference).await;
        assert!(order["pspReference"].is_string(), "{fault:?}: {order}");
    }
}

#[tokio::test]
async fn throttled_write_of_an_attempt_is_retried() {
    let shop = Shop::open().await;
    for (number, fault) in [throttled(), conflict()].into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        shop.dynamodb.begin(first_calls("PutItem", fault));
        assert_paid(&shop.pay(&reference, "AMZN").await, "authorised", 1, "success");
        assert_eq!(shop.authorisations(&reference), 1);
    }
}

#[tokio::test]
async fn throttled_writes_of_details_and_refunds_are_retried() {
    let shop = Shop::open().await;
    let redirected = shop.pay("DETAILS", "T-3DS-REDIRECT").await;
    let result = adyen_simulator::redirect_result(&redirected.body["action"], "approved");
    let turned_away = cancelled(&["None", "ThrottlingError"]);
    shop.dynamodb.begin(first_calls("TransactWriteItems", turned_away));
    let answer = shop.details("DETAILS", 1, "redirectResult", &result).await;
    assert_paid(&answer, "authorised", 1, "success");

    shop.webhooks_delivered().await;
    shop.dynamodb.begin(first_calls("PutItem", throttled()));
    let body = json!({"amount": {"currency": "EUR", "value": 300}});
    let path = "/orders/DETAILS/refunds";
    let answer = shop.stack.post_with_key(path, &backend(), "refund-1", &body).await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("received")), "{answer:?}");
}

#[tokio::test]
async fn throttled_write_of_a_webhook_is_retried() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    shop.pay("STORED", "AMZN").await;
    shop.dynamodb.begin(first_calls("PutItem", throttled()));
    shop.simulator().release_webhooks(Release::InOrder).await;
    assert_eq!(shop.order("STORED").await["confirmed"], true);
    let first_deliveries = |shop: &Shop| {
        shop.simulator().with_books(|books| {
            books.webhooks.values().all(|it| it.attempts.len() == 1 && it.accepted())
        })
    };
    assert!(first_deliveries(&shop));

    // An event that is parked.
    for fault in [conflict(), throttled()] {
        shop.dynamodb.begin(first_calls("UpdateItem", fault));
        let refund = Event::new("REFUND", keys::MERCHANT_ACCOUNT, "REFUND0000000001", "x");
        shop.simulator().notify(&refund).unwrap();
        shop.webhooks_delivered().await;
        assert!(first_deliveries(&shop));
    }
}

#[tokio::test]
async fn throttled_write_after_a_charge_is_retried_until_the_requests_deadline() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    let begun = Instant::now();
    let for_a_while = Duration::from_secs(10);
    shop.dynamodb.begin(move |call| {
        let turned_away = call.name == "TransactWriteItems" && begun.elapsed() < for_a_while;
        turned_away.then(|| cancelled(&["ThrottlingError", "None"]))
    });
    assert_paid(&shop.pay("LONG", "AMZN").await, "authorised", 1, "success");
    assert!(begun.elapsed() >= for_a_while);
    assert_eq!(shop.authorisations("LONG"), 1);
}

#[tokio::test]
async fn permanently_throttled_write_returns_503_before_adyen_is_called() {
    let shop = Shop::open().await;
    shop.dynamodb.begin(|call| (call.name == "PutItem").then(throttled));
    let begun = Instant::now();
    let body = tests::payment("NEVER", "AMZN");
    let answer = shop.stack.post("/payments", &browser("NEVER"), &body).await;
    assert_problem(&answer, 503, "storage_unavailable");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(shop.calls("/payments"), 0);
}
