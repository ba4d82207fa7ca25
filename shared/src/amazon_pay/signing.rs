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

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PAYLOAD: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    const UPDATE: &str = r#"{"paymentDetails":{"paymentIntent":"Confirm","chargeAmount":{"amount":"10.00","currencyCode":"EUR"}},"merchantMetadata":{"merchantReferenceId":"ORDER-1"}}"#;

    const BUTTON: &str = r#"{"webCheckoutDetails":{"checkoutReviewReturnUrl":"https://shop.example/review","checkoutResultReturnUrl":"https://shop.example/result"},"storeId":"amzn1.application-oa2-client.0123456789abcdef"}"#;

    fn headers() -> BTreeMap<&'static str, String> {
        [
            ("x-amz-pay-region", "eu"),
            ("x-amz-pay-host", "pay-api.amazon.eu"),
            ("content-type", "application/json"),
            ("x-amz-pay-date", "20261123T080910Z"),
            ("accept", "application/json"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    /// A request and the middle of its canonical form, with the hash of the whole.
    struct Vector {
        method: &'static str,
        path: &'static str,
        query: &'static [(&'static str, &'static str)],
        canonical_query: &'static str,
        hash: &'static str,
    }

    const VECTORS: [Vector; 7] = [
        Vector {
            method: "GET",
            path: "/v2/checkoutSessions/bd504926-f659-4ad7-a1a9-9a747aaf5275",
            query: &[],
            canonical_query: "",
            hash: "2037c69fd22d5bac60109caf271f64b478c0bf2ead982bd44fa490541729d738",
        },
        // By name: what follows a name does not count.
        Vector {
            method: "GET",
            path: "/live/v2/reports",
            query: &[("a.2", "z"), ("a.10", "y"), ("a.1", "x")],
            canonical_query: "a.1=x&a.10=y&a.2=z",
            hash: "cc152db1247a155eda34c35dd91f38b722a8c5d1660d02d53c69c7d2c60222dc",
        },
        // Then by value, capitals first.
        Vector {
            method: "GET",
            path: "/v2/reports",
            query: &[("type", "b"), ("type", "a"), ("type", "A")],
            canonical_query: "type=A&type=a&type=b",
            hash: "0bdf49fd82cb8f52395a1354bbec9b28e9e3b8ae04e9cf3f4e8583aada1e6ed7",
        },
        Vector {
            method: "GET",
            path: "/v2/-._~09AZaz",
            query: &[("k", "-._~09AZaz")],
            canonical_query: "k=-._~09AZaz",
            hash: "a71ec529236f5faaff0aaa99a63d6d5087a2ce19f1c5ae6e4a8f39ce9623ece5",
        },
        // As RFC 3986 encodes, not as a form does.
        Vector {
            method: "GET",
            path: "/v2/reports",
            query: &[("a b*", "!'()*+/=&?%")],
            canonical_query: "a%20b%2A=%21%27%28%29%2A%2B%2F%3D%26%3F%25",
            hash: "879ffe67b6caa8c249d639e34845b07d8480a222cc2a85bc66b1a1b08ff39dac",
        },
        Vector {
            method: "POST",
            path: "/v2/reports",
            query: &[("ü", "€")],
            canonical_query: "%C3%BC=%E2%82%AC",
            hash: "2b28710b4ede718237369e682be3296c3fd7436275c39d2e0a512b0a64c97f17",
        },
        Vector {
            method: "GET",
            path: "/v2/reports",
            query: &[("b", "1"), ("a", "")],
            canonical_query: "a=&b=1",
            hash: "7b64eaf72c82d6914ae489fa98d927688cfc41f130aec501de10479f0f6ca4e0",
        },
    ];

    #[test]
    fn canonical_form_of_a_request_matches_known_hashes() {
        for vector in VECTORS {
            let Vector { method, path, query, canonical_query, hash } = vector;
            let headers = headers();
            let canonical =
                SignableRequest { method, path, query, headers: &headers, payload: b"" }
                    .canonical();

            assert_eq!(
                canonical,
                format!(
                    "{method}\n{path}\n{canonical_query}\n\
                     accept:application/json\ncontent-type:application/json\n\
                     x-amz-pay-date:20261123T080910Z\nx-amz-pay-host:pay-api.amazon.eu\n\
                     x-amz-pay-region:eu\n\n\
                     accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-region\n{NO_PAYLOAD}"
                )
            );
            assert_eq!(string_to_sign(&canonical), format!("AMZN-PAY-RSASSA-PSS-V2\n{hash}"));
        }
    }

    #[test]
    fn signature_covers_payload_and_idempotency_key() {
        let mut headers = headers();
        headers.insert("x-amz-pay-idempotency-key", "0123456789abcdef0123456789abcdef".to_owned());
        let canonical = SignableRequest {
            method: "PATCH",
            path: "/v2/checkoutSessions/bd504926-f659-4ad7-a1a9-9a747aaf5275",
            query: &[],
            headers: &headers,
            payload: UPDATE.as_bytes(),
        }
        .canonical();

        assert_eq!(
            canonical,
            "PATCH\n/v2/checkoutSessions/bd504926-f659-4ad7-a1a9-9a747aaf5275\n\n\
             accept:application/json\ncontent-type:application/json\n\
             x-amz-pay-date:20261123T080910Z\nx-amz-pay-host:pay-api.amazon.eu\n\
             x-amz-pay-idempotency-key:0123456789abcdef0123456789abcdef\nx-amz-pay-region:eu\n\n\
             accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-idempotency-key;\
             x-amz-pay-region\n1177699dda5a6455b625586bfd3dd7c88a2e72507b8ac2fea19bb0ea1f2e6fed"
        );
        assert_eq!(
            string_to_sign(&canonical),
            "AMZN-PAY-RSASSA-PSS-V2\n23563bf41b42666fd43f5019a8d4eeac0387b35d0dbf3a80183f5bf233781826"
        );
    }

    #[test]
    fn button_payload_is_hashed_unchanged() {
        for (payload, hash) in [
            (BUTTON, "3eb2f609ac8089d5653232ba2bfb4797936e8dc0919d76f9782baa6be0401a35"),
            // Amazon Pay's own example.
            (
                r#"{"storeId":"amzn1.application-oa2-client.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","webCheckoutDetails":{"checkoutReviewReturnUrl":"https://localhost/test/CheckoutReview.php","checkoutResultReturnUrl":"https://localhost/test/CheckoutResult.php"}}"#,
                "8dec52d799607be40f82d5c8e7ecb6c171e6591c41b1111a576b16076c89381c",
            ),
            (
                r#"{"storeId":"ü"}"#,
                "689c75948c53965f00832b6d80ac3b577f34415ef131d651375ced39bf9ae477",
            ),
        ] {
            assert_eq!(string_to_sign(payload), format!("AMZN-PAY-RSASSA-PSS-V2\n{hash}"));
        }
    }
}
