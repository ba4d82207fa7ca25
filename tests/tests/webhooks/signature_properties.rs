//! Only the signed content is accepted.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use shared::adyen::hmac::{Key, Keys};
use shared::adyen::notification::NotificationRequestItem;

/// The signed fields in sequence: pspReference, originalReference, merchantAccountCode,
/// merchantReference, value, currency, eventCode, success.
type Fields = [String; 8];

/// An item of these fields; empty ones are left out. None if it cannot be parsed.
fn read(fields: &Fields, signature: &str) -> Option<NotificationRequestItem> {
    let [psp_reference, original, account, reference, value, currency, code, success] = fields;
    let mut item = json!({"additionalData": {"hmacSignature": signature}});
    let amount = [("value", value), ("currency", currency)];
    for (name, text) in [
        ("pspReference", psp_reference),
        ("originalReference", original),
        ("merchantAccountCode", account),
        ("merchantReference", reference),
        ("eventCode", code),
        ("success", success),
    ] {
        if !text.is_empty() {
            item[name] = json!(text);
        }
    }
    for (name, text) in amount.into_iter().filter(|(_, text)| !text.is_empty()) {
        item["amount"][name] = json!(text);
    }
    serde_json::from_value(item).ok()
}

fn item(fields: &Fields, signature: &str) -> NotificationRequestItem {
    read(fields, signature).unwrap()
}

/// The key in hex, and its signature of these fields.
fn sign(fields: &Fields, key: &[u8]) -> (String, String) {
    let hex = hex::encode(key);
    let signature = Key::from_hex(&hex).unwrap().sign(fields.join(":").as_bytes());
    (hex, signature)
}

fn keys(hex: &str) -> Keys {
    hex.parse().unwrap()
}

const KEY: &str = "9F1C6A2E0B7D4538AA10C3E5F7264B8D3E5A90C1D2F4B6871029384756ABCDEF";

const OTHER_KEY: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF";

// The expected values were computed with Python's hmac module from the joined fields.
#[test]
fn known_signatures_verify() {
    let psp_reference = "KHQC5N7G84BLNK43";
    let payment = |reference: &'static str| {
        [psp_reference, "", "WinkelNL", reference, "2599", "EUR", "AUTHORISATION", "true"]
    };
    let refund = [
        "L8WZ3M6HQXK9TV52",
        psp_reference,
        "WinkelNL",
        "refund-7.1",
        "599",
        "EUR",
        "REFUND",
        "false",
    ];
    let zero = [psp_reference, "", "WinkelNL", "ORDER-7", "0", "GBP", "CANCELLATION", "true"];
    let report = ["rapport_2026_11.csv", "", "WinkelNL", "", "", "", "REPORT_AVAILABLE", "true"];
    let utf8 =
        [psp_reference, "", "Käsehaus", "bestelling-€-07", "100", "HUF", "OFFER_CLOSED", "true"];
    for (what, key, fields, signature) in [
        ("plain", KEY, payment("ORDER-7"), "tjt9TyFmKXP3+EkDV8IjkZNFutNtBayS2VTxzgq3Y2s="),
        (
            "another key",
            OTHER_KEY,
            payment("ORDER-7"),
            "F2h+h8fglcgFD5OFef8fPV/z9Gqi+NEhJwimSuLyIhY=",
        ),
        ("modification", KEY, refund, "2hsuza2mNhSE3+ZQxKMYPD8zSnw79T+CXYowQSI7bJE="),
        ("colons", KEY, payment("shop:NL:7"), "n6xp50F+KqKmgXD/kCHO6xHl0Gkgcc417prVnsmEdno="),
        ("backslashes", KEY, payment("shop\\7\\"), "eozkShIx8sYbu5CR6nRE1w2uXChpU8GzODKI9WaRjHI="),
        ("both", KEY, payment("a\\:b:\\c"), "5aMguckPWQ3E45yQUWVOU/swwfMDCPJYmV6HApCEPJw="),
        ("value 0", KEY, zero, "VVYR44ltICVy37Yh8XMkxtWeJinK1fY9wBWZaudAIcE="),
        ("no amount", KEY, report, "LTxVuoF/sxs5meFmySfoW+l3QP8eJbMZH3bihyc8l20="),
        ("UTF-8", KEY, utf8, "P7TcZE3yDPIOxcHmim/oRA7c5f45PiVN+OGPLppNaeg="),
        ("spaces", KEY, payment(" ORDER-7 "), "VJhQSZw25ElmlkqXWQ3bicQPGHKyMfmy5zQgUKXozuw="),
    ] {
        let item = item(&fields.map(str::to_owned), signature);
        assert_eq!(item.signed_content(), fields.join(":"), "{what}");
        assert_eq!(item.verify(&keys(key)), Some(0), "{what}");
        let both = keys(&format!("{},{key}", KEY.to_lowercase().replace('f', "e")));
        assert_eq!(item.verify(&both), Some(1), "{what}");
    }
}

#[test]
fn number_and_the_same_number_as_text_are_signed_alike() {
    for value in [json!(2599), json!("2599")] {
        let amount = json!({"amount": {"value": value}});
        let item: NotificationRequestItem = serde_json::from_value(amount).unwrap();
        assert_eq!(item.signed_content(), "::::2599:::");
    }
    let padded = json!({"amount": {"value": "02599"}});
    let item: NotificationRequestItem = serde_json::from_value(padded).unwrap();
    assert_eq!(item.signed_content(), "::::02599:::");
}

#[test]
fn only_the_merchant_reference_may_contain_colons() {
    let of = |fields: [&str; 8]| item(&fields.map(str::to_owned), "");
    assert!(!of(["P", "", "M", "a:b::c", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(!of(["P", "", "M", "", "", "", "", ""]).is_ambiguous());
    assert!(of(["P:", "", "M", "a", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(of(["P", "M:a", "", "b", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(of(["P", "", "M", "a", "1", "EUR", "b:REFUND", "true"]).is_ambiguous());
    assert!(!of([""; 8]).is_ambiguous());
}

/// Returns whether an item of these fields is accepted.
fn verifies(fields: &Fields, signature: &str, keys: &Keys) -> bool {
    read(fields, signature).is_some_and(|item| item.verify(keys).is_some())
}

/// Valid and arbitrary fields.
fn fields() -> impl Strategy<Value = Fields> {
    let text = || prop_oneof!["[A-Z0-9]{16}", "[ -~]{0,20}", "\\PC{0,12}"];
    let value = prop_oneof![any::<i64>().prop_map(|value| value.to_string()), Just(String::new())];
    let success = prop_oneof![Just("true".to_owned()), Just("false".to_owned())];
    (text(), text(), text(), text(), value, "[A-Z]{0,3}", "[A-Z_]{0,24}", success).prop_map(
        |(psp_reference, original, account, reference, value, currency, code, success)| {
            [psp_reference, original, account, reference, value, currency, code, success]
        },
    )
}

fn key_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 32)
}

/// Changes at least one bit of one byte.
fn changed(bytes: &[u8], at: &Index, by: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= by;
    bytes
}

proptest! {
    #[test]
    fn signed_notification_is_accepted(fields in fields(), key in key_bytes()) {
        let (key, signature) = sign(&fields, &key);
        prop_assert_eq!(item(&fields, &signature).verify(&keys(&key)), Some(0));
    }

    #[test]
    fn changed_byte_of_a_signed_field_is_rejected(
        fields in fields(),
        key in key_bytes(),
        field in 0..8_usize,
        at: Index,
        // A change of the highest bit seldom leaves valid UTF-8.
        by in 1..0x80_u8,
    ) {
        let (key, signature) = sign(&fields, &key);
        let mut tampered = fields.clone();
        prop_assume!(!fields[field].is_empty());
        let text = changed(fields[field].as_bytes(), &at, by);
        prop_assume!(std::str::from_utf8(&text).is_ok());
        tampered[field] = String::from_utf8(text).unwrap();
        prop_assert!(!verifies(&tampered, &signature, &keys(&key)));
    }

    #[test]
    fn added_or_removed_character_is_rejected(
        fields in fields(),
        key in key_bytes(),
        field in 0..8_usize,
        added in "[ -~]",
    ) {
        let (key, signature) = sign(&fields, &key);
        let mut longer = fields.clone();
        longer[field].push_str(&added);
        prop_assert!(!verifies(&longer, &signature, &keys(&key)));
        let mut shorter = fields.clone();
        prop_assume!(shorter[field].pop().is_some());
        prop_assert!(!verifies(&shorter, &signature, &keys(&key)));
    }

    #[test]
    fn signature_by_another_key_is_rejected(
        fields in fields(),
        key in key_bytes(),
        at: Index,
        by in 1..=u8::MAX,
    ) {
        let other = changed(&key, &at, by);
        let (_, signature) = sign(&fields, &key);
        prop_assert!(!verifies(&fields, &signature, &keys(&hex::encode(other))));
    }

    #[test]
    fn changed_byte_of_the_signature_is_rejected(
        fields in fields(),
        key in key_bytes(),
        at: Index,
        by in 1..=u8::MAX,
    ) {
        let (key, signature) = sign(&fields, &key);
        let tampered = changed(signature.as_bytes(), &at, by);
        if let Ok(text) = std::str::from_utf8(&tampered) {
            prop_assert!(!verifies(&fields, text, &keys(&key)));
        }
        let tag = BASE64_STANDARD.decode(&signature).unwrap();
        let tampered = BASE64_STANDARD.encode(changed(&tag, &at, by));
        prop_assert!(!verifies(&fields, &tampered, &keys(&key)));
    }

    #[test]
    fn signed_body_is_accepted_only_unchanged(
        body in prop::collection::vec(any::<u8>(), 1..300),
        key in key_bytes(),
        at: Index,
        by in 1..=u8::MAX,
    ) {
        let hex = hex::encode(&key);
        let signature = Key::from_hex(&hex).unwrap().sign(&body);
        prop_assert_eq!(keys(&hex).verify(&body, &signature), Some(0));
        prop_assert_eq!(keys(&hex).verify(&changed(&body, &at, by), &signature), None);
        prop_assert_eq!(keys(&hex).verify(&body[1..], &signature), None);
        let tampered = changed(signature.as_bytes(), &at, by);
        if let Ok(text) = std::str::from_utf8(&tampered) {
            prop_assert_eq!(keys(&hex).verify(&body, text), None);
        }
        let other = changed(&key, &at, by);
        prop_assert_eq!(keys(&hex::encode(other)).verify(&body, &signature), None);
    }

    #[test]
    fn signature_fits_only_its_own_event(fields in fields(), from in 0..4_usize) {
        // Moving text across a colon into the next field leaves the signed content unchanged.
        let content = fields.join(":");
        let mut moved = fields.clone();
        let (left, right) = (moved[from].clone(), moved[from + 1].clone());
        if let Some((first, rest)) = right.split_once(':') {
            moved[from] = format!("{left}:{first}");
            moved[from + 1] = rest.to_owned();
            prop_assume!(moved.join(":") == content && from != 3);
            let (original, moved) = (item(&fields, ""), item(&moved, ""));
            prop_assert_eq!(moved.signed_content(), original.signed_content());
            prop_assert!(moved.is_ambiguous() || original.is_ambiguous());
        }
    }
}
