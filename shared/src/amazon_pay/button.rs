//! Amazon Pay's button: what it asks the shopper for, signed so that no browser changes it.

use ring::error::Unspecified;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{config::AmazonPay, price::Price, signing};
use crate::{
    domain::{return_url::ReturnUrl, text::checked},
    platform::config::is_loopback,
};

/// Where Amazon Pay sends the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebCheckoutDetails {
    /// Once the shopper picked a card; `amazonCheckoutSessionId` is added to it.
    pub checkout_review_return_url: CheckoutUrl,
    /// Once the shopper confirmed, or did not; `amazonCheckoutSessionId` is added to it.
    pub checkout_result_return_url: CheckoutUrl,
    /// When the shopper leaves instead of picking a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_cancel_url: Option<CheckoutUrl>,
}

/// A page of the shop that Amazon Pay sends a browser to: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReturnUrl")]
pub struct CheckoutUrl(ReturnUrl);

impl CheckoutUrl {
    /// Scheme, host and port, as browsers write an origin.
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
    /// The name.
    Name,
    /// The e-mail address.
    Email,
    /// The telephone number.
    PhoneNumber,
    /// The billing address.
    BillingAddress,
    /// The shipping address.
    ShippingAddress,
    /// The postal code of the default address.
    PostalCode,
    /// True if the shopper is a Prime member.
    PrimeMembershipStatus,
}

/// The shopper's agreement; without it, one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChargePermissionType {
    /// Later payments too.
    Recurring,
}

/// How often later payments come, as the shopper is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecurringMetadata {
    /// How often.
    pub frequency: Frequency,
    /// How much each time, where it is always the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Price>,
}

/// A number of units.
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
    /// At no fixed times.
    fn default() -> Self {
        Self { unit: FrequencyUnit::Variable, value: FrequencyValue("0".to_owned()) }
    }
}

/// The unit of a [`Frequency`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrequencyUnit {
    /// Years.
    Year,
    /// Months.
    Month,
    /// Weeks.
    Week,
    /// Days.
    Day,
    /// No fixed times; the value is 0.
    Variable,
}

checked! {
    /// A whole number as text, as Amazon Pay wants it.
    FrequencyValue, 4, "expected a whole number as text, such as \"1\"",
    |text| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// The button's payload. Source: Amazon Pay, Create Checkout Session.
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
    /// To be handed on byte by byte.
    #[serde(rename = "payloadJSON")]
    pub payload_json: String,
    /// Of the payload.
    pub signature: String,
    /// Which key signed.
    pub public_key_id: String,
    /// How it signed.
    pub algorithm: &'static str,
}

impl AmazonPay {
    /// A button that leads to a checkout session. With `recurring`, the shopper agrees to
    /// later payments as well.
    ///
    /// # Errors
    /// When the system has no randomness to sign with.
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
        // Strings, enums and lists of them: it serialises.
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
