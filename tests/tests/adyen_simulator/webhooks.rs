use std::time::Duration;

use adyen_simulator::webhook::{Event, Signer, Target};
use adyen_simulator::{Amount, Options, Release, WebhookFault};
use local::keys;
use serde_json::{Value, json};
use shared::adyen::hmac::Key;
use tests::signed_text;

use crate::world::{Inbox, World, payment, quick, with};

fn is_signed(item: &Value) -> bool {
    let signature = item["additionalData"]["hmacSignature"].as_str().unwrap();
    let key = Key::from_hex(keys::STANDARD_HMAC_KEY).unwrap();
    key.verify(signed_text(item).as_bytes(), signature)
}

#[test]
fn signatures_are_those_that_adyen_publishes() {
    let key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    let signer = Signer::new(key, key).unwrap();
    for (event, value, expected) in [
        ("AUTHORISATION", 1130, "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="),
        ("REFUND", 0, "J7HhsgZo5KwqdB7LFZJV6rfQgp+RqC2kuYyw/3x3w+8="),
    ] {
        let event = Event {
            amount: Some(Amount { currency: "EUR".into(), value }),
            ..Event::new(event, "TestMerchant", "7914073381342284", "TestPayment-1407325143704")
        };
        let message = event.message(&signer, false);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let item = &body["notificationItems"][0]["NotificationRequestItem"];
        assert_eq!(item["additionalData"]["hmacSignature"], expected);
    }
    assert!(Signer::new("not hex", key).is_err());
}

#[tokio::test]
async fn webhook_is_signed_and_shaped_like_adyens() {
    let options = Options { basic_auth: Some("adyen:pass:word".into()), ..quick() };
    let world = World::with(options).await;
    world.pay("A").await;
    world.recover().await;
    let received = &world.inbox.received()[0];
    assert_eq!(received.body["live"], "false");
    let item = received.item();
    assert!(is_signed(item));
    assert_eq!(item["paymentMethod"], "visa_amazonpay");
    assert_eq!(item["merchantAccountCode"], keys::MERCHANT_ACCOUNT);
    let date = item["eventDate"].as_str().unwrap();
    assert!(date.ends_with("+01:00") && date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    // adyen:pass:word
    assert_eq!(received.headers["authorization"], "Basic YWR5ZW46cGFzczp3b3Jk");
}

#[tokio::test]
async fn unaccepted_webhook_is_retried_and_finally_given_up() {
    let world = World::new().await;
    world.inbox.answer(&[500, 401]);
    world.pay("A").await;
    world.recover().await;
    let received = world.inbox.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|again| again.text == received[0].text));
    let books = world.adyen.books();
    let webhook = books.webhooks_of("ORDER-1")[0];
    let statuses: Vec<Option<u16>> =
        webhook.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(401), Some(200)]);
    assert!(webhook.accepted());

    world.inbox.answer(&[500, 500, 500]);
    world.pay("A").await;
    world.recover().await;
    assert_eq!(world.inbox.received().len(), 6);
    assert!(!world.adyen.books().webhooks[&2].accepted());
}

#[tokio::test]
async fn webhook_is_accepted_with_any_2xx_and_follows_no_redirect() {
    let world = World::new().await;
    world.inbox.answer(&[202, 204, 302]);
    for _ in 0..3 {
        world.pay("A").await;
        world.recover().await;
    }
    let books = world.adyen.books();
    let attempts: Vec<usize> = books.webhooks.values().map(|hook| hook.attempts.len()).collect();
    assert_eq!(attempts, [1, 1, 2]);
}

#[tokio::test]
async fn webhooks_wait_until_a_url_is_set() {
    let options = Options { webhook_url: None, ..quick() };
    let adyen = adyen_simulator::Simulator::start(options).await.unwrap();
    let account = keys::MERCHANT_ACCOUNT;
    adyen.notify(&Event::new("CHARGEBACK", account, "PSP", "ORDER-1")).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(adyen.books().webhooks[&1].attempts.is_empty());
    let inbox = Inbox::default();
    adyen.set_webhook_url(&inbox.open().await);
    assert!(adyen.webhooks_delivered(Duration::from_secs(5)).await);
    assert_eq!(inbox.events(), ["CHARGEBACK"]);
    adyen.stop().await;
}

#[tokio::test]
async fn held_webhooks_are_released_in_the_requested_order() {
    let world = World::new().await;
    let order = |order: Release| {
        let world = &world;
        async move {
            let before = world.inbox.received().len();
            world.adyen.hold_webhooks();
            for reference in ["A", "B", "C", "D", "E"] {
                let body = with(payment("T"), json!({"reference": reference}));
                world.post("/payments", None, &body).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(world.inbox.received().len(), before);
            world.adyen.release_webhooks(order).await;
            let received = world.inbox.received();
            let references =
                received[before..].iter().map(|webhook| &webhook.item()["merchantReference"]);
            references.map(|reference| reference.as_str().unwrap()).collect::<String>()
        }
    };
    assert_eq!(order(Release::InOrder).await, "ABCDE");
    assert_eq!(order(Release::Reversed).await, "EDCBA");
    let shuffled = order(Release::Shuffled(7)).await;
    assert_eq!(order(Release::Shuffled(7)).await, shuffled);
    assert_eq!(shuffled.len(), 5);
    world.pay("A").await;
    world.recover().await;
    assert_eq!(world.inbox.received().len(), 21);
}

#[tokio::test]
async fn a_webhook_can_be_doubled_forged_lost_or_sent_once_more() {
    let world = World::new().await;
    for fault in [WebhookFault::Duplicate, WebhookFault::BadSignature, WebhookFault::Lose] {
        world.adyen.inject_webhook(fault);
    }
    world.pay("A").await;
    world.recover().await;
    assert_eq!(world.inbox.received().len(), 2);
    world.pay("A").await;
    world.recover().await;
    let received = world.inbox.received();
    assert_eq!(received.len(), 3);
    assert!(is_signed(received[1].item()) && !is_signed(received[2].item()));
    world.pay("A").await;
    world.recover().await;
    assert_eq!(world.inbox.received().len(), 3);
    assert_eq!(world.adyen.deliver(1).await, Some(200));
    let received = world.inbox.received();
    assert_eq!(received.len(), 5);
    assert_eq!(received[4].text, received[0].text);
}

#[tokio::test]
async fn any_event_can_be_sent_by_hand() {
    let inbox = Inbox::default();
    let target = Target::new(&inbox.open().await, None).unwrap();
    let signer = Signer::new(keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY).unwrap();
    let event = Event {
        success: false,
        reason: Some("Insufficient balance on payment".into()),
        original_reference: Some("PAYMENT".into()),
        live: true,
        ..Event::new("CAPTURE", "Account", "PSP", "ORDER-1")
    };
    let message = event.message(&signer, false);
    assert_eq!(target.post(&message).await.unwrap().status, 200);
    let received = inbox.received();
    assert_eq!(received[0].text, message.body);
    assert_eq!(received[0].body["live"], "true");
    assert!(is_signed(received[0].item()));

    let token = Event {
        shopper_reference: "shopper-1".into(),
        stored_payment_method_id: "TOKEN".into(),
        ..Event::new("recurring.token.updated", "Account", "PSP", "")
    };
    target.post(&token.message(&signer, true)).await.unwrap();
    let webhook = inbox.received().pop().unwrap();
    assert_eq!(webhook.body["data"]["operation"], "updated");
    let key = Key::from_hex(keys::TOKEN_HMAC_KEY).unwrap();
    let signature = webhook.headers["hmacsignature"].to_str().unwrap();
    assert!(!key.verify(webhook.text.as_bytes(), signature));

    let nobody = Target::new("http://127.0.0.1:9/", None).unwrap();
    assert!(nobody.post(&message).await.is_err());
}
