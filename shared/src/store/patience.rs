//! Limits how long requests are retried after throttling or conflicting writes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StoreError;

/// The default without a deadline. It is shorter than Adyen's timeout for a webhook.
const CONTENTION: Duration = Duration::from_secs(8);

/// The minimum, even if the deadline has almost passed, because a late answer of Adyen must still
/// be stored. Functions reserve this much of their time.
const AT_LEAST: Duration = Duration::from_secs(2);

/// A pause is a random time up to this limit, which doubles each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

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

    /// Pauses for a random time, so that conflicting writers do not collide again.
    pub(super) async fn pause(&mut self) {
        let left = self.until.saturating_duration_since(Instant::now());
        sleep(self.pause.mul_f64(fastrand::f64()).min(left)).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
    }

    /// Calls DynamoDB, and retries while DynamoDB is busy.
    pub(super) async fn call<T, F>(&mut self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match call().await {
                Err(StoreError::Busy(_)) if !self.is_over() => self.pause().await,
                done => return done,
            }
        }
    }
}
