use std::time::Duration;

use adyen_simulator::Options;
use serde_json::json;

use crate::world::{World, payment, quick, with};

#[tokio::test]
async fn same_idempotency_key_returns_the_first_answer() {
    let world = World::new().await;
    let first = world.post("/payments", Some("k"), &payment("A")).await;
    let other = with(payment("X-REFUSED"), json!({"reference": "ORDER-2"}));
    for body in [payment("A"), other] {
        let again = world.post("/payments", Some("k"), &body).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.headers["idempotency-key"], "k");
    }
    assert_eq!(first.headers["idempotency-key"], "k");
    world.recover().await;
    assert_eq!(world.inbox.events(), ["AUTHORISATION"]);
    let books = world.adyen.books();
    assert_eq!(books.payments.len(), 1);
    let replayed: Vec<bool> = books.calls.iter().map(|call| call.replayed).collect();
    assert_eq!(replayed, [false, true, true]);
}

#[tokio::test]
async fn payment_without_a_key_or_with_another_key_is_made_again() {
    let world = World::new().await;
    for key in [None, None, Some("a"), Some("b")] {
        let reply = world.post("/payments", key, &payment("A")).await;
        assert_eq!(reply.headers.contains_key("idempotency-key"), key.is_some());
    }
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 4);
}

#[tokio::test]
async fn unprocessed_call_does_not_use_up_its_key() {
    let world = World::new().await;
    let wrong_account = with(payment("A"), json!({"merchantAccount": "Other"}));
    let no_reference = with(payment("A"), json!({"reference": null}));
    for body in [payment("X-FAULT-703"), payment("X-HTTP-500"), wrong_account, no_reference] {
        let reply = world.post("/payments", Some("k"), &body).await;
        assert!(reply.status >= 400);
        assert!(!reply.headers.contains_key("idempotency-key"));
    }
    let reply = world.post("/payments", Some("k"), &payment("A")).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
}

#[tokio::test]
async fn error_after_processing_uses_up_the_key() {
    let world = World::new().await;
    let first = world.post("/payments", Some("k"), &payment("X-FAULT-5_606")).await;
    let again = world.post("/payments", Some("k"), &payment("A")).await;
    assert!(again.is_error(422, "5_606"));
    assert_eq!(first.body, again.body);
}

#[tokio::test]
async fn concurrent_calls_with_one_key_are_processed_once() {
    let options = Options { answer_delay: Duration::from_millis(200), ..quick() };
    let world = World::with(options).await;
    let body = payment("A");
    let calls = (0..20).map(|_| world.post("/payments", Some("k"), &body));
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.is_error(422, "704")).count(), 19);
    assert_eq!(world.post("/payments", Some("k"), &body).await.status, 200);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn idempotency_key_without_the_api_key_returns_401() {
    let world = World::new().await;
    world.post("/payments", Some("k"), &payment("A")).await;
    let stranger = world
        .client
        .post(format!("{}/payments", world.adyen.checkout_url()))
        .header("idempotency-key", "k")
        .header("x-api-key", "wrong")
        .json(&payment("A"));
    assert!(crate::world::reply(stranger).await.unwrap().is_error(401, "000"));
}

#[tokio::test]
async fn idempotency_key_longer_than_64_characters_is_rejected() {
    let world = World::new().await;
    let (fits, long) = ("k".repeat(64), "k".repeat(65));
    assert_eq!(world.post("/payments", Some(&fits), &payment("A")).await.status, 200);
    assert!(world.post("/payments", Some(&long), &payment("A")).await.is_error(422, "29_001"));
}
