//! Names what is wrong with a token, for the developer who minted it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use shared::clock;
use shared::http::jwt::{Checkout, Terms};
use shared::limits;

/// The reason why a token is rejected, and the claim that it is about.
pub struct Fault {
    pub claim: Option<String>,
    pub reason: String,
}

fn fault(claim: &str, reason: impl Into<String>) -> Option<Fault> {
    Some(Fault { claim: Some(claim.to_owned()), reason: reason.into() })
}

fn parts(authorization: &str) -> Option<(Value, Value)> {
    let (_, token) = authorization.split_once(' ')?;
    let mut parts = token
        .trim()
        .split('.')
        .map(|part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok());
    Some((parts.next()??, parts.next()??))
}

/// The order that a token is for.
pub fn reference(authorization: &str) -> Option<String> {
    parts(authorization)?.1["reference"].as_str().map(str::to_owned)
}

/// Explains a rejected token. Only the signature is left to explain the rejection if all claims
/// are right.
pub fn explain(authorization: &str) -> Option<Fault> {
    let Some((header, claims)) = parts(authorization) else {
        let reason = "the Authorization header is not `Bearer` with a JWT".to_owned();
        return Some(Fault { claim: None, reason });
    };
    if header["alg"] != "HS256" {
        return fault("alg", "the header's alg is not HS256");
    }
    let life = match claims["aud"].as_str() {
        Some("checkout") => limits::CHECKOUT_TOKEN_LIFE,
        Some("merchant") => limits::MERCHANT_TOKEN_LIFE,
        _ => return fault("aud", "aud is neither checkout nor merchant"),
    };
    let (Some(iat), Some(exp)) = (seconds(&claims["iat"]), seconds(&claims["exp"])) else {
        let claim = if seconds(&claims["iat"]).is_none() { "iat" } else { "exp" };
        return fault(claim, format!("{claim} is not a number of seconds"));
    };
    if claims["aud"] == "checkout"
        && let Some(fault) = order(&claims)
    {
        return Some(fault);
    }
    let now = clock::now().as_second();
    if iat > now.saturating_add(limits::CLOCK_SKEW) {
        return fault("iat", "iat is in the future");
    }
    match exp.saturating_sub(iat) {
        lives if lives < 1 => fault("exp", "exp is not after iat"),
        lives if lives > life => {
            fault("exp", format!("the token lives {lives} seconds; the most is {life}"))
        }
        _ if exp <= now => fault("exp", "the token has expired"),
        _ => {
            let reason = "its claims are right, but it is signed with an unknown key or the other \
                          audience's";
            Some(Fault { claim: None, reason: reason.to_owned() })
        }
    }
}

/// Finds the malformed claim of an order.
fn order(claims: &Value) -> Option<Fault> {
    let named = |error: serde_path_to_error::Error<serde_json::Error>| {
        let (path, reason) = (error.path().to_string(), error.inner().to_string());
        let missing = reason.strip_prefix("missing field `").and_then(|it| it.split('`').next());
        let claim = match (path.as_str(), missing) {
            (".", Some(missing)) => missing.to_owned(),
            (path, Some(missing)) => format!("{path}.{missing}"),
            (path, None) => path.to_owned(),
        };
        Fault { claim: Some(claim), reason }
    };
    let whole = serde_path_to_error::deserialize::<_, Checkout>(claims).err().map(named);
    // Its own claims are read apart, because their path is lost among the order's.
    serde_path_to_error::deserialize::<_, Terms>(claims).err().map(named).or(whole)
}

fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|date| date.floor() as i64))
}
