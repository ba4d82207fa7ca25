//! Pauses between the tries of a call.
//!
//! Written by hand, because the callers change the credential between tries, remember a try in doubt,
//! and stop before a deadline; a crate such as `backon` wraps the whole call.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use tokio::time::{Instant, sleep};

use crate::limits::{AWS_RETRY, Retry};

/// The policy of the AWS SDK, which makes its tries itself.
pub fn sdk() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(AWS_RETRY.tries)
        .with_initial_backoff(AWS_RETRY.first_pause)
        .with_max_backoff(AWS_RETRY.longest_pause)
}

/// The tries of one call until its deadline.
#[derive(Debug)]
pub struct Tries {
    policy: Retry,
    until: Instant,
    made: u32,
    limit: Duration,
}

impl Tries {
    pub fn new(policy: Retry, until: Instant) -> Self {
        Self { policy, until, made: 0, limit: policy.first_pause }
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Pauses before the next try. Returns false without a pause if there is no further try, or no
    /// time for one.
    pub async fn again(&mut self) -> bool {
        self.made += 1;
        // Random, so that clients that failed together do not call together again.
        let pause = self.limit.mul_f64(0.5 + fastrand::f64() / 2.0);
        if self.made >= self.policy.tries || Instant::now() + pause >= self.until {
            return false;
        }
        sleep(pause).await;
        self.limit = self.policy.longest_pause.min(self.limit * 2);
        true
    }
}
