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

/// A table could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("DynamoDB: {message}")]
pub struct StoreError {
    message: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// DynamoDB processed nothing, because there is too much to do or somebody else writes the
    /// same item: the same request again helps.
    Busy,
    /// Anything else that trying again may mend.
    Passing,
    /// The stored item cannot be read, or has no room for more.
    Permanent,
}

/// The codes of [`Kind::Busy`], of requests and of the items of a transaction.
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
    /// An order that was there a moment ago; none is ever deleted.
    pub fn gone() -> Self {
        Self::passing("the order is gone")
    }

    /// Something that was written by a version which wrote it differently.
    pub fn unreadable(what: &str) -> Self {
        Self { message: format!("{what} cannot be read"), kind: Kind::Permanent }
    }

    /// Returns an error that trying again mends, once this version is replaced, if an item was
    /// written by a version whose schema is newer.
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
        Self::told(codes, crate::platform::config::aws_error(&error))
    }

    /// An error by the codes and the message that DynamoDB returned.
    fn told<'c>(codes: impl IntoIterator<Item = &'c str>, message: String) -> Self {
        // An item that would have become larger than DynamoDB takes: it has no code for that,
        // only these words.
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

    /// Returns whether trying again does not help, because the stored item cannot be read or has
    /// no room for more.
    pub fn is_permanent(&self) -> bool {
        self.kind == Kind::Permanent
    }

    /// Returns whether DynamoDB turned the request away without processing it.
    fn is_busy(&self) -> bool {
        self.kind == Kind::Busy
    }
}

/// Reads an item, without the attributes that were derived from it. One that cannot be read
/// because a newer version wrote it will be readable again.
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
    /// The error itself may quote the item.
    fn from(_: serde_dynamo::Error) -> Self {
        Self::unreadable("an item")
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
            TimeoutConfig::builder().operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT).build(),
        );
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
