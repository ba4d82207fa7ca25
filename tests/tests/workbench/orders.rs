//! The list of orders, and one order with its timeline and the rule of its status.

use serde_json::{Value, json};

use crate::world::Bench;

fn references(list: &Value) -> Vec<&str> {
    let orders = list["orders"].as_array().unwrap();
    orders.iter().map(|order| order["reference"].as_str().unwrap()).collect()
}

/// The writes of a timeline: the changes, the status, and the number of its rule.
fn writes(order: &Value) -> Vec<(String, String, u64)> {
    let timeline = order["timeline"].as_array().unwrap();
    let writes = timeline.iter().map(|entry| &entry["write"]).filter(|write| !write.is_null());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    writes
        .map(|write| {
            let changes = write["changes"].as_array().unwrap().iter().map(text);
            let explanation = &write["explanation"];
            let number = explanation["rule"]["number"].as_u64().unwrap();
            (changes.collect::<Vec<_>>().join("; "), text(&explanation["status"]), number)
        })
        .collect()
}

#[tokio::test]
async fn list_has_status_amount_attention_and_rule() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;
    bench.stack.pay("ORDER-2", "160583287597AMZN-REFUSED").await;

    let list = bench.get("orders").await;

    assert_eq!(references(&list), ["ORDER-2", "ORDER-1"], "the newest first");
    let [refused, paid] = [&list["orders"][0], &list["orders"][1]];
    assert_eq!(paid["status"], "authorised");
    assert_eq!(paid["confirmed"], true);
    assert_eq!(paid["amount"], json!({"currency": "EUR", "value": 1000}));
    assert_eq!(paid["needsAttention"], json!([]));
    assert_eq!(paid["rule"], json!({"number": 4, "text": "a payment stands"}));
    assert_eq!(refused["status"], "refused");
    assert_eq!(refused["rule"]["number"], 7);
}

#[tokio::test]
async fn search_finds_references_and_psp_references() {
    let bench = Bench::start().await;
    let payment = bench.paid("ORDER-1").await;
    bench.paid("OTHER-2").await;

    for (search, found) in
        [("order-1", vec!["ORDER-1"]), (&payment, vec!["ORDER-1"]), ("nothing", vec![])]
    {
        let list = bench.get(&format!("orders?search={search}")).await;
        assert_eq!(references(&list), found, "{search}");
    }
}

#[tokio::test]
async fn timeline_is_in_order_of_time_with_the_rule_of_each_status() {
    let bench = Bench::start().await;
    bench.stack.adyen().hold_webhooks();
    bench.stack.pay("ORDER-1", "160583287597AMZN").await;
    bench.stack.adyen().release_webhooks(adyen_simulator::Release::InOrder).await;

    let order = bench.get("orders/ORDER-1").await;

    let timeline = order["timeline"].as_array().unwrap();
    let times: Vec<jiff::Timestamp> =
        timeline.iter().map(|entry| entry["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let sources: Vec<_> = timeline.iter().map(|entry| entry["source"].as_str().unwrap()).collect();
    assert_eq!(sources[..4], ["api", "dynamodb", "adyen", "dynamodb"], "{sources:?}");
    assert!(sources.contains(&"webhook"), "{sources:?}");
    assert_eq!(
        writes(&order),
        [
            ("attempt 1 begins".into(), "pending".into(), 5),
            ("attempt 1: Adyen answered Authorised".into(), "authorised".into(), 4),
            ("AUTHORISATION true is stored".into(), "authorised".into(), 4),
        ]
    );
    // The calls are recognised as those of the request.
    let traces: Vec<_> = timeline[..4].iter().map(|entry| &entry["trace"]).collect();
    assert!(traces.iter().all(|trace| *trace == traces[0] && trace.is_string()), "{traces:?}");
    for call in timeline.iter().filter(|entry| entry["source"] == "dynamodb") {
        assert!(call["units"].as_f64().unwrap() > 0.0, "{call}");
        assert!(call["milliseconds"].as_f64().unwrap() > 0.0, "{call}");
    }
}

#[tokio::test]
async fn cause_of_a_status_changes_from_the_answer_to_the_webhook() {
    let bench = Bench::start().await;
    bench.stack.adyen().hold_webhooks();
    bench.stack.pay("ORDER-1", "160583287597AMZN").await;
    let answered = bench.get("orders/ORDER-1").await["order"].clone();

    bench.stack.adyen().release_webhooks(adyen_simulator::Release::InOrder).await;
    let confirmed = bench.once("orders/ORDER-1", |it| it["order"]["confirmed"] == true).await;

    assert_eq!(answered["attempts"][0]["because"], "Adyen's answer, because no webhook decides");
    assert_eq!(answered["events"], json!([]));
    let confirmed = &confirmed["order"];
    assert_eq!(
        confirmed["attempts"][0]["because"],
        "a successful AUTHORISATION outranks the answer"
    );
    assert_eq!(confirmed["events"][0]["effect"], "the payment is authorised");
}

#[tokio::test]
async fn undone_refund_is_named_beside_the_status() {
    let bench = Bench::with(&[("CAPTURE", "manual")]).await;
    let payment = bench.paid("ORDER-1").await;
    let event = |event: &str, psp: &str| {
        json!({"event": event, "reference": "ORDER-1", "pspReference": psp,
               "originalReference": payment})
    };
    for (name, psp) in [("CAPTURE", "C1"), ("REFUND", "R1")] {
        bench.post("webhooks", event(name, psp)).await;
    }
    let refunded = bench.get("orders/ORDER-1").await["order"].clone();

    bench.post("webhooks", event("REFUND_FAILED", "R1")).await;

    assert_eq!(refunded["status"], "refunded");
    assert_eq!(refunded["rule"], json!({"number": 2, "text": "refunds stand"}));
    let order = bench.get("orders/ORDER-1").await["order"].clone();
    assert_eq!(order["status"], "captured");
    assert_eq!(order["rule"]["number"], 3);
    let effect = |code: &str| {
        let events = order["events"].as_array().unwrap();
        events.iter().find(|it| it["eventCode"] == code).unwrap()["effect"].clone()
    };
    assert_eq!(effect("CAPTURE"), "a capture stands");
    assert_eq!(effect("REFUND"), "undone by a later failure");
}

#[tokio::test]
async fn whole_entry_has_request_and_answer() {
    let bench = Bench::start().await;
    let payment = bench.paid("ORDER-1").await;
    let call = bench.requests("adyen").await.remove(0);

    let whole = bench.get(&format!("entries/{}", call["id"])).await;

    assert_eq!(whole["request"]["body"]["reference"], "ORDER-1");
    assert_eq!(whole["answer"]["pspReference"], payment);
}

#[tokio::test]
async fn news_are_announced_as_they_happen() {
    let bench = Bench::start().await;
    let live = bench.stack.request(reqwest::Method::GET, "/workbench/api/live");
    let mut news = live.send().await.unwrap();

    bench.stack.pay("ORDER-1", "160583287597AMZN").await;

    let mut text = String::new();
    while !text.contains("\"ORDER-1\"") {
        let part = tokio::time::timeout(std::time::Duration::from_secs(10), news.chunk()).await;
        text += std::str::from_utf8(&part.unwrap().unwrap().unwrap()).unwrap();
    }
    assert!(text.starts_with("data: {"), "{text}");
}
