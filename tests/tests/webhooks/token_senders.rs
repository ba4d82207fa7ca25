//! Signatures of token webhooks.

use local::keys;
use serde_json::{Value, json};
use tests::Answer;

use crate::world::{World, accepted, key, token_notification, with};

const SHOPPER: &str = "shopper-1";
const TOKEN: &str = "M5N7TQ4TG5PFWR50";

fn created() -> Value {
    token_notification("created", "QBQQ9DLNRHHKGK38", SHOPPER, TOKEN)
}

fn with_data(notification: Value, members: Value) -> Value {
    let data = with(notification["data"].clone(), members);
    with(notification, json!({"data": data}))
}

#[tokio::test]
async fn signature_header_is_read_in_any_case() {
    let world = World::new().await;
    for (number, name) in ["hmacsignature", "HmacSignature", "HMACSIGNATURE"].iter().enumerate() {
        let id = format!("{TOKEN}-{number}");
        let body = token_notification("created", "QBQQ9DLNRHHKGK38", SHOPPER, &id).to_string();
        let signature = key(keys::TOKEN_HMAC_KEY).sign(body.as_bytes());
        let request = world.post(body).header(*name, signature);
        accepted(&Answer::of(request.header("protocol", "HmacSHA256")).await);
        assert!(world.token(SHOPPER, &id).await.is_some());
    }
}

#[tokio::test]
async fn signature_covers_the_bytes_in_any_gateway_encoding() {
    let world = World::new().await;
    // The body has white space and escapes, and below a byte that is not UTF-8.
    let body =
        created().to_string().replace("\":", "\" :\r\n\t ").replace("shopper", "\\u0073hopper");
    let signature = key(keys::TOKEN_HMAC_KEY).sign(body.as_bytes());
    for content_type in ["application/json", "application/octet-stream", "text/plain"] {
        let request = world.stack.request(reqwest::Method::POST, "/webhooks");
        let request =
            request.header("content-type", content_type).header("hmacsignature", &signature);
        accepted(&Answer::of(request.body(body.clone())).await);
    }
    let token = world.token(SHOPPER, TOKEN).await.unwrap();
    assert_eq!((token.version, token.events.len()), (1, 1));

    // The invalid byte is in the name of the date, and the event is the same without its date.
    let mut bytes = body.into_bytes();
    bytes[3] = 0xff;
    let signature = key(keys::TOKEN_HMAC_KEY).sign(&bytes);
    accepted(&Answer::of(world.post(bytes).header("hmacsignature", signature)).await);
    assert_eq!(world.token(SHOPPER, TOKEN).await.unwrap(), token);
}

#[tokio::test]
async fn changed_body_is_rejected() {
    let world = World::new().await;
    let body = created().to_string();
    let signature = key(keys::TOKEN_HMAC_KEY).sign(body.as_bytes());
    let spaced = body.replace(",", ", ");
    world.dynamodb.begin(|_| None);
    for tampered in [
        body.replace("shopper-1", "shopper-2"),
        body.replace("created", "updated"),
        spaced,
        format!("{body} "),
    ] {
        let answer = Answer::of(world.post(tampered).header("hmacsignature", &signature)).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    }
    // A signature in the body does not count.
    let inside = with(created(), json!({"additionalData": {"hmacSignature": signature}}));
    let answer = world.deliver(inside.to_string()).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    assert!(world.dynamodb.calls().is_empty());
    assert_eq!(world.count("tokens").await, 0);
}

#[tokio::test]
async fn signed_body_of_an_unknown_type_is_accepted() {
    let world = World::new().await;
    world.dynamodb.begin(|_| None);
    for unknown in [
        json!({}),
        json!({"type": null}),
        json!({"type": 7}),
        json!({"type": "balancePlatform.accountHolder.updated", "data": {"balancePlatform": "B"}}),
        with(created(), json!({"type": "recurring.token.renamed"})),
        with(created(), json!({"type": "recurring.token.CREATED"})),
    ] {
        world.deliver_token(&unknown).await;
    }
    assert!(world.dynamodb.calls().is_empty());
}

#[tokio::test]
async fn names_of_full_length_are_stored() {
    let world = World::new().await;
    let (shopper, id) = ("\u{1F9C0}".repeat(256), "7".repeat(64));
    let notification = with(
        token_notification("created", "QBQQ9DLNRHHKGK38", &shopper, &id),
        json!({"createdAt": "not a date", "version": "1", "new": {"field": []}}),
    );
    world
        .deliver_token(&with_data(
            notification,
            json!({"type": "visa:amazonpay ü", "operation": 7}),
        ))
        .await;
    let token = world.token(&shopper, &id).await.unwrap();
    assert_eq!(token.payment_method(), Some("visa:amazonpay ü"));
    assert_eq!(token.events[0].created_at, None);
}
