//! A signed event that can never be applied is acknowledged, so that it delays no other, and stored
//! whole, so that nothing is lost.

use aws_sdk_dynamodb::types::AttributeValue;
use local::keys;
use serde_json::{Value, json};

use crate::world::{
    World, accepted, item, modification, signed, standard, token_notification, with,
};

/// The body of the dead letter under this key, which must have no expiry and must not be in the
/// index.
async fn kept(world: &World, key: &str) -> String {
    let item = world.item(key).await.unwrap_or_else(|| panic!("no {key}"));
    for attribute in ["expiresAt", "openShard"] {
        assert!(!item.contains_key(attribute), "{key} has {attribute}");
    }
    item["body"].as_s().unwrap().clone()
}

#[tokio::test]
async fn inapplicable_event_is_stored_whole_as_a_dead_letter() {
    let world = World::new().await;
    let payment = world.paid("never", "AMZN").await;
    let before = world.order("never").await;
    let event = with(
        item("AUTHORISATION", &payment, "never"),
        json!({"additionalData": {"cardSummary": "1111"}}),
    );
    let without = |field: &str| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove(field);
        event
    };
    for (notification, key) in [
        (without("pspReference"), "dead##AUTHORISATION#true".to_owned()),
        (without("eventCode"), format!("dead#{payment}##true")),
        (without("success"), format!("dead#{payment}#AUTHORISATION#false")),
        (with(event.clone(), json!({"eventCode": ""})), format!("dead#{payment}##true")),
        (
            with(event.clone(), json!({"originalReference": "P".repeat(3000)})),
            format!("dead#{payment}#AUTHORISATION#true"),
        ),
        (
            with(event.clone(), json!({"amount": {"currency": "C".repeat(3000), "value": 1}})),
            format!("dead#{payment}#AUTHORISATION#true"),
        ),
        // The signature also matches with the colons at other places.
        (
            with(event.clone(), json!({"pspReference": "A:B"})),
            "dead#A:B#AUTHORISATION#true".to_owned(),
        ),
        (
            with(event.clone(), json!({"eventCode": "AUTHORISATION:true", "success": "x"})),
            format!("dead#{payment}#AUTHORISATION:true#false"),
        ),
    ] {
        let body = standard(&[signed(&notification)]).to_string();
        for _ in 0..2 {
            accepted(&world.deliver(body.clone()).await);
        }
        // A later dead letter does not replace an earlier one under the same key.
        let mut found = Vec::new();
        for key in world.keys(&key).await {
            found.push(kept(&world, &key).await);
        }
        assert_eq!(found.iter().filter(|it| **it == body).count(), 1, "{key}");
    }
    // Texts that are too long for a key.
    for long in [json!({"pspReference": "P".repeat(3000)}), json!({"eventCode": "E".repeat(3000)})]
    {
        let before = world.keys("dead#").await.len();
        world.deliver_item(&with(event.clone(), long)).await;
        assert_eq!(world.keys("dead#").await.len(), before + 1);
    }
    assert_eq!(world.order("never").await, before);
    assert!(world.keys("psp#").await.len() == 1, "nothing is parked");
    world.deliver_item(&event).await;
    assert_eq!(world.stack.order("never").await["confirmed"], true);
}

#[tokio::test]
async fn event_of_a_missing_order_is_stored_as_a_dead_letter() {
    let world = World::new().await;
    let pointer = world.stack.dynamodb().put_item().table_name("orders");
    let pointer = pointer
        .item("reference", AttributeValue::S("psp#ORPHAN0000000001".to_owned()))
        .item("order", AttributeValue::S("gone".to_owned()));
    pointer.send().await.unwrap();
    let refund = signed(&modification("REFUND", "REFUND0000000001", "ORPHAN0000000001", "gone"));
    let authorisation = signed(&item("AUTHORISATION", "ORPHAN0000000001", "gone"));
    for (notification, key) in [
        (refund, "dead#REFUND0000000001#REFUND#true"),
        (authorisation, "dead#ORPHAN0000000001#AUTHORISATION#true"),
    ] {
        let body = standard(&[notification]).to_string();
        accepted(&world.deliver(body.clone()).await);
        assert_eq!(kept(&world, key).await, body);
        let item = world.item(key).await.unwrap();
        assert!(item["event"].is_m());
        assert_eq!(item["named"].as_s().unwrap(), "gone");
    }
}

#[tokio::test]
async fn unidentified_token_event_is_stored_whole_as_a_dead_letter() {
    let world = World::new().await;
    let created = || token_notification("created", "QBQQ9DLNRHHKGK38", "shopper-1", "TOKEN");
    let with_data = |data: Value| {
        let mut notification = created();
        notification["data"] = with(notification["data"].clone(), data);
        notification
    };
    let long = |characters: usize| json!("ü".repeat(characters));
    let notifications = [
        with_data(json!({"shopperReference": ""})),
        with_data(json!({"shopperReference": null})),
        with_data(json!({"shopperReference": long(257)})),
        with_data(json!({"storedPaymentMethodId": ""})),
        with_data(json!({"storedPaymentMethodId": 7})),
        with_data(json!({"storedPaymentMethodId": long(65)})),
        with(created(), json!({"eventId": ""})),
        with(created(), json!({"eventId": null})),
        with(created(), json!({"eventId": long(3000)})),
    ];
    for (number, notification) in notifications.iter().enumerate() {
        for _ in 0..2 {
            world.deliver_token(notification).await;
        }
        assert_eq!(world.keys("dead#").await.len(), number + 1, "{notification}");
    }
    let first = kept(&world, "dead#recurring.token.created#QBQQ9DLNRHHKGK38").await;
    assert_eq!(first, notifications[0].to_string());
    assert_eq!(world.count("tokens").await, 0);
}

#[tokio::test]
async fn inapplicable_token_event_is_stored_whole_as_a_dead_letter() {
    let world = World::new().await;
    let notification = world.spoil_a_token().await;
    let body = kept(&world, "dead#recurring.token.disabled#DISABLE000000001").await;
    assert_eq!(body, notification.to_string());
}

#[tokio::test]
async fn several_dead_letters_are_stored_separately() {
    let world = World::new().await;
    let payment = world.paid("several", "AMZN").await;
    let items = [
        signed(&item("AUTHORISATION", &payment, "several")),
        signed(&with(item("CAPTURE", "", "several"), json!({"originalReference": payment}))),
        signed(&modification("REFUND", "REFUND:000000001", &payment, "several")),
    ];
    let body = standard(&items).to_string();
    accepted(&world.deliver(body.clone()).await);
    assert_eq!(world.order("several").await.events.len(), 1);
    for (key, at) in [("dead##CAPTURE#true", "1"), ("dead#REFUND:000000001#REFUND#true", "2")] {
        assert_eq!(kept(&world, key).await, body);
        assert_eq!(world.item(key).await.unwrap()["item"].as_n().unwrap(), at);
    }
}

#[tokio::test]
async fn webhook_is_not_acknowledged_before_its_dead_letter_is_stored() {
    let world = World::new().await;
    let notification = signed(&item("AUTHORISATION", "A:B", "order"));
    let body = standard(&[notification]).to_string();
    world.dynamodb.begin(|_| Some(tests::faulty_dynamodb::server_error()));
    let answer = world.deliver(body.clone()).await;
    assert_eq!((answer.status, answer.code()), (503, "storage_unavailable"));
    world.dynamodb.calm();
    assert!(world.keys("dead#").await.is_empty());
    accepted(&world.deliver(body).await);
    assert_eq!(world.keys("dead#").await.len(), 1);
    assert_eq!(
        keys::MERCHANT_ACCOUNT,
        world.item("dead#A:B#AUTHORISATION#true").await.unwrap()["merchantAccount"].as_s().unwrap()
    );
}
