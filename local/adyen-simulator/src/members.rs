//! Reads the members of a request, and rejects those of the wrong type or length.

use serde_json::{Map, Value};
use simulator_http::Answer;

use crate::errors;

/// The maximum lengths of members, in characters.
const LENGTHS: &[(&str, usize)] = &[
    ("reference", 80),
    ("returnUrl", 1024),
    ("merchantOrderReference", 1000),
    ("origin", 80),
    ("shopperEmail", 256),
    ("shopperIP", 50),
    ("shopperReference", 256),
    ("telephoneNumber", 64),
];

pub(crate) fn object<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>, Answer> {
    value.as_object().ok_or_else(|| unexpected(name, "an object"))
}

/// Rejects members other than these, which are separated by spaces.
pub(crate) fn known(fields: &Map<String, Value>, name: &str, known: &str) -> Result<(), Answer> {
    let unknown: Vec<&str> = fields
        .keys()
        .map(String::as_str)
        .filter(|field| !known.split(' ').any(|known| known == *field))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let unknown = unknown.join(", ");
    let message = format!("Structure of {name} contains the following unknown fields: [{unknown}]");
    Err(errors::invalid("702", &message))
}

/// An optional string.
pub(crate) fn text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Answer> {
    optional(fields, name, "a string", Value::as_str)
}

/// An optional boolean.
pub(crate) fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Answer> {
    optional(fields, name, "a boolean", Value::as_bool)
}

fn optional<'a, T>(
    fields: &'a Map<String, Value>,
    name: &str,
    expected: &str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Answer> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| unexpected(name, expected)),
    }
}

/// A required string; `code` is the error if it is missing.
pub(crate) fn filled<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    code: &str,
) -> Result<&'a str, Answer> {
    match text(fields, name)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(errors::invalid(code, &format!("Required field '{name}' is not provided."))),
    }
}

/// An optional string; `code` is the error if its value is not allowed.
pub(crate) fn one_of<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    allowed: &[&str],
    code: &str,
) -> Result<Option<&'a str>, Answer> {
    match text(fields, name)? {
        Some(text) if !allowed.contains(&text) => {
            Err(errors::invalid(code, &format!("{name} is not valid")))
        }
        text => Ok(text),
    }
}

/// Rejects members that are too long.
pub(crate) fn lengths(fields: &Map<String, Value>) -> Result<(), Answer> {
    for (name, most) in LENGTHS {
        if text(fields, name)?.is_some_and(|text| text.chars().count() > *most) {
            let message = format!("Field '{name}' is longer than {most} characters.");
            return Err(errors::invalid("29_001", &message));
        }
    }
    Ok(())
}

/// 400: the member has the wrong type.
pub(crate) fn unexpected(name: &str, expected: &str) -> Answer {
    errors::service_error(400, "702", &format!("Unexpected input: {name}, expected: {expected}"))
}
