//! The embedded DynamoDB has the features of AWS that the stores need.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use local::dynamodb::DynamoDb;
use local::template::Template;
use shared::platform::http_client::{SdkHttpClient, build};
use simulator_http::listen::{Port, listen};

type Item = HashMap<String, AttributeValue>;

async fn dynamodb(data: Option<&Path>) -> (DynamoDb, Client) {
    let listener = listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await.unwrap();
    let dynamodb = DynamoDb::start(&Template::read().unwrap(), data, listener, None).await.unwrap();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(dynamodb.url())
        .http_client(SdkHttpClient::new(build(None).unwrap()))
        .build();
    (dynamodb, Client::from_conf(config))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u32) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn order(reference: &str, version: u32) -> Item {
    HashMap::from([
        ("reference".into(), text(reference)),
        ("version".into(), number(version)),
        (
            "facts".into(),
            AttributeValue::M(HashMap::from([("a".into(), AttributeValue::L(vec![text("1")]))])),
        ),
    ])
}

async fn put_new(client: &Client, item: Item) -> Result<(), SdkError<PutItemError>> {
    client
        .put_item()
        .table_name("orders")
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#reference)")
        .expression_attribute_names("#reference", "reference")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .map(drop)
}

async fn get(client: &Client, reference: &str) -> Option<Item> {
    client
        .get_item()
        .table_name("orders")
        .key("reference", text(reference))
        .consistent_read(true)
        .send()
        .await
        .unwrap()
        .item
}

#[tokio::test]
async fn a_refused_put_brings_the_old_item_along() {
    let (_dynamodb, client) = dynamodb(None).await;
    put_new(&client, order("A", 1)).await.unwrap();

    let error = put_new(&client, order("A", 7)).await.unwrap_err();

    let PutItemError::ConditionalCheckFailedException(refused) = error.into_service_error() else {
        panic!("another error");
    };
    assert_eq!(refused.item().unwrap(), &order("A", 1));
    assert_eq!(get(&client, "A").await.unwrap(), order("A", 1));
}

#[tokio::test]
async fn an_update_returns_new_and_old_and_refuses_with_the_old_item() {
    let (_dynamodb, client) = dynamodb(None).await;
    put_new(&client, order("A", 1)).await.unwrap();
    let update = |version: u32, returned: ReturnValue| {
        client
            .update_item()
            .table_name("orders")
            .key("reference", text("A"))
            .update_expression("SET version = :next REMOVE facts")
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", number(version))
            .expression_attribute_values(":next", number(version + 1))
            .return_values(returned)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };

    let old = update(1, ReturnValue::AllOld).await.unwrap();
    assert_eq!(old.attributes.unwrap(), order("A", 1));

    let new = update(2, ReturnValue::AllNew).await.unwrap().attributes.unwrap();
    assert_eq!(new["version"], number(3));
    assert!(!new.contains_key("facts"));

    let error = update(2, ReturnValue::AllNew).await.unwrap_err();
    let UpdateItemError::ConditionalCheckFailedException(refused) = error.into_service_error()
    else {
        panic!("another error");
    };
    assert_eq!(refused.item().unwrap()["version"], number(3));
}

#[tokio::test]
async fn a_cancelled_transaction_writes_nothing_and_has_a_reason_per_item() {
    let (_dynamodb, client) = dynamodb(None).await;
    put_new(&client, order("A", 1)).await.unwrap();
    let put = |item: Item| {
        TransactWriteItem::builder()
            .put(
                Put::builder()
                    .table_name("orders")
                    .set_item(Some(item))
                    .condition_expression("attribute_not_exists(#reference)")
                    .expression_attribute_names("#reference", "reference")
                    .return_values_on_condition_check_failure(
                        ReturnValuesOnConditionCheckFailure::AllOld,
                    )
                    .build()
                    .unwrap(),
            )
            .build()
    };

    let error = client
        .transact_write_items()
        .transact_items(put(order("B", 1)))
        .transact_items(put(order("A", 2)))
        .send()
        .await
        .unwrap_err();

    let TransactWriteItemsError::TransactionCanceledException(cancelled) =
        error.into_service_error()
    else {
        panic!("another error");
    };
    let reasons = cancelled.cancellation_reasons();
    assert_eq!(reasons[0].code(), Some("None"));
    assert!(reasons[0].item().is_none());
    assert_eq!(reasons[1].code(), Some("ConditionalCheckFailed"));
    assert_eq!(reasons[1].item().unwrap(), &order("A", 1));
    assert_eq!(get(&client, "B").await, None);
}

#[tokio::test]
async fn a_transaction_puts_updates_and_checks_at_once() {
    let (_dynamodb, client) = dynamodb(None).await;
    put_new(&client, order("A", 1)).await.unwrap();
    let update = Update::builder()
        .table_name("orders")
        .key("reference", text("B"))
        .update_expression("SET version = if_not_exists(version, :zero) + :one")
        .expression_attribute_values(":zero", number(0))
        .expression_attribute_values(":one", number(1))
        .build()
        .unwrap();
    let check = ConditionCheck::builder()
        .table_name("orders")
        .key("reference", text("A"))
        .condition_expression("version = :one")
        .expression_attribute_values(":one", number(1))
        .build()
        .unwrap();

    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().update(update).build())
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .send()
        .await
        .unwrap();

    assert_eq!(get(&client, "B").await.unwrap()["version"], number(1));
}

#[tokio::test]
async fn lists_grow_and_capacity_is_counted() {
    let (_dynamodb, client) = dynamodb(None).await;
    let append = |event: &str| {
        client
            .update_item()
            .table_name("orders")
            .key("reference", text("psp#P"))
            .update_expression(
                "SET kept = list_append(if_not_exists(kept, :none), :event), expiresAt = :then",
            )
            .condition_expression("attribute_not_exists(#o)")
            .expression_attribute_names("#o", "order")
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":event", AttributeValue::L(vec![text(event)]))
            .expression_attribute_values(":then", number(1_900_000_000))
            .return_values(ReturnValue::AllNew)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
    };
    append("1").await.unwrap();
    let answer = append("2").await.unwrap();

    let kept = answer.attributes.unwrap()["kept"].as_l().unwrap().clone();
    assert_eq!(kept, vec![text("1"), text("2")]);
    assert!(answer.consumed_capacity.unwrap().capacity_units.unwrap() > 0.0);
}

#[tokio::test]
async fn sparse_index_returns_items_with_its_attributes_sorted_in_pages() {
    let (_dynamodb, client) = dynamodb(None).await;
    for (reference, shard, recover_at) in [
        ("LATE", "order-0", "2026-01-03T00:00:00Z"),
        ("SOON", "order-0", "2026-01-01T00:00:00Z"),
        ("THEN", "order-0", "2026-01-02T00:00:00Z"),
        ("ELSE", "order-1", "2026-01-01T00:00:00Z"),
    ] {
        let mut open = order(reference, 1);
        open.insert("openShard".into(), text(shard));
        open.insert("openSince".into(), text("2025-12-31T00:00:00Z"));
        open.insert("recoverAt".into(), text(recover_at));
        put_new(&client, open).await.unwrap();
    }
    put_new(&client, order("SETTLED", 1)).await.unwrap();

    let query = |after: Option<Item>| {
        client
            .query()
            .table_name("orders")
            .index_name("open")
            .key_condition_expression("openShard = :shard AND recoverAt <= :now")
            .expression_attribute_values(":shard", text("order-0"))
            .expression_attribute_values(":now", text("2026-01-02T00:00:00Z"))
            .limit(1)
            .set_exclusive_start_key(after)
            .send()
    };
    let first = query(None).await.unwrap();
    let [soon] = first.items() else { panic!("{first:?}") };
    assert_eq!((&soon["reference"], soon.len()), (&text("SOON"), 4));
    assert_eq!(soon["openSince"], text("2025-12-31T00:00:00Z"));
    let second = query(first.last_evaluated_key).await.unwrap();
    assert_eq!(second.items()[0]["reference"], text("THEN"));

    for reference in ["SOON", "THEN"] {
        let put = client.put_item().table_name("orders");
        put.set_item(Some(order(reference, 2))).send().await.unwrap();
    }
    assert_eq!(query(None).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_range_key_is_queried_and_deleted() {
    let (_dynamodb, client) = dynamodb(None).await;
    for token in ["T1", "T2"] {
        client
            .put_item()
            .table_name("tokens")
            .item("shopperReference", text("S"))
            .item("storedPaymentMethodId", text(token))
            .send()
            .await
            .unwrap();
    }
    client
        .delete_item()
        .table_name("tokens")
        .key("shopperReference", text("S"))
        .key("storedPaymentMethodId", text("T1"))
        .send()
        .await
        .unwrap();
    let found = client
        .query()
        .table_name("tokens")
        .key_condition_expression("shopperReference = :s")
        .expression_attribute_values(":s", text("S"))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    assert_eq!(found.count, 1);
}

#[tokio::test]
async fn the_stream_has_each_change_with_both_images() {
    let (dynamodb, client) = dynamodb(None).await;
    let table = client.describe_table().table_name("orders").send().await.unwrap().table.unwrap();
    let stream = table.latest_stream_arn.unwrap();
    put_new(&client, order("A", 1)).await.unwrap();
    client.put_item().table_name("orders").set_item(Some(order("A", 2))).send().await.unwrap();

    let http = build(None).unwrap();
    let call = async |operation: &str, body: serde_json::Value| -> serde_json::Value {
        let answer = http
            .post(dynamodb.url())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/dynamodb/aws4_request, \
                 SignedHeaders=host, Signature=00",
            )
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    use serde_json::json;
    let described = call("DescribeStream", json!({ "StreamArn": stream })).await;
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let iterator = call(
        "GetShardIterator",
        json!({ "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" }),
    )
    .await;
    let records = call("GetRecords", json!({ "ShardIterator": iterator["ShardIterator"] })).await;

    let records = records["Records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["eventName"], "INSERT");
    assert_eq!(records[1]["eventName"], "MODIFY");
    assert_eq!(records[1]["dynamodb"]["OldImage"]["version"]["N"], "1");
    assert_eq!(records[1]["dynamodb"]["NewImage"]["version"]["N"], "2");
}

#[tokio::test]
async fn tables_kept_in_a_folder_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (dynamodb, client) = self::dynamodb(Some(folder.path())).await;
    put_new(&client, order("A", 1)).await.unwrap();
    drop(client);
    dynamodb.stop().await;

    let (_dynamodb, client) = self::dynamodb(Some(folder.path())).await;
    assert_eq!(get(&client, "A").await.unwrap(), order("A", 1));
}
