//! Amazon Pay's checkout session.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::price::Price;
use crate::domain::text::{Text, open_enum};

/// Amazon Pay's name of a checkout session: 1 to 64 letters, digits, `-` and `_`, so that
/// it can stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct CheckoutSessionId(String);

/// The text cannot be the id of a checkout session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 letters, digits, '-' or '_'")]
pub struct InvalidCheckoutSessionId;

impl CheckoutSessionId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CheckoutSessionId {
    type Err = InvalidCheckoutSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidCheckoutSessionId> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCheckoutSessionId)
        }
    }
}

impl fmt::Display for CheckoutSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CheckoutSessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The token that Adyen charges: 1 to 1000 characters without white space and control characters.
/// Prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AmazonPayToken(Text<1000>);

impl TryFrom<String> for AmazonPayToken {
    type Error = String;

    fn try_from(token: String) -> Result<Self, String> {
        let token = Text::try_from(token)?;
        match token.contains(char::is_whitespace) {
            true => Err("expected text without white space".to_owned()),
            false => Ok(Self(token)),
        }
    }
}

impl Deref for AmazonPayToken {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AmazonPayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The part of Get and Update Checkout Session's answers that matters here: nothing of it
/// says who the buyer is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutSession {
    /// How far it is.
    pub status_details: StatusDetails,
    /// The amount to pay.
    pub payment_details: Option<PaymentDetails>,
    /// Where the browser goes.
    pub web_checkout_details: Option<Redirect>,
    /// Which order it is for.
    pub merchant_metadata: Option<MerchantMetadata>,
    /// The constraints that keep the shopper from confirming.
    pub constraints: Option<Vec<Constraint>>,
    /// Once the shopper confirmed, and only for a key that is enabled for Adyen.
    pub amazon_pay_token: Option<AmazonPayToken>,
}

impl CheckoutSession {
    /// The reference of the order that it is for, once that was set.
    pub fn order(&self) -> Option<&str> {
        let reference = self.merchant_metadata.as_ref()?.merchant_reference_id.as_deref();
        reference.filter(|reference| !reference.is_empty())
    }
}

/// How far a session is, and why it ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetails {
    /// How far it is.
    pub state: State,
    /// Why it was cancelled: `BuyerCanceled`, `Expired`, `AmazonCanceled`, `Declined`.
    pub reason_code: Option<String>,
}

open_enum! {
    /// How far a checkout session is.
    State {
        /// It can be paid, for 24 hours.
        Open = "Open",
        /// It was completed, so an acquirer can no longer charge it.
        Completed = "Completed",
        /// It ended without a payment.
        Canceled = "Canceled",
    }
}

/// The amount to pay.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetails {
    /// As the last update set it.
    pub charge_amount: Option<Price>,
}

/// Which order it is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MerchantMetadata {
    /// The order's reference, as the last update set it.
    pub merchant_reference_id: Option<String>,
}

/// Where the browser goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redirect {
    /// To the page where the shopper confirms, once nothing is missing.
    pub amazon_pay_redirect_url: Option<String>,
}

/// Something that is missing.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Constraint {
    /// Such as `ChargeAmountNotSet`.
    pub constraint_id: String,
}
