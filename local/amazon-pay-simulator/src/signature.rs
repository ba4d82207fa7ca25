//! Verifies the signatures of requests and buttons.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rsa::Pss;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::sha2::{Digest, Sha256};
use simulator_http::{Answer, Request};

use crate::options::Options;

/// Amazon Pay's algorithms, RSA-PSS with SHA-256, and the bytes of their salts.
const ALGORITHMS: [(&str, usize); 2] =
    [("AMZN-PAY-RSASSA-PSS", 20), ("AMZN-PAY-RSASSA-PSS-V2", 32)];

/// Every other character of a query is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The headers that every signature has to cover.
const SIGNED: [&str; 5] =
    ["accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region"];

/// The tolerance for a caller's clock, in seconds.
const CLOCK_SKEW: i64 = 15 * 60;

/// The merchant's public key.
pub(crate) struct PublicKey(rsa::PublicKey);

impl PublicKey {
    /// Reads PEM of PKCS#1.
    pub fn from_pem(pem: &str) -> io::Result<Self> {
        rsa::PublicKey::from_pkcs1_pem(pem)
            .map(Self)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Returns whether the signature is valid for the hash of that text. An unknown algorithm
    /// verifies nothing.
    fn verifies(&self, algorithm: &str, text: &[u8], signature: &str) -> bool {
        let known = ALGORITHMS.iter().find(|(name, _)| *name == algorithm);
        let (Some((_, salt)), Ok(signature)) = (known, BASE64_STANDARD.decode(signature)) else {
            return false;
        };
        let signed = Sha256::digest(format!("{algorithm}\n{}", hash(text)));
        self.0.verify(Pss::<Sha256>::new_with_salt(*salt), &signed, &signature).is_ok()
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Verifies the fields of a button.
///
/// # Errors
/// The reason for which the button is rejected.
pub(crate) fn button(
    key: &PublicKey,
    options: &Options,
    fields: &BTreeMap<String, String>,
) -> Result<(), &'static str> {
    let field = |name| fields.get(name).map(String::as_str).unwrap_or_default();
    if field("publicKeyId") != options.public_key_id {
        return Err("publicKeyId is not the merchant's");
    }
    // Without the field, it is the first algorithm.
    let algorithm = fields.get("algorithm").map_or(ALGORITHMS[0].0, String::as_str);
    if !key.verifies(algorithm, field("payloadJSON").as_bytes(), field("signature")) {
        return Err("signature is not the payload's");
    }
    Ok(())
}

/// Verifies a request.
///
/// # Errors
/// Amazon Pay's answer.
pub(crate) fn request(
    key: &PublicKey,
    options: &Options,
    request: &Request,
    now: Timestamp,
) -> Result<(), Answer> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let authorization = header("authorization").ok_or_else(|| missing("authorization"))?;
    let Credentials { algorithm, public_key_id, signed, signature } =
        credentials(authorization).ok_or_else(|| invalid("authorization"))?;
    if public_key_id != options.public_key_id {
        return Err(refused("The public key is unknown"));
    }
    for name in SIGNED {
        header(name).ok_or_else(|| missing(name))?;
        if !signed.contains(&name) {
            return Err(refused("A required header is not signed"));
        }
    }
    let key_is_signed = signed.contains(&"x-amz-pay-idempotency-key");
    if header("x-amz-pay-idempotency-key").is_some() != key_is_signed {
        return Err(refused("The idempotency key is not signed"));
    }
    let host = header("host").unwrap_or_default();
    let host_name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ![Some(host), Some(host_name)].contains(&header("x-amz-pay-host")) {
        return Err(invalid("x-amz-pay-host"));
    }
    if header("x-amz-pay-region") != Some(&options.region) {
        return Err(invalid("x-amz-pay-region"));
    }
    if !header("x-amz-pay-date").is_some_and(|date| is_now(date, now)) {
        return Err(invalid("x-amz-pay-date"));
    }
    let canonical = canonical(request, &signed).ok_or_else(|| invalid("authorization"))?;
    if key.verifies(algorithm, canonical.as_bytes(), signature) {
        Ok(())
    } else {
        Err(refused("The signature does not match the request"))
    }
}

struct Credentials<'a> {
    algorithm: &'a str,
    public_key_id: &'a str,
    /// The names of the signed headers.
    signed: Vec<&'a str>,
    signature: &'a str,
}

/// `ALGORITHM PublicKeyId=…, SignedHeaders=a;b, Signature=…`.
fn credentials(authorization: &str) -> Option<Credentials<'_>> {
    let (algorithm, rest) = authorization.split_once(' ')?;
    let mut parts = rest.split(", ");
    let public_key_id = parts.next()?.strip_prefix("PublicKeyId=")?;
    let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
    let signature = parts.next()?.strip_prefix("Signature=")?;
    let signed: Vec<_> = signed.split(';').collect();
    (parts.next().is_none() && signed.is_sorted()).then_some(Credentials {
        algorithm,
        public_key_id,
        signed,
        signature,
    })
}

/// The date is compact in Amazon Pay's documentation. Its SDK for Node writes dashes and colons.
fn is_now(date: &str, now: Timestamp) -> bool {
    ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"]
        .iter()
        .find_map(|format| DateTime::strptime(format, date).ok())
        .and_then(|date| TimeZone::UTC.to_timestamp(date).ok())
        .is_some_and(|date| (date.as_second() - now.as_second()).abs() <= CLOCK_SKEW)
}

fn canonical(request: &Request, signed: &[&str]) -> Option<String> {
    let mut query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    query.sort();
    let encode = |text: &str| percent_encode(text.as_bytes(), UNRESERVED).to_string();
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let mut text = format!("{}\n{}\n{}\n", request.method, request.path, query.join("&"));
    for name in signed {
        text += &format!("{name}:{}\n", request.headers.get(*name)?.trim());
    }
    text += &format!("\n{}\n{}", signed.join(";"), hash(&request.body));
    Some(text)
}

fn refused(why: &str) -> Answer {
    error(403, "InvalidRequestSignature", why)
}

pub(crate) fn missing(header: &str) -> Answer {
    error(400, "MissingHeader", &format!("{header} is missing"))
}

fn invalid(header: &str) -> Answer {
    error(400, "InvalidHeaderValue", &format!("{header} is not valid"))
}

/// An error in Amazon Pay's format.
pub fn error(status: u16, reason_code: &str, message: &str) -> Answer {
    Answer::json(status, &serde_json::json!({"reasonCode": reason_code, "message": message}))
}
