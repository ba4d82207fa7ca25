//! Order events: what the template's pipe makes of the records of the orders table's stream.

use serde_json::{Value, json};

use crate::template::Pipe;

/// The `source` of every order event, as in the template.
const SOURCE: &str = "amazon-pay.orders";

#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    #[error("the pipe's pattern or template is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the pipe's pattern has a rule that is not known here: {0}")]
    Rule(Value),
}

/// The order event of a record, or `None` if the pipe filters the record out.
///
/// # Errors
/// If the template has a pipe that this cannot evaluate.
pub fn order_event(pipe: &Pipe, record: &Value) -> Result<Option<Value>, PipeError> {
    if !matches(&serde_json::from_str(&pipe.pattern)?, record)? {
        return Ok(None);
    }
    Ok(Some(json!({
        "source": SOURCE,
        "detail-type": pipe.detail_type,
        "detail": filled(&pipe.detail, record)?,
    })))
}

/// The value at a JSON path in a record of the stream.
fn at<'a>(record: &'a Value, path: &str) -> &'a Value {
    let pointer = path.trim_start_matches('$').replace('.', "/");
    record.pointer(&pointer).unwrap_or(&Value::Null)
}

/// Matches as EventBridge does: every member of the pattern must exist, and each list has the
/// accepted values.
fn matches(pattern: &Value, record: &Value) -> Result<bool, PipeError> {
    match pattern {
        Value::Object(members) => {
            for (name, pattern) in members {
                if !matches(pattern, &record[name])? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        pattern if *pattern == json!([{"exists": true}]) => {
            Ok(!record.is_null() && !record.is_object())
        }
        pattern => Err(PipeError::Rule(pattern.clone())),
    }
}

/// Fills the pipe's template: paths in angle brackets are replaced by their values.
fn filled(template: &str, record: &Value) -> Result<Value, PipeError> {
    let mut text = String::new();
    for part in template.split('<') {
        match part.split_once('>') {
            Some((path, rest)) => text += &format!("{}{rest}", at(record, path)),
            None => text += part,
        }
    }
    Ok(serde_json::from_str(&text)?)
}
