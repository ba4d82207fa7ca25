//! Converts amounts to and from Amazon Pay's decimal text.

use serde::{Deserialize, Serialize};

use crate::domain::amount::Amount;

/// Amazon Pay's `Price`: `{"amount": "10.00", "currencyCode": "EUR"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Major units with all decimals of the currency: `10.00` euros, `10` yen.
    pub amount: String,
    /// ISO 4217.
    pub currency_code: String,
}

impl Price {
    /// True if both amounts are equal, with any number of decimals.
    pub fn is(&self, amount: &Amount) -> bool {
        self.currency_code == amount.currency.code()
            && minor_units(&self.amount, amount.currency.decimals()) == Some(amount.value)
    }
}

impl From<&Amount> for Price {
    fn from(amount: &Amount) -> Self {
        let decimals = amount.currency.decimals();
        // Leading zeros, so that there is a digit before the point.
        let digits = format!("{:0width$}", amount.value, width = decimals + 1);
        let (units, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals == 0 { "" } else { "." };
        Self {
            amount: format!("{units}{point}{fraction}"),
            currency_code: amount.currency.code().to_owned(),
        }
    }
}

/// Converts decimal text to minor units. `None` if it is malformed or has a fraction of a minor
/// unit.
fn minor_units(text: &str, decimals: usize) -> Option<i64> {
    let (units, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if units.is_empty() || !digits(units) || !digits(fraction) || fraction.len() > decimals {
        return None;
    }
    format!("{units}{fraction:0<decimals$}").parse().ok()
}
