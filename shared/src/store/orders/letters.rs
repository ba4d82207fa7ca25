//! Notifications that are kept as they came, because they cannot be applied.

use std::fmt;

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError, primitives::Blob, types::AttributeValue,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Item, Orders,
    open::{self, shard},
    text_value,
};
use crate::{
    domain::order::{AdyenEvent, sha256},
    store::{StoreError, patience::Patience},
};

/// How long a foreign notification is kept, in seconds.
const FOREIGN: i64 = 90 * 24 * 60 * 60;

/// The longest part of a key, in bytes; DynamoDB takes 2048 for all of it.
const PART: usize = 256;

/// Why a notification is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It can never be applied as it is. Kept for good.
    Dead,
    /// It is of another environment or merchant account. Kept for 90 days.
    Foreign,
}

/// A notification that is kept as it came, with what it is found by.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Letter {
    /// The parts of the event's name.
    #[serde(skip)]
    pub name: Vec<String>,
    /// `test` or `live`, as it says.
    pub environment: String,
    /// The merchant account, as it says.
    pub merchant_account: String,
    /// The merchantReference, for people to read.
    pub named: String,
    /// The body, byte by byte.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Which of the body's items it is.
    pub item: usize,
    /// The signature that came in a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Digest of what is signed.
    pub signed: String,
    /// When it came last.
    pub received_at: Timestamp,
    /// Why it is kept, for people to read.
    pub why: String,
    /// The event, for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<AdyenEvent>,
}

/// Leaves the body out, because it may name a shopper.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Letter {
    fn key(&self, class: Class) -> String {
        let name = self.name.iter().map(String::as_str);
        match class {
            Class::Dead => key("dead", name),
            Class::Foreign => key(
                "foreign",
                [&*self.environment, &*self.merchant_account].into_iter().chain(name),
            ),
        }
    }
}

impl Orders {
    /// Keeps a notification as it came. One that was kept before is replaced, unless something
    /// else was signed: then both are kept.
    ///
    /// # Errors
    /// [`StoreError`] when it is not stored.
    pub async fn keep(&self, class: Class, letter: &Letter) -> Result<(), StoreError> {
        let key = letter.key(class);
        let other_key = format!("{key}#{}", letter.signed);
        let mut patience = Patience::new(self.deadline);
        for key in [key, other_key] {
            let item = item(class, letter, &key)?;
            if patience.call(|| self.put_letter(item.clone(), &letter.signed)).await? {
                return Ok(());
            }
        }
        Err(StoreError::unreadable("what is kept under an event's key"))
    }

    /// Returns whether the key was free.
    async fn put_letter(&self, item: Item, signed: &str) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#reference) OR #signed = :signed")
            .expression_attribute_names("#reference", "reference")
            .expression_attribute_names("#signed", "signed")
            .expression_attribute_values(":signed", text_value(signed));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(StoreError::sdk(error)),
            },
        }
    }

    /// Reads the notification under a key.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB or the notification cannot be read.
    pub async fn letter(&self, key: &str) -> Result<Option<Letter>, StoreError> {
        let read = self.client.get_item().table_name(&self.table);
        let read = read.key("reference", text_value(key)).consistent_read(true);
        let Some(mut item) = read.send().await.map_err(StoreError::sdk)?.item else {
            return Ok(None);
        };
        let body = match item.remove("body") {
            Some(AttributeValue::S(text)) => text.into_bytes(),
            Some(AttributeValue::B(bytes)) => bytes.into_inner(),
            _ => return Err(StoreError::unreadable("a kept notification")),
        };
        let letter: Letter = serde_dynamo::from_item(item)?;
        Ok(Some(Letter { body, ..letter }))
    }

    /// Removes the notification under a key.
    ///
    /// # Errors
    /// [`StoreError`] when it is not removed.
    pub async fn discard(&self, key: &str) -> Result<(), StoreError> {
        let delete = async || {
            let delete = self.client.delete_item().table_name(&self.table);
            delete.key("reference", text_value(key)).send().await.map_err(StoreError::sdk)
        };
        Patience::new(self.deadline).call(delete).await.map(drop)
    }

    /// Returns whether a key is that of a foreign notification of that environment and merchant
    /// account.
    pub fn is_foreign_of(key: &str, owner: [&str; 2]) -> bool {
        key.starts_with(&(self::key("foreign", owner) + "#"))
    }
}

fn item(class: Class, letter: &Letter, key: &str) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(letter)?;
    let body = match std::str::from_utf8(&letter.body) {
        Ok(text) => text_value(text),
        Err(_) => AttributeValue::B(Blob::new(letter.body.clone())),
    };
    item.insert("reference".to_owned(), text_value(key));
    item.insert("body".to_owned(), body);
    if class == Class::Foreign {
        let expires_at = letter.received_at.as_second() + FOREIGN;
        item.insert("expiresAt".to_owned(), AttributeValue::N(expires_at.to_string()));
        let since = letter.received_at;
        item.extend(open::attributes(shard(open::FOREIGN, key), since, since));
    }
    Ok(item)
}

/// A key of these parts; one that is too long is there as its digest.
fn key<'a>(class: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut key = class.to_owned();
    for part in parts {
        key.push('#');
        match part.len() {
            0..=PART => key.push_str(part),
            _ => key.push_str(&sha256(&[part.as_bytes()])),
        }
    }
    key
}
