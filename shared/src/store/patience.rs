//! How long a table is asked again, where DynamoDB turns requests away or several write one item.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StoreError;

/// How long a change is tried where nobody set a deadline: less than Adyen waits for the answer
/// to a webhook.
const CONTENTION: Duration = Duration::from_secs(8);

/// So much time there is even where the deadline has almost passed, because an answer of Adyen
/// that came late must be kept all the same. A function keeps that much of its time back.
const AT_LEAST: Duration = Duration::from_secs(2);

/// A pause is up to this long, doubled each time, and at most [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The time that is left for one change.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        let now = Instant::now();
        let until = deadline.map_or(now + CONTENTION, |deadline| deadline.max(now + AT_LEAST));
        Self { until, pause: FIRST_PAUSE }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Pauses, longer each time, so that writers who met do not meet again.
    pub(super) async fn pause(&mut self) {
        let left = self.until.saturating_duration_since(Instant::now());
        sleep(self.pause.mul_f64(fastrand::f64()).min(left)).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
    }

    /// Calls DynamoDB, again and again while it turns the call away.
    pub(super) async fn call<T, F>(&mut self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match call().await {
                Err(error) if error.is_busy() && !self.is_over() => self.pause().await,
                done => return done,
            }
        }
    }
}
