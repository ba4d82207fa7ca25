//! Items of DynamoDB as plain JSON, and as orders.

use serde_json::{Map, Number, Value};
use shared::domain::order::Order;

/// The attributes of an order that are derived.
const DERIVED: [&str; 5] = ["status", "change", "openShard", "openSince", "recoverAt"];

/// An attribute value such as `{"S": "text"}` as plain JSON.
pub fn value(attribute: &Value) -> Value {
    let Some((kind, inner)) = attribute.as_object().and_then(|members| members.iter().next())
    else {
        return Value::Null;
    };
    match (kind.as_str(), inner) {
        ("N", Value::String(text)) => {
            text.parse::<Number>().map_or_else(|_| text.as_str().into(), Value::Number)
        }
        ("L", Value::Array(values)) => values.iter().map(value).collect(),
        ("M", Value::Object(members)) => Value::Object(item(members)),
        ("NULL", _) => Value::Null,
        (_, other) => other.clone(),
    }
}

pub fn item(attributes: &Map<String, Value>) -> Map<String, Value> {
    attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}

/// The order in a plain item of the orders table, or `None` if the item is not an order.
pub fn order(item: &Map<String, Value>) -> Option<Order> {
    let reference = item.get("reference")?.as_str()?;
    if reference.contains('#') {
        return None;
    }
    let mut facts = item.clone();
    facts.retain(|name, _| !DERIVED.contains(&name.as_str()));
    serde_json::from_value(Value::Object(facts)).ok()
}
