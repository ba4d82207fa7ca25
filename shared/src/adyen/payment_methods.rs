//! `POST /paymentMethods` of the Checkout API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    payments::Channel,
    shopper::{CountryCode, ShopperLocale},
};
use crate::amount::Amount;

/// Which payment methods a shopper may use. Source: Checkout API, `PaymentMethodsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethodsRequest {
    /// The merchant account that is paid.
    pub merchant_account: String,
    /// Adyen's names of the methods to choose from.
    pub allowed_payment_methods: Vec<String>,
    /// What to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Where the shopper is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The shopper's country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<CountryCode>,
    /// The shopper's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_locale: Option<ShopperLocale>,
}

/// The payment methods. Source: Checkout API, `PaymentMethodsResponse`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethodsResponse {
    /// Empty where nothing fits country and currency.
    #[serde(default)]
    pub payment_methods: Vec<AvailablePaymentMethod>,
    /// Whatever else Adyen says.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One payment method of an answer; all of it reaches the storefront.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AvailablePaymentMethod {
    /// Adyen's name, such as `amazonpay`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For Amazon Pay: merchantId, storeId, publicKeyId.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub configuration: Map<String, Value>,
    /// Whatever else Adyen says.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
