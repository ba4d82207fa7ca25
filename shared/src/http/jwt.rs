//! Who calls: a shopper's browser or the merchant's backend, told apart by their JWT.
//!
//! A token of audience `checkout` is good for one order and fixes what may not be changed;
//! one of audience `merchant` is the merchant itself and must stay out of browsers. Both
//! are HS256 and carry `exp` and `iat`; keys are given as a list, so that they can rotate.

use std::{collections::HashSet, sync::Once};

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
use serde_json::Number;
use signature::{Signer, Verifier};
use url::Url;

use crate::{
    adyen::{
        payments::Metadata,
        shopper::{AuthenticationData, CountryCode},
    },
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
    platform::{
        config::{Settings, is_this_machine},
        observe,
        secrets::Secret,
    },
};

/// Longest life of a checkout token, in seconds.
pub const CHECKOUT_TOKEN_LIFE: i64 = 24 * 60 * 60;

/// Longest life of a merchant token, in seconds.
pub const MERCHANT_TOKEN_LIFE: i64 = 15 * 60;

/// How far the clock of whoever mints tokens may be ahead, in seconds.
const CLOCK_SKEW: i64 = 60;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A browser, for one order.
    Checkout(Checkout),
    /// The merchant's backend.
    Merchant,
}

impl From<&Caller> for Viewer {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::Checkout(_) => Self::Shopper,
            Caller::Merchant => Self::Merchant,
        }
    }
}

/// The fields that a checkout token fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkout {
    /// The order.
    pub reference: Reference,
    #[serde(deserialize_with = "requested")]
    pub amount: Amount,
    /// Where the shopper is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<CountryCode>,
    /// Who the shopper is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<ShopperReference>,
    /// Further decisions of the merchant about the payment.
    #[serde(flatten)]
    pub terms: Terms,
}

/// Decisions of the merchant about a payment, beside the order itself. The claims are named and
/// shaped as Adyen's request is, so that both are merged field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// True if and how the shopper is authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_data: Option<AuthenticationData>,
    /// The merchant's reference that ties several payments together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_order_reference: Option<Text<1000>>,
    /// The merchant's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_statement: Option<Text<22>>,
}

/// The keys of both audiences.
#[derive(Debug)]
pub struct JwtKeys {
    checkout: Secret<Keys>,
    merchant: Secret<Keys>,
    /// Off only where invocation events with tokens from long ago are tried.
    limit_life: bool,
}

/// Keys of which any may have signed a token.
pub struct Keys(Vec<DecodingKey>);

impl JwtKeys {
    /// The secrets that checking tokens needs.
    pub const SECRETS: [&'static str; 2] = ["CHECKOUT_TOKEN_KEYS", "MERCHANT_TOKEN_KEYS"];

    /// Reads the keys.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let checkout = settings.secret("CHECKOUT_TOKEN_KEYS", keys);
        let merchant = settings.secret("MERCHANT_TOKEN_KEYS", keys);
        // Where shoppers pay, no setting makes a stolen token good for ever.
        let local = settings.or("AWS_ENDPOINT_URL_DYNAMODB", "", |text| {
            Ok::<_, &str>(Url::parse(text).is_ok_and(|url| is_this_machine(&url)))
        });
        let limit_life = settings.or("TOKEN_LIFE_LIMIT", "on", |text| match text {
            "on" => Ok(true),
            "off" if local == Some(true) => Ok(false),
            "off" => Err("off is for a machine where AWS_ENDPOINT_URL_DYNAMODB is that machine's"),
            _ => Err("expected on or off"),
        });
        Some(Self { checkout: checkout?, merchant: merchant?, limit_life: limit_life? })
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// `unauthorized`, `token_expired`, or `merchant_token_in_browser`.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer(headers).ok_or_else(unauthorized)?;
        let (checkout, merchant) = tokio::join!(self.checkout.get(), self.merchant.get());
        let mut verdict = self.judge(token, &checkout, &merchant);
        if verdict == Err(Invalid::Signature) {
            // Perhaps signed with a key that is newer than our copy.
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
            Ok(Caller::Merchant) if headers.contains_key(header::ORIGIN) => Err(Problem::new(
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
                tracing::warn!(reason = invalid.reason(), "a token that is not valid");
                Err(unauthorized())
            }
        }
    }

    /// Whose token it is, by these keys.
    fn judge(&self, token: &str, checkout: &Keys, merchant: &Keys) -> Result<Caller, Invalid> {
        let limit = |life| if self.limit_life { life } else { i64::MAX };
        verify(token, checkout, "checkout", limit(CHECKOUT_TOKEN_LIFE))
            .map(Caller::Checkout)
            .or_else(|one| {
                verify(token, merchant, "merchant", limit(MERCHANT_TOKEN_LIFE))
                    .map(|Merchant {}| Caller::Merchant)
                    // Keep the reason that is nearer to being valid.
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

/// One message for every reason: it must not help to guess.
fn unauthorized() -> Problem {
    Problem::new(Code::Unauthorized, "Send a valid token as `Authorization: Bearer`.")
}

/// The reason why a token is invalid, the worst first.
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
    /// For whoever mints tokens.
    fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "it is no JWT that is signed with HS256",
            Self::Signature => {
                "it is signed with no key of ours; a key is the secret's text, not decoded"
            }
            Self::Audience => "aud is neither checkout nor merchant, or is the other key's",
            Self::Claims => {
                "a claim is missing or malformed, or the key is the other audience's; \
                 iat and exp are needed, in seconds"
            }
            Self::Life => "iat is in the future, or it lives longer than it may",
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

/// A merchant token says nothing but that it is the merchant's.
#[derive(Serialize, Deserialize)]
struct Merchant {}

#[derive(Deserialize)]
struct Claims<T> {
    #[serde(deserialize_with = "numeric_date")]
    iat: i64,
    #[serde(deserialize_with = "numeric_date")]
    exp: i64,
    #[serde(flatten)]
    about: T,
}

/// Seconds; some libraries write fractions.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let written = Number::deserialize(deserializer)?;
    let seconds = written.as_i64().or_else(|| written.as_f64().map(|date| date.floor() as i64));
    seconds.ok_or_else(|| de::Error::custom("expected seconds"))
}

/// Checks signature and audience first, so that only the holder of a token that was valid
/// hears that it has expired.
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
    // Times are compared below, once all else is known to be right.
    rules.validate_exp = false;
    rules.validate_nbf = true;
    let mut nearest = Invalid::Malformed;
    let read = keys.0.iter().find_map(|key| {
        decode::<Claims<T>>(token, key, &rules)
            .map_err(|error| nearest = nearest.max(error.into()))
            .ok()
    });
    let claims = read.ok_or(nearest)?.claims;
    let now = Timestamp::now().as_second();
    let lives = claims.exp.checked_sub(claims.iat).ok_or(Invalid::Life)?;
    if !(1..=life).contains(&lives) || claims.iat > now.saturating_add(CLOCK_SKEW) {
        Err(Invalid::Life)
    } else if claims.exp <= now {
        Err(Invalid::Expired)
    } else {
        Ok(claims.about)
    }
}

/// Mints a token of `life` seconds, as the merchant's backend does.
///
/// # Errors
/// A sentence that says why not.
pub fn mint(caller: &Caller, key: &str, life: i64) -> Result<String, String> {
    mint_at(caller, key, Timestamp::now(), life)
}

/// As [`mint`], at another time than now.
///
/// # Errors
/// A sentence that says why not.
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
        Caller::Merchant => {
            encode(&header, &Minted { aud: "merchant", iat, exp, about: Merchant {} }, &key)
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

/// jsonwebtoken leaves the cryptography to a provider; ours is ring, for HS256 alone.
fn use_ring() {
    static ONCE: Once = Once::new();
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // It fails only where a provider is installed already.
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
