//! Reading the members of a request, and the errors for those of the wrong kind.

use serde_json::{Map, Value};
use simulator_http::Answer;

use crate::errors;

/// The members of a request and the most characters that they may have.
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

/// An object.
pub(crate) fn object<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>, Answer> {
    value.as_object().ok_or_else(|| unexpected(name, "an object"))
}

/// That an object has no other members than these, which are separated by spaces.
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

/// A string, where it is there.
pub(crate) fn text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Answer> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(unexpected(name, "a string")),
    }
}

/// A string that has to be there; `code` says that it isn't.
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

/// A boolean, where it is there.
pub(crate) fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Answer> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(unexpected(name, "a boolean")),
    }
}

/// A string out of a few, where it is there; `code` says that it is another.
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

/// That no member is longer than it may be.
pub(crate) fn lengths(fields: &Map<String, Value>) -> Result<(), Answer> {
    for (name, most) in LENGTHS {
        if text(fields, name)?.is_some_and(|text| text.chars().count() > *most) {
            let message = format!("Field '{name}' is longer than {most} characters.");
            return Err(errors::invalid("29_001", &message));
        }
    }
    Ok(())
}

/// 400: that member is of another kind.
pub(crate) fn unexpected(name: &str, expected: &str) -> Answer {
    errors::service_error(400, "702", &format!("Unexpected input: {name}, expected: {expected}"))
}
