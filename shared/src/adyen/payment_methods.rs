//! `POST /paymentMethods` of the Checkout API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    payments::Channel,
    shopper::{CountryCode, ShopperLocale},
};
use crate::domain::{amount::Amount, shopper_reference::ShopperReference};

/// Source: Checkout API, `PaymentMethodsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethodsRequest {
    pub merchant_account: String,
    /// Adyen returns only methods of this list.
    pub allowed_payment_methods: Vec<String>,
    pub amount: Amount,
    pub country_code: CountryCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<ShopperReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_locale: Option<ShopperLocale>,
}

/// The payment methods exactly as Adyen wrote them, so that storefronts can use every field.
/// `paymentMethods` is always a list; it is empty if no method supports the country and currency.
/// Source: Checkout API, `PaymentMethodsResponse`.
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
