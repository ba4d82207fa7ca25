//! Retries requests after throttling or conflicting writes.

use tokio::time::Instant;

use super::StoreError;
use crate::{limits, platform::retry::Tries};

#[derive(Debug)]
pub(super) struct Patience(Tries);

impl Patience {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        let now = Instant::now();
        let until = match deadline {
            Some(deadline) => deadline.max(now + limits::STORE_AT_LEAST),
            None => now + limits::STORE_CONTENTION,
        };
        Self(Tries::new(limits::STORE_RETRY, until))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Pauses after a conflict.
    ///
    /// # Errors
    /// [`StoreError::Contended`] if the time is over.
    pub(super) async fn pause(&mut self) -> Result<(), StoreError> {
        match self.0.again().await {
            true => Ok(()),
            false => Err(StoreError::Contended),
        }
    }

    /// Calls DynamoDB, and retries while DynamoDB is busy.
    pub(super) async fn call<T, F>(&mut self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match call().await {
                Err(error @ StoreError::Busy(_)) => {
                    if !self.0.again().await {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }
}
