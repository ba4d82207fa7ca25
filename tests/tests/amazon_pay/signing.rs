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
