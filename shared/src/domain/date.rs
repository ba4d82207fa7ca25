//! Parses the dates of Adyen's events and limits how far they are trusted.
//!
//! Adyen does not sign dates. An unreadable date must not make its event the oldest, and a date
//! far in the future must not make it the newest.

use crate::limits;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Parses an ISO 8601 date; without an offset it is in UTC. Form decoding turns the `+` of an
/// offset into a space, so a space is accepted. The Unix epoch counts as no date, because senders
/// write it for an unknown one.
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

/// Returns the date of an event, capped at one day after its receipt. An undated event gets the
/// time of its receipt.
pub fn happened(dated: Option<Timestamp>, received_at: Option<Timestamp>) -> Timestamp {
    let latest =
        received_at.map(|at| at.checked_add(limits::EVENT_AHEAD).unwrap_or(Timestamp::MAX));
    match (dated, latest) {
        (Some(dated), Some(latest)) => dated.min(latest),
        (Some(dated), None) => dated,
        (None, _) => received_at.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// Stores a missing date as the Unix epoch, which every version of this software can read.
pub mod stored {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        dated: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        dated.unwrap_or(Timestamp::UNIX_EPOCH).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let stored = Timestamp::deserialize(deserializer)?;
        Ok(Some(stored).filter(|date| *date != Timestamp::UNIX_EPOCH))
    }
}
