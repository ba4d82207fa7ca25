//! Takes over foreign events after the deployment's configuration was corrected.

use serde::Serialize;
use shared::clock;
use shared::limits;
use shared::store::{Orders, Place, StoreError};
use tokio::time::Instant;

use crate::State;

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenOver {
    /// Events that were applied and removed.
    pub taken_over: usize,
    /// Events that could not be applied and are still kept.
    pub failed: usize,
    /// True if the time was over before all were taken over. Another invocation continues.
    pub stopped: bool,
}

/// Applies every foreign event of this deployment's environment and merchant account as if it
/// was delivered now, and removes it. Events of other accounts stay. It can be repeated safely,
/// because an event that is applied twice counts once.
///
/// # Errors
/// [`StoreError`] if the index cannot be read.
pub async fn take_over(state: &State, until: Instant) -> Result<TakenOver, StoreError> {
    let stop_at = until - limits::RECOVER_RESERVE;
    let now = clock::now();
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

/// Takes over one event. Returns false if it is gone, is not this deployment's, or was handled by a
/// person in the meantime.
async fn one(state: &State, key: &str) -> Result<bool, StoreError> {
    let orders = &state.inbox.orders;
    let Some(letter) = orders.letter(key).await? else {
        return Ok(false);
    };
    // The key alone is ambiguous.
    let is_ours = state.inbox.is_ours(&letter.environment, &letter.merchant_account);
    if !is_ours || letter.handled.is_some() {
        return Ok(false);
    }
    state.inbox.store_again(&letter).await?;
    orders.discard(key).await?;
    Ok(true)
}
