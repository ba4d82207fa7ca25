//! Dates as Adyen writes them, and how far they are believed.
//!
//! No date is signed. One that cannot be read must not make an event older than all others, nor
//! one that lies far ahead make it newer than all that follow.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// How far ahead of its receipt an event may be dated, because clocks differ.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Reads a date in ISO 8601. Without an offset it is in UTC, and a blank before the offset is the
/// `+` that a form decoded. 1970 is what a sender writes for a date that it does not have.
pub fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let text = match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(':') => {
            let sign = if offset.starts_with(['+', '-', 'Z', 'z']) { "" } else { "+" };
            format!("{}{sign}{offset}", time.trim_end())
        }
        _ => text.to_owned(),
    };
    let in_utc = || {
        let date: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(date).ok()
    };
    text.parse().ok().or_else(in_utc).filter(|date| *date != Timestamp::UNIX_EPOCH)
}

/// When something happened: as dated, but no more than a day after it was received. Without a
/// date that could be read, it is the time of receipt.
pub fn happened(dated: Option<Timestamp>, received_at: Option<Timestamp>) -> Timestamp {
    let latest = received_at.map(|at| at.checked_add(AHEAD).unwrap_or(Timestamp::MAX));
    match (dated, latest) {
        (Some(dated), Some(latest)) => dated.min(latest),
        (Some(dated), None) => dated,
        (None, _) => received_at.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// A date in a table. One that could not be read is written as 1970, which every version of
/// this software can read.
pub mod stored {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes it.
    ///
    /// # Errors
    /// As the serializer has them.
    pub fn serialize<S: Serializer>(
        dated: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        dated.unwrap_or(Timestamp::UNIX_EPOCH).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is not a timestamp.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let stored = Timestamp::deserialize(deserializer)?;
        Ok(Some(stored).filter(|date| *date != Timestamp::UNIX_EPOCH))
    }
}
