//! Reading Adyen's answers: what is not understood must not hide what is.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// Text, or a number as text.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    lenient_word(deserializer)?.ok_or_else(|| de::Error::custom("expected text"))
}

/// As [`word`]; empty or anything else counts as absent.
pub(super) fn lenient_word<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let written = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    Ok(Some(written).filter(|text| !text.is_empty()))
}
