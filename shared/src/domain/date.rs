//! Parses the dates of Adyen's events and limits how far they are trusted.
//!
//! Adyen does not sign dates. An unreadable date must not make its event the oldest, and a date
//! far in the future must not make it the newest.

use crate::limits;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Parses an ISO 8601 date; without an offset it is in UTC. The Unix epoch counts as no date,
/// because senders write it for an unknown one.
pub fn read(text: &str) -> Option<Timestamp> {
    let text = with_sign(text.trim());
    let in_utc = || {
        let date: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(date).ok()
    };
    text.parse().ok().or_else(in_utc).filter(|date| *date != Timestamp::UNIX_EPOCH)
}

/// Form decoding turns the `+` of an offset into a space, so a space is accepted.
pub fn with_sign(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(':') => {
            let sign = if offset.starts_with(['+', '-', 'Z', 'z']) { "" } else { "+" };
            format!("{}{sign}{offset}", time.trim_end())
        }
        _ => text.to_owned(),
    }
}

/// Returns the date of an event, capped at one day after its receipt. An undated event gets the
/// time of its receipt.
pub fn happened(dated: Option<Timestamp>, received_at: Timestamp) -> Timestamp {
    let latest = received_at.checked_add(limits::EVENT_AHEAD).unwrap_or(Timestamp::MAX);
    dated.map_or(received_at, |dated| dated.min(latest))
}
