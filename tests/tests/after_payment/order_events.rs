//! Order events: the records of the orders table's stream, as the template's pipe filters and
//! rewrites them.

use adyen_simulator::{Amount, webhook::Event};
use local::order_events::order_event;
use local::template::Template;
use serde_json::{Value, json};
use tests::{Stack, backend};

/// The detail of every order event on the merchant's bus.
async fn order_events(stack: &Stack) -> Vec<Value> {
    let pipe = Template::read().unwrap().order_events;
    let records = records(stack).await;
    let events = records.iter().filter_map(|record| order_event(&pipe, record).unwrap());
    let events = events.map(|event| {
        assert_eq!(event["detail-type"], "OrderChanged");
        event["detail"].clone()
    });
    events.collect()
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

/// The changes in each event of an order. Those of one event are sorted.
async fn changes(stack: &Stack, reference: &str) -> Vec<Vec<String>> {
    let events = order_events(stack).await.into_iter();
    let events = events.filter(|detail| detail["reference"] == reference);
    let changes = events.map(|detail| {
        let changes = detail["changes"].as_array().unwrap().iter();
        let mut changes: Vec<_> = changes.map(|it| it.as_str().unwrap().to_owned()).collect();
        changes.sort();
        changes
    });
    changes.collect()
}

fn authorised(stack: &Stack, payment: &str) {
    let mut event = Event::new("AUTHORISATION", local::keys::MERCHANT_ACCOUNT, payment, "ORDER-1");
    event.amount = Some(Amount { currency: "EUR".to_owned(), value: 1000 });
    stack.adyen().notify(&event).unwrap();
}

#[tokio::test]
async fn order_event_reports_each_change_of_status_and_the_confirmation() {
    let stack = Stack::with_variables(&[("CAPTURE", "manual")]).await;
    let answer = stack.pay("ORDER-1", "160583287597AMZN").await;
    assert_eq!(answer.body["resultCode"], "Authorised");
    let order = stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    // A repeated webhook changes nothing, so it sends no order event.
    let payment = order["pspReference"].as_str().unwrap();
    authorised(&stack, payment);
    for (operation, status) in [("captures", "captured"), ("refunds", "refunded")] {
        let path = format!("/orders/ORDER-1/{operation}");
        let answer = stack.post(&path, &backend(), &json!({})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        stack.order_once("ORDER-1", |order| order["status"] == status).await;
    }
    stack.pay("ORDER-2", "160583287597AMZN-REFUSED").await;

    assert_eq!(
        changes(&stack, "ORDER-1").await,
        [["pending"], ["authorised"], ["confirmed"], ["captured"], ["refunded"]]
    );
    assert_eq!(changes(&stack, "ORDER-2").await, [["pending"], ["refused"]]);
}

#[tokio::test]
async fn webhook_about_a_pending_payment_authorises_and_confirms_in_one_event() {
    let stack = Stack::start().await;
    let answer = stack.pay("ORDER-1", "160583287597AMZN-PENDING").await;
    authorised(&stack, answer.body["pspReference"].as_str().unwrap());
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;

    let changes = changes(&stack, "ORDER-1").await;

    assert_eq!(changes, [vec!["pending"], vec!["authorised", "confirmed"]]);
}

#[tokio::test]
async fn cancelled_payment_loses_its_confirmation() {
    let stack = Stack::with_variables(&[("CAPTURE", "manual")]).await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    stack.post("/orders/ORDER-1/cancels", &backend(), &json!({})).await;
    stack.order_once("ORDER-1", |order| order["status"] == "cancelled").await;

    let changes = changes(&stack, "ORDER-1").await;

    assert_eq!(changes.last().unwrap(), &["cancelled", "confirmationLost"]);
}

#[tokio::test]
async fn reasons_for_attention_are_reported_once_raised_and_once_lifted() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    for payment in ["SECOND0000000001", "SECOND0000000001", "THIRD00000000001"] {
        authorised(&stack, payment);
        let has = |order: &Value| order["needsAttention"].to_string().contains(payment);
        stack.order_once("ORDER-1", has).await;
    }
    let path = "/orders/ORDER-1/needsAttention/paid_twice/acknowledge";
    let answer = stack.post(path, &backend(), &json!({"note": "Both were wanted."})).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let changes = changes(&stack, "ORDER-1").await;

    assert_eq!(changes[3..], [["raised:paid_twice"], ["lifted:paid_twice"]]);
}

#[tokio::test]
async fn order_event_has_the_fields_of_its_schema() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN-NO-WEBHOOK").await;

    let sent = order_events(&stack).await;

    let order = stack.order("ORDER-1").await;
    assert_eq!(
        *sent.last().unwrap(),
        json!({
            "schemaVersion": "1",
            "environment": "test",
            "reference": "ORDER-1",
            "sequence": "2",
            "changedAt": order["updatedAt"],
            "changes": ["authorised"],
            "status": "authorised",
            "previousStatus": "pending",
            "confirmed": false,
            "amount": {"currency": "EUR", "value": "1000"},
            "authorised": "1000",
            "captured": "0",
            "refunded": "0",
        })
    );
}
