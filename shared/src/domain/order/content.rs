//! The digest of a caller's request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::sha256;

/// Returns the digest of a caller's body. It excludes everything that we add, so that a repeated
/// request has the same digest under any release or configuration. The order of members does not
/// matter, and null members count as absent.
pub fn content_digest(body: &Map<String, Value>) -> String {
    sha256(&[canonical(body).to_string().as_bytes()])
}

fn canonical(object: &Map<String, Value>) -> Value {
    let named = object.iter().filter(|(_, value)| !value.is_null());
    let sorted: BTreeMap<&String, Value> = named
        .map(|(name, value)| match value {
            Value::Object(inner) => (name, canonical(inner)),
            value => (name, value.clone()),
        })
        .collect();
    sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect()
}
