//! Signs requests and button payloads for Amazon Pay: `AMZN-PAY-RSASSA-PSS-V2`.
//!
//! The signed text is the algorithm's name and a hash. The hash is that of a request's canonical
//! form, or of a button's unchanged payload.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::{digest, error::Unspecified};
use url::Url;

use super::{Region, key::PrivateKey};

/// RSASSA-PSS with SHA-256 and a salt of 32 bytes. Amazon's first algorithm has a salt of 20.
pub const ALGORITHM: &str = "AMZN-PAY-RSASSA-PSS-V2";

/// The signed parts of a request.
#[derive(Debug)]
pub struct SignableRequest<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Names and values without encoding.
    pub query: &'a [(&'a str, &'a str)],
    /// Lower-case names.
    pub headers: &'a BTreeMap<&'static str, String>,
    /// The body, or empty.
    pub payload: &'a [u8],
}

impl SignableRequest<'_> {
    pub fn canonical(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        [
            self.method,
            self.path,
            &canonical_query(self.query),
            &headers,
            &signed_headers(self.headers),
            &hash(self.payload),
        ]
        .join("\n")
    }
}

/// Sorted by name and then by value, both encoded as in RFC 3986.
fn canonical_query(query: &[(&str, &str)]) -> String {
    let mut pairs = query.to_vec();
    pairs.sort_unstable();
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn signed_headers(headers: &BTreeMap<&'static str, String>) -> String {
    headers.keys().copied().collect::<Vec<_>>().join(";")
}

/// The text that is signed for a canonical request or a button's payload.
pub fn string_to_sign(text: &str) -> String {
    format!("{ALGORITHM}\n{}", hash(text.as_bytes()))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// Signs a canonical request or a button's payload. The signature is base64.
///
/// # Errors
/// If the system has no randomness.
pub fn signature(key: &PrivateKey, text: &str) -> Result<String, Unspecified> {
    let signature = key.sign(string_to_sign(text).as_bytes())?;
    Ok(BASE64_STANDARD.encode(signature))
}

#[derive(Debug)]
pub struct Signer<'a> {
    pub key: &'a PrivateKey,
    /// Amazon Pay's id of the key.
    pub public_key_id: &'a str,
    pub region: Region,
}

impl Signer<'_> {
    /// The headers of a request, including `authorization`.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn headers(
        &self,
        method: &str,
        url: &Url,
        payload: &[u8],
        idempotency_key: Option<&str>,
        now: Timestamp,
    ) -> Result<BTreeMap<&'static str, String>, Unspecified> {
        let mut headers = BTreeMap::from([
            ("accept", "application/json".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("x-amz-pay-date", now.strftime("%Y%m%dT%H%M%SZ").to_string()),
            ("x-amz-pay-host", url.host_str().unwrap_or_default().to_owned()),
            ("x-amz-pay-region", self.region.as_str().to_owned()),
        ]);
        if let Some(key) = idempotency_key {
            headers.insert("x-amz-pay-idempotency-key", key.to_owned());
        }
        let query: Vec<_> = url.query_pairs().collect();
        let query: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let request =
            SignableRequest { method, path: url.path(), query: &query, headers: &headers, payload };
        let signature = signature(self.key, &request.canonical())?;
        let authorization = format!(
            "{ALGORITHM} PublicKeyId={}, SignedHeaders={}, Signature={signature}",
            self.public_key_id,
            signed_headers(&headers),
        );
        headers.insert("authorization", authorization);
        Ok(headers)
    }
}
