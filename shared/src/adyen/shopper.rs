//! The shopper and the browser in a payment request, mostly for 3-D Secure.
//!
//! Limits are those of Checkout API v72. If its documentation and its schema disagree, the smaller
//! limit applies.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::domain::text::{Text, checked};

/// Required for 3-D Secure. Source: Checkout API, `BrowserInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrowserInfo {
    /// The browser's `Accept` header.
    pub accept_header: Text<2048>,
    /// Bits per pixel: 1, 4, 8, 15, 16, 24, 30, 32 or 48.
    #[serde(deserialize_with = "color_depth")]
    pub color_depth: u8,
    /// `navigator.javaEnabled()`.
    pub java_enabled: bool,
    /// True if the browser runs JavaScript. Adyen's default is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_script_enabled: Option<bool>,
    /// `navigator.language`, such as `nl-NL`.
    pub language: Text<64>,
    /// Pixels.
    pub screen_height: u32,
    /// Pixels.
    pub screen_width: u32,
    /// Minutes between UTC and the shopper's local time.
    pub time_zone_offset: i32,
    /// The browser's `User-Agent` header.
    pub user_agent: Text<2048>,
}

fn color_depth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        depth @ (1 | 4 | 8 | 15 | 16 | 24 | 30 | 32 | 48) => Ok(depth),
        _ => Err(de::Error::custom("expected 1, 4, 8, 15, 16, 24, 30, 32 or 48")),
    }
}

/// Source: Checkout API, `AuthenticationData`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_authentication: Option<AttemptAuthentication>,
    #[serde(rename = "threeDSRequestData", skip_serializing_if = "Option::is_none")]
    pub three_ds_request_data: Option<ThreeDsRequestData>,
}

/// When to try 3-D Secure. Source: Checkout API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptAuthentication {
    /// Whenever the card supports it.
    Always,
    /// Only if the issuer requires it.
    Never,
}

/// Preferences for native 3-D Secure. Source: Checkout API, `ThreeDSRequestData`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreeDsRequestData {
    /// `01` 250x400, `02` 390x400, `03` 500x600, `04` 600x400, `05` full screen.
    #[serde(rename = "challengeWindowSize", skip_serializing_if = "Option::is_none")]
    pub challenge_window_size: Option<ChallengeWindowSize>,
    /// `true` shares data with the issuer and skips authentication.
    #[serde(rename = "dataOnly", skip_serializing_if = "Option::is_none")]
    pub data_only: Option<DataOnly>,
    #[serde(rename = "nativeThreeDS", skip_serializing_if = "Option::is_none")]
    pub native_three_ds: Option<NativeThreeDs>,
    #[serde(rename = "threeDSVersion", skip_serializing_if = "Option::is_none")]
    pub three_ds_version: Option<ThreeDsVersion>,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeWindowSize {
    #[serde(rename = "01")]
    W250H400,
    #[serde(rename = "02")]
    W390H400,
    #[serde(rename = "03")]
    W500H600,
    #[serde(rename = "04")]
    W600H400,
    #[serde(rename = "05")]
    FullScreen,
}

/// A boolean that Adyen's schema defines as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataOnly {
    True,
    False,
}

/// Native 3-D Secure in the page, or a redirect to the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NativeThreeDs {
    /// Native if possible.
    Preferred,
    /// Redirect.
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThreeDsVersion {
    #[serde(rename = "2.1.0")]
    V2_1_0,
    #[serde(rename = "2.2.0")]
    V2_2_0,
}

/// A billing or delivery address. Source: Checkout API, `BillingAddress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    pub city: Text<3000>,
    /// ISO 3166-1 alpha-2, or `ZZ` if unknown.
    pub country: CountryCode,
    pub house_number_or_name: Text<3000>,
    pub postal_code: Text<10>,
    /// Required by Adyen for the US and Canada.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_or_province: Option<Text<3>>,
    pub street: Text<3000>,
}

/// Source: Checkout API, `ShopperName`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShopperName {
    pub first_name: Text<80>,
    pub last_name: Text<80>,
}

checked! {
    /// ISO 3166-1 alpha-2, in capital letters.
    CountryCode, 2, "expected an ISO 3166-1 code of two capital letters such as NL",
    |text| text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase())
}

checked! {
    /// An e-mail address, at most 256 characters.
    ShopperEmail, 256, "expected an e-mail address of at most 256 characters",
    |text| match text.rsplit_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.starts_with('.')
                && !text.contains(char::is_whitespace)
                && text.matches('"').count() % 2 == 0
        }
        None => false,
    }
}

checked! {
    /// An IPv4 or IPv6 address.
    ShopperIp, 50, "expected an IPv4 or IPv6 address", |text| text.parse::<IpAddr>().is_ok()
}

checked! {
    /// The shopper's language, optionally with the country: `nl`, `nl-NL` or `nl_NL`.
    ShopperLocale, 16, "expected a locale such as nl-NL",
    |text| {
        let language = text.split(['-', '_']).next().unwrap_or_default();
        (2..=3).contains(&language.len())
            && text.split(['-', '_']).all(|part| {
                (2..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric())
            })
    }
}

/// Source: Checkout API, `Company`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Company {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_location: Option<Text<1000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<Text<1000>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<1000>>,
}

/// Source: Checkout API, `RiskData`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RiskData {
    /// Data that Adyen's library for the browser collected, at most 5,000 characters.
    pub client_data: Text<5000>,
}
