//! Lists orders and letters, the latest first.
//!
//! The sort key of each index is a time and the key of the item, which is therefore unique and is the
//! cursor of a page. `position` has the time of the last write. `shopperPosition` has the time at which
//! the item was created, so that later writes do not move the entry.
//!
//! | index | partition key | sort key | items |
//! |---|---|---|---|
//! | `updated` | `statusShard`: the status and a shard | `position` | every order |
//! | `attention` | `attentionShard`: the kind and a shard | `position` | orders that need attention, and letters |
//! | `shopper` | `shopperReference` | `shopperPosition` | orders and letters that name a shopper |
//!
//! A page reads a limited number of keys of each shard and merges them, so its cost does not
//! depend on the number of items. The indexes are eventually consistent.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Class, Item, Letter, Orders, text_value};
use crate::{
    domain::{
        order::{Derived, Order, Status, sha256},
        shopper_reference::ShopperReference,
    },
    limits,
    store::{StoreError, patience::Patience},
};

/// The items to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing<'a> {
    /// The orders with this status, or all.
    Orders(Option<Status>),
    /// The orders that need attention.
    NeedAttention,
    Letters(Class),
    /// The orders and the letters that name this shopper, by the time of their creation.
    OfShopper(&'a ShopperReference),
}

/// The times and the place from which a page begins.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// Written at this time or later.
    pub from: Option<Timestamp>,
    /// Written before this time.
    pub to: Option<Timestamp>,
    pub after: Option<Cursor>,
}

/// The position after which a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cursor(String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The reference of an order, or the key of a letter.
    pub key: String,
    /// In the list of a shopper it is the time of the creation.
    pub updated_at: Timestamp,
    /// Empty for a letter, and in the list of a shopper.
    pub status: String,
    /// The codes of the reasons for attention.
    pub attention: Vec<String>,
    /// The reason for which a letter was not applied.
    pub why: String,
    position: String,
}

impl Listed {
    /// The place from which a page begins that follows this item.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.position.clone())
    }
}

#[derive(Debug, Default)]
pub struct ListPage {
    pub items: Vec<Listed>,
    pub next: Option<Cursor>,
}

impl TryFrom<String> for Cursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text).ok_or("expected the nextCursor of a page")
    }
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let position = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (at, key) = position.split_once('#')?;
        let is_ours = position_of(at.parse().ok()?, key) == position;
        (is_ours && (1..=limits::KEY_PART).contains(&key.len())).then_some(Self(position))
    }

    pub fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.0)
    }
}

impl Listing<'_> {
    /// The index, its partition key and its sort key.
    fn index(self) -> [&'static str; 3] {
        match self {
            Self::Orders(_) => ["updated", "statusShard", "position"],
            Self::NeedAttention | Self::Letters(_) => ["attention", "attentionShard", "position"],
            Self::OfShopper(_) => ["shopper", "shopperReference", "shopperPosition"],
        }
    }

    fn shards(self) -> Vec<String> {
        let kinds: Vec<&str> = match self {
            Self::Orders(Some(status)) => vec![status.as_str()],
            Self::Orders(None) => Status::ALL.map(Status::as_str).to_vec(),
            Self::NeedAttention => vec![ORDER],
            Self::Letters(class) => vec![class.as_str()],
            Self::OfShopper(shopper) => return vec![shopper.as_str().to_owned()],
        };
        let shards = |kind| (0..limits::LIST_SHARDS).map(move |shard| format!("{kind}-{shard}"));
        kinds.into_iter().flat_map(shards).collect()
    }
}

impl Orders {
    /// Reads a page, the latest item first. It has [`limits::PAGE`] items unless it is the last.
    pub async fn list(&self, listing: Listing<'_>, range: &Range) -> Result<ListPage, StoreError> {
        let shards = listing.shards().into_iter();
        let read = shards.map(|shard| self.list_shard(listing, shard, range));
        let read = stream::iter(read).buffer_unordered(limits::LIST_AT_ONCE);
        let read: Vec<(Vec<Listed>, bool)> = read.try_collect().await?;
        let mut has_more = read.iter().any(|(_, has_more)| *has_more);
        let mut items: Vec<Listed> = read.into_iter().flat_map(|(items, _)| items).collect();
        items.sort_by(|one, other| other.position.cmp(&one.position));
        // An order that was written meanwhile may be found in two shards. Its latest entry counts.
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(item.key.clone()));
        has_more |= items.len() > limits::PAGE as usize;
        // A shard that has more was read this far, so none of its items is skipped.
        items.truncate(limits::PAGE as usize);
        let last = items.last().filter(|_| has_more);
        let next = last.map(Listed::cursor);
        Ok(ListPage { items, next })
    }

    /// Reads the latest items of a shard. Returns true if there may be more.
    async fn list_shard(
        &self,
        listing: Listing<'_>,
        shard: String,
        range: &Range,
    ) -> Result<(Vec<Listed>, bool), StoreError> {
        let [index, key, sort] = listing.index();
        // Every position begins with a digit.
        let from = range.from.map_or("0".to_owned(), time);
        let to = range.to.map_or(":".to_owned(), time);
        let after = range.after.as_ref().map(|after| after.0.as_str());
        let before = after.map_or(&*to, |after| after.min(&to));
        if before < from.as_str() {
            return Ok((Vec::new(), false));
        }
        let query = async || {
            self.client
                .query()
                .table_name(&self.table)
                .index_name(index)
                .key_condition_expression("#shard = :shard AND #position BETWEEN :from AND :before")
                .expression_attribute_names("#shard", key)
                .expression_attribute_names("#position", sort)
                .expression_attribute_values(":shard", text_value(&shard))
                .expression_attribute_values(":from", text_value(&from))
                .expression_attribute_values(":before", text_value(before))
                .scan_index_forward(false)
                // BETWEEN includes the item of the cursor, which the page before has.
                .limit(limits::PAGE + 1)
                .send()
                .await
                .map_err(StoreError::sdk)
        };
        let page = Patience::new(self.deadline).call(query).await?;
        let has_more = page.last_evaluated_key.is_some();
        let items = page.items.into_iter().flatten();
        let mut items: Vec<Listed> = items.filter_map(|item| listed(item, sort)).collect();
        items.retain(|item| Some(item.position.as_str()) != after);
        Ok((items, has_more))
    }
}

const ORDER: &str = "order";

/// The attributes by which an order is listed.
pub(super) const ATTRIBUTES: [&str; 5] =
    ["statusShard", "attentionShard", "position", "attention", "shopperPosition"];

pub(super) fn of_order(order: &Order, derived: &Derived) -> Item {
    let reference = order.reference.as_str();
    let mut item = Item::from([
        text("statusShard", shard(derived.status.as_str(), reference)),
        text("position", position_of(order.updated_at, reference)),
    ]);
    if !derived.needs_attention.is_empty() {
        let codes = derived.needs_attention.iter().map(|reason| reason.code());
        item.extend([
            text("attentionShard", shard(ORDER, reference)),
            text("attention", codes.collect::<Vec<_>>().join(" ")),
        ]);
    }
    if order.shopper_reference.is_some() {
        item.extend([text("shopperPosition", position_of(order.created_at, reference))]);
    }
    item
}

/// A letter is always listed, because it waits for a person. Its key may be too long for an index.
pub(super) fn of_letter(class: Class, key: &str, letter: &Letter) -> Item {
    let position = position_of(letter.received_at, &sha256(&[key.as_bytes()]));
    let shard = shard(class.as_str(), key);
    let mut item = Item::from([text("attentionShard", shard), text("position", position.clone())]);
    if letter.shopper_reference.is_some() {
        item.extend([text("shopperPosition", position)]);
    }
    item
}

fn text(name: &str, text: String) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::S(text))
}

fn shard(kind: &str, key: &str) -> String {
    let digest = sha256(&[key.as_bytes()]);
    let number = u64::from_str_radix(&digest[..8], 16).unwrap_or_default();
    format!("{kind}-{}", number % limits::LIST_SHARDS)
}

fn position_of(at: Timestamp, key: &str) -> String {
    format!("{}#{key}", time(at))
}

/// Formats a time with all digits, so that times sort as texts.
fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

fn listed(item: Item, sort: &str) -> Option<Listed> {
    let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
    let or_empty = |name: &str| text(name).unwrap_or_default();
    let position = text(sort)?;
    let status = text("statusShard").and_then(|it| Some(it.rsplit_once('-')?.0.to_owned()));
    Some(Listed {
        key: text("reference")?,
        updated_at: position.split_once('#')?.0.parse().ok()?,
        status: status.unwrap_or_default(),
        attention: or_empty("attention").split_whitespace().map(str::to_owned).collect(),
        why: or_empty("why"),
        position,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn positions_sort_by_time_and_then_by_key() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let positions = [
            position_of(at("2026-11-26T09:59:59.999999999Z"), "Z"),
            position_of(at("2026-11-26T10:00:00Z"), "A"),
            position_of(at("2026-11-26T10:00:00Z"), "B"),
            position_of(at("2026-11-26T10:00:00.1Z"), "A"),
            position_of(at("2026-11-26T10:00:00.12Z"), "A"),
        ];
        assert!(positions.is_sorted(), "{positions:?}");
        for position in positions {
            let cursor = Cursor(position);
            assert_eq!(Cursor::read(&cursor.text()), Some(cursor));
        }
    }

    #[test]
    fn malformed_cursor_is_not_read() {
        let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for wrong in [
            String::new(),
            "x".to_owned(),
            encoded("2026-11-26T10:00:00Z#A"),
            encoded("2026-11-26T10:00:00.000000000Z#"),
            encoded("2026-11-26T10:00:00.000000000Z"),
            encoded("today#A"),
            encoded(&format!("2026-11-26T10:00:00.000000000Z#{}", "A".repeat(257))),
        ] {
            assert_eq!(Cursor::read(&wrong), None, "{wrong}");
        }
    }
}
