//! Terms of a payment beside its amount: line items, instalments, and what the merchant decides.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::text::Text;

/// Hours until Adyen captures automatically. Source: Checkout API, `captureDelayHours`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct CaptureDelay(u16);

impl TryFrom<u16> for CaptureDelay {
    type Error = &'static str;

    fn try_from(hours: u16) -> Result<Self, &'static str> {
        match hours {
            0..=672 => Ok(Self(hours)),
            _ => Err("expected at most 672 hours"),
        }
    }
}

/// Source: Checkout API, `Installments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Text<64>>,
    pub value: u32,
}

/// At most 200 items. Source: Checkout API, `lineItems`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<LineItem>")]
pub struct LineItems(Vec<LineItem>);

impl TryFrom<Vec<LineItem>> for LineItems {
    type Error = &'static str;

    fn try_from(items: Vec<LineItem>) -> Result<Self, &'static str> {
        match items.len() {
            1..=200 => Ok(Self(items)),
            _ => Err("expected 1 to 200 items"),
        }
    }
}

impl LineItems {
    /// The sum in minor units, tax included. None if an item has no amount, or if the sum is out
    /// of range.
    pub fn total(&self) -> Option<i64> {
        self.0.iter().try_fold(0_i64, |sum, item| sum.checked_add(item.total()?))
    }
}

/// Source: Checkout API, `LineItem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineItem {
    /// Minor units of one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_excluding_tax: Option<i64>,
    /// Minor units of one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_including_tax: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<10_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<Text<2000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_category: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marketplace_seller_id: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_url: Option<Text<2000>>,
    /// 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_email: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Text<1000>>,
    /// Minor units of one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_amount: Option<i64>,
    /// Hundredths of a per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_percentage: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upc: Option<Text<1000>>,
}

impl LineItem {
    fn total(&self) -> Option<i64> {
        let untaxed =
            || self.amount_excluding_tax?.checked_add(self.tax_amount.unwrap_or_default());
        let each = self.amount_including_tax.or_else(untaxed)?;
        each.checked_mul(self.quantity.unwrap_or(1))
    }
}

/// How Adyen splits a payment between accounts: 1 to 100 objects that are passed on.
/// Source: Checkout API, `splits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<PassedOn>")]
pub struct Splits(Vec<PassedOn>);

impl TryFrom<Vec<PassedOn>> for Splits {
    type Error = &'static str;

    fn try_from(splits: Vec<PassedOn>) -> Result<Self, &'static str> {
        match splits.len() {
            1..=100 => Ok(Self(splits)),
            _ => Err("expected 1 to 100 splits"),
        }
    }
}

/// An object of the merchant's that is passed on to Adyen as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PassedOn(Map<String, Value>);
