use std::sync::{Arc, Mutex};
use std::time::Duration;

use adyen_simulator::{Answer, Fault, Options, coded};
use serde_json::json;

use crate::world::{World, payment, quick};

#[tokio::test]
async fn connection_cut_before_processing_makes_no_payment() {
    let world = World::new().await;
    world.adyen.inject(Fault::DropBefore);
    assert!(world.try_post("/payments", Some("k"), &payment("A")).await.is_err());
    assert!(world.adyen.books().payments.is_empty());
    assert_eq!(world.post("/payments", Some("k"), &payment("A")).await.status, 200);
    let books = world.adyen.books();
    assert_eq!(books.calls_to("/payments").len(), 2);
    assert_eq!(books.calls[0].fault.as_deref(), Some("DropBefore"));
    assert_eq!(books.calls[0].status, None);
}

#[tokio::test]
async fn connection_cut_after_processing_makes_a_payment() {
    for fault in [Fault::DropAfter, Fault::Truncated] {
        let world = World::new().await;
        world.adyen.inject(fault);
        assert!(world.try_post("/payments", Some("k"), &payment("A")).await.is_err());
        assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
        assert_eq!(world.post("/payments", Some("k"), &payment("A")).await.status, 200);
        assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
    }
}

#[tokio::test]
async fn scripted_answer_replaces_processing_or_follows_it() {
    let world = World::new().await;
    let page = || Answer::text(502, "text/html", "<html>").header("transient-error", "true");
    world.adyen.inject(Fault::Instead(page()));
    world.adyen.inject(Fault::Afterwards(page()));
    let before = world.post("/payments", Some("k"), &payment("A")).await;
    assert_eq!((before.status, before.body), (502, json!("<html>")));
    assert_eq!(before.headers["transient-error"], "true");
    assert!(world.adyen.books().payments.is_empty());
    assert_eq!(world.post("/payments", Some("k"), &payment("A")).await.status, 502);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
    assert_eq!(world.post("/payments", Some("k"), &payment("A")).await.status, 200);
}

#[tokio::test]
async fn injected_faults_are_used_in_the_order_of_injection() {
    let world = World::new().await;
    for code in ["704", "703"] {
        world.adyen.inject(Fault::Instead(coded(code)));
    }
    world.adyen.inject(Fault::status(429));
    let body = payment("A");
    let pay = || world.post("/payments", Some("k"), &body);
    assert!(pay().await.is_error(422, "704"));
    let unavailable = pay().await;
    assert!(unavailable.is_error(503, "703"));
    assert_eq!(unavailable.headers["transient-error"], "true");
    assert_eq!(pay().await.status, 429);
    assert_eq!(pay().await.status, 200);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn fault_for_a_path_skips_other_calls() {
    let world = World::new().await;
    world.adyen.inject(Fault::status(500).on("/payments/details"));
    assert_eq!(world.pay("A").await.status, 200);
    assert_eq!(world.details("redirectResult", "x").await.status, 500);
    assert_eq!(world.details("redirectResult", "x").await.status, 422);
}

#[tokio::test]
async fn call_that_arrives_after_its_retry_makes_no_second_payment() {
    let world = World::new().await;
    world.adyen.inject(Fault::ArriveLate(Duration::from_millis(150)));
    let late = world.request("POST", "/payments").header("idempotency-key", "k");
    let gone = late.timeout(Duration::from_millis(50)).json(&payment("A")).send().await;
    assert!(gone.is_err());
    let repeat = world.post("/payments", Some("k"), &payment("A")).await;
    assert_eq!(repeat.status, 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let books = world.adyen.books();
    assert_eq!((books.calls.len(), books.authorisations("ORDER-1")), (2, 1));
}

#[tokio::test]
async fn key_is_in_flight_until_a_slow_answer_is_sent() {
    let world = World::new().await;
    world.adyen.inject(Fault::AnswerLate(Duration::from_millis(200)));
    let body = payment("A");
    let (first, second) = tokio::join!(world.post("/payments", Some("k"), &body), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.post("/payments", Some("k"), &body).await
    });
    assert_eq!(first.status, 200);
    assert!(second.is_error(422, "704"));
}

#[tokio::test]
async fn books_keep_every_call_without_secrets() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = lines.clone();
    let options = Options {
        log: Some(Arc::new(move |line: &str| log.lock().unwrap().push(line.to_owned()))),
        ..quick()
    };
    let world = World::with(options).await;
    let reply = world.post("/payments", Some("k"), &payment("A")).await;
    world.recover().await;
    let call = &world.adyen.books().calls[0];
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v72/payments"));
    assert_eq!(call.body, payment("A"));
    assert_eq!(call.idempotency_key.as_deref(), Some("k"));
    assert_eq!((call.status, &call.answer), (Some(200), &reply.body));
    assert_eq!(call.headers["x-api-key"], "[redacted]");
    let lines = lines.lock().unwrap().clone();
    let psp = reply.psp_reference();
    assert_eq!(lines[0], format!("POST /v72/payments -> 200 ORDER-1 Authorised {psp}"));
    assert_eq!(lines[1], format!("webhook AUTHORISATION true ORDER-1 {psp} -> 200"));
}
