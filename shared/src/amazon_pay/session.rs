//! Amazon Pay's checkout session.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::price::Price;
use crate::domain::text::{Text, open_enum};

/// 1 to 64 letters, digits, `-` and `_`, so that it can be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct CheckoutSessionId(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 letters, digits, '-' or '_'")]
pub struct InvalidCheckoutSessionId;

impl CheckoutSessionId {
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
/// Its `Debug` form is `[redacted]`.
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

/// The fields that are used from the answers of Get and Update Checkout Session. None of them
/// identifies the buyer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutSession {
    pub status_details: StatusDetails,
    pub payment_details: Option<PaymentDetails>,
    pub web_checkout_details: Option<Redirect>,
    pub merchant_metadata: Option<MerchantMetadata>,
    /// Missing data without which the shopper cannot confirm.
    pub constraints: Option<Vec<Constraint>>,
    /// Present after the shopper has confirmed, if the key is enabled for Adyen.
    pub amazon_pay_token: Option<AmazonPayToken>,
}

impl CheckoutSession {
    /// The reference of the session's order, if it was set.
    pub fn order(&self) -> Option<&str> {
        let reference = self.merchant_metadata.as_ref()?.merchant_reference_id.as_deref();
        reference.filter(|reference| !reference.is_empty())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetails {
    pub state: State,
    /// The reason of a cancellation: `BuyerCanceled`, `Expired`, `AmazonCanceled`, `Declined`.
    pub reason_code: Option<String>,
}

open_enum! {
    /// The state of a checkout session.
    State {
        /// It can be paid. It expires after 24 hours.
        Open = "Open",
        /// It was completed, so an acquirer can no longer charge it.
        Completed = "Completed",
        /// It ended without a payment.
        Canceled = "Canceled",
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetails {
    /// Set by the last update.
    pub charge_amount: Option<Price>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MerchantMetadata {
    /// The order's reference, set by the last update.
    pub merchant_reference_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redirect {
    /// The page on which the shopper confirms. Absent while constraints exist.
    pub amazon_pay_redirect_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Constraint {
    /// For example `ChargeAmountNotSet`.
    pub constraint_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_with_path_characters_is_rejected() {
        for wrong in [
            "",
            ".",
            "..",
            "S1/complete",
            "../charges",
            "S1?x=1",
            "S1#x",
            "S1%2Fcomplete",
            "S1\r\nx: y",
            "S 1",
            "S1.x",
            "\u{20ac}",
            &"S".repeat(65),
        ] {
            assert!(wrong.parse::<CheckoutSessionId>().is_err(), "{wrong}");
        }
    }
}
