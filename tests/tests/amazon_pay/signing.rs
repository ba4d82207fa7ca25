use std::collections::BTreeMap;

use amazon_pay_simulator::{PRIVATE_KEY, PUBLIC_KEY};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use shared::amazon_pay::signing::{SignableRequest, Signer, signature, string_to_sign};
use shared::amazon_pay::{PrivateKey, Region};

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

fn verifies(text: &str, signature: &str) -> bool {
    let base64: String = PUBLIC_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let key = UnparsedPublicKey::new(
        // RSASSA-PSS with SHA-256 and a salt of 32 bytes; another salt does not verify.
        &RSA_PSS_2048_8192_SHA256,
        BASE64_STANDARD.decode(base64).unwrap(),
    );
    let signature = BASE64_STANDARD.decode(signature).unwrap();
    key.verify(string_to_sign(text).as_bytes(), &signature).is_ok()
}

#[test]
fn signature_verifies_only_for_the_signed_text() {
    let key = PrivateKey::from_pem(PRIVATE_KEY).unwrap();
    let first = signature(&key, BUTTON).unwrap();
    let second = signature(&key, BUTTON).unwrap();

    assert_ne!(first, second, "the salt is random");
    assert!(verifies(BUTTON, &first));
    assert!(verifies(BUTTON, &second));
    assert!(!verifies(&BUTTON.replace("shop", "shoq"), &first));
}

/// The same key as PKCS#1: what PKCS#8 wraps.
fn as_pkcs1(pkcs8: &str) -> String {
    const WRAPPING: usize = 26;
    let base64: String = pkcs8.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(base64).unwrap();
    let base64 = BASE64_STANDARD.encode(&der[WRAPPING..]);
    let lines: Vec<_> =
        base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

#[test]
fn private_key_is_read_as_pkcs8_or_pkcs1_on_many_lines_or_one() {
    let pkcs1 = as_pkcs1(PRIVATE_KEY);
    for pem in [
        PRIVATE_KEY.to_owned(),
        pkcs1.clone(),
        PRIVATE_KEY.trim().replace('\n', "\\n"),
        pkcs1.replace('\n', "\r\n"),
    ] {
        let key = PrivateKey::from_pem(&pem).unwrap();
        assert!(verifies("text", &signature(&key, "text").unwrap()));
        assert_eq!(format!("{key:?}"), "[redacted]");
    }
}

#[test]
fn malformed_private_key_is_rejected_and_not_quoted() {
    let half = &PRIVATE_KEY[..PRIVATE_KEY.len() / 2];
    let broken = PRIVATE_KEY.replacen('\n', "\nAAAA", 1);
    let elliptic = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n\
        AAAAAAAAAAAAAAAAAAAAAAAAAAGhRANCAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
        -----END PRIVATE KEY-----\n";
    for wrong in ["", "secret", PUBLIC_KEY, half, &broken, elliptic] {
        let problem = PrivateKey::from_pem(wrong).unwrap_err();
        assert!(problem.starts_with("expected "), "{problem}");
        assert!(problem.contains("RSA"), "{problem}");
        for line in wrong.lines().filter(|line| line.len() > 5) {
            assert!(!problem.contains(line), "{problem}");
        }
    }
}

#[test]
fn signed_request_has_amazon_pays_headers() {
    let key = PrivateKey::from_pem(PRIVATE_KEY).unwrap();
    let signer = Signer { key: &key, public_key_id: "SANDBOX-AG1", region: Region::Eu };
    let url = "https://pay-api.amazon.eu/v2/checkoutSessions/S".parse().unwrap();
    let now: Timestamp = "2026-11-23T08:09:10.999Z".parse().unwrap();

    let got = signer.headers("GET", &url, b"", None, now).unwrap();

    let mut plain = got.clone();
    let authorization = plain.remove("authorization").unwrap();
    assert_eq!(plain, headers());
    let signature = authorization
        .strip_prefix(
            "AMZN-PAY-RSASSA-PSS-V2 PublicKeyId=SANDBOX-AG1, SignedHeaders=accept;content-type;\
             x-amz-pay-date;x-amz-pay-host;x-amz-pay-region, Signature=",
        )
        .unwrap();
    let canonical = SignableRequest {
        method: "GET",
        path: "/v2/checkoutSessions/S",
        query: &[],
        headers: &plain,
        payload: b"",
    }
    .canonical();
    assert!(verifies(&canonical, signature));
}

const NO_PAYLOAD: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const UPDATE: &str = r#"{"paymentDetails":{"paymentIntent":"Confirm","chargeAmount":{"amount":"10.00","currencyCode":"EUR"}},"merchantMetadata":{"merchantReferenceId":"ORDER-1"}}"#;

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
            SignableRequest { method, path, query, headers: &headers, payload: b"" }.canonical();

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
        (r#"{"storeId":"ü"}"#, "689c75948c53965f00832b6d80ac3b577f34415ef131d651375ced39bf9ae477"),
    ] {
        assert_eq!(string_to_sign(payload), format!("AMZN-PAY-RSASSA-PSS-V2\n{hash}"));
    }
}
