//! `/deadLetters`: a person lists, reads, applies and discards events that could not be applied.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use local::bundle::Options;
use local::keys;
use serde_json::{Value, json};
use shared::store::{Handled, Handling};
use tests::{Answer, Stack, assert_problem, backend, browser, faulty_dynamodb, operator};

use crate::world::{
    World, accepted, item, modification, signed, signed_by, standard, token_notification, with,
};

async fn list(stack: &Stack, query: &str) -> Vec<Value> {
    let answer = stack.get(&format!("/deadLetters{query}"), &backend()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["deadLetters"].as_array().unwrap().clone()
}

async fn only(stack: &Stack, query: &str) -> String {
    let listed = list(stack, query).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    listed[0]["id"].as_str().unwrap().to_owned()
}

async fn act(stack: &Stack, id: &str, action: &str, body: &Value) -> Answer {
    stack.post(&format!("/deadLetters/{id}/{action}"), &operator("anna"), body).await
}

/// Delivers a refund whose order is missing, and returns its body.
async fn orphan(world: &World) -> String {
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let pointer = world.stack.dynamodb().put_item().table_name("orders");
    let pointer =
        pointer.item("reference", text("psp#ORPHAN0000000001")).item("order", text("gone"));
    pointer.send().await.unwrap();
    let refund = signed(&modification("REFUND", "REFUND0000000001", "ORPHAN0000000001", "gone"));
    let body = standard(&[refund]).to_string();
    accepted(&world.deliver(body.clone()).await);
    body
}

/// A second bundle on the same tables, with these variables.
async fn mended(world: &World, variables: &[(&str, &str)]) -> Stack {
    let own = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut variables: BTreeMap<String, String> = own.collect();
    variables.extend([faulty_dynamodb::variable(&world.dynamodb)]);
    Stack::with(Options { variables, ..Options::default() }).await
}

#[tokio::test]
async fn dead_letter_is_listed_and_shown_as_it_was_received() {
    let world = World::new().await;
    assert!(list(&world.stack, "").await.is_empty());
    let body = orphan(&world).await;
    let listed = list(&world.stack, "").await;
    assert_eq!(listed[0]["key"], "dead#REFUND0000000001#REFUND#true");
    assert_eq!(listed[0]["why"], "the order of a payment's pointer cannot be read");
    let id = only(&world.stack, "?class=dead").await;
    let shown = world.stack.get(&format!("/deadLetters/{id}"), &backend()).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.body["body"], body);
    for (field, value) in [
        ("id", id.as_str()),
        ("environment", "test"),
        ("merchantAccount", keys::MERCHANT_ACCOUNT),
        ("merchantReference", "gone"),
    ] {
        assert_eq!(shown.body[field], value, "{field}");
    }
    assert_eq!(shown.body["receivedAt"], listed[0]["receivedAt"]);
    assert!(list(&world.stack, "?class=foreign").await.is_empty());
    // Bytes that are not UTF-8 are shown whole too.
    let invalid = with(item("AUTHORISATION", "A:B", "order"), json!({"reason": "?"}));
    let mut bytes = standard(&[signed(&invalid)]).to_string().into_bytes();
    let at = bytes.windows(3).position(|it| it == b"\"?\"").unwrap() + 1;
    bytes[at] = 0xff;
    accepted(&world.deliver(bytes.clone()).await);
    let id = list(&world.stack, "").await[0]["id"].as_str().unwrap().to_owned();
    let shown = world.stack.get(&format!("/deadLetters/{id}"), &backend()).await;
    let encoded = shown.body["bodyBase64"].as_str().unwrap();
    assert_eq!(base64::prelude::BASE64_STANDARD.decode(encoded).unwrap(), bytes);
}

#[tokio::test]
async fn dead_letter_is_applied_once_its_cause_is_mended() {
    let world = World::new().await;
    orphan(&world).await;
    let id = only(&world.stack, "").await;
    let still = act(&world.stack, &id, "apply", &json!({})).await;
    assert_problem(&still, 409, "wrong_state");
    assert_eq!(only(&world.stack, "").await, id);

    // The order is restored.
    world.paid("gone", "AMZN").await;
    let applied = act(&world.stack, &id, "apply", &json!({})).await;
    assert_eq!(applied.status, 200, "{applied:?}");
    let handled = &applied.body["handled"];
    assert_eq!((&handled["how"], &handled["by"]), (&json!("applied"), &json!("anna")));
    assert!(list(&world.stack, "").await.is_empty());
    let order = world.order("gone").await;
    assert!(order.events.iter().any(|event| event.psp_reference == "REFUND0000000001"));
    let kept = world.item("dead#REFUND0000000001#REFUND#true").await.unwrap();
    assert!(kept.contains_key("expiresAt") && !kept.contains_key("attentionShard"));

    // Neither a repetition nor a late change of mind changes anything.
    for action in ["apply", "discard"] {
        let again = act(&world.stack, &id, action, &json!({"note": "again"})).await;
        assert_eq!((again.status, &again.body), (200, &applied.body), "{action}");
    }
    assert_eq!(world.order("gone").await, order);
}

#[tokio::test]
async fn discarded_dead_letter_is_no_longer_listed_and_shows_the_note() {
    let world = World::new().await;
    let body = orphan(&world).await;
    let id = only(&world.stack, "").await;
    assert_problem(&act(&world.stack, &id, "discard", &json!({})).await, 422, "missing_field");
    let note = json!({"note": "Booked by hand."});
    let discarded = act(&world.stack, &id, "discard", &note).await;
    assert_eq!(discarded.status, 200, "{discarded:?}");
    let handled = &discarded.body["handled"];
    assert_eq!(
        (&handled["how"], &handled["note"], &handled["by"]),
        (&json!("discarded"), &note["note"], &json!("anna"))
    );
    assert!(list(&world.stack, "").await.is_empty());
    let shown = world.stack.get(&format!("/deadLetters/{id}"), &backend()).await;
    assert_eq!(shown.body, discarded.body);
    // Adyen sends it again, so it waits for a person again.
    accepted(&world.deliver(body).await);
    assert_eq!(only(&world.stack, "").await, id);
}

#[tokio::test]
async fn discarded_dead_letter_that_still_cannot_be_applied_stays_discarded() {
    let world = World::new().await;
    orphan(&world).await;
    let id = only(&world.stack, "").await;
    let discarded = act(&world.stack, &id, "discard", &json!({"note": "Booked by hand."})).await;
    let kept = world.item("dead#REFUND0000000001#REFUND#true").await;
    for _ in 0..2 {
        let still = act(&world.stack, &id, "apply", &json!({})).await;
        assert_problem(&still, 409, "wrong_state");
    }
    assert!(list(&world.stack, "").await.is_empty());
    let shown = world.stack.get(&format!("/deadLetters/{id}"), &backend()).await;
    assert_eq!(shown.body, discarded.body);
    assert_eq!(world.item("dead#REFUND0000000001#REFUND#true").await, kept);
    assert_eq!(world.keys("dead#").await.len(), 1);

    // A later change of mind succeeds once the order is restored.
    world.paid("gone", "AMZN").await;
    let applied = act(&world.stack, &id, "apply", &json!({})).await;
    assert_eq!(applied.body["handled"]["how"], "applied", "{applied:?}");
}

#[tokio::test]
async fn letter_that_was_applied_meanwhile_is_not_recorded_as_discarded() {
    let world = World::new().await;
    orphan(&world).await;
    let key = "dead#REFUND0000000001#REFUND#true";
    let handled = |how| Handled { how, note: None, by: None, at: Timestamp::now() };

    assert!(world.orders.handled(key, &handled(Handling::Applied)).await.unwrap());
    assert!(!world.orders.handled(key, &handled(Handling::Discarded)).await.unwrap());

    let letter = world.orders.letter(key).await.unwrap().unwrap();
    assert_eq!(letter.handled.unwrap().how, Handling::Applied);
}

#[tokio::test]
async fn foreign_event_that_still_cannot_be_applied_is_listed_once() {
    let world = World::new().await;
    let mut live = standard(&[signed(&item("AUTHORISATION", "A:B", "foreign"))]);
    live["live"] = json!("true");
    accepted(&world.deliver(live.to_string()).await);
    let id = only(&world.stack, "?class=foreign").await;
    // It is foreign to the first deployment, and the corrected one cannot apply it either.
    let corrected = mended(&world, &[("ADYEN_ENVIRONMENT", "live")]).await;
    for stack in [&world.stack, &corrected] {
        let still = act(stack, &id, "apply", &json!({})).await;
        assert_problem(&still, 409, "wrong_state");
        assert_eq!(only(stack, "?class=foreign").await, id);
        assert!(list(stack, "").await.is_empty());
    }
    // The takeover makes it a dead letter, because those never expire.
    assert_eq!(corrected.bundle.take_over().await.unwrap().taken_over, 1);
    assert!(list(&corrected, "?class=foreign").await.is_empty());
    assert_eq!(list(&corrected, "").await[0]["key"], "dead#A:B#AUTHORISATION#true");
}

#[tokio::test]
async fn events_with_the_same_key_are_handled_separately() {
    let world = World::new().await;
    let payment = world.paid("same", "A-PENDING").await;
    let authorisation = item("AUTHORISATION", &payment, "same");
    let other = with(authorisation.clone(), json!({"amount": {"currency": "EUR", "value": 1}}));
    for event in [&authorisation, &other] {
        let mut live = standard(&[signed(event)]);
        live["live"] = json!("true");
        accepted(&world.deliver(live.to_string()).await);
    }
    let listed = list(&world.stack, "?class=foreign").await;
    let [last, first] = [0, 1].map(|at| listed[at]["id"].as_str().unwrap().to_owned());
    let expired = world.stack.dynamodb().delete_item().table_name("orders");
    let key = aws_sdk_dynamodb::types::AttributeValue::S(listed[1]["key"].as_str().unwrap().into());
    let note = json!({"note": "Of another system."});
    assert_eq!(act(&world.stack, &first, "discard", &note).await.status, 200);
    expired.key("reference", key).send().await.unwrap();

    // The other one does not take the place that is free now.
    let still = act(&world.stack, &last, "apply", &json!({})).await;
    assert_problem(&still, 409, "wrong_state");
    assert_eq!(only(&world.stack, "?class=foreign").await, last);
    assert_eq!(world.keys("foreign#").await.len(), 1);

    let corrected = mended(&world, &[("ADYEN_ENVIRONMENT", "live")]).await;
    assert_eq!(act(&corrected, &last, "apply", &json!({})).await.status, 200);
    assert!(list(&corrected, "?class=foreign").await.is_empty());
    assert_eq!(world.order("same").await.events.len(), 1);
}

#[tokio::test]
async fn foreign_event_is_applied_after_its_deployment_is_corrected() {
    let world = World::new().await;
    let payment = world.paid("foreign", "A-PENDING").await;
    let mut live = standard(&[signed(&item("AUTHORISATION", &payment, "foreign"))]);
    live["live"] = json!("true");
    accepted(&world.deliver(live.to_string()).await);
    let id = only(&world.stack, "?class=foreign").await;
    assert_problem(&act(&world.stack, &id, "apply", &json!({})).await, 409, "wrong_state");
    let stack = mended(&world, &[("ADYEN_ENVIRONMENT", "live")]).await;
    assert_eq!(act(&stack, &id, "apply", &json!({})).await.status, 200);
    assert_eq!(world.status("foreign").await, "authorised");
    assert!(list(&stack, "?class=foreign").await.is_empty());
    assert_eq!(stack.bundle.take_over().await.unwrap().taken_over, 0);
}

#[tokio::test]
async fn event_is_only_applied_if_a_known_key_has_signed_it() {
    let other = "0123456789abcdef".repeat(4);
    let keys = format!("{},{},{other}", keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY);
    let world = World::with([("ADYEN_HMAC_KEYS", &keys)]).await;
    world.spoil_a_token().await;
    let ambiguous = signed_by(&item("AUTHORISATION", "A:B", "order"), &other);
    accepted(&world.deliver(standard(&[ambiguous]).to_string()).await);
    // A deployment that has only the standard key now.
    let stack = mended(&world, &[("ADYEN_HMAC_KEYS", keys::STANDARD_HMAC_KEY)]).await;
    let listed = list(&stack, "").await;
    assert_eq!(listed.len(), 2);
    for letter in listed {
        let answer = act(&stack, letter["id"].as_str().unwrap(), "apply", &json!({})).await;
        assert_problem(&answer, 409, "wrong_state");
        assert!(answer.body["detail"].as_str().unwrap().contains("HMAC key"), "{answer:?}");
    }
}

#[tokio::test]
async fn token_events_are_applied_to_a_token_that_no_longer_exists() {
    let world = World::new().await;
    world.spoil_a_token().await;
    let created = token_notification("created", "CREATED000000001", "shopper-1", "TOKEN");
    world.deliver_token(&created).await;
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let delete = world.stack.dynamodb().delete_item().table_name("tokens");
    let delete = delete.key("shopperReference", text("shopper-1"));
    delete.key("storedPaymentMethodId", text("TOKEN")).send().await.unwrap();
    // The latest is applied first, so that it creates the token again.
    for (letter, status) in list(&world.stack, "").await.iter().zip(["active", "disabled"]) {
        let id = letter["id"].as_str().unwrap();
        assert_eq!(act(&world.stack, id, "apply", &json!({})).await.status, 200);
        assert_eq!(json!(world.token("shopper-1", "TOKEN").await.unwrap().status()), status);
    }
    assert!(list(&world.stack, "").await.is_empty());
}

#[tokio::test]
async fn id_of_another_item_names_no_dead_letter() {
    let world = World::new().await;
    let payment = world.paid("order", "AMZN").await;
    let id = |key: &str| BASE64_URL_SAFE_NO_PAD.encode(key);
    let unknown = id("dead#X#REFUND#true");
    let long = id(&format!("dead#{}", "x".repeat(2044)));
    let others = [id("order"), id(&format!("psp#{payment}")), id("deadly"), unknown, long];
    for id in others.into_iter().chain(["x".to_owned()]) {
        let shown = world.stack.get(&format!("/deadLetters/{id}"), &backend()).await;
        assert_problem(&shown, 404, "dead_letter_not_found");
        for action in ["apply", "discard"] {
            let answer = act(&world.stack, &id, action, &json!({"note": "x"})).await;
            assert_problem(&answer, 404, "dead_letter_not_found");
        }
    }
    for path in ["/deadLetters", "/deadLetters/x"] {
        let answer = world.stack.get(path, &browser("order")).await;
        assert_problem(&answer, 403, "merchant_token_required");
    }
    for query in ["cursor=x", "class=x", "class="] {
        let answer = world.stack.get(&format!("/deadLetters?{query}"), &backend()).await;
        assert_problem(&answer, 422, "invalid_field");
    }
}

/// The status and body of the webhooks function for an event of `/deadLetters`.
async fn on_webhooks(world: &World, method: &str, route_key: &str, body: &str) -> (u16, Value) {
    let event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": "/deadLetters",
        "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {}", backend()),
            "content-type": "application/json",
            "host": "id.lambda-url.eu-west-1.on.aws",
        },
        "requestContext": {
            "domainName": "id.lambda-url.eu-west-1.on.aws",
            "http": {
                "method": method,
                "path": "/deadLetters",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "tests",
            },
            "routeKey": route_key,
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": body,
        "isBase64Encoded": false,
    });
    let answer = world.stack.bundle.invoke("webhooks", &event.to_string()).await.unwrap();
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn function_url_has_no_dead_letters() {
    let world = World::new().await;
    orphan(&world).await;
    // The second route key is that of the API.
    for route_key in ["$default", "GET /deadLetters"] {
        let (status, body) = on_webhooks(&world, "GET", route_key, "").await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{body}");
    }
    // Every path of the function URL receives webhooks, and a merchant token does not sign them.
    let payment = world.paid("path", "A-PENDING").await;
    let unsigned = standard(&[item("AUTHORISATION", &payment, "path")]).to_string();
    let (status, body) = on_webhooks(&world, "POST", "$default", &unsigned).await;
    assert_eq!((status, &body["code"]), (401, &json!("invalid_signature")), "{body}");
    assert_eq!(world.status("path").await, "pending");
    let signed = standard(&[signed(&item("AUTHORISATION", &payment, "path"))]).to_string();
    let answer = on_webhooks(&world, "POST", "$default", &signed).await;
    assert_eq!(answer, (200, json!("[accepted]")));
    assert_eq!(world.status("path").await, "authorised");
}
