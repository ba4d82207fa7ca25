//! `POST /payments` and `POST /payments/details` of the Checkout API.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::lenient::lenient_word;
use super::notification::NotificationAmount;
use super::order_terms::{CaptureDelay, Installments, LineItems, PassedOn, Splits};
use super::payment_method::PaymentMethod;
use super::shopper::{
    Address, AuthenticationData, BrowserInfo, Company, CountryCode, RiskData, ShopperEmail,
    ShopperIp, ShopperLocale, ShopperName,
};
use crate::domain::{
    amount::Amount,
    reference::Reference,
    result_code::ResultCode,
    return_url::{ReturnUrl, origin_of},
    shopper_reference::ShopperReference,
    text::{Text, checked, invisible},
};

/// Source: Checkout API v72, `PaymentRequest`.
///
/// Storefronts send the same fields, so they are read strictly: an unknown field is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaymentRequest {
    pub amount: Amount,
    pub merchant_account: String,
    pub payment_method: PaymentMethod,
    /// The order's reference, at most 80 characters.
    pub reference: Reference,
    /// The page to which the shopper returns after a redirect.
    pub return_url: ReturnUrl,
    /// `manualCapture`, set by this project.
    #[serde(skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    pub additional_data: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_data: Option<AuthenticationData>,
    /// The account of a direct debit, such as RatePay's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<PassedOn>,
    /// Required for native 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Required for 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_info: Option<BrowserInfo>,
    /// Hours until Adyen captures automatically, at most 672.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_delay_hours: Option<CaptureDelay>,
    /// Required for native 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<Company>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<CountryCode>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Text<40>>,
    /// When the goods are delivered, in ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Text<40>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_address: Option<Address>,
    /// At most 5,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_fingerprint: Option<Text<5000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installments: Option<Installments>,
    /// They add up to the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_items: Option<LineItems>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mandate: Option<PassedOn>,
    /// The merchant's reference that ties several payments together, at most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_order_reference: Option<Text<1000>>,
    /// The merchant's own data: at most 20 pairs, with keys of 20 characters and values of 80.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The page's origin. Required for native 3-D Secure on the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The way in which the stored payment method will be charged later, or is charged now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring_processing_model: Option<RecurringProcessingModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_data: Option<RiskData>,
    /// Until when the shopper can pay, in ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_validity: Option<Text<40>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_email: Option<ShopperEmail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_interaction: Option<ShopperInteraction>,
    #[serde(rename = "shopperIP", skip_serializing_if = "Option::is_none")]
    pub shopper_ip: Option<ShopperIp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_locale: Option<ShopperLocale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_name: Option<ShopperName>,
    /// The merchant's id of the shopper. Required for storing a payment method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<ShopperReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_statement: Option<Text<22>>,
    /// At most 50 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub social_security_number: Option<Text<50>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Splits>,
    /// The merchant's or Adyen's id of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Text<100>>,
    /// True to store the payment method for later payments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_payment_method: Option<bool>,
    /// At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone_number: Option<Text<64>>,
}

/// The platform on which the shopper pays. Source: Checkout API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Channel {
    #[serde(rename = "iOS")]
    Ios,
    Android,
    Web,
}

/// Source: Checkout API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShopperInteraction {
    /// The shopper is present.
    Ecommerce,
    /// The merchant charges a stored payment method without the shopper.
    ContAuth,
}

/// The purpose of a stored payment method. Source: Checkout API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecurringProcessingModel {
    /// The shopper pays with a stored payment method.
    CardOnFile,
    /// Regular charges.
    Subscription,
    /// Charges at irregular times or of irregular amounts.
    UnscheduledCardOnFile,
}

checked! {
    /// A web page's scheme, host and port; no path, no trailing slash; at most 80 characters.
    Origin, 80, "expected scheme, host and port of at most 80 characters, without a path",
    |text| Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && origin_of(&url) == text)
}

/// The merchant's own data. Source: Checkout API, `metadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Text<80>>")]
pub struct Metadata(BTreeMap<String, Text<80>>);

impl Metadata {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, Text<80>>> for Metadata {
    type Error = &'static str;

    fn try_from(pairs: BTreeMap<String, Text<80>>) -> Result<Self, &'static str> {
        let keys_fit = pairs
            .keys()
            .all(|key| (1..=20).contains(&key.chars().count()) && !key.contains(invisible));
        if pairs.len() <= 20 && keys_fit {
            Ok(Self(pairs))
        } else {
            Err("expected at most 20 pairs with keys of 1 to 20 characters")
        }
    }
}

/// The result that the shopper's browser returns. Source: Checkout API, `PaymentDetailsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaymentDetailsRequest {
    pub details: PaymentCompletionDetails,
    /// At most 200,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_data: Option<Text<200_000>>,
}

/// The result of an action. Members without their own limit have at most 20,000 characters.
/// Source: Checkout API, `PaymentCompletionDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaymentCompletionDetails {
    /// From the return URL, at most 20,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_result: Option<Text<20_000>>,
    /// From the 3-D Secure component, at most 50,000 characters.
    #[serde(rename = "threeDSResult", skip_serializing_if = "Option::is_none")]
    pub three_ds_result: Option<Text<50_000>>,
    /// The device fingerprint, at most 100,000 characters.
    #[serde(rename = "threeds2.fingerprint", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Text<100_000>>,
    /// At most 50,000 characters.
    #[serde(rename = "threeds2.challengeResult", skip_serializing_if = "Option::is_none")]
    pub challenge_result: Option<Text<50_000>>,
    #[serde(rename = "authorization_token", skip_serializing_if = "Option::is_none")]
    pub authorization_token: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_token: Option<Text<20_000>>,
    #[serde(rename = "cupsecureplus.smscode", skip_serializing_if = "Option::is_none")]
    pub sms_code: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facilitator_access_token: Option<Text<20_000>>,
    #[serde(rename = "MD", skip_serializing_if = "Option::is_none")]
    pub md: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_passcode: Option<Text<20_000>>,
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Text<20_000>>,
    #[serde(rename = "PaReq", skip_serializing_if = "Option::is_none")]
    pub pa_req: Option<Text<20_000>>,
    #[serde(rename = "PaRes", skip_serializing_if = "Option::is_none")]
    pub pa_res: Option<Text<20_000>>,
    #[serde(rename = "payerID", skip_serializing_if = "Option::is_none")]
    pub payer_id: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Text<20_000>>,
    #[serde(rename = "paymentID", skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_status: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_code: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url_query_string: Option<Text<20_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_token: Option<Text<20_000>>,
}

/// Adyen's answer to `/payments` and `/payments/details`.
/// Source: Checkout API, `PaymentResponse` and `PaymentDetailsResponse`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentResponse {
    /// May be absent while an action is outstanding.
    #[serde(default, deserialize_with = "lenient_word")]
    pub psp_reference: Option<String>,
    pub result_code: ResultCode,
    /// The action for the shopper, exactly as Adyen wrote it.
    pub action: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient_word")]
    pub merchant_reference: Option<String>,
    /// Absent from Adyen's own example.
    #[serde(default, deserialize_with = "amount")]
    pub amount: Option<NotificationAmount>,
    /// Not meant for shoppers.
    #[serde(default, deserialize_with = "lenient_word")]
    pub refusal_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient_word")]
    pub refusal_reason_code: Option<String>,
}

/// Reads an unreadable amount as an empty one, because it must not make the answer unreadable.
fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NotificationAmount>, D::Error> {
    let written: Option<Box<RawValue>> = Deserialize::deserialize(deserializer)?;
    Ok(written.map(|amount| serde_json::from_str(amount.get()).unwrap_or_default()))
}

/// The action for the shopper, with the result that requires it.
#[derive(Debug, Clone)]
pub struct RequiredAction {
    pub result_code: ResultCode,
    /// Exactly as Adyen wrote it.
    pub action: Box<RawValue>,
}

impl PaymentResponse {
    pub fn required_action(&self) -> Option<RequiredAction> {
        Some(RequiredAction { result_code: self.result_code.clone(), action: self.action.clone()? })
    }
}
