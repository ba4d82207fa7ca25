//! Taking over foreign events, once the deployment's configuration was mended.

use jiff::Timestamp;
use serde::Serialize;
use shared::store::{Orders, Place, StoreError};
use tokio::time::Instant;

use crate::{SEEING_THROUGH, State};

/// The result of taking over.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenOver {
    /// Events that were applied, and are kept no longer.
    pub taken_over: usize,
    /// Events that could not be applied, and are kept still.
    pub failed: usize,
    /// True if the time was over before all were taken over; another invocation goes on.
    pub stopped: bool,
}

/// Applies every foreign event of the environment and merchant account that are this
/// deployment's now, the same way as one that is delivered, and removes it afterwards. Events of
/// others stay. It may be repeated at any time, because an event that is applied twice counts once.
///
/// # Errors
/// [`StoreError`] where not even the index can be read.
pub async fn take_over(state: &State, until: Instant) -> Result<TakenOver, StoreError> {
    let stop_at = until - SEEING_THROUGH;
    let now = Timestamp::now();
    let mut report = TakenOver::default();
    let mut places: Vec<Place> = Orders::foreign();
    while let Some(place) = places.pop() {
        let page = state.inbox.orders.due(place, now).await?;
        places.extend(page.next);
        for due in &page.due {
            if !Orders::is_foreign_of(&due.key, state.inbox.owner()) {
                continue;
            }
            if Instant::now() >= stop_at {
                report.stopped = true;
                tracing::info!(?report, "taken over");
                return Ok(report);
            }
            match one(state, &due.key).await {
                Ok(taken_over) => report.taken_over += usize::from(taken_over),
                Err(error) => {
                    report.failed += 1;
                    tracing::error!(key = due.key, %error, "a foreign event could not be taken over");
                }
            }
        }
    }
    tracing::info!(?report, "taken over");
    Ok(report)
}

/// Takes over one event. Returns false if it is gone or is not this deployment's.
async fn one(state: &State, key: &str) -> Result<bool, StoreError> {
    let orders = &state.inbox.orders;
    let Some(letter) = orders.letter(key).await? else {
        return Ok(false);
    };
    // A key alone may be read in two ways.
    if !state.inbox.is_ours(&letter.environment, &letter.merchant_account) {
        return Ok(false);
    }
    state.inbox.take_over(&letter).await?;
    orders.discard(key).await?;
    Ok(true)
}
