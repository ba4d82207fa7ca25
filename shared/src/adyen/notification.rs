//! Standard webhooks, which report payments and modifications. Source: Adyen's webhook
//! specifications.
//!
//! They are read leniently: a field may be absent, null, unknown or duplicate, and an unreadable
//! field counts as absent unless it is signed.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{hmac, lenient::Members};
use crate::domain::{
    date,
    event_code::EventCode,
    order::{AdyenEvent, EventAmount},
    unknown::Unknown,
};

/// One delivery.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Members")]
pub struct Notification {
    /// True if sent by Adyen's live environment, which writes `"true"` or `"false"`. None if
    /// unreadable.
    pub live: Option<bool>,
    /// Adyen sends one item in JSON, but any number is accepted.
    pub notification_items: Vec<NotificationItem>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Members")]
pub struct NotificationItem {
    pub notification_request_item: NotificationRequestItem,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Members")]
pub struct NotificationRequestItem {
    /// The event's own reference. For AUTHORISATION and EXPIRE it is the payment's.
    pub psp_reference: Option<String>,
    /// The payment's reference, for modifications.
    pub original_reference: Option<String>,
    pub merchant_account_code: Option<String>,
    /// The order's reference, or the modification's own.
    pub merchant_reference: Option<String>,
    pub amount: Option<NotificationAmount>,
    pub event_code: Option<EventCode>,
    pub success: Option<Success>,
    /// ISO 8601 with an offset.
    pub event_date: Option<String>,
    /// The reason of a failure, or the last digits of an authorised card. May be the text `null`.
    pub reason: Option<String>,
    /// The signature, `modification.action` and many unsigned members.
    pub additional_data: Option<Map<String, Value>>,
    /// The same item with the second replacement for unreadable characters, if that changes a
    /// signed field.
    otherwise: Option<Box<NotificationRequestItem>>,
}

/// An amount in a webhook, which may be zero and in any currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Members")]
pub struct NotificationAmount {
    pub currency: Option<String>,
    /// Minor units, which Adyen may write as a number or a string.
    pub value: Option<MinorUnits>,
}

/// The text of the minor units exactly as received, because the signature covers that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinorUnits(String);

impl MinorUnits {
    pub fn value(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

/// The text of `success` exactly as received, because the signature covers that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success(String);

impl Success {
    pub fn is_true(&self) -> bool {
        self.value() == Some(true)
    }

    fn value(&self) -> Option<bool> {
        self.0.to_ascii_lowercase().parse().ok()
    }
}

impl TryFrom<Members> for Notification {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        let live = members.written("live");
        Ok(Self {
            live: live.and_then(|live| live.to_ascii_lowercase().parse().ok()),
            notification_items: members
                .read("notificationItems")
                .ok_or("notificationItems: expected a list of items")?,
        })
    }
}

impl TryFrom<Members> for NotificationItem {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        let item = members.read("NotificationRequestItem");
        let item = item.ok_or("NotificationRequestItem: expected an object")?;
        Ok(Self { notification_request_item: item })
    }
}

impl From<Members> for NotificationRequestItem {
    fn from(members: Members) -> Self {
        let additional_data: Option<Members> = members.read("additionalData");
        Self {
            psp_reference: members.written("pspReference"),
            original_reference: members.written("originalReference"),
            merchant_account_code: members.written("merchantAccountCode"),
            merchant_reference: members.written("merchantReference"),
            amount: members.read("amount"),
            event_code: members
                .written("eventCode")
                .filter(|code| !code.is_empty())
                .map(EventCode::from),
            success: members.written("success").map(Success),
            event_date: members.read("eventDate"),
            reason: members.read("reason"),
            additional_data: additional_data.map(|data| data.values().collect()),
            otherwise: None,
        }
    }
}

impl From<Members> for NotificationAmount {
    fn from(members: Members) -> Self {
        Self {
            currency: members.written("currency"),
            value: members.written("value").map(MinorUnits),
        }
    }
}

impl Notification {
    /// Reads a delivery. `otherwise` has the same members with the second replacement for
    /// unreadable characters, and is `None` if there are none.
    pub(super) fn read(members: Members, otherwise: Option<Members>) -> Result<Self, &'static str> {
        let mut notification = Self::try_from(members)?;
        let others = otherwise.map(Self::try_from).transpose()?;
        let others = others.into_iter().flat_map(|it| it.notification_items);
        for (item, other) in notification.notification_items.iter_mut().zip(others) {
            let item = &mut item.notification_request_item;
            let other = other.notification_request_item;
            if item.signed_content() != other.signed_content() {
                item.otherwise = Some(Box::new(other));
            }
        }
        Ok(notification)
    }
}

impl NotificationRequestItem {
    /// The signed fields in the order in which they are signed. An absent field is empty.
    fn signed_fields(&self) -> [&str; 8] {
        fn text(field: &Option<String>) -> &str {
            field.as_deref().unwrap_or_default()
        }
        let amount = self.amount.as_ref();
        [
            text(&self.psp_reference),
            text(&self.original_reference),
            text(&self.merchant_account_code),
            text(&self.merchant_reference),
            amount.and_then(|amount| amount.value.as_ref()).map_or("", |value| &value.0),
            amount.and_then(|amount| amount.currency.as_deref()).unwrap_or_default(),
            self.event_code.as_ref().map_or("", EventCode::as_str),
            self.success.as_ref().map_or("", |success| &success.0),
        ]
    }

    /// The content that the signature covers: eight fields joined by colons, nothing escaped.
    pub fn signed_content(&self) -> String {
        self.signed_fields().join(":")
    }

    /// The position of the key that signed this item. If a signed field has unreadable
    /// characters, each replacement that the signer may have used is tried.
    pub fn verify(&self, keys: &hmac::Keys) -> Option<usize> {
        let signature = self.additional("hmacSignature")?;
        let mut readings = [Some(self), self.otherwise.as_deref()].into_iter().flatten();
        readings.find_map(|item| keys.verify(item.signed_content().as_bytes(), signature))
    }

    /// True if a signed field has unreadable characters. The merchant's own reference does not
    /// count, because the order can also be found by its payment.
    pub fn is_garbled(&self) -> bool {
        const MERCHANT_REFERENCE: usize = 3;
        self.otherwise.as_ref().is_some_and(|other| {
            let fields = self.signed_fields().into_iter().zip(other.signed_fields());
            let mut fields = fields.enumerate().filter(|(at, _)| *at != MERCHANT_REFERENCE);
            fields.any(|(_, (one, other))| one != other)
        })
    }

    /// True if another event can have the same signed content, because a field other than the
    /// merchant's own reference contains a colon. Adyen sends no such event.
    pub fn is_ambiguous(&self) -> bool {
        let references = self.merchant_reference.iter();
        let colons = references.flat_map(|text| text.matches(':')).count();
        self.signed_content().matches(':').count() != 7 + colons
    }

    pub fn additional(&self, name: &str) -> Option<&str> {
        self.additional_data.as_ref()?.get(name)?.as_str()
    }

    /// The shopper, if an unsigned member names one.
    pub fn shopper_reference(&self) -> Option<&str> {
        const NAMES: [&str; 3] =
            ["shopperReference", "recurring.shopperReference", "tokenization.shopperReference"];
        NAMES.into_iter().find_map(|name| self.additional(name))
    }

    /// The event, or `None` if the item lacks its code, pspReference or success. An unreadable
    /// amount counts as absent.
    pub fn event(&self, received_at: Timestamp) -> Option<AdyenEvent> {
        let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        Some(AdyenEvent {
            event_date: self.event_date.as_deref().and_then(date::read),
            event_code: self.event_code.clone()?,
            psp_reference: text(&self.psp_reference)?,
            success: self.success.as_ref()?.value()?,
            original_reference: text(&self.original_reference),
            amount: self.amount.as_ref().and_then(|amount| {
                Some(EventAmount {
                    currency: amount.currency.clone()?,
                    value: amount.value.as_ref()?.value()?,
                    unknown: Unknown::default(),
                })
            }),
            reason: text(&self.reason).filter(|reason| reason != "null"),
            modification_action: self.additional("modification.action").map(str::to_owned),
            received_at,
            unknown: Unknown::default(),
        })
    }
}
