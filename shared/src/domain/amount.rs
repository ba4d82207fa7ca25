//! Money: an integer of minor units with its currency, never a float.

use std::fmt;

use iso_currency::Currency as Iso4217;
use serde::{Deserialize, Deserializer, Serialize, de};

/// Deserializes leniently, because every stored amount must stay readable. Amounts from callers
/// are read with [`requested`].
///
/// Source: Checkout API, `Amount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(expecting = "currency and value")]
pub struct Amount {
    /// ISO 4217 code, three capital letters.
    pub currency: Currency,
    /// Minor units (EUR 10.00 is 1000, JPY 10 is 10), 1 to 2^63 - 1.
    #[serde(deserialize_with = "minor_units")]
    pub value: i64,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.value)
    }
}

/// Deserializes a caller's amount. Rejects unknown members and currencies that are not in
/// today's ISO 4217.
pub fn requested<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "currency and value")]
    struct Requested {
        #[serde(deserialize_with = "known")]
        currency: Currency,
        #[serde(deserialize_with = "minor_units")]
        value: i64,
    }

    let Requested { currency, value } = Requested::deserialize(deserializer)?;
    Ok(Amount { currency, value })
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// An ISO 4217 currency with minor units, which excludes metals, test codes and "no currency".
/// A stored currency may have been withdrawn since, so deserializing accepts any three capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Currency([u8; 3]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 4217 currency code such as EUR")]
pub struct UnknownCurrency;

impl Currency {
    pub fn code(&self) -> &str {
        // Both constructors accept ASCII letters only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns Adyen's number of decimals: 2 for EUR, 0 for JPY.
    ///
    /// Source: Adyen, currency codes. They differ from ISO 4217 for CLP, ISK, CVE and IDR.
    pub fn decimals(&self) -> usize {
        match self.code() {
            "CLP" | "ISK" => 2,
            "CVE" | "IDR" => 0,
            code => Iso4217::from_code(code).and_then(|iso| iso.exponent()).map_or(0, usize::from),
        }
    }
}

impl std::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        let known = Iso4217::from_code(code).filter(|iso| iso.exponent().is_some());
        match (known, <[u8; 3]>::try_from(code.as_bytes())) {
            (Some(_), Ok(bytes)) => Ok(Self(bytes)),
            _ => Err(UnknownCurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(de::Error::custom(UnknownCurrency)),
        }
    }
}

fn minor_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct MinorUnits;

    impl de::Visitor<'_> for MinorUnits {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer number of minor units, at least 1 and below 2^63")
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
            if value >= 1 {
                Ok(value)
            } else {
                Err(E::invalid_value(de::Unexpected::Signed(value), &self))
            }
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
            match i64::try_from(value) {
                Ok(value) if value >= 1 => Ok(value),
                _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
            }
        }
    }

    deserializer.deserialize_i64(MinorUnits)
}
