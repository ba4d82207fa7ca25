//! The index `open` lists the items that the schedule can act on, by the time from which it can.
//!
//! Only these items have its three attributes: `openShard`, one of sixteen so that no partition
//! is hot; `recoverAt`, the time from which the schedule can act; and `openSince`.

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::AttributeValue};
use jiff::Timestamp;

use super::{Item, Orders, text_value};
use crate::{
    domain::{order::sha256, reference::Reference},
    limits,
    store::{StoreError, patience::Patience},
};

const INDEX: &str = "open";

/// The prefixes of the shards.
const ORDERS: &str = "order";
pub(super) const FOREIGN: &str = "foreign";

/// An item of the index that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// An order's reference, or the key of a notification.
    pub key: String,
    /// The time since which it is open.
    pub since: Timestamp,
    recover_at: String,
}

/// A page of a shard's due items, the longest due first.
#[derive(Debug, Default)]
pub struct Page {
    pub due: Vec<Due>,
    pub next: Option<Place>,
}

/// The start of a page.
#[derive(Debug, Clone)]
pub struct Place {
    shard: String,
    after: Option<Item>,
}

impl Orders {
    /// Returns the first page of each shard of the orders.
    pub fn open_orders() -> Vec<Place> {
        places(ORDERS)
    }

    /// Returns the first page of each shard of the foreign notifications.
    pub fn foreign() -> Vec<Place> {
        places(FOREIGN)
    }

    /// Reads a page of the items that are due at `now`. The index is eventually consistent.
    pub async fn due(&self, place: Place, now: Timestamp) -> Result<Page, StoreError> {
        let Place { shard, after } = place;
        let now = second(now);
        let query = async || {
            self.client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression("#shard = :shard AND #recoverAt <= :now")
                .expression_attribute_names("#shard", "openShard")
                .expression_attribute_names("#recoverAt", "recoverAt")
                .expression_attribute_values(":shard", text_value(&shard))
                .expression_attribute_values(":now", text_value(&now))
                .limit(limits::PAGE)
                .set_exclusive_start_key(after.clone())
                .send()
                .await
                .map_err(StoreError::sdk)
        };
        let page = Patience::new(self.deadline).call(query).await?;
        let next =
            page.last_evaluated_key.map(|after| Place { shard: shard.clone(), after: Some(after) });
        Ok(Page { due: page.items.into_iter().flatten().filter_map(due).collect(), next })
    }

    /// Postpones an order that cannot be read or written. Changes nothing else of the item, and
    /// nothing at all if the item was written since.
    pub async fn postpone(&self, due: &Due, until: Timestamp) -> Result<(), StoreError> {
        let update = async || {
            let update = self.client.update_item().table_name(&self.table);
            let updated = update
                .key("reference", text_value(&due.key))
                .update_expression("SET #recoverAt = :until REMOVE #change")
                .condition_expression("#recoverAt = :seen")
                .expression_attribute_names("#recoverAt", "recoverAt")
                .expression_attribute_names("#change", "change")
                .expression_attribute_values(":until", text_value(&second(until)))
                .expression_attribute_values(":seen", text_value(&due.recover_at))
                .send();
            match updated.await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                    _ => Err(StoreError::sdk(error)),
                },
            }
        };
        Patience::new(self.deadline).call(update).await
    }
}

/// Returns the attributes that add an item to the index.
pub(super) fn attributes(
    shard: String,
    since: Timestamp,
    due_at: Timestamp,
) -> [(String, AttributeValue); 3] {
    [("openShard", shard), ("openSince", since.to_string()), ("recoverAt", second(due_at))]
        .map(|(name, text)| (name.to_owned(), AttributeValue::S(text)))
}

pub(super) fn shard_of(reference: &Reference) -> String {
    shard(ORDERS, reference.as_str())
}

pub(super) fn shard(prefix: &str, key: &str) -> String {
    let digest = sha256(&[key.as_bytes()]);
    format!("{prefix}-{}", &digest[..1])
}

fn places(prefix: &str) -> Vec<Place> {
    let shards = "0123456789abcdef".chars().map(|digit| format!("{prefix}-{digit}"));
    shards.map(|shard| Place { shard, after: None }).collect()
}

fn due(item: Item) -> Option<Due> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Due {
        key: text("reference")?,
        since: text("openSince")?.parse().ok()?,
        recover_at: text("recoverAt")?,
    })
}

/// Formats a time without its fraction, because a fraction does not sort correctly as text. An
/// item may therefore be found up to a second too early.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
