//! The time of day. `cargo dev` can set the clock forward, to try out what happens after hours or
//! days; nothing else does.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Seconds by which this process's clock is ahead.
static AHEAD: AtomicI64 = AtomicI64::new(0);

pub fn now() -> Timestamp {
    Timestamp::now().saturating_add(ahead()).unwrap_or(Timestamp::MAX)
}

/// Returns how far the clock is ahead.
pub fn ahead() -> SignedDuration {
    SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

/// Sets the clock of this process forward, by whole seconds.
pub fn advance(by: std::time::Duration) {
    let by = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
    // Never fails, because the closure always returns a value.
    let _ = AHEAD
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead| Some(ahead.saturating_add(by)));
}
