use std::io::Write;
use std::time::Duration;

use adyen_simulator::{Options, Simulator, redirect_result};
use serde_json::json;
use tests::until;

use crate::world::{World, payment, payment_in_browser, quick, with};

#[tokio::test]
async fn answered_payments_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { data: Some(directory.path().into()), ..quick() };
    let world = World::with(options()).await;
    let first = world.post("/payments", Some("k"), &payment("A")).await;
    let redirect = world.post("/payments", None, &payment_in_browser("X-3DS-REDIRECT")).await;
    let storing = json!({"storePaymentMethod": true, "shopperReference": "shopper-1"});
    world.post("/payments", None, &with(payment("A"), &storing)).await;
    world.recover().await;
    let before = world.adyen.books();
    drop(world);

    let world = World::with(options()).await;
    let after = world.adyen.books();
    assert_eq!(after.calls, before.calls);
    assert_eq!(after.payments, before.payments);
    assert_eq!(after.tokens, before.tokens);
    assert_eq!(after.webhooks, before.webhooks);
    let again = world.post("/payments", Some("k"), &payment("A")).await;
    assert_eq!(again.body, first.body);
    let result = redirect_result(&redirect.body["action"], "approved");
    assert_eq!(world.details("redirectResult", &result).await.body["resultCode"], "Authorised");
    world.recover().await;
    assert_eq!(world.inbox.events(), ["AUTHORISATION"]);
}

#[tokio::test]
async fn unaccepted_webhooks_are_sent_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        data: Some(directory.path().into()),
        redelivery: vec![Duration::from_millis(300)],
        ..quick()
    };
    let world = World::with(options()).await;
    world.inbox.answer(&[500]);
    world.pay("A").await;
    until(|| world.inbox.received().len() == 1).await;
    world.adyen.hold_webhooks();
    world.pay("B").await;
    drop(world);

    let world = World::with(options()).await;
    world.recover().await;
    assert_eq!(world.inbox.received().len(), 2);
    assert!(world.adyen.books().webhooks.values().all(|webhook| webhook.accepted()));
}

#[tokio::test]
async fn withheld_answer_stays_in_flight_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { data: Some(directory.path().into()), ..quick() };
    let world = World::with(options()).await;
    let call = world.request("POST", "/payments").header("idempotency-key", "k");
    let gone = call.timeout(Duration::from_millis(100)).json(&payment("X-TIMEOUT")).send().await;
    assert!(gone.is_err());
    drop(world);
    let world = World::with(options()).await;
    assert!(world.post("/payments", Some("k"), &payment("A")).await.is_error(422, "704"));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let reply = world.post("/payments", Some("k"), &payment("A")).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn unfinished_line_of_the_books_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { data: Some(directory.path().into()), ..quick() };
    let world = World::with(options()).await;
    world.pay("A").await;
    world.recover().await;
    world.adyen.stop().await;
    let path = directory.path().join("adyen.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"[{\"Payment\":{\"psp").unwrap();
    for payments in [2, 3] {
        let world = World::with(options()).await;
        world.pay("A").await;
        assert_eq!(world.adyen.books().payments.len(), payments);
    }
}

#[tokio::test]
async fn unreadable_books_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("adyen.jsonl"), "nonsense\n").unwrap();
    let options = Options { data: Some(directory.path().into()), ..quick() };
    assert!(Simulator::start(options).await.is_err());
}

#[tokio::test]
async fn stopped_simulator_closes_its_port() {
    let world = World::new().await;
    world.pay("A").await;
    let url = format!("{}/payments", world.adyen.checkout_url());
    world.adyen.stop().await;
    assert!(world.client.post(url).json(&payment("A")).send().await.is_err());
}
