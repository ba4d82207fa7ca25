//! Members of a stored item that this version does not know.
//!
//! Items are written whole. A version that is rolled back, or that answers beside a newer one
//! during a deployment, would erase what the newer one wrote if it kept only what it knows.
//! Therefore unknown members are written back. Where that is not enough, because a newer version
//! gave something a new meaning, it counts [`SCHEMA`] up: older versions read such items as far as
//! they can, and do not write them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The schema of what this version writes. An item of a higher one is not written.
pub const SCHEMA: u32 = 1;

/// Unknown members by name, written back as they were read. Flatten it into every stored struct.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(Map<String, Value>);

/// JSON has no number that differs from itself.
impl Eq for Unknown {}

impl Ord for Unknown {
    /// Any total order, because of two reports of one event one is kept.
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

/// A stored value with its unknown members, for a type that does not keep them itself.
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
