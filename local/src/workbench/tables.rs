//! Reads the tables and the stream, without a call that would be recorded.

use dynoxide::Database;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shared::domain::order::Order;
use shared::domain::token::Token;
use shared::limits;

use super::plain;
use crate::order_events::order_event;
use crate::template::Pipe;

fn request<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn answer<T: serde::Serialize, E: ToString>(answer: Result<T, E>) -> Result<Value, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

/// Every item of a table, as plain JSON.
fn items(database: &Database, table: &str) -> Result<Vec<Map<String, Value>>, String> {
    let mut items = Vec::new();
    let mut start = Value::Null;
    loop {
        let mut scan = json!({"TableName": table});
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start;
        }
        let mut page = answer(database.scan(request(scan)?))?;
        let found = page["Items"].as_array().into_iter().flatten();
        items.extend(found.filter_map(|item| Some(plain::item(item.as_object()?))));
        start = page["LastEvaluatedKey"].take();
        if start.is_null() {
            return Ok(items);
        }
    }
}

/// Every order with its item.
pub fn orders(database: &Database) -> Result<Vec<(Order, Value)>, String> {
    let items = items(database, "orders")?.into_iter();
    Ok(items.filter_map(|item| Some((plain::order(&item)?, Value::Object(item)))).collect())
}

/// One order with its item.
pub fn order(database: &Database, reference: &str) -> Result<Option<(Order, Value)>, String> {
    // The database rejects such keys.
    if !(1..=limits::KEY).contains(&reference.len()) {
        return Ok(None);
    }
    let get = json!({"TableName": "orders", "Key": {"reference": {"S": reference}}});
    let found = answer(database.get_item(request(get)?))?;
    let item = found["Item"].as_object().map(plain::item);
    Ok(item.and_then(|item| Some((plain::order(&item)?, Value::Object(item)))))
}

/// Every stored payment method, with its status and its item.
pub fn tokens(database: &Database) -> Result<Vec<Value>, String> {
    let items = items(database, "tokens")?.into_iter().map(Value::Object);
    let tokens = items.filter_map(|item| {
        let token: Token = serde_json::from_value(item.clone()).ok()?;
        Some(json!({
            "shopperReference": token.key.shopper_reference,
            "storedPaymentMethodId": token.key.stored_payment_method_id,
            "status": token.status(),
            "createdAt": token.created_at(),
            "disabledAt": token.disabled_at(),
            "unlistedSince": token.unlisted_since(),
            "updatedAt": token.updated_at,
            "item": super::mask::masked(&item),
        }))
    });
    Ok(tokens.collect())
}

/// The order events that a deployment would send, the oldest first.
pub fn order_events(database: &Database, pipe: &Pipe) -> Result<Vec<Value>, String> {
    let table = answer(database.describe_table(request(json!({"TableName": "orders"}))?))?;
    let arn = &table["Table"]["LatestStreamArn"];
    let stream = answer(database.describe_stream(request(json!({"StreamArn": arn}))?))?;
    let mut events = Vec::new();
    for shard in stream["StreamDescription"]["Shards"].as_array().into_iter().flatten() {
        let wanted = json!({
            "StreamArn": arn,
            "ShardId": shard["ShardId"],
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let mut iterator = answer(database.get_shard_iterator(request(wanted)?))?;
        let mut next = iterator["ShardIterator"].take();
        // A shard that is still written to always has a next iterator.
        while !next.is_null() {
            let wanted = json!({"ShardIterator": next, "Limit": 1000});
            let mut batch = answer(database.get_records(request(wanted)?))?;
            let records = batch["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
            for record in records {
                events.extend(order_event(pipe, record).map_err(|error| error.to_string())?);
            }
            if records.is_empty() {
                break;
            }
            next = batch["NextShardIterator"].take();
        }
    }
    Ok(events)
}
