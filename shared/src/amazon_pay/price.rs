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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn amount(currency: &str, value: i64) -> Amount {
        Amount { currency: currency.parse().unwrap(), value }
    }

    #[test]
    fn minor_units_are_written_with_the_currencys_decimals() {
        for (currency, value, text) in [
            ("EUR", 1000, "10.00"),
            ("EUR", 1, "0.01"),
            ("EUR", 10, "0.10"),
            ("EUR", 99, "0.99"),
            ("EUR", 100, "1.00"),
            ("GBP", 123_456_789, "1234567.89"),
            ("JPY", 10, "10"),
            ("JPY", 1, "1"),
            ("BHD", 5, "0.005"),
            ("BHD", 12_345, "12.345"),
            // Adyen's minor units, where they are not those of ISO 4217.
            ("CLP", 1000, "10.00"),
            ("ISK", 1, "0.01"),
            ("CVE", 1000, "1000"),
            ("IDR", 25_000, "25000"),
            // A float cannot represent this value.
            ("USD", i64::MAX, "92233720368547758.07"),
            ("JPY", i64::MAX, "9223372036854775807"),
        ] {
            let amount = amount(currency, value);
            let price = Price::from(&amount);
            assert_eq!(price.amount, text);
            assert_eq!(price.currency_code, currency);
            assert!(price.is(&amount), "{text}");
        }
    }

    #[test]
    fn equal_amounts_match_regardless_of_their_decimals() {
        for (text, currency, value, is) in [
            ("10.00", "EUR", 1000, true),
            ("10", "EUR", 1000, true),
            ("10.0", "EUR", 1000, true),
            ("10.000", "EUR", 1000, true),
            ("010.00", "EUR", 1000, true),
            ("10.00", "JPY", 10, true),
            ("10.01", "EUR", 1000, false),
            ("10.001", "EUR", 1000, false),
            ("1000", "EUR", 1000, false),
            ("10.50", "JPY", 10, false),
            ("10", "CLP", 1000, true),
            ("10", "ISK", 1000, true),
            ("1000", "CLP", 1000, false),
            ("1000.00", "IDR", 1000, true),
            ("10.00", "IDR", 1000, false),
            ("10.00", "CVE", 1000, false),
            ("1e1", "EUR", 1000, false),
            ("+10.00", "EUR", 1000, false),
            ("-10.00", "EUR", 1000, false),
            ("10,00", "EUR", 1000, false),
            (" 10.00", "EUR", 1000, false),
            (".01", "EUR", 1, false),
            ("", "EUR", 1, false),
            ("99999999999999999999", "EUR", 1, false),
        ] {
            let price = Price { amount: text.to_owned(), currency_code: currency.to_owned() };
            assert_eq!(price.is(&amount(currency, value)), is, "{text} {currency}");
        }
        let euros = Price::from(&amount("EUR", 1000));
        assert!(!euros.is(&amount("USD", 1000)));
    }
}
