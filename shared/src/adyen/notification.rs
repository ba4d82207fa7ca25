//! Standard webhooks: what became of payments. Source: Adyen's webhook specifications.
//!
//! Lenient by design: fields may be absent, null or new, and one that is not signed counts as
//! absent where it is of another type than Adyen documents.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use super::hmac;
use crate::text::open_enum;

open_enum! {
    /// What an event is about. Only those that an order's life knows are named.
    EventCode {
        /// A payment was authorised, or not.
        Authorisation = "AUTHORISATION",
        /// The shopper did not complete a payment in time.
        OfferClosed = "OFFER_CLOSED",
        /// A capture was accepted, or not.
        Capture = "CAPTURE",
        /// A capture that had been accepted failed.
        CaptureFailed = "CAPTURE_FAILED",
        /// A payment was cancelled, or not.
        Cancellation = "CANCELLATION",
        /// As CANCELLATION, for a cancel without the payment's pspReference.
        TechnicalCancel = "TECHNICAL_CANCEL",
        /// A reversal: cancelled or refunded, as `modification.action` says.
        CancelOrRefund = "CANCEL_OR_REFUND",
        /// A refund was accepted, or not.
        Refund = "REFUND",
        /// A refund that had been accepted failed.
        RefundFailed = "REFUND_FAILED",
        /// Refunded money came back.
        RefundedReversed = "REFUNDED_REVERSED",
        /// What was not captured in time cannot be any more.
        Expire = "EXPIRE",
        /// The shopper's bank took the money back.
        Chargeback = "CHARGEBACK",
        /// A chargeback was won.
        ChargebackReversed = "CHARGEBACK_REVERSED",
        /// A chargeback was lost for good.
        SecondChargeback = "SECOND_CHARGEBACK",
        /// A chargeback may come.
        NotificationOfChargeback = "NOTIFICATION_OF_CHARGEBACK",
        /// The shopper's bank asks questions.
        RequestForInformation = "REQUEST_FOR_INFORMATION",
        /// The shopper's bank accepted the merchant's defence after a chargeback was reversed.
        PrearbitrationWon = "PREARBITRATION_WON",
        /// It did not accept it.
        PrearbitrationLost = "PREARBITRATION_LOST",
        /// The card scheme decided for the merchant.
        SchemeArbitrationWon = "SCHEME_ARBITRATION_WON",
        /// The card scheme decided for the shopper's bank.
        SchemeArbitrationLost = "SCHEME_ARBITRATION_LOST",
    }
}

/// One delivery.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Whether from Adyen's live environment: `"true"` or `"false"`. None where that cannot
    /// be read.
    #[serde(default, deserialize_with = "flag")]
    pub live: Option<bool>,
    /// In JSON one item, but any number is taken.
    pub notification_items: Vec<NotificationItem>,
}

/// The wrapper of an item.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotificationItem {
    /// The item.
    pub notification_request_item: NotificationRequestItem,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotificationRequestItem {
    /// The event's own reference; for AUTHORISATION and EXPIRE the payment's.
    pub psp_reference: Option<String>,
    /// For modifications the payment's reference.
    pub original_reference: Option<String>,
    /// The merchant account.
    pub merchant_account_code: Option<String>,
    /// The order's reference, or the modification's own.
    pub merchant_reference: Option<String>,
    /// What it is about.
    #[serde(deserialize_with = "amount")]
    pub amount: Option<NotificationAmount>,
    /// What happened.
    pub event_code: Option<EventCode>,
    /// Whether it worked: `"true"` or `"false"`.
    pub success: Option<Success>,
    /// ISO 8601 with an offset.
    #[serde(deserialize_with = "lenient")]
    pub event_date: Option<String>,
    /// Why, or for an authorised card its last digits. May be the text `null`.
    #[serde(deserialize_with = "lenient")]
    pub reason: Option<String>,
    /// The signature, `modification.action` and much that is not signed.
    #[serde(deserialize_with = "lenient")]
    pub additional_data: Option<Map<String, Value>>,
}

/// An amount as webhooks carry it: zero and any currency are possible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NotificationAmount {
    /// Currency code.
    #[serde(deserialize_with = "lenient")]
    pub currency: Option<String>,
    /// Minor units, as a number or as text.
    pub value: Option<MinorUnits>,
}

/// Minor units as they were written, because that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinorUnits(String);

impl MinorUnits {
    /// The number of minor units, if it is one.
    pub fn value(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl<'de> Deserialize<'de> for MinorUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Box::<RawValue>::deserialize(deserializer)?;
        let text = serde_json::from_str(written.get());
        Ok(Self(text.unwrap_or_else(|_| written.get().to_owned())))
    }
}

/// An amount of any form: an item that is signed is never refused for it. Read from its text,
/// as a [`Value`] would not keep a number as it was written.
pub(super) fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NotificationAmount>, D::Error> {
    let written: Option<Box<RawValue>> = Deserialize::deserialize(deserializer)?;
    Ok(written.map(|amount| serde_json::from_str(amount.get()).unwrap_or_default()))
}

/// `success`, with the text as it was written, because that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success(String);

impl Success {
    /// Whether it worked.
    pub fn is_true(&self) -> bool {
        self.0 == "true"
    }
}

impl<'de> Deserialize<'de> for Success {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Flag(bool),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text)),
            Written::Flag(flag) => Ok(Self(flag.to_string())),
        }
    }
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let written: Option<Success> = lenient(deserializer)?;
    Ok(written.and_then(|written| written.0.to_ascii_lowercase().parse().ok()))
}

/// A value that counts as absent where it is of another type.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

impl NotificationRequestItem {
    /// What the signature covers: eight fields joined by colons, nothing escaped, absent
    /// ones empty.
    pub fn signed_content(&self) -> String {
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
        .join(":")
    }

    /// The position of the key that signed this item, if one did.
    pub fn verify(&self, keys: &hmac::Keys) -> Option<usize> {
        let signature = self.additional("hmacSignature")?;
        keys.verify(self.signed_content().as_bytes(), signature)
    }

    /// Whether what is signed can be split into fields in more than one way. Not with what
    /// Adyen sends: only a merchant's own reference may have a colon in it.
    pub fn is_ambiguous(&self) -> bool {
        let references = self.merchant_reference.iter();
        let colons = references.flat_map(|text| text.matches(':')).count();
        self.signed_content().matches(':').count() != 7 + colons
    }

    /// A text of `additionalData`.
    pub fn additional(&self, name: &str) -> Option<&str> {
        self.additional_data.as_ref()?.get(name)?.as_str()
    }
}
