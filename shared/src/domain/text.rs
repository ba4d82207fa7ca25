//! Text whose length Adyen limits.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Text of 1 to `MAX` characters, without control characters such as NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            0 => Err("expected text that is not empty".to_owned()),
            length if length > MAX => {
                Err(format!("expected at most {MAX} characters, got {length}"))
            }
            _ if text.contains(invisible) => {
                Err("expected text without control characters".to_owned())
            }
            _ => Ok(Self(text)),
        }
    }
}

/// Returns true for control characters except whitespace: no legitimate text contains them.
pub(crate) fn invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A newtype over [`Text`] with a further rule: `checked!(Name, MAX, "expected …", |text| bool)`.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $max:expr, $expected:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, &'static str> {
                let rule: fn(&str) -> bool = $rule;
                let fits = text.chars().count() <= $max && !text.contains($crate::domain::text::invisible);
                if fits && rule(&text) { Ok(Self(text)) } else { Err($expected) }
            }
        }

        impl From<$name> for String {
            fn from(checked: $name) -> String {
                checked.0
            }
        }
    };
}
pub(crate) use checked;

/// Declares an enum of strings that keeps an unknown string in `Unknown`.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            Unknown(String),
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Unknown(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use open_enum;
