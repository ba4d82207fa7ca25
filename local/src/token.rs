//! Mints tokens in place of the merchant's backend.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::amount::Amount;
use shared::http::jwt::{self, Caller, Checkout, Merchant, Terms};
use shared::limits;

use crate::keys;

/// The default life of a checkout token.
pub const CHECKOUT_LIFE: Duration = Duration::from_secs(60 * 60);

/// The default life of a merchant token.
pub const MERCHANT_LIFE: Duration = Duration::from_secs(10 * 60);

/// Mints a token for a browser and one order, with the development key.
pub fn checkout(order: Checkout, life: Duration) -> Result<String, String> {
    mint(&Caller::Checkout(order), keys::CHECKOUT_TOKEN_KEY, life)
}

/// Mints a token for the merchant's backend, with the development key.
pub fn merchant(claims: Merchant, life: Duration) -> Result<String, String> {
    mint(&Caller::Merchant(claims), keys::MERCHANT_TOKEN_KEY, life)
}

/// The key that signs, of a list such as `CHECKOUT_TOKEN_KEYS`; any of them verifies.
pub fn first_key(keys: &str) -> &str {
    keys.split(',').map(str::trim).find(|key| !key.is_empty()).unwrap_or_default()
}

/// Mints a token with that key.
///
/// # Errors
/// If the API would reject the life.
pub fn mint(caller: &Caller, key: &str, life: Duration) -> Result<String, String> {
    let longest = match caller {
        Caller::Checkout(_) => limits::CHECKOUT_TOKEN_LIFE,
        Caller::Merchant(_) => limits::MERCHANT_TOKEN_LIFE,
    };
    match i64::try_from(life.as_secs()) {
        Ok(life) if (1..=longest).contains(&life) => jwt::mint(caller, key, life),
        _ => Err(format!("the API accepts a life of 1 to {longest} seconds")),
    }
}

/// Parses an amount of currency and minor units, such as `EUR:1000`.
pub fn amount(text: &str) -> Result<Amount, String> {
    const EXPECTED: &str = "expected a currency and minor units, such as EUR:1000 for EUR 10.00";
    let (currency, value) = text.split_once(':').ok_or(EXPECTED)?;
    let value = i64::from_str(value).ok().filter(|value| *value > 0).ok_or(EXPECTED)?;
    let currency = currency
        .parse()
        .map_err(|error: shared::domain::amount::UnknownCurrency| error.to_string())?;
    Ok(Amount { currency, value })
}

/// Parses the claims of a checkout token other than its order. Unknown claims are rejected, because
/// the API would ignore them.
pub fn terms(text: &str) -> Result<Terms, String> {
    let claims: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let terms: Terms = serde_json::from_value(claims.clone()).map_err(|error| error.to_string())?;
    if json!(terms) == claims {
        Ok(terms)
    } else {
        Err("expected authenticationData, captureDelayHours, deliverAt, mandate, \
             merchantOrderReference, metadata, sessionValidity, shopperStatement, splits or store"
            .to_owned())
    }
}

/// Parses a time span: `90s`, `15m`, `2h`, `1d`, or seconds.
pub fn life(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a time span such as 90s, 15m, 2h or 1d";
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(EXPECTED.into()),
    };
    let number = u64::from_str(number).map_err(|_| EXPECTED)?;
    let seconds = number.checked_mul(seconds).ok_or(EXPECTED)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn amounts_are_currency_and_minor_units() {
        let ten = amount("EUR:1000").unwrap();
        assert_eq!((ten.currency.code(), ten.value), ("EUR", 1000));
        for wrong in ["EUR", "EUR:10.00", "EUR:0", "EUR:-1", "XXX:1", "1000:EUR", ""] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn claims_are_named_as_requests_name_them() {
        let text = r#"{"authenticationData": {"attemptAuthentication": "always"},
            "metadata": {"shop": "12"}, "shopperStatement": "Your Company"}"#;
        let claims: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json!(terms(text).unwrap()), claims);
        for wrong in ["", "1", "[]", r#"{"statement": "x"}"#, r#"{"shopperStatement": 1}"#] {
            assert!(terms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lives_have_units() {
        assert_eq!(life("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(life("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(life("30"), Ok(Duration::from_secs(30)));
        for wrong in ["", "h", "1w", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
    }
}
