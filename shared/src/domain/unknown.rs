//! Members of a stored item that this version does not know.
//!
//! Items are written whole. After a rollback, or during a deployment, an older version handles
//! items of a newer one and must not erase their members, so unknown members are written back.
//! A version that changes the meaning of a member increments [`SCHEMA`]: older versions read such
//! items but do not write them. A version that adds a member with personal data of a shopper increments
//! it too, because older versions could not erase that member.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The schema that this version writes. Items with a higher schema are read-only.
pub const SCHEMA: u32 = 1;

/// Unknown members by name. Flatten it into every stored struct.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(Map<String, Value>);

// JSON has no NaN.
impl Eq for Unknown {}

impl Ord for Unknown {
    /// Any total order will do: it only picks one of two reports of an event.
    fn cmp(&self, other: &Self) -> Ordering {
        let text = |unknown: &Self| Value::Object(unknown.0.clone()).to_string();
        match self == other {
            true => Ordering::Equal,
            false => text(self).cmp(&text(other)),
        }
    }
}

impl PartialOrd for Unknown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Keeps the unknown members of a value whose type has no [`Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    #[serde(flatten)]
    value: T,
    #[serde(flatten)]
    unknown: Unknown,
}

impl<T> From<T> for Kept<T> {
    fn from(value: T) -> Self {
        Self { value, unknown: Unknown::default() }
    }
}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
