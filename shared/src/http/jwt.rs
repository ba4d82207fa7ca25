//! Authenticates callers by their JWT: a shopper's browser, or the merchant's backend.
//!
//! A token of audience `checkout` is valid for one order, and its claims fix fields of the
//! request. A token of audience `merchant` has all rights and must stay out of browsers. Both are
//! signed with HS256 and have `exp` and `iat`. Keys are lists, so that they can be rotated.

use std::{collections::HashSet, sync::Once};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    decode, encode,
    errors::ErrorKind,
};
use ring::hmac;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned},
};
use serde_json::{Number, Value};
use signature::{Signer, Verifier};
use url::Url;

use crate::{
    adyen::{
        order_terms::{CaptureDelay, PassedOn, Splits},
        payments::Metadata,
        shopper::{AuthenticationData, CountryCode},
    },
    clock,
    domain::{
        amount::{Amount, requested},
        reference::Reference,
        shopper_reference::ShopperReference,
        text::Text,
    },
    http::{
        answer::Viewer,
        problem::{Code, Problem},
    },
    limits,
    platform::{
        config::{Settings, is_this_machine},
        observe,
        secrets::Secret,
    },
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A browser with a token for one order.
    Checkout(Checkout),
    /// The merchant's backend.
    Merchant(Merchant),
}

impl Caller {
    pub fn is_merchant(&self) -> bool {
        matches!(self, Self::Merchant(_))
    }
}

impl From<&Caller> for Viewer {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::Checkout(_) => Self::Shopper,
            Caller::Merchant(_) => Self::Merchant,
        }
    }
}

/// The fields that a checkout token fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkout {
    pub reference: Reference,
    #[serde(deserialize_with = "requested")]
    pub amount: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<CountryCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<ShopperReference>,
    #[serde(flatten)]
    pub terms: Box<Terms>,
}

/// Claims by which the merchant sets further fields of the payment. They have the names and the
/// structure of Adyen's request, so that they can be merged field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_data: Option<AuthenticationData>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_delay_hours: Option<CaptureDelay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Text<40>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<PassedOn>,
    /// The merchant's reference that connects several payments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_order_reference: Option<Text<1000>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_validity: Option<Text<40>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_statement: Option<Text<22>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<Splits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Text<100>>,
}

#[derive(Debug)]
pub struct JwtKeys {
    checkout: Secret<Keys>,
    merchant: Secret<Keys>,
    /// Off only on a developer's machine, where the sample events have old tokens.
    limit_life: bool,
}

/// The accepted keys. Any of them may have signed a token.
pub struct Keys(Vec<DecodingKey>);

impl JwtKeys {
    pub const SECRETS: [&'static str; 2] = ["CHECKOUT_TOKEN_KEYS", "MERCHANT_TOKEN_KEYS"];

    pub fn read(settings: &mut Settings) -> Option<Self> {
        let checkout = settings.secret("CHECKOUT_TOKEN_KEYS", keys);
        let merchant = settings.secret("MERCHANT_TOKEN_KEYS", keys);
        // Only a local database allows it, so that no setting of a real deployment makes a
        // stolen token valid for ever.
        let local = settings.or("AWS_ENDPOINT_URL_DYNAMODB", "", |text| {
            Ok::<_, &str>(Url::parse(text).is_ok_and(|url| is_this_machine(&url)))
        });
        let limit_life = settings.or("TOKEN_LIFE_LIMIT", "on", |text| match text {
            "on" => Ok(true),
            "off" if local == Some(true) => Ok(false),
            "off" => Err("off is only allowed if AWS_ENDPOINT_URL_DYNAMODB is on this machine"),
            _ => Err("expected on or off"),
        });
        Some(Self { checkout: checkout?, merchant: merchant?, limit_life: limit_life? })
    }

    /// # Errors
    /// `unauthorized`, `token_expired`, or `merchant_token_in_browser`.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer(headers).ok_or_else(unauthorized)?;
        let (checkout, merchant) = tokio::join!(self.checkout.get(), self.merchant.get());
        let mut verdict = self.judge(token, &checkout, &merchant);
        if verdict == Err(Invalid::Signature) {
            // The key may be newer than the cached ones, so fetch them again.
            let (newer_checkout, newer_merchant) = tokio::join!(
                self.checkout.other_than(&checkout),
                self.merchant.other_than(&merchant)
            );
            if newer_checkout.is_some() || newer_merchant.is_some() {
                let checkout = newer_checkout.unwrap_or(checkout);
                let merchant = newer_merchant.unwrap_or(merchant);
                verdict = self.judge(token, &checkout, &merchant);
            }
        }
        match verdict {
            Ok(Caller::Merchant(_)) if headers.contains_key(header::ORIGIN) => Err(Problem::new(
                Code::MerchantTokenInBrowser,
                "This request comes from a browser. Mint a checkout token for it.",
            )),
            Ok(caller) => {
                if let Caller::Checkout(token) = &caller {
                    observe::reference(&token.reference);
                }
                Ok(caller)
            }
            Err(Invalid::Expired) => Err(Problem::new(
                Code::TokenExpired,
                "Mint a new token and send the request again.",
            )),
            Err(invalid) => {
                // Log the reason for the merchant's developers. Do not return it: it would help
                // an attacker.
                let claim = (invalid == Invalid::Claims).then(|| malformed_claim(token)).flatten();
                tracing::warn!(reason = invalid.reason(), claim, "token rejected");
                Err(unauthorized())
            }
        }
    }

    fn judge(&self, token: &str, checkout: &Keys, merchant: &Keys) -> Result<Caller, Invalid> {
        let limit = |life| if self.limit_life { life } else { i64::MAX };
        verify(token, checkout, "checkout", limit(limits::CHECKOUT_TOKEN_LIFE))
            .map(Caller::Checkout)
            .or_else(|one| {
                verify(token, merchant, "merchant", limit(limits::MERCHANT_TOKEN_LIFE))
                    .map(Caller::Merchant)
                    // Keep the reason of the check that got further.
                    .map_err(|other| one.max(other))
            })
    }
}

/// The bearer token of a request that has exactly one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// All reasons have the same response, because a specific one would help an attacker.
fn unauthorized() -> Problem {
    Problem::new(Code::Unauthorized, "Send a valid token as `Authorization: Bearer`.")
}

/// The reason why a token is invalid, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Invalid {
    Malformed,
    Signature,
    Audience,
    Claims,
    Life,
    Expired,
}

impl Invalid {
    /// A text for the log, from which the token's issuer can correct the error.
    fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "it is not a JWT signed with HS256",
            Self::Signature => {
                "it is signed with an unknown key; use the secret's text without decoding it"
            }
            Self::Audience => {
                "aud is neither checkout nor merchant, or belongs to the other audience's key"
            }
            Self::Claims => {
                "a claim is missing or malformed, or the key is the other audience's; \
                 iat and exp are required, in seconds"
            }
            Self::Life => "iat is in the future, or the lifetime is too long",
            Self::Expired => "it has expired",
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Invalid {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::ImmatureSignature => Self::Life,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Self::Claims,
            _ => Self::Malformed,
        }
    }
}

/// The claims of a merchant token, which has all rights.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// The person or system that acts, for the record. Anything but a text names nobody.
    #[serde(default, deserialize_with = "text_or_none", skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
}

fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}

#[derive(Deserialize)]
struct Claims<T> {
    #[serde(deserialize_with = "numeric_date")]
    iat: i64,
    #[serde(deserialize_with = "numeric_date")]
    exp: i64,
    #[serde(flatten)]
    about: T,
}

/// Reads seconds. Some libraries write fractions, which are cut off.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let written = Number::deserialize(deserializer)?;
    let seconds = written.as_i64().or_else(|| written.as_f64().map(|date| date.floor() as i64));
    seconds.ok_or_else(|| de::Error::custom("expected seconds"))
}

/// Checks signature and audience first, so that an expired token is reported as such only to a
/// caller whose token was valid.
fn verify<T: DeserializeOwned>(
    token: &str,
    keys: &Keys,
    audience: &str,
    life: i64,
) -> Result<T, Invalid> {
    use_ring();
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_audience(&[audience]);
    rules.required_spec_claims = HashSet::from(["aud".to_owned(), "exp".to_owned()]);
    // exp is checked below, after everything else.
    rules.validate_exp = false;
    rules.validate_nbf = true;
    let mut nearest = Invalid::Malformed;
    let read = keys.0.iter().find_map(|key| {
        decode::<Claims<T>>(token, key, &rules)
            .map_err(|error| nearest = nearest.max(error.into()))
            .ok()
    });
    let claims = read.ok_or(nearest)?.claims;
    let now = clock::now().as_second();
    let lives = claims.exp.checked_sub(claims.iat).ok_or(Invalid::Life)?;
    if !(1..=life).contains(&lives) || claims.iat > now.saturating_add(limits::CLOCK_SKEW) {
        Err(Invalid::Life)
    } else if claims.exp <= now {
        Err(Invalid::Expired)
    } else {
        Ok(claims.about)
    }
}

/// The claim that cannot be read, and what is expected, without its value. The token was signed by
/// one of the keys.
fn malformed_claim(token: &str) -> Option<String> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    for name in ["iat", "exp"] {
        if numeric_date(&claims[name]).is_err() {
            return Some(format!("{name}: expected seconds"));
        }
    }
    // The path of a flattened field is lost, so read those once more by themselves.
    claim_error::<Checkout>(&claims)
        .filter(|error| !error.starts_with('.'))
        .or_else(|| claim_error::<Terms>(&claims))
}

fn claim_error<T: DeserializeOwned>(claims: &Value) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(claims.clone()).err()?;
    let message = error.inner().to_string();
    if message.starts_with("missing field") {
        return Some(message);
    }
    // Only the end of the message, because its begin quotes the value.
    let expected = message.rfind("expected ").map_or("not valid", |at| &message[at..]);
    Some(format!("{}: {expected}", error.path()))
}

/// Mints a token with a lifetime of `life` seconds, as the merchant's backend does.
///
/// # Errors
/// The message of the JWT library.
pub fn mint(caller: &Caller, key: &str, life: i64) -> Result<String, String> {
    mint_at(caller, key, clock::now(), life)
}

/// Like [`mint`], with `at` as the time of issue.
///
/// # Errors
/// The message of the JWT library.
pub fn mint_at(caller: &Caller, key: &str, at: Timestamp, life: i64) -> Result<String, String> {
    #[derive(Serialize)]
    struct Minted<'a, T> {
        aud: &'a str,
        iat: i64,
        exp: i64,
        #[serde(flatten)]
        about: T,
    }
    use_ring();
    let (header, key) = (Header::new(Algorithm::HS256), EncodingKey::from_secret(key.as_bytes()));
    let iat = at.as_second();
    let exp = iat.saturating_add(life);
    match caller {
        Caller::Checkout(about) => {
            encode(&header, &Minted { aud: "checkout", iat, exp, about }, &key)
        }
        Caller::Merchant(about) => {
            encode(&header, &Minted { aud: "merchant", iat, exp, about }, &key)
        }
    }
    .map_err(|error| error.to_string())
}

fn keys(text: &str) -> Result<Keys, String> {
    let keys: Vec<&str> = text.split(',').map(str::trim).collect();
    if keys.iter().any(|key| key.len() < 32) {
        return Err("expected keys of at least 32 bytes each, separated by commas".to_owned());
    }
    Ok(Keys(keys.into_iter().map(|key| DecodingKey::from_secret(key.as_bytes())).collect()))
}

/// Installs the cryptography that jsonwebtoken uses: ring, for HS256 only.
fn use_ring() {
    static ONCE: Once = Once::new();
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // It fails only if a provider is already installed.
    ONCE.call_once(|| {
        let _ = RING.install_default();
    });
}

struct Hs256(hmac::Key);

impl Hs256 {
    fn new(algorithm: &Algorithm, key: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, tag).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
