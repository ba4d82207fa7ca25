//! JSON Web Tokens made by hand, so that any of their parts can be wrong.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use local::keys;
use ring::hmac;
use serde_json::{Value, json};
pub use tests::with;

/// The current time in seconds since 1970.
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Claims that a checkout token may have.
pub fn checkout() -> Value {
    json!({
        "aud": "checkout",
        "iat": now(),
        "exp": now() + 3600,
        "reference": "ORDER-1",
        "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL",
        "shopperReference": "shopper-1",
    })
}

/// Claims that a merchant token may have.
pub fn merchant() -> Value {
    json!({"aud": "merchant", "iat": now(), "exp": now() + 600})
}

/// Signs claims as they should be, with the development key of their audience.
pub fn sign(claims: &Value) -> String {
    let key = match claims["aud"].as_str() {
        Some("merchant") => keys::MERCHANT_TOKEN_KEY,
        _ => keys::CHECKOUT_TOKEN_KEY,
    };
    sign_with(key, claims)
}

/// Signs claims with another key.
pub fn sign_with(key: &str, claims: &Value) -> String {
    sign_as(&json!({"alg": "HS256", "typ": "JWT"}), hmac::HMAC_SHA256, key, claims)
}

/// Signs claims with an algorithm that need not be the header's.
pub fn sign_as(header: &Value, algorithm: hmac::Algorithm, key: &str, claims: &Value) -> String {
    let signed = unsigned(header, claims);
    let signature = hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Joins the header and the claims, unsigned.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}
