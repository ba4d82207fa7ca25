//! The payload of Amazon Pay's button, signed so that a browser cannot change it.

use ring::error::Unspecified;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{config::AmazonPay, price::Price, signing};
use crate::{
    domain::{return_url::ReturnUrl, text::checked},
    platform::config::is_loopback,
};

/// The pages to which Amazon Pay sends the browser. It adds `amazonCheckoutSessionId` to the first
/// two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebCheckoutDetails {
    /// After the shopper has selected a card.
    pub checkout_review_return_url: CheckoutUrl,
    /// After the shopper has confirmed, or failed to.
    pub checkout_result_return_url: CheckoutUrl,
    /// If the shopper leaves without selecting a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_cancel_url: Option<CheckoutUrl>,
}

/// A page to which Amazon Pay may send the browser: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReturnUrl")]
pub struct CheckoutUrl(ReturnUrl);

impl CheckoutUrl {
    /// Scheme, host and port in the form of the browser's `Origin` header.
    pub fn origin(&self) -> String {
        self.0.origin()
    }
}

impl TryFrom<ReturnUrl> for CheckoutUrl {
    type Error = &'static str;

    fn try_from(url: ReturnUrl) -> Result<Self, &'static str> {
        match Url::parse(url.as_str()) {
            Ok(parsed) if parsed.scheme() == "https" => Ok(Self(url)),
            Ok(parsed) if parsed.scheme() == "http" && is_loopback(&parsed) => Ok(Self(url)),
            _ => Err("expected an https URL, or http on localhost"),
        }
    }
}

/// The shopper's data that Amazon Pay shares with the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    Name,
    Email,
    PhoneNumber,
    BillingAddress,
    ShippingAddress,
    /// The name of the default address.
    PostalCode,
    PrimeMembershipStatus,
}

/// The shopper's agreement. Without it, only one payment can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChargePermissionType {
    /// The shopper also agrees to later payments.
    Recurring,
}

/// The frequency and amount of later payments, which Amazon Pay shows to the shopper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecurringMetadata {
    pub frequency: Frequency,
    /// Absent if the amount varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Price>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Interval")]
pub struct Frequency {
    unit: FrequencyUnit,
    value: FrequencyValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interval {
    unit: FrequencyUnit,
    value: FrequencyValue,
}

impl TryFrom<Interval> for Frequency {
    type Error = &'static str;

    fn try_from(Interval { unit, value }: Interval) -> Result<Self, &'static str> {
        let is_zero = value.as_str().bytes().all(|c| c == b'0');
        match unit {
            FrequencyUnit::Variable if value.as_str() != "0" => Err("Variable has the value \"0\""),
            FrequencyUnit::Variable => Ok(Self { unit, value }),
            _ if is_zero => Err("expected a value of at least \"1\""),
            _ => Ok(Self { unit, value }),
        }
    }
}

impl Default for Frequency {
    /// Irregular payments.
    fn default() -> Self {
        Self { unit: FrequencyUnit::Variable, value: FrequencyValue("0".to_owned()) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrequencyUnit {
    Year,
    Month,
    Week,
    Day,
    /// Irregular payments. The value is 0.
    Variable,
}

checked! {
    /// A whole number as text, as Amazon Pay requires.
    FrequencyValue, 4, "expected a whole number as text, such as \"1\"",
    |text| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// Source: Amazon Pay, Create Checkout Session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    web_checkout_details: &'a WebCheckoutDetails,
    store_id: &'a str,
    scopes: &'a [Scope],
    #[serde(skip_serializing_if = "Option::is_none")]
    charge_permission_type: Option<ChargePermissionType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurring_metadata: Option<&'a RecurringMetadata>,
}

/// The page passes this to Amazon Pay's button as `createCheckoutSessionConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedButton {
    /// The page must pass it on unchanged, because the signature covers its bytes.
    #[serde(rename = "payloadJSON")]
    pub payload_json: String,
    pub signature: String,
    pub public_key_id: String,
    pub algorithm: &'static str,
}

impl AmazonPay {
    /// Signs a button that creates a checkout session. With `recurring`, the shopper also agrees
    /// to later payments.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub async fn button(
        &self,
        urls: &WebCheckoutDetails,
        scopes: &[Scope],
        recurring: Option<&RecurringMetadata>,
    ) -> Result<SignedButton, Unspecified> {
        let payload = Payload {
            web_checkout_details: urls,
            store_id: &self.store_id,
            scopes,
            charge_permission_type: recurring.map(|_| ChargePermissionType::Recurring),
            recurring_metadata: recurring,
        };
        // The payload consists of strings and enums, so this does not fail.
        let payload_json = serde_json::to_string(&payload).map_err(|_| Unspecified)?;
        let key = self.client.private_key().await;
        Ok(SignedButton {
            signature: signing::signature(&key, &payload_json)?,
            payload_json,
            public_key_id: self.client.public_key_id().to_owned(),
            algorithm: signing::ALGORITHM,
        })
    }
}
