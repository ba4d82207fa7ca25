//! Known signatures.
//!
//! The expected values were computed with Python's hmac module from the joined fields.

use serde_json::{Value, json};
use shared::adyen::hmac::Keys;
use shared::adyen::notification::NotificationRequestItem;

const KEY: &str = "9F1C6A2E0B7D4538AA10C3E5F7264B8D3E5A90C1D2F4B6871029384756ABCDEF";
const OTHER_KEY: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF";

/// The signed fields in sequence: pspReference, originalReference, merchantAccountCode,
/// merchantReference, value, currency, eventCode, success.
pub type Fields = [String; 8];

/// An item of these fields; empty ones are absent. None where it cannot be read.
pub fn read(fields: &Fields, signature: &str) -> Option<NotificationRequestItem> {
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

pub fn item(fields: &Fields, signature: &str) -> NotificationRequestItem {
    read(fields, signature).unwrap()
}

pub fn keys(hex: &str) -> Keys {
    hex.parse().unwrap()
}

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
fn a_known_signature_of_a_body_verifies() {
    let body = concat!(
        "{ \"type\":\"recurring.token.created\",\n  \"eventId\":\"KHQC5N7G84BLNK43\", ",
        "\"data\":{\"shopperReference\":\"Zoë \\u00eb:7\"} }\r\n",
    );
    let signature = "fgl0r+agN4YGO8N0+7sYHgd2g8ZsgM+mvsBkdlnJG+I=";
    assert_eq!(keys(KEY).verify(body.as_bytes(), signature), Some(0));
    // The same JSON, written otherwise.
    assert_eq!(keys(KEY).verify(body.trim().as_bytes(), signature), None);
}

#[test]
fn a_number_and_the_same_number_as_text_are_signed_alike() {
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
fn malformed_hmac_key_is_rejected() {
    let other = |key: &str| format!("{KEY},{key}");
    for wrong in ["", "abc", "xy", "0x00", "0 0", "00"] {
        assert!(wrong.parse::<Keys>().is_err(), "{wrong}");
        assert!(other(wrong).parse::<Keys>().is_err(), "{wrong}");
    }
    // Adyen's keys have 32 bytes; another length is a key that was cut or pasted twice.
    for digits in [0, 2, 62, 63, 65, 66, 128] {
        assert!("0".repeat(digits).parse::<Keys>().is_err(), "{digits}");
        assert!(other(&"0".repeat(digits)).parse::<Keys>().is_err(), "{digits}");
    }
    assert!("g".repeat(64).parse::<Keys>().is_err());
    assert!(other(&"0".repeat(64)).parse::<Keys>().is_ok());
    assert_eq!(format!("{:?}", keys(KEY)), "Keys([[redacted]])");
}

#[test]
fn only_the_merchant_reference_may_contain_colons() {
    let of = |fields: [&str; 8]| item(&fields.map(str::to_owned), "");
    assert!(!of(["P", "", "M", "a:b::c", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(!of(["P", "", "M", "", "", "", "", ""]).is_ambiguous());
    assert!(of(["P:", "", "M", "a", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(of(["P", "M:a", "", "b", "1", "EUR", "REFUND", "true"]).is_ambiguous());
    assert!(of(["P", "", "M", "a", "1", "EUR", "b:REFUND", "true"]).is_ambiguous());
    let unused: Value = json!({});
    let empty: NotificationRequestItem = serde_json::from_value(unused).unwrap();
    assert!(!empty.is_ambiguous());
}
