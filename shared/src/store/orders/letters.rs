//! Stores notifications that cannot be applied, byte for byte.

use std::fmt;

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    primitives::Blob,
    types::AttributeValue,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Item, Orders, list,
    open::{self, shard},
    text_value,
};
use crate::{
    domain::{
        order::{AdyenEvent, sha256},
        shopper_reference::ShopperReference,
        text::open_enum,
    },
    limits,
    store::{StoreError, patience::Patience},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It can never be applied as it is. Never expires.
    Dead,
    /// It belongs to another environment or merchant account. Expires after 90 days.
    Foreign,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The parts of the key that identify the event.
    #[serde(skip)]
    pub name: Vec<String>,
    /// `test` or `live`.
    pub environment: String,
    pub merchant_account: String,
    /// The merchantReference, for people to read.
    pub named: String,
    #[serde(skip)]
    pub body: Vec<u8>,
    /// The index of the notification in the body's items.
    pub item: usize,
    /// The signature from the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Digest of the signed content.
    pub signed: String,
    /// The last receipt.
    pub received_at: Timestamp,
    /// The reason for which it was not applied, for people to read.
    pub why: String,
    /// The shopper whom it names, or whose order it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<ShopperReference>,
    /// The event, for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<AdyenEvent>,
    /// A person's decision. The letter is no longer listed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled: Option<Handled>,
}

open_enum! {
    Handling {
        Applied = "applied",
        Discarded = "discarded",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    pub how: Handling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The person or system, as the merchant's token names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub at: Timestamp,
}

/// Omits the body, because it may name a shopper.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Class {
    /// The kind of a letter, by its key. None if it is the key of another item.
    pub fn of(key: &str) -> Option<Self> {
        let (class, _) = key.split_once('#')?;
        [Self::Dead, Self::Foreign].into_iter().find(|known| known.as_str() == class)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Foreign => "foreign",
        }
    }
}

impl Letter {
    /// The id of the letter with this key, for URLs.
    pub fn id(key: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(key)
    }

    /// The key of the letter with this id, or `None` if it is the id of no letter. The table has
    /// other items too.
    pub fn key_of(id: &str) -> Option<String> {
        let key = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        (key.len() <= limits::KEY && Class::of(&key).is_some()).then_some(key)
    }

    fn key(&self, class: Class) -> String {
        let name = self.name.iter().map(String::as_str);
        match class {
            Class::Dead => key(class, name),
            Class::Foreign => {
                key(class, [&*self.environment, &*self.merchant_account].into_iter().chain(name))
            }
        }
    }
}

impl Orders {
    /// Stores a notification. Replaces an earlier one under the same key only if the signed content
    /// is the same; otherwise it stores both.
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
        Err(StoreError::Unreadable("the notification under an event's key"))
    }

    /// Returns false if the key holds a notification with other signed content.
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

    pub async fn letter(&self, key: &str) -> Result<Option<Letter>, StoreError> {
        let read = self.client.get_item().table_name(&self.table);
        let read = read.key("reference", text_value(key)).consistent_read(true);
        let Some(mut item) = read.send().await.map_err(StoreError::sdk)?.item else {
            return Ok(None);
        };
        let body = match item.remove("body") {
            Some(AttributeValue::S(text)) => text.into_bytes(),
            Some(AttributeValue::B(bytes)) => bytes.into_inner(),
            _ => return Err(StoreError::Unreadable("a kept notification")),
        };
        let letter: Letter = serde_dynamo::from_item(item)?;
        Ok(Some(Letter { body, ..letter }))
    }

    /// Records what a person did with a letter, which expires after 90 days then. Returns false if
    /// there is no such letter, or if it should be discarded and was handled already.
    pub async fn handled(&self, key: &str, handled: &Handled) -> Result<bool, StoreError> {
        let expires_at = handled.at.as_second() + limits::EVENT_KEPT.as_secs();
        let value: AttributeValue = serde_dynamo::to_attribute_value(handled)?;
        // An event that was applied meanwhile was not discarded.
        let condition = match handled.how {
            Handling::Applied => "attribute_exists(#reference)",
            _ => "attribute_exists(#reference) AND attribute_not_exists(#handled)",
        };
        let update = async || {
            let update = self.client.update_item().table_name(&self.table);
            let updated = update
                .key("reference", text_value(key))
                .update_expression(
                    "SET #handled = :handled, #expiresAt = :expiresAt \
                     REMOVE #attentionShard, #position, #openShard",
                )
                .condition_expression(condition)
                .expression_attribute_names("#reference", "reference")
                .expression_attribute_names("#handled", "handled")
                .expression_attribute_names("#expiresAt", "expiresAt")
                .expression_attribute_names("#attentionShard", "attentionShard")
                .expression_attribute_names("#position", "position")
                .expression_attribute_names("#openShard", "openShard")
                .expression_attribute_values(":handled", value.clone())
                .expression_attribute_values(
                    ":expiresAt",
                    AttributeValue::N(expires_at.to_string()),
                )
                .send();
            match updated.await {
                Ok(_) => Ok(true),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                    _ => Err(StoreError::sdk(error)),
                },
            }
        };
        Patience::new(self.deadline).call(update).await
    }

    pub async fn discard(&self, key: &str) -> Result<(), StoreError> {
        let delete = async || {
            let delete = self.client.delete_item().table_name(&self.table);
            delete.key("reference", text_value(key)).send().await.map_err(StoreError::sdk)
        };
        Patience::new(self.deadline).call(delete).await.map(drop)
    }

    /// Returns true if a key belongs to a foreign notification of `owner`: an environment and a
    /// merchant account.
    pub fn is_foreign_of(key: &str, owner: [&str; 2]) -> bool {
        key.starts_with(&(self::key(Class::Foreign, owner) + "#"))
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
    item.extend(list::of_letter(class, key, letter));
    if class == Class::Foreign {
        let expires_at = letter.received_at.as_second() + limits::EVENT_KEPT.as_secs();
        item.insert("expiresAt".to_owned(), AttributeValue::N(expires_at.to_string()));
        let since = letter.received_at;
        item.extend(open::attributes(shard(open::FOREIGN, key), since, since));
    }
    Ok(item)
}

/// Joins the parts to a key. A part that is too long is replaced by its digest.
fn key<'a>(class: Class, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut key = class.as_str().to_owned();
    for part in parts {
        key.push('#');
        match part.len() {
            0..=limits::KEY_PART => key.push_str(part),
            _ => key.push_str(&sha256(&[part.as_bytes()])),
        }
    }
    key
}
