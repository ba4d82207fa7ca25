//! `POST /paymentMethods` of the Checkout API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    payments::Channel,
    shopper::{CountryCode, ShopperLocale},
};
use crate::domain::amount::Amount;

/// Which payment methods a shopper may use. Source: Checkout API, `PaymentMethodsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethodsRequest {
    /// The merchant account that is paid.
    pub merchant_account: String,
    /// Adyen's names of the methods to choose from.
    pub allowed_payment_methods: Vec<String>,
    pub amount: Amount,
    /// Where the shopper is.
    pub country_code: CountryCode,
    /// On what the shopper looks at the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The shopper's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_locale: Option<ShopperLocale>,
}

/// The payment methods, as Adyen wrote them: what a storefront does with them is between it
/// and Adyen. `paymentMethods` is always a list, empty where nothing fits country and
/// currency. Source: Checkout API, `PaymentMethodsResponse`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Box<RawValue>>")]
pub struct PaymentMethodsResponse(BTreeMap<String, Box<RawValue>>);

impl TryFrom<BTreeMap<String, Box<RawValue>>> for PaymentMethodsResponse {
    type Error = &'static str;

    fn try_from(mut members: BTreeMap<String, Box<RawValue>>) -> Result<Self, &'static str> {
        const METHODS: &str = "paymentMethods";
        match members.get(METHODS).map(|methods| methods.get()) {
            None | Some("null") => {
                let none = serde_json::value::to_raw_value(&[(); 0]);
                members.insert(METHODS.to_owned(), none.map_err(|_| "no empty list")?);
            }
            Some(methods) if methods.starts_with('[') => {}
            Some(_) => return Err("expected a list of payment methods"),
        }
        Ok(Self(members))
    }
}
