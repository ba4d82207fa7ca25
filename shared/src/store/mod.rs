//! The tables in DynamoDB.

mod orders;
mod patience;
mod tokens;

pub use orders::{Class, Due, Letter, Orders, Page, Place, Start};
pub use tokens::Tokens;

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use serde::de::DeserializeOwned;

use crate::{
    domain::unknown::SCHEMA,
    platform::config::{AWS_ATTEMPT_TIMEOUT, Sdk},
};

type Item = HashMap<String, AttributeValue>;

#[derive(Debug, Clone, thiserror::Error)]
#[error("DynamoDB: {message}")]
pub struct StoreError {
    message: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// DynamoDB processed nothing because of throttling or a concurrent write: retry the same
    /// request.
    Busy,
    /// Any other error that a later retry may solve.
    Passing,
    /// The stored item cannot be read or is full.
    Permanent,
}

/// The codes of [`Kind::Busy`], for requests and for the items of a transaction.
const BUSY: [&str; 8] = [
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
];

impl StoreError {
    /// Returns the error for an order that disappeared. Retrying helps, because orders are never
    /// deleted.
    pub fn gone() -> Self {
        Self::passing("the order is gone")
    }

    pub fn unreadable(what: &str) -> Self {
        Self { message: format!("{what} cannot be read"), kind: Kind::Permanent }
    }

    /// Rejects an item with the schema of a newer version. The error can be retried, because this
    /// version will be replaced.
    fn unless_known(schema: u32) -> Result<(), Self> {
        match schema > SCHEMA {
            true => Err(Self::passing("the item has the schema of a newer version")),
            false => Ok(()),
        }
    }

    fn passing(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::Passing }
    }

    fn sdk<E: std::error::Error + ProvideErrorMetadata + 'static, R: std::fmt::Debug>(
        error: SdkError<E, R>,
    ) -> Self {
        let codes = error.code();
        Self::classified(codes, crate::platform::config::aws_error(&error))
    }

    /// Classifies an error by the codes and the message from DynamoDB.
    fn classified<'c>(codes: impl IntoIterator<Item = &'c str>, message: String) -> Self {
        // DynamoDB has no code for an item that is too large, only this message.
        let too_large = ["Item size", "exceeded the maximum allowed size"];
        let kind = if too_large.iter().all(|words| message.contains(words)) {
            Kind::Permanent
        } else if codes.into_iter().any(|code| BUSY.contains(&code)) {
            Kind::Busy
        } else {
            Kind::Passing
        };
        Self { message, kind }
    }

    /// Returns true if a retry cannot help, because the stored item is unreadable or full.
    pub fn is_permanent(&self) -> bool {
        self.kind == Kind::Permanent
    }

    /// Returns true if DynamoDB rejected the request without processing it.
    fn is_busy(&self) -> bool {
        self.kind == Kind::Busy
    }
}

/// Deserializes an item without its derived attributes. An unreadable item of a newer version is
/// a transient error, because that version will read it.
fn read<T: DeserializeOwned>(mut item: Item, derived: &[&str]) -> Result<T, StoreError> {
    let schema = item.get("schema").and_then(|schema| schema.as_n().ok()?.parse().ok());
    item.retain(|name, _| !derived.contains(&name.as_str()));
    let read = serde_dynamo::from_item(item);
    read.or_else(|error| {
        StoreError::unless_known(schema.unwrap_or_default())?;
        Err(error.into())
    })
}

impl From<serde_dynamo::Error> for StoreError {
    /// Drops the original error, because it may quote the item.
    fn from(_: serde_dynamo::Error) -> Self {
        Self::unreadable("an item")
    }
}

/// Builds a DynamoDB client that tries each request three times, within seconds.
pub fn client(sdk: &Sdk) -> Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sdk.region.clone()))
        .credentials_provider(sdk.credentials.clone())
        .http_client(sdk.http.clone())
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT).build(),
        );
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
