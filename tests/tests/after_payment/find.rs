//! `GET /orders` finds orders, and its cost does not depend on their number.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, StreamSpecification, WriteRequest};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local::bundle::Options;
use serde_json::{Value, json};
use shared::domain::order::{Capture, Order};
use shared::store::{Start, StoreError};
use tests::faulty::Faulty;
use tests::{
    Stack, assert_problem, backend, browser, faulty_dynamodb, in_browser, operator, passing_time,
};

/// The orders of a page, and its cursor.
async fn find(stack: &Stack, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = stack.get(&format!("/orders{query}"), &backend()).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let cursor = answer.body["nextCursor"].as_str().map(str::to_owned);
    (answer.body["orders"].as_array().unwrap().clone(), cursor)
}

async fn references(stack: &Stack, query: &str) -> Vec<String> {
    let (orders, cursor) = find(stack, query).await;
    assert_eq!(cursor, None);
    orders.iter().map(|order| order["reference"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn orders_are_found_by_status_attention_payment_and_time_the_latest_first() {
    let stack = Stack::start().await;
    assert!(references(&stack, "").await.is_empty());
    stack.adyen().hold_webhooks();
    for (reference, token) in
        [("PAID-1", "a"), ("REFUSED", "b-REFUSED"), ("PAID-2", "c"), ("DOUBT", "d-HTTP-500")]
    {
        stack.post("/payments", &browser(reference), &in_browser(reference, token)).await;
    }
    assert_eq!(references(&stack, "").await, ["DOUBT", "PAID-2", "REFUSED", "PAID-1"]);
    assert_eq!(references(&stack, "?status=authorised").await, ["PAID-2", "PAID-1"]);
    assert_eq!(references(&stack, "?status=refused").await, ["REFUSED"]);
    assert!(references(&stack, "?status=captured").await.is_empty());

    let paid = stack.order("PAID-1").await;
    let by_payment = format!("?pspReference={}", paid["pspReference"].as_str().unwrap());
    let (found, _) = find(&stack, &by_payment).await;
    assert_eq!(
        found,
        [json!({
            "reference": "PAID-1", "status": "authorised", "updatedAt": paid["updatedAt"],
            "needsAttention": [],
        })]
    );
    assert!(references(&stack, "?pspReference=UNKNOWN000000001").await.is_empty());

    // From the one time and before the other.
    let at = |order: &Value| order["updatedAt"].as_str().unwrap().to_owned();
    let (from, to) = (at(&stack.order("REFUSED").await), at(&stack.order("DOUBT").await));
    let between = format!("?updatedFrom={from}&updatedTo={to}");
    assert_eq!(references(&stack, &between).await, ["PAID-2", "REFUSED"]);
    // A `+` in a URL is a blank.
    for offset in ["%2B00:00", "+00:00"] {
        let from = from.replace('Z', offset);
        let between = format!("?updatedFrom={from}&updatedTo={to}");
        assert_eq!(references(&stack, &between).await, ["PAID-2", "REFUSED"], "{between}");
    }
    let never = format!("?updatedFrom={to}&updatedTo={from}");
    assert!(references(&stack, &never).await.is_empty());

    assert!(references(&stack, "?needsAttention=any").await.is_empty());
    passing_time::pass(&stack.dynamodb(), "DOUBT", SignedDuration::from_hours(1)).await;
    assert_eq!(stack.bundle.recover().await.unwrap().unknown, 1);
    for query in ["any", "outcome_unknown", "any&status=pending"] {
        let (found, _) = find(&stack, &format!("?needsAttention={query}")).await;
        assert_eq!(found.len(), 1, "{query}");
        assert_eq!(found[0]["reference"], "DOUBT");
        assert_eq!(found[0]["needsAttention"], json!(["outcome_unknown"]));
    }
    for query in ["unconfirmed", "any&status=refused"] {
        assert!(references(&stack, &format!("?needsAttention={query}")).await.is_empty());
    }
    // An acknowledged reason asks for nobody.
    let path = "/orders/DOUBT/needsAttention/outcome_unknown/acknowledge";
    let done = stack.post(path, &operator("anna"), &json!({"note": "I am at it."})).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(references(&stack, "?needsAttention=any").await.is_empty());
    assert_eq!(references(&stack, "?status=pending").await, ["DOUBT"]);
}

#[tokio::test]
async fn order_is_found_by_its_refund() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "x").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    let answer = stack.post("/orders/ORDER-1/refunds", &backend(), &json!({})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let order = stack.order("ORDER-1").await;
    let refund = order["modifications"][0]["pspReference"].as_str().unwrap();

    let found = references(&stack, &format!("?pspReference={refund}")).await;

    assert_eq!(found, ["ORDER-1"]);
    let order = stack.order_once("ORDER-1", |order| order["status"] == "refunded").await;
    assert_eq!(order["needsAttention"], json!([]));
}

#[tokio::test]
async fn pages_have_every_order_once() {
    let stack = Stack::start().await;
    let (orders, _) = stack.stores().await;
    let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
    let mut written = Vec::new();
    for number in 0..60 {
        let reference: shared::domain::reference::Reference =
            format!("ORDER-{number}").parse().unwrap();
        let order =
            Order::new(reference.clone(), amount, Capture::Automatic, None, Timestamp::now());
        let write = orders.change(&reference, Start::New, |slot| {
            *slot = Some(order.clone());
            Ok::<_, StoreError>(())
        });
        write.await.unwrap();
        written.insert(0, reference.to_string());
    }
    for filter in ["?", "?status=created&"] {
        let (mut found, mut query) = (Vec::new(), filter.to_owned());
        let mut pages = Vec::new();
        loop {
            let (page, cursor) = find(&stack, &query).await;
            pages.push(page.len());
            found.extend(page);
            let Some(cursor) = cursor else { break };
            query = format!("{filter}cursor={cursor}");
        }
        let found: Vec<&str> = found.iter().map(|it| it["reference"].as_str().unwrap()).collect();
        assert_eq!(
            (found, pages),
            (written.iter().map(String::as_str).collect(), vec![25, 25, 10])
        );
    }
}

#[tokio::test]
async fn malformed_query_is_rejected_by_name() {
    let stack = Stack::start().await;
    let get = async |query: &str| stack.get(&format!("/orders{query}"), &backend()).await;
    for (query, code, field) in [
        ("?cursor=x", "invalid_field", "cursor"),
        ("?cursor=", "invalid_field", "cursor"),
        ("?status=paid", "invalid_field", "status"),
        ("?status=refused&status=refused", "invalid_field", "status"),
        ("?needsAttention=paid", "invalid_field", "needsAttention"),
        ("?updatedFrom=yesterday", "invalid_field", "updatedFrom"),
        ("?pspReference=", "invalid_field", "pspReference"),
        ("?pspReference=X&status=pending", "invalid_field", "pspReference"),
        ("?order=1", "unknown_field", "order"),
    ] {
        let answer = get(query).await;
        assert_problem(&answer, 422, code);
        assert_eq!(answer.body["field"], field, "{query}");
    }
    let answer = stack.get("/orders", &browser("ORDER-1")).await;
    assert_problem(&answer, 403, "merchant_token_required");
}

type Item = HashMap<String, AttributeValue>;

/// A bundle whose calls of DynamoDB are measured.
async fn measured() -> (Stack, Faulty) {
    let dynamodb = faulty_dynamodb::start().await;
    let variables = BTreeMap::from([faulty_dynamodb::variable(&dynamodb)]);
    let stack = Stack::with(Options { variables, ..Options::default() }).await;
    dynamodb.lead_to(stack.bundle.dynamodb_url());
    // The embedded DynamoDB scans its whole stream for each new record.
    let off = StreamSpecification::builder().stream_enabled(false).build().unwrap();
    let update = stack.dynamodb().update_table().table_name("orders").stream_specification(off);
    update.send().await.unwrap();
    (stack, dynamodb)
}

/// Writes copies of an order that are authorised; one in a thousand needs attention.
async fn fill(stack: &Stack, pattern: &Item, numbers: std::ops::Range<usize>) {
    let dynamodb = stack.dynamodb();
    let put = |number: usize| {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(number as i64);
        let position = format!("{at:.9}#ORDER-{number}");
        let mut item = pattern.clone();
        let mut set = |name: &str, text: String| {
            item.insert(name.to_owned(), AttributeValue::S(text));
        };
        set("reference", format!("ORDER-{number}"));
        set("statusShard", format!("authorised-{}", number % 4));
        set("position", position);
        if number.is_multiple_of(1000) {
            set("attentionShard", format!("order-{}", number / 1000 % 4));
            set("attention", "unconfirmed".to_owned());
        }
        let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let batches: Vec<usize> = numbers.clone().step_by(25).collect();
    let written = stream::iter(batches).map(|first| {
        let puts = (first..numbers.end.min(first + 25)).map(put).collect();
        dynamodb.batch_write_item().request_items("orders", puts).send()
    });
    written.buffer_unordered(4).for_each(|written| async { drop(written.unwrap()) }).await;
}

/// The calls of DynamoDB of a request, and their capacity units.
async fn cost(stack: &Stack, dynamodb: &Faulty, query: &str) -> (usize, f64, Option<String>) {
    dynamodb.begin(|_| None);
    let (found, cursor) = find(stack, query).await;
    assert!(!found.is_empty(), "{query}");
    let calls = dynamodb.calls();
    let units = calls.iter().map(|call| {
        assert!(matches!(&*call.name, "Query" | "GetItem"), "{}", call.name);
        faulty_dynamodb::units(call)
    });
    (calls.len(), units.sum(), cursor)
}

/// `FIND_ORDERS=1000000 cargo test -p tests --test after_payment page_costs -- --nocapture` is the
/// long form.
#[tokio::test]
async fn page_costs_the_same_however_many_orders_there_are() {
    let orders: usize = std::env::var("FIND_ORDERS").map_or(4000, |number| number.parse().unwrap());
    let (stack, dynamodb) = measured().await;
    let paid = stack.pay("PATTERN", "x").await;
    let key = AttributeValue::S("PATTERN".to_owned());
    let read = stack.dynamodb().get_item().table_name("orders").key("reference", key);
    let pattern = read.send().await.unwrap().item.unwrap();
    let by_payment = format!("?pspReference={}", paid.body["pspReference"].as_str().unwrap());
    let middle = |orders: usize| {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(orders as i64 / 2);
        format!("?updatedTo={at}")
    };
    let mut costs = Vec::new();
    for numbers in [0..orders / 4, orders / 4..orders] {
        let written = numbers.end;
        fill(&stack, &pattern, numbers).await;
        let mut measured = Vec::new();
        let middle = middle(written);
        for query in ["?status=authorised", "?needsAttention=any", "?", &middle, &by_payment] {
            let (calls, units, cursor) = cost(&stack, &dynamodb, query).await;
            println!("{written} orders, GET /orders{query}: {calls} calls, {units} units");
            measured.push((calls, units));
            if let Some(cursor) = cursor.filter(|_| query == "?status=authorised") {
                let query = format!("{query}&cursor={cursor}");
                let (calls, units, _) = cost(&stack, &dynamodb, &query).await;
                measured.push((calls, units));
            }
        }
        costs.push(measured);
    }
    assert_eq!(costs[0], costs[1]);
    let [status, next, attention, all, _, payment] = costs[1][..] else { panic!("{costs:?}") };
    assert_eq!((status.0, next.0, attention.0, all.0, payment.0), (4, 4, 4, 44, 2));
    for (_, units) in [status, next, attention] {
        assert!(units <= 4.0, "{costs:?}");
    }
    assert!(all.1 <= 24.0, "{costs:?}");
}
