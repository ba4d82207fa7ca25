//! Order events: the records of the orders table's stream, as the template's pipe filters and
//! rewrites them.

use adyen_simulator::webhook::Event;
use local::order_events::order_event;
use local::template::Template;
use serde_json::{Value, json};
use tests::{Stack, backend};

/// The detail-type and detail of every order event on the merchant's bus.
async fn order_events(stack: &Stack) -> Vec<(Value, Value)> {
    let pipe = Template::read().unwrap().order_events;
    let records = records(stack).await;
    let events = records.iter().filter_map(|record| order_event(&pipe, record).unwrap());
    events.map(|event| (event["detail-type"].clone(), event["detail"].clone())).collect()
}

/// Every record of the orders table's stream.
async fn records(stack: &Stack) -> Vec<Value> {
    let table = stack.dynamodb().describe_table().table_name("orders").send();
    let table = table.await.unwrap().table.unwrap();
    let arn = table.latest_stream_arn.unwrap();
    let stream = streams(stack, "DescribeStream", json!({"StreamArn": arn})).await;
    let mut records = Vec::new();
    for shard in stream["StreamDescription"]["Shards"].as_array().unwrap() {
        let wanted = json!({
            "StreamArn": arn,
            "ShardId": shard["ShardId"],
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let iterator = streams(stack, "GetShardIterator", wanted).await;
        let wanted = json!({"ShardIterator": iterator["ShardIterator"], "Limit": 1000});
        let batch = streams(stack, "GetRecords", wanted).await;
        records.extend(batch["Records"].as_array().unwrap().clone());
    }
    records
}

async fn streams(stack: &Stack, operation: &str, body: Value) -> Value {
    let credential = "Credential=local/20260101/eu-west-1/dynamodb/aws4_request";
    let response = shared::platform::http_client::build(None)
        .unwrap()
        .post(stack.bundle.dynamodb_url())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260101T000000Z")
        .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
        )
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{operation}: {text}"))
}

#[tokio::test]
async fn each_status_change_of_an_order_sends_one_order_event() {
    let stack = Stack::with_variables(&[("CAPTURE", "manual")]).await;
    let answer = stack.pay("ORDER-1", "160583287597AMZN").await;
    assert_eq!(answer.body["resultCode"], "Authorised");
    let order = stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    // A confirmation or a repeated webhook changes no status, so it sends no order event.
    let payment = order["pspReference"].as_str().unwrap();
    let repeated = Event::new("AUTHORISATION", "ADYEN_MERCHANT_ACCOUNT", payment, "ORDER-1");
    stack.adyen().notify(&repeated).unwrap();
    for (operation, status) in [("captures", "captured"), ("refunds", "refunded")] {
        let path = format!("/orders/ORDER-1/{operation}");
        let answer = stack.post(&path, &backend(), &json!({})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        stack.order_once("ORDER-1", |order| order["status"] == status).await;
    }
    stack.pay("ORDER-2", "160583287597AMZN-REFUSED").await;

    let sent = order_events(&stack).await;

    let of = |reference: &str| {
        let events = sent.iter().filter(|(_, detail)| detail["reference"] == reference);
        let events = events.map(|(kind, detail)| {
            assert_eq!(*kind, detail["status"]);
            let text = |member: &str| detail[member].as_str().unwrap().to_owned();
            (text("previousStatus"), text("status"))
        });
        events.collect::<Vec<_>>()
    };
    let change = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(
        of("ORDER-1"),
        [
            change("created", "pending"),
            change("pending", "authorised"),
            change("authorised", "captured"),
            change("captured", "refunded"),
        ]
    );
    assert_eq!(of("ORDER-2"), [change("created", "pending"), change("pending", "refused")]);
}

#[tokio::test]
async fn order_event_has_the_fields_of_its_schema() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN-NO-WEBHOOK").await;

    let sent = order_events(&stack).await;

    let order = stack.order("ORDER-1").await;
    let (kind, detail) = sent.last().unwrap();
    assert_eq!(kind, "authorised");
    assert_eq!(
        *detail,
        json!({
            "environment": "test",
            "reference": "ORDER-1",
            "status": "authorised",
            "previousStatus": "pending",
            "changedAt": order["updatedAt"],
            "sequence": "2",
            "amount": {"currency": "EUR", "value": "1000"},
        })
    );
}
