//! Deliveries of webhooks: their signature, sending them again, and any event from the form.

use serde_json::{Value, json};
use tests::{backend, payment, signed_text, with};

use crate::world::Bench;

#[tokio::test]
async fn delivery_has_signed_text_key_and_answer() {
    let bench = Bench::start().await;
    let psp = bench.paid("ORDER-1").await;

    let delivery = bench.deliveries().await.remove(0);

    assert_eq!(delivery["summary"], "AUTHORISATION true ORDER-1");
    assert_eq!(delivery["status"], 200);
    let signature = &delivery["signature"];
    assert_eq!(signature["key"], "key 1: standard webhooks");
    let whole = bench.get(&format!("entries/{}", delivery["id"])).await;
    let item = &whole["request"]["body"]["notificationItems"][0]["NotificationRequestItem"];
    assert_eq!(signature["base"], signed_text(item));
    assert!(signature["base"].as_str().unwrap().starts_with(&psp));
}

#[tokio::test]
async fn delivery_is_sent_again_and_twice_without_effect() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;
    let before = bench.stack.order("ORDER-1").await;
    let delivery = bench.deliveries().await.remove(0);

    assert_eq!(bench.again(&delivery, "again").await, [200]);
    assert_eq!(bench.again(&delivery, "twice").await, [200, 200]);

    assert_eq!(bench.deliveries().await.len(), 4);
    assert_eq!(bench.stack.order("ORDER-1").await, before);
}

#[tokio::test]
async fn late_delivery_arrives_after_the_pause() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;
    let delivery = bench.deliveries().await.remove(0);
    let late = json!({"how": "late", "seconds": 1});

    bench.post(&format!("webhooks/{}", delivery["id"]), late).await;

    assert_eq!(bench.deliveries().await.len(), 1);
    bench.once("webhooks", |it| it["deliveries"].as_array().unwrap().len() == 2).await;
}

#[tokio::test]
async fn forged_delivery_is_rejected_and_no_key_matches() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;
    let standard = bench.deliveries().await.remove(0);
    let token = json!({
        "event": "recurring.token.created", "shopperReference": "SHOPPER-1",
        "storedPaymentMethodId": "TOKEN-1",
    });
    bench.post("webhooks", token).await;
    let token = bench.deliveries().await.remove(0);
    assert_eq!(token["signature"]["key"], "key 2: stored payment methods");

    for delivery in [&standard, &token] {
        for how in ["tampered", "wrongKey"] {
            assert_eq!(bench.again(delivery, how).await, [401], "{how}");
            let forged = bench.deliveries().await.remove(0);
            assert_eq!(forged["signature"]["key"], Value::Null, "{how}");
            assert_eq!(forged["problem"]["code"], "invalid_signature", "{how}");
        }
    }
}

#[tokio::test]
async fn event_of_the_form_finds_the_payment_of_its_order() {
    let bench = Bench::start().await;
    let psp = bench.paid("ORDER-1").await;

    let answer =
        bench.post("webhooks", json!({"event": "CHARGEBACK", "reference": "ORDER-1"})).await;

    assert_eq!(answer["answers"], json!([{"status": 200, "body": "[accepted]"}]));
    let order = bench.get("orders/ORDER-1").await;
    assert_eq!(order["order"]["status"], "chargedBack");
    assert_eq!(order["order"]["rule"], json!({"number": 1, "text": "a payment is charged back"}));
    let chargeback = bench.deliveries().await.remove(0);
    assert!(chargeback["signature"]["base"].as_str().unwrap().contains(&format!(":{psp}:")));
}

#[tokio::test]
async fn amount_of_the_form_is_completed_by_the_order() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;
    for (amount, signed) in [
        (json!({"value": 400}), ":400:EUR:"),
        (json!({"currency": "USD", "value": null}), ":1000:USD:"),
        (json!({}), ":1000:EUR:"),
        (Value::Null, ":1000:EUR:"),
    ] {
        let event = json!({"event": "CHARGEBACK", "reference": "ORDER-1", "amount": amount});

        bench.post("webhooks", event).await;

        let sent = bench.deliveries().await.remove(0);
        assert!(sent["signature"]["base"].as_str().unwrap().contains(signed), "{amount}: {sent}");
    }
    for (amount, missing) in
        [(json!({"value": 400}), "currency"), (json!({"currency": "EUR"}), "minor units")]
    {
        let event = json!({"event": "CHARGEBACK", "reference": "NOBODY", "amount": amount});
        let refused = bench.try_post("webhooks", event).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body["error"].as_str().unwrap().contains(missing), "{refused:?}");
    }
}

#[tokio::test]
async fn event_about_a_stored_payment_method_names_the_payment_as_adyen_does() {
    let bench = Bench::start().await;
    let psp = bench.paid("ORDER-1").await;
    for (event, is_payments) in
        [("recurring.token.created", true), ("recurring.token.disabled", false)]
    {
        let event = json!({"event": event, "reference": "ORDER-1", "shopperReference": "SHOPPER-1",
            "storedPaymentMethodId": "TOKEN-1"});

        bench.post("webhooks", event).await;

        let sent = bench.deliveries().await.remove(0);
        let sent = bench.get(&format!("entries/{}", sent["id"])).await["request"]["body"].clone();
        assert_eq!(sent["eventId"] == psp.as_str(), is_payments, "{sent}");
        assert!(!sent.to_string().contains("originalReference"), "{sent}");
    }
}

#[tokio::test]
async fn event_of_the_form_is_sent_as_often_and_as_wrongly_as_written() {
    let bench = Bench::start().await;
    let event = json!({
        "event": "AUTHORISATION", "reference": "ORDER-9", "times": 2, "wrongSignature": true,
        "amount": {"currency": "EUR", "value": 1000},
    });

    let answer = bench.post("webhooks", event).await;

    let statuses: Vec<_> =
        answer["answers"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, [401, 401]);
    let nameless = bench.try_post("webhooks", json!({"event": " "})).await;
    assert_eq!(nameless.status, 422, "{nameless:?}");
}

#[tokio::test]
async fn copy_of_each_webhook_is_sent_to_the_second_url() {
    let receiver = Bench::start().await;
    let options = adyen_simulator::Options {
        webhook_copy: Some(receiver.stack.bundle.webhooks_url()),
        ..tests::quick()
    };
    let options = local::bundle::Options {
        adyen: local::bundle::Adyen::Simulator(Box::new(options)),
        workbench: true,
        ..local::bundle::Options::default()
    };
    let bench = Bench { stack: tests::Stack::with(options).await };

    let body = with(payment("ORDER-1", "160583287597AMZN"), json!({}));
    bench.stack.post("/payments", &backend(), &body).await;

    let received = |it: &Value| it["deliveries"].as_array().unwrap().len() == 1;
    receiver.once("webhooks", received).await;
    let both = |it: &Value| it["deliveries"].as_array().unwrap().len() == 2;
    let deliveries = bench.once("webhooks", both).await["deliveries"].clone();
    let mut sources: Vec<_> =
        deliveries.as_array().unwrap().iter().map(|it| &it["source"]).collect();
    sources.sort_by_key(|it| it.to_string());
    assert_eq!(sources, ["webhook", "webhookCopy"]);
}
