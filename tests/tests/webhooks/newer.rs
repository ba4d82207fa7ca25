//! Items of a newer version: this version preserves their members, applies known events, and writes
//! nothing if their schema is newer.

use local::keys;
use serde_json::{Value, json};
use shared::domain::order::Order;
use shared::domain::unknown::SCHEMA;

use crate::world::{World, accepted, item, modification, signed, standard, token_notification};

const PAYMENT: &str = "NEWER00000000001";

/// An order that contains every stored struct.
fn order() -> Value {
    let then = "2026-03-12T19:03:58Z";
    json!({
        "reference": "newer",
        "version": 7,
        "schema": SCHEMA,
        "amount": {"currency": "EUR", "value": 1000},
        "capture": "automatic",
        "createdAt": then,
        "updatedAt": then,
        "attempts": [
            {
                "startedAt": then,
                "key": "k",
                "merchantAccount": keys::MERCHANT_ACCOUNT,
                "endpoint": "127.0.0.1",
                "paymentMethod": "amazonPay",
                "submissions": [{"instrument": "i", "content": "c", "callerBody": "a", "sentAt": then}],
                "outcome": {"rejected": {"status": 422, "errorCode": "130"}},
                "details": [],
                "outcomeUnknown": false,
            },
            {
                "startedAt": then,
                "key": "k",
                "merchantAccount": keys::MERCHANT_ACCOUNT,
                "endpoint": "127.0.0.1",
                "paymentMethod": "amazonPay",
                "submissions": [{"instrument": "i", "content": "c", "callerBody": "a", "sentAt": then}],
                "pspReference": PAYMENT,
                "outcome": {"answered": {"resultCode": "RedirectShopper"}},
                "details": [
                    {"content": "c", "sentAt": then, "outcome": {"rejected": {"status": 422, "errorCode": "14_0418"}}},
                    {"content": "c", "sentAt": then, "outcome": {"answered": {"resultCode": "Authorised"}}},
                ],
                "outcomeUnknown": false,
            },
        ],
        "modifications": [{
            "operation": "capture",
            "payment": PAYMENT,
            "value": 1000,
            "key": "k",
            "merchantAccount": keys::MERCHANT_ACCOUNT,
            "endpoint": "127.0.0.1",
            "content": "c",
            "requestedAt": then,
            "sentAt": then,
            "decideBy": then,
            "rejection": {"status": 422, "errorCode": "167"},
            "outcomeUnknown": false,
        }],
        "events": [{
            "eventDate": then,
            "eventCode": "AUTHORISATION",
            "pspReference": PAYMENT,
            "success": true,
            "amount": {"currency": "EUR", "value": 1000},
            "receivedAt": then,
        }],
        "eventsDropped": false,
        "look": {"at": then, "times": 1},
    })
}

/// The paths of all objects in a value, without enums, which have one member.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let is_enum = members.contains_key("answered") || members.contains_key("rejected");
            if !is_enum {
                found.push(at.to_owned());
            }
            members.iter().for_each(|(name, it)| objects(it, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, it)| objects(it, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn newer() -> Value {
    json!({"text": "x", "numbers": [1, -2, 3.5], "deep": {"null": null, "flag": true}})
}

fn with_newer(mut value: Value) -> (Value, Vec<String>) {
    let mut paths = Vec::new();
    objects(&value, "", &mut paths);
    for path in &paths {
        value.pointer_mut(path).unwrap()["fromNewer"] = newer();
    }
    (value, paths)
}

impl World {
    async fn put(&self, table: &str, item: &Value) {
        let put = self.stack.dynamodb().put_item().table_name(table);
        put.set_item(Some(serde_dynamo::to_item(item).unwrap())).send().await.unwrap();
    }

    /// An order's item as it is stored, and the pointer of its payment.
    async fn put_order(&self, order: &Value) {
        self.put("orders", order).await;
        self.put("orders", &json!({"reference": format!("psp#{PAYMENT}"), "order": "newer"})).await;
    }

    async fn raw(&self, key: &str) -> Value {
        serde_dynamo::from_item(self.item(key).await.unwrap()).unwrap()
    }
}

fn refund() -> Value {
    modification("REFUND", "REFUND0000000001", PAYMENT, "newer")
}

#[tokio::test]
async fn unknown_members_are_preserved_at_every_level() {
    let world = World::new().await;
    let (order, paths) = with_newer(order());
    assert_eq!(paths.len(), 17, "{paths:#?}");
    world.put_order(&order).await;
    world.deliver_item(&refund()).await;
    let kept = world.raw("newer").await;
    assert_eq!(kept["version"], 8);
    assert_eq!(kept["events"].as_array().unwrap().len(), 2);
    assert_eq!(kept["status"], "refunded");
    for path in paths {
        assert_eq!(kept.pointer(&path).unwrap()["fromNewer"], newer(), "{path}");
    }
}

#[tokio::test]
async fn unknown_values_do_not_stop_a_webhook() {
    for (path, value) in [
        ("/capture", json!("later")),
        ("/attempts/1/paymentMethod", json!("wallet")),
        ("/attempts/0/outcome", json!({"deferred": {"until": "tomorrow"}})),
        ("/attempts/0/outcome", json!("deferred")),
        ("/attempts/1/details/0/outcome", json!({"deferred": {"until": "tomorrow"}})),
        ("/attempts/1/details/1/outcome/answered/resultCode", json!("Deferred")),
        ("/modifications/0/operation", json!("split")),
        ("/modifications/0/merchantRefundReason", json!("LIKED IT")),
        ("/events/0/eventCode", json!("AUTHORISATION_OF_ANOTHER_KIND")),
        ("/amount", json!({"currency": "EUR", "value": 1000, "rate": {"of": "tax"}})),
    ] {
        let world = World::new().await;
        let mut order = order();
        match order.pointer_mut(path) {
            Some(known) => *known = value.clone(),
            None => order["modifications"][0]["merchantRefundReason"] = value.clone(),
        }
        world.put_order(&order).await;
        world.deliver_item(&refund()).await;
        let kept = world.raw("newer").await;
        assert_eq!(kept["version"], 8, "{path}");
        assert!(kept["events"].to_string().contains("REFUND0000000001"), "{path}");
        // The sequence of the events may change.
        let there = kept.pointer(path) == Some(&value)
            || kept["events"].to_string().contains(&value.to_string());
        assert!(there, "{path}: {kept}");
        assert_eq!(world.keys("dead#").await, [""; 0], "{path}");
        // The order is also shown.
        assert_eq!(world.stack.order("newer").await["reference"], "newer", "{path}");
    }
}

#[tokio::test]
async fn modification_of_an_unknown_operation_is_never_retried() {
    let world = World::new().await;
    let mut order = order();
    let modification = &mut order["modifications"][0];
    modification["operation"] = json!("split");
    modification.as_object_mut().unwrap().remove("rejection");
    // The store adds the index's attributes, so that the schedule finds the order.
    let order: Order = serde_json::from_value(order).unwrap();
    world.store(&order).await;
    for _ in 0..2 {
        world.stack.bundle.recover().await.unwrap();
    }
    assert_eq!(world.stack.adyen().with_books(|books| books.calls.len()), 0);
    let attention = world.stack.order("newer").await["needsAttention"].clone();
    assert!(attention.to_string().contains("modification_unknown"), "{attention}");
}

#[tokio::test]
async fn order_of_a_newer_schema_is_readable_but_not_written() {
    let world = World::new().await;
    let mut order = order();
    order["schema"] = json!(SCHEMA + 1);
    world.put_order(&order).await;
    let before = world.raw("newer").await;
    let delivery = standard(&[signed(&refund())]).to_string();
    let answer = world.deliver(delivery.clone()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(world.raw("newer").await, before);
    assert_eq!(world.stack.order("newer").await["status"], "authorised");
    // No payment is sent, because it could not be stored.
    let mut unpaid = order.clone();
    unpaid["reference"] = json!("unpaid");
    unpaid["attempts"].as_array_mut().unwrap().truncate(1);
    unpaid["modifications"] = json!([]);
    unpaid["events"] = json!([]);
    world.put("orders", &unpaid).await;
    let answer = world.stack.pay("unpaid", "AMZN").await;
    assert_eq!((answer.status, answer.code()), (503, "storage_unavailable"));
    assert_eq!(world.stack.adyen().with_books(|books| books.calls.len()), 0);
    assert_eq!(world.raw("unpaid").await["version"], 7);
    // The newer version is deployed again.
    order["schema"] = json!(SCHEMA);
    world.put_order(&order).await;
    accepted(&world.deliver(delivery).await);
    assert_eq!(world.status("newer").await, "refunded");
}

#[tokio::test]
async fn webhooks_of_an_order_that_only_a_newer_version_can_read_are_retried() {
    let world = World::new().await;
    let mut order = order();
    order["attempts"] = json!({"by": "number"});
    order["schema"] = json!(SCHEMA + 1);
    world.put_order(&order).await;
    let delivery = standard(&[signed(&refund())]).to_string();
    assert_eq!(world.deliver(delivery.clone()).await.status, 503);
    assert_eq!(world.keys("dead#").await, [""; 0]);
    // With the current schema, a later version cannot help either.
    order["schema"] = json!(SCHEMA);
    world.put_order(&order).await;
    accepted(&world.deliver(delivery).await);
    assert_eq!(world.keys("dead#").await.len(), 1);
}

#[tokio::test]
async fn written_order_has_the_schema_of_its_writer() {
    let world = World::new().await;
    let payment = world.paid("fresh", "AMZN").await;
    assert_eq!(world.raw("fresh").await["schema"], SCHEMA);
    world.deliver_item(&item("AUTHORISATION", &payment, "fresh")).await;
    assert_eq!(world.raw("fresh").await["schema"], SCHEMA);
}

#[tokio::test]
async fn token_of_a_newer_version_keeps_its_members_and_schema() {
    let world = World::new().await;
    let created = token_notification("created", "EVENT00000000001", "shopper-1", "STORED00000001");
    let disabled =
        token_notification("disabled", "EVENT00000000002", "shopper-1", "STORED00000001");
    world.deliver_token(&created).await;
    let raw = async || {
        let scan = world.stack.dynamodb().scan().table_name("tokens").send().await.unwrap();
        serde_dynamo::from_item::<_, Value>(scan.items()[0].clone()).unwrap()
    };
    let stored = raw().await;
    assert_eq!(stored["schema"], SCHEMA);
    let (mut token, paths) = with_newer(stored);
    assert_eq!(paths, ["", "/events/0"]);
    world.put("tokens", &token).await;
    world.deliver_token(&disabled).await;
    let kept = raw().await;
    assert_eq!(kept["status"], "disabled");
    assert_eq!(kept["events"].as_array().unwrap().len(), 2);
    for path in paths {
        assert_eq!(kept.pointer(&path).unwrap()["fromNewer"], newer(), "{path}");
    }
    token["schema"] = json!(SCHEMA + 1);
    world.put("tokens", &token).await;
    let before = raw().await;
    assert_eq!(world.deliver_signed(&disabled.to_string()).await.status, 503);
    assert_eq!(raw().await, before);
    token["events"] = json!("elsewhere");
    world.put("tokens", &token).await;
    assert_eq!(world.deliver_signed(&disabled.to_string()).await.status, 503);
}
