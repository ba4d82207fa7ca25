//! The tables in DynamoDB.

mod orders;
mod patience;
mod tokens;

pub use orders::{
    Class, Cursor, Due, Handled, Handling, Letter, ListPage, Listed, Listing, Orders, Page, Place,
    Range, Start,
};
pub use tokens::Tokens;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Region, StalledStreamProtectionConfig, timeout::TimeoutConfig},
    error::{BuildError, ProvideErrorMetadata, SdkError},
    types::{AttributeValue, CancellationReason, error::TransactionCanceledException},
};
use serde::de::DeserializeOwned;

use crate::{
    domain::unknown::SCHEMA,
    limits,
    platform::{
        config::{Sdk, aws_error},
        retry,
    },
};

type Item = HashMap<String, AttributeValue>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB processed nothing because of throttling or a concurrent write, so the same request
    /// is retried.
    #[error("DynamoDB is busy: {0}")]
    Busy(String),
    #[error("DynamoDB is unavailable: {0}")]
    Unavailable(String),
    /// The item is too large, or otherwise not what DynamoDB stores.
    #[error("DynamoDB rejected the request: {0}")]
    Rejected(String),
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// The error is transient, because this version will be replaced.
    #[error("the item has the schema of a newer version")]
    NewerSchema,
    #[error("the item was changed too often at the same time")]
    Contended,
    /// The error is transient, because orders are never deleted.
    #[error("the order is gone")]
    Gone,
}

/// The codes of [`StoreError::Busy`], for requests and for the items of a transaction.
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

/// The codes of [`StoreError::Rejected`], for requests and for the items of a transaction.
const REJECTED: [&str; 2] = ["ValidationError", "ValidationException"];

impl StoreError {
    /// Returns an error if the schema is that of a newer version.
    fn unless_known(schema: u32) -> Result<(), Self> {
        match schema > SCHEMA {
            true => Err(Self::NewerSchema),
            false => Ok(()),
        }
    }

    fn sdk<E: std::error::Error + ProvideErrorMetadata + 'static, R: std::fmt::Debug>(
        error: SdkError<E, R>,
    ) -> Self {
        let codes = error.code();
        Self::classified(codes, aws_error(&error))
    }

    /// Classifies a cancelled transaction by its reasons, because its error only says that it was
    /// cancelled.
    fn cancelled<E, R>(error: &SdkError<E, R>, cancelled: &TransactionCanceledException) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        let reasons = cancelled.cancellation_reasons();
        let codes = reasons.iter().filter_map(CancellationReason::code);
        let messages = reasons.iter().filter_map(CancellationReason::message);
        let messages = messages.collect::<Vec<_>>().join("; ");
        Self::classified(codes, format!("{}: {messages}", aws_error(error)))
    }

    /// Classifies an error by the codes from DynamoDB.
    fn classified<'c>(
        codes: impl IntoIterator<Item = &'c str, IntoIter: Clone>,
        message: String,
    ) -> Self {
        let codes = codes.into_iter();
        if codes.clone().any(|code| REJECTED.contains(&code)) {
            Self::Rejected(message)
        } else if codes.clone().any(|code| BUSY.contains(&code)) {
            Self::Busy(message)
        } else {
            Self::Unavailable(message)
        }
    }

    /// Returns true if a retry cannot help.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Unreadable(_))
    }
}

impl From<BuildError> for StoreError {
    fn from(error: BuildError) -> Self {
        Self::Unavailable(error.to_string())
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
        Self::Unreadable("an item")
    }
}

/// Builds a DynamoDB client that tries each request three times, within seconds.
pub fn client(sdk: &Sdk) -> Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sdk.region.clone()))
        .credentials_provider(sdk.credentials.clone())
        .http_client(sdk.http.clone())
        .retry_config(retry::sdk())
        // For streams; the time-out of a try bounds a stalled answer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(limits::AWS_TRY).build(),
        );
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
