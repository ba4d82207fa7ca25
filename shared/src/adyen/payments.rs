//! `POST /payments` and `POST /payments/details` of the Checkout API.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::lenient::lenient_word;
use super::notification::NotificationAmount;
use super::shopper::{
    Address, AuthenticationData, BrowserInfo, CountryCode, ShopperEmail, ShopperIp, ShopperLocale,
    ShopperName,
};
use crate::{
    amazon_pay::{AmazonPayToken, CheckoutSessionId},
    domain::{
        amount::Amount,
        reference::Reference,
        result_code::ResultCode,
        return_url::{ReturnUrl, origin_of},
        shopper_reference::ShopperReference,
        text::{Text, checked, invisible},
    },
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
    /// Required for native 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Required for 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_info: Option<BrowserInfo>,
    /// Required for native 3-D Secure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<CountryCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_address: Option<Address>,
    /// The merchant's reference that ties several payments together, at most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_order_reference: Option<Text<1000>>,
    /// The merchant's own data: at most 20 pairs, with keys of 20 characters and values of 80.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The page's origin. Required for native 3-D Secure on the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How the stored payment method will be charged later, or is charged now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring_processing_model: Option<RecurringProcessingModel>,
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
    /// True to store the payment method for later payments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_payment_method: Option<bool>,
    /// At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone_number: Option<Text<64>>,
}

/// The instrument that a payment is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PaymentMethodFields", into = "PaymentMethodFields")]
pub enum PaymentMethod {
    AmazonPayToken {
        token: AmazonPayToken,
        browser: BrowserData,
    },
    /// The checkout session that has the token. Adyen does not know this form.
    CheckoutSession {
        id: CheckoutSessionId,
        browser: BrowserData,
    },
    StoredPaymentMethod {
        id: Text<64>,
        kind: Option<PaymentMethodType>,
    },
}

/// Data that Adyen's library for the browser adds for its own statistics and risk checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowserData {
    pub checkout_attempt_id: Option<Text<256>>,
    /// At most 50,000 characters.
    pub sdk_data: Option<Text<50_000>>,
}

/// A payment method as it is written.
/// Source: Checkout API, `AmazonPayDetails` and `StoredPaymentMethodDetails`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PaymentMethodFields {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<PaymentMethodType>,
    /// This project's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_checkout_session_id: Option<CheckoutSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_pay_token: Option<AmazonPayToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_attempt_id: Option<Text<256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_data: Option<Text<50_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_payment_method_id: Option<Text<64>>,
}

impl TryFrom<PaymentMethodFields> for PaymentMethod {
    /// In serde's words, so that the problem names the field.
    type Error = &'static str;

    fn try_from(fields: PaymentMethodFields) -> Result<Self, &'static str> {
        let PaymentMethodFields { kind, checkout_attempt_id, sdk_data, .. } = fields;
        let browser = BrowserData { checkout_attempt_id, sdk_data };
        let instruments = (
            fields.amazon_pay_token,
            fields.amazon_checkout_session_id,
            fields.stored_payment_method_id,
        );
        let method = match instruments {
            (None, None, None) => return Err("missing field `amazonPayToken`"),
            (Some(token), None, None) => Self::AmazonPayToken { token, browser },
            (None, Some(id), None) => Self::CheckoutSession { id, browser },
            (None, None, Some(id)) if browser == BrowserData::default() => {
                return Ok(Self::StoredPaymentMethod { id, kind });
            }
            (None, None, Some(_)) => {
                return Err("sdkData and checkoutAttemptId are not allowed with \
                            storedPaymentMethodId, because no browser takes part");
            }
            _ => {
                return Err("expected one of amazonPayToken, amazonCheckoutSessionId and \
                            storedPaymentMethodId");
            }
        };
        match kind {
            Some(PaymentMethodType::AmazonPay) => Ok(method),
            Some(PaymentMethodType::Scheme) => Err("invalid field `type`, expected amazonpay"),
            None => Err("missing field `type`"),
        }
    }
}

impl From<PaymentMethod> for PaymentMethodFields {
    fn from(method: PaymentMethod) -> Self {
        let amazon_pay = |browser: BrowserData| Self {
            kind: Some(PaymentMethodType::AmazonPay),
            checkout_attempt_id: browser.checkout_attempt_id,
            sdk_data: browser.sdk_data,
            ..Self::default()
        };
        match method {
            PaymentMethod::AmazonPayToken { token, browser } => {
                Self { amazon_pay_token: Some(token), ..amazon_pay(browser) }
            }
            PaymentMethod::CheckoutSession { id, browser } => {
                Self { amazon_checkout_session_id: Some(id), ..amazon_pay(browser) }
            }
            PaymentMethod::StoredPaymentMethod { id, kind } => {
                Self { kind, stored_payment_method_id: Some(id), ..Self::default() }
            }
        }
    }
}

/// The payment methods that this integration accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentMethodType {
    AmazonPay,
    /// The type that Adyen's example sends with a stored payment method.
    Scheme,
}

/// The platform on which the shopper pays. Source: Checkout API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// The result of a redirect or of native 3-D Secure.
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
