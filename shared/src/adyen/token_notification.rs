//! Token webhooks, which report stored payment methods. Source: Adyen's tokenization webhooks,
//! version 1.
//!
//! The signature covers the whole body and is in the header `hmacsignature`. The body is read as
//! leniently as that of a standard webhook.

use jiff::Timestamp;
use serde::Deserialize;

use super::lenient::Members;
use crate::domain::{
    date,
    token::{TokenEvent, TokenEventType, TokenId},
    unknown::Unknown,
};
use crate::limits;

/// One delivery, which has one event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Members")]
pub struct TokenNotification {
    /// ISO 8601 with an offset.
    pub created_at: Option<String>,
    /// `test` or `live`.
    pub environment: Option<String>,
    /// The pspReference of the cause, which is the payment for a new token. It is not unique.
    pub event_id: Option<String>,
    pub kind: Option<TokenEventType>,
    pub data: Option<TokenData>,
    /// True if an identifying field has unreadable characters.
    pub is_garbled: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Members")]
pub struct TokenData {
    pub merchant_account: Option<String>,
    pub shopper_reference: Option<String>,
    pub stored_payment_method_id: Option<String>,
    /// The payment method's name. Adyen publishes no list of them.
    pub kind: Option<String>,
}

impl From<Members> for TokenNotification {
    fn from(members: Members) -> Self {
        Self {
            created_at: members.read("createdAt"),
            environment: members.read("environment"),
            event_id: members.read("eventId"),
            kind: members.read("type"),
            data: members.read("data"),
            is_garbled: false,
        }
    }
}

impl From<Members> for TokenData {
    fn from(members: Members) -> Self {
        Self {
            merchant_account: members.read("merchantAccount"),
            shopper_reference: members.read("shopperReference"),
            stored_payment_method_id: members.read("storedPaymentMethodId"),
            kind: members.read("type"),
        }
    }
}

impl TokenNotification {
    /// Reads a delivery. `otherwise` has the same members with the second replacement for
    /// unreadable characters, and is `None` if there are none.
    pub(super) fn read(members: Members, otherwise: Option<Members>) -> Self {
        let mut notification = Self::from(members);
        let others = otherwise.map(Self::from);
        notification.is_garbled = others.is_some_and(|other| {
            // The kind may be missing because its member's name is unreadable.
            notification.kind.is_none() || other.identity() != notification.identity()
        });
        notification
    }

    /// The fields that identify an event and its token.
    fn identity(&self) -> [Option<&str>; 6] {
        let data = self.data.as_ref();
        [
            self.environment.as_deref(),
            self.event_id.as_deref(),
            self.kind.as_ref().map(TokenEventType::as_str),
            data.and_then(|data| data.merchant_account.as_deref()),
            data.and_then(|data| data.shopper_reference.as_deref()),
            data.and_then(|data| data.stored_payment_method_id.as_deref()),
        ]
    }
}

impl TokenNotification {
    /// The event and its token, or `None` if an identifying field is missing or too long.
    pub fn event(&self, received_at: Timestamp) -> Option<(TokenId, TokenEvent)> {
        let data = self.data.as_ref()?;
        let key = TokenId {
            shopper_reference: data.shopper_reference.clone()?.try_into().ok()?,
            stored_payment_method_id: data.stored_payment_method_id.clone()?.try_into().ok()?,
        };
        let kept = |text: &Option<String>| {
            text.clone().filter(|text| text.len() <= limits::TOKEN_EVENT_TEXT)
        };
        let event = TokenEvent {
            created_at: self.created_at.as_deref().and_then(date::read),
            kind: self.kind.clone().filter(|kind| !matches!(kind, TokenEventType::Unknown(_)))?,
            event_id: kept(&self.event_id).filter(|id| !id.is_empty())?,
            payment_method: kept(&data.kind),
            reference: None,
            received_at,
            unknown: Unknown::default(),
        };
        Some((key, event))
    }
}
