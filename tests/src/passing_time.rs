//! Simulates the passing of time: moves every time stored in an order into the past.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use jiff::{SignedDuration, Timestamp};

/// Makes this much time pass for an order of the table `orders`; does nothing without an order.
pub async fn pass(dynamodb: &Client, reference: &str, time: SignedDuration) {
    let key = AttributeValue::S(reference.to_owned());
    loop {
        let item = dynamodb
            .get_item()
            .table_name("orders")
            .key("reference", key.clone())
            .consistent_read(true);
        let Some(item) = item.send().await.expect("DynamoDB").item else {
            return;
        };
        let written = dynamodb
            .put_item()
            .table_name("orders")
            .condition_expression("version = :version")
            .expression_attribute_values(":version", item["version"].clone())
            .set_item(Some(earlier(item, time)));
        match written.send().await.map_err(|error| error.into_service_error()) {
            Ok(_) => return,
            // The order was written in between, so read it again.
            Err(error) if error.is_conditional_check_failed_exception() => {}
            Err(error) => panic!("DynamoDB: {error}"),
        }
    }
}

fn earlier(
    item: HashMap<String, AttributeValue>,
    time: SignedDuration,
) -> HashMap<String, AttributeValue> {
    item.into_iter().map(|(name, value)| (name, moved(value, time))).collect()
}

fn moved(value: AttributeValue, time: SignedDuration) -> AttributeValue {
    match value {
        AttributeValue::S(text) => AttributeValue::S(match text.parse::<Timestamp>() {
            Ok(at) => (at - time).to_string(),
            Err(_) => text,
        }),
        AttributeValue::L(values) => {
            AttributeValue::L(values.into_iter().map(|value| moved(value, time)).collect())
        }
        AttributeValue::M(members) => AttributeValue::M(earlier(members, time)),
        other => other,
    }
}
