//! The tables in DynamoDB.

mod orders;
mod tokens;

pub use orders::{Orders, Start};
pub use tokens::Tokens;

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};

use crate::config::{AWS_ATTEMPT_TIMEOUT, Sdk};

/// A table could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("DynamoDB: {0}")]
pub struct StoreError(String);

impl StoreError {
    /// An order that was there a moment ago; none is ever deleted.
    pub fn gone() -> Self {
        Self("the order is gone".to_owned())
    }

    /// Something that was written by a version which wrote it differently.
    pub fn unreadable(what: &str) -> Self {
        Self(format!("{what} cannot be read"))
    }

    fn sdk<E: std::error::Error + ProvideErrorMetadata + 'static, R: std::fmt::Debug>(
        error: SdkError<E, R>,
    ) -> Self {
        Self(crate::config::aws_error(&error))
    }

    /// Whether the item would have become larger than DynamoDB takes. Trying again does not
    /// help. DynamoDB has no code for it, only these words, in a transaction too.
    pub fn item_too_large(&self) -> bool {
        ["Item size", "exceeded the maximum allowed size"]
            .iter()
            .all(|words| self.0.contains(words))
    }
}

impl From<serde_dynamo::Error> for StoreError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self(format!("item: {error}"))
    }
}

/// A DynamoDB client that gives a request three tries, each within seconds.
pub fn client(sdk: &Sdk) -> Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sdk.region.clone()))
        .credentials_provider(sdk.credentials.clone())
        .http_client(sdk.http.clone())
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT)
                .build(),
        );
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
