//! Token webhooks: the life of stored payment methods. Source: Adyen's tokenization
//! webhooks, version 1.
//!
//! The signature covers the whole body and comes in the header `hmacsignature`. Lenient as
//! standard webhooks are.

use serde::Deserialize;

use super::notification::lenient;
use crate::text::open_enum;

open_enum! {
    /// What became of a token.
    TokenEventType {
        /// A token was created.
        Created = "recurring.token.created",
        /// A token's details changed.
        Updated = "recurring.token.updated",
        /// The details were stored already.
        AlreadyExisting = "recurring.token.alreadyExisting",
        /// A token cannot be charged any more.
        Disabled = "recurring.token.disabled",
    }
}

/// One delivery, which is one event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenNotification {
    /// ISO 8601 with an offset.
    #[serde(deserialize_with = "lenient")]
    pub created_at: Option<String>,
    /// `test` or `live`.
    #[serde(deserialize_with = "lenient")]
    pub environment: Option<String>,
    /// The pspReference of what caused it, for a new token its payment; not unique.
    #[serde(deserialize_with = "lenient")]
    pub event_id: Option<String>,
    /// What happened.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Option<TokenEventType>,
    /// To which token.
    #[serde(deserialize_with = "lenient")]
    pub data: Option<TokenData>,
}

/// The token that an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenData {
    /// The merchant account.
    #[serde(deserialize_with = "lenient")]
    pub merchant_account: Option<String>,
    /// The merchant's name for the shopper.
    #[serde(deserialize_with = "lenient")]
    pub shopper_reference: Option<String>,
    /// The token.
    #[serde(deserialize_with = "lenient")]
    pub stored_payment_method_id: Option<String>,
    /// The payment method's name. Adyen publishes no list of them.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Option<String>,
}
