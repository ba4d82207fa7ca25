//! Reads Adyen's JSON leniently, because one unreadable member must not hide the others.

use std::{collections::BTreeMap, fmt::Write, str::Chars};

use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// Reads a string, or a number as its text.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    lenient_word(deserializer)?.ok_or_else(|| de::Error::custom("expected text"))
}

/// Reads like [`word`]. An empty string and any other type count as absent.
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

/// Reads a value. One of another type counts as absent.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let written = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(written.get()).ok())
}

/// The members of an object as raw JSON, so that an unreadable one does not make the whole object
/// unreadable. If members have the same name, the last one counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member, or `None` if it is absent or of another type.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A member as Adyen signs it: the content of a string, or the raw JSON of any other type.
    pub(super) fn written(&self, name: &str) -> Option<String> {
        let written = self.0.get(name)?.get();
        match serde_json::from_str::<Option<String>>(written) {
            Ok(text) => text,
            Err(_) => Some(written.to_owned()),
        }
    }

    /// The readable members.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, Value)> {
        self.0.iter().filter_map(|(name, written)| {
            Some((name.clone(), serde_json::from_str(written.get()).ok()?))
        })
    }
}

/// Repairs the characters of a JSON body so that it can be parsed. Bytes that are not UTF-8, lone
/// surrogates and invalid escapes become `replacement`. Control characters are escaped in strings
/// and dropped elsewhere, as is a byte order mark. A body without any of these is unchanged.
pub fn readable(body: &[u8], replacement: char) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(replacement);
        }
    }
    let mut json = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}').chars();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' if in_string => json.push_str(&escape(&mut rest, replacement)),
            '\0'..' ' if in_string => {
                // Writing to a String does not fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            '\0'..' ' if !c.is_ascii_whitespace() || c == '\x0c' => {}
            _ => {
                in_string ^= c == '"';
                json.push(c);
            }
        }
    }
    json
}

/// Consumes the escape after a backslash, and returns it with its backslash if JSON allows it.
fn escape(rest: &mut Chars, replacement: char) -> String {
    let text = rest.as_str();
    let (is_readable, length) = match (code_unit(text), text.chars().next()) {
        (Some(0xd800..=0xdbff), _) => match text[5..].strip_prefix('\\').and_then(code_unit) {
            Some(0xdc00..=0xdfff) => (true, 11),
            _ => (false, 5),
        },
        (Some(0xdc00..=0xdfff), _) => (false, 5),
        (Some(_), _) => (true, 5),
        (None, Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => (true, 1),
        (None, _) => (false, 0),
    };
    let (escape, after) = text.split_at(length);
    *rest = after.chars();
    if is_readable { format!("\\{escape}") } else { replacement.to_string() }
}

/// The UTF-16 code unit of `uXXXX`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::readable;

    #[test]
    fn valid_json_is_unchanged() {
        for text in [
            "{\"a\": [1, true, null, \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\ud83d\\uDE00\"]}\r\n",
            "\"\u{fffd}\u{1F4B6}\\\\ud800\"",
            "\t [ ] \n",
        ] {
            assert_eq!(readable(text.as_bytes(), '?'), text);
        }
    }

    #[test]
    fn unreadable_characters_are_replaced_and_the_others_kept() {
        for (body, readable_as) in [
            (&b"\"\\ud800\""[..], "\"?\""),
            (b"\"\\udc00\\ud800\"", "\"??\""),
            (b"\"\\ud800\\ud83d\\ude00\"", "\"?\\ud83d\\ude00\""),
            (b"\"\\ud800\\n\\ud800x\\ud8\"", "\"?\\n?x?ud8\""),
            (b"\"a\xffb\xe2\x82c\"", "\"a?b?c\""),
            (b"\xef\xbb\xbf{}\0\x07", "{}"),
            (b"\"a\0b\nc\"", "\"a\\u0000b\\u000ac\""),
            (b"\"\\x41 \\u+123 \\\"", "\"?x41 ?u+123 \\\""),
            (b"\"\\", "\"?"),
        ] {
            assert_eq!(readable(body, '?'), readable_as);
        }
    }
}
