//! A signed webhook with unreadable parts is applied or becomes a dead letter, and does not delay
//! the events behind it.

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::adyen::webhook::{self, Webhook, readable};

use crate::world::{
    World, accepted, item, modification, signed, standard, token_notification, with,
};

/// Values that a strict JSON parser rejects, or that have an unexpected type.
fn odd_values() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str| [open.repeat(5_000), close.repeat(5_000)].concat();
    let texts = [
        r#""\ud800""#,
        r#""a\udc00b""#,
        r#""\ud83d\ud83d\ude00""#,
        r#"{"\ud800": ["\udfff"]}"#,
        r#""\x41 \u12""#,
        "1e999999",
        "-1E+999999",
        "123456789012345678901234567890",
        r#"{"a": 1, "a": 2}"#,
        "\"a\0b\u{1}c\nd\te\"",
        "null",
        "true",
        "[]",
    ];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    let bytes = [&b"\"\xff\xfe\xc3\""[..], b"\"\xed\xa0\x80\""].map(<[u8]>::to_vec);
    let deep = [deep("[", "]"), deep("{\"a\":[", "]}")].map(String::into_bytes);
    texts.into_iter().chain(bytes).chain(deep).collect()
}

/// The JSON with the string `PLACE` replaced by these bytes.
fn with_bytes(body: &Value, bytes: &[u8]) -> Vec<u8> {
    let body = body.to_string();
    let (before, after) = body.split_once("\"PLACE\"").unwrap();
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

#[tokio::test]
async fn event_with_malformed_unsigned_fields_is_applied() {
    let world = World::new().await;
    let payment = world.paid("unsigned", "AMZN").await;
    let places = [
        json!({"reason": "PLACE"}),
        json!({"paymentMethod": "PLACE"}),
        json!({"operations": ["PLACE"]}),
        json!({"invented": {"in": "PLACE"}}),
        json!({"additionalData": {"cardSummary": "PLACE"}}),
        json!({"additionalData": {"modification.action": "PLACE"}}),
        json!({"additionalData": {"deep": [{"er": "PLACE"}]}}),
    ];
    let mut number = 0;
    for value in odd_values() {
        for place in &places {
            number += 1;
            let psp_reference = format!("REFUND{number:010}");
            let refund = modification("REFUND", &psp_reference, &payment, "unsigned");
            let notification = with(
                with(refund, json!({"amount": {"currency": "EUR", "value": 1}})),
                place.clone(),
            );
            let body = with_bytes(&standard(&[signed(&notification)]), &value);
            let answer = world.deliver(body).await;
            assert_eq!(
                answer.status,
                200,
                "{place} {}: {answer:?}",
                String::from_utf8_lossy(&value)
            );
        }
        // An unreadable value beside the items.
        number += 1;
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, "unsigned");
        let notification = with(refund, json!({"amount": {"currency": "EUR", "value": 1}}));
        let mut delivery = standard(&[signed(&notification)]);
        delivery["invented"] = json!("PLACE");
        accepted(&world.deliver(with_bytes(&delivery, &value)).await);
    }
    let order = world.stack.order("unsigned").await;
    assert_eq!(order["refundedAmount"]["value"], number);
    assert!(world.keys("dead#").await.is_empty());
}

#[tokio::test]
async fn byte_order_mark_and_padding_are_accepted() {
    let world = World::new().await;
    for (reference, before, after) in [
        ("bom", &b"\xef\xbb\xbf"[..], &b""[..]),
        ("nul", b"", b"\0\0\0"),
        ("both", b"\xef\xbb\xbf \n", b"\r\n\0"),
    ] {
        let payment = world.paid(reference, "A-PENDING").await;
        let body = standard(&[signed(&item("AUTHORISATION", &payment, reference))]).to_string();
        accepted(&world.deliver([before, body.as_bytes(), after].concat()).await);
        assert_eq!(world.status(reference).await, "authorised", "{reference}");
    }
}

#[tokio::test]
async fn last_of_a_duplicate_field_is_verified_and_applied() {
    let world = World::new().await;
    let payment = world.paid("twice", "A-PENDING").await;
    let notification = signed(&item("AUTHORISATION", &payment, "twice"));
    let twice = |field: &str, first: &str, last: &str| {
        let body = standard(std::slice::from_ref(&notification)).to_string();
        let written = format!("\"{field}\":{}", notification[field]);
        let (before, after) = body.split_once(&written).unwrap();
        let [first, last] =
            [first, last].map(|it| it.replace("SAME", &notification[field].to_string()));
        format!("{before}\"{field}\":{first},\"{field}\":{last}{after}")
    };
    for (field, first, last) in [
        ("pspReference", "SAME", "\"ANOTHERPAYMENT01\""),
        ("success", "SAME", "\"false\""),
        ("amount", "SAME", r#"{"currency":"EUR","value":1}"#),
        ("merchantReference", "SAME", "\"another\""),
        ("additionalData", "SAME", "{}"),
    ] {
        let answer = world.deliver(twice(field, first, last)).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{field}");
        assert_eq!(world.status("twice").await, "pending");
    }
    for (field, first, last) in [
        ("reason", "\"a\"", "\"b\""),
        ("eventDate", "7", "SAME"),
        ("pspReference", "\"ANOTHERPAYMENT01\"", "SAME"),
        ("success", "\"false\"", "SAME"),
        ("additionalData", "{}", "SAME"),
    ] {
        accepted(&world.deliver(twice(field, first, last)).await);
    }
    let order = world.order("twice").await;
    assert_eq!(order.events.len(), 1);
    assert_eq!(order.events[0].reason.as_deref(), Some("b"));
    assert_eq!(world.status("twice").await, "authorised");
}

/// The item, signed as if `\ud800` were the replacement.
fn signed_as(notification: &Value, replacement: &str) -> String {
    let text = notification.to_string();
    let replaced: Value = serde_json::from_str(&text.replace("\\\\ud800", replacement)).unwrap();
    let signature = &signed(&replaced)["additionalData"]["hmacSignature"];
    let mut notification = notification.clone();
    notification["additionalData"]["hmacSignature"] = signature.clone();
    standard(&[notification]).to_string().replace("\\\\ud800", "\\ud800")
}

#[tokio::test]
async fn event_with_an_unreadable_signed_field_is_a_dead_letter() {
    let world = World::new().await;
    let payment = world.paid("garbled", "AMZN").await;
    let before = world.order("garbled").await;
    let refund = modification("REFUND", "REFUND0000000001", &payment, "garbled");
    for (field, replacement, kept) in [
        ("pspReference", "\u{fffd}", "dead#x\u{fffd}#REFUND#true"),
        ("pspReference", "?", "dead#x\u{fffd}#REFUND#true"),
        ("originalReference", "\u{fffd}", "dead#REFUND0000000001#REFUND#true"),
        ("merchantAccountCode", "?", "dead#REFUND0000000001#REFUND#true"),
        ("eventCode", "?", "dead#REFUND0000000001#x\u{fffd}#true"),
        ("success", "\u{fffd}", "dead#REFUND0000000001#REFUND#false"),
    ] {
        let notification = with(refund.clone(), json!({field: "x\\ud800"}));
        let body = signed_as(&notification, replacement);
        accepted(&world.deliver(body.clone()).await);
        // Bodies with the same key are both stored.
        let keys = world.keys(kept).await;
        let mut bodies = Vec::new();
        for key in &keys {
            bodies.push(world.item(key).await.unwrap()["body"].as_s().unwrap().clone());
        }
        assert!(bodies.contains(&body), "{field} {replacement}: {keys:?}");
    }
    assert_eq!(world.keys("dead#").await.len(), 5, "a signature of the same content is the same");
    // A wrong signature is still rejected.
    let answer =
        world.deliver(signed_as(&with(refund, json!({"pspReference": "x\\ud800"})), "")).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    assert_eq!(world.order("garbled").await, before);
}

#[tokio::test]
async fn event_with_an_unreadable_reference_finds_its_order_by_the_payment() {
    let world = World::new().await;
    let payment = world.paid("found", "AMZN").await;
    for (number, replacement) in ["\u{fffd}", "?"].into_iter().enumerate() {
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, "refund \\ud800");
        let refund = with(refund, json!({"amount": {"currency": "EUR", "value": 100}}));
        accepted(&world.deliver(signed_as(&refund, replacement)).await);
    }
    assert_eq!(world.stack.order("found").await["refundedAmount"]["value"], 200);
    assert!(world.keys("dead#").await.is_empty());
}

#[tokio::test]
async fn token_event_with_malformed_other_fields_is_applied() {
    let world = World::new().await;
    let payment = world.paid("token", "AMZN").await;
    let mut number = 0;
    for value in odd_values() {
        for place in ["createdAt", "version", "invented"] {
            number += 1;
            let id = format!("TOKEN{number:011}");
            let notification = token_notification("created", &payment, "shopper-1", &id);
            let notification = with(notification, json!({ place: "PLACE" }));
            accepted(&world.deliver_signed(with_bytes(&notification, &value)).await);
            assert_eq!(world.token("shopper-1", &id).await.unwrap().events.len(), 1);
        }
        let mut notification = token_notification("disabled", "D", "shopper-1", "TOKEN00000000001");
        notification["data"]["invented"] = json!(["PLACE"]);
        accepted(&world.deliver_signed(with_bytes(&notification, &value)).await);
    }
    let bom = token_notification("created", &payment, "shopper-1", "BOM").to_string();
    accepted(&world.deliver_signed(format!("\u{feff}{bom}\0")).await);
    assert!(world.token("shopper-1", "BOM").await.is_some());
    assert!(world.keys("dead#").await.is_empty());
}

#[tokio::test]
async fn token_event_with_an_unreadable_token_is_a_dead_letter() {
    let world = World::new().await;
    let notification = token_notification("created", "QBQQ9DLNRHHKGK38", "shopper-1", "TOKEN");
    let of = |place: &str| {
        let mut notification = notification.clone();
        match notification["data"].get(place) {
            Some(_) => notification["data"][place] = json!("PLACE"),
            None => notification[place] = json!("PLACE"),
        }
        notification
    };
    let mut sent = 0;
    for place in
        ["shopperReference", "storedPaymentMethodId", "merchantAccount", "eventId", "environment"]
    {
        for value in [&br#""x\ud800""#[..], b"\"x\xff\""] {
            sent += 1;
            let body = with_bytes(&of(place), value);
            accepted(&world.deliver_signed(&body).await);
            accepted(&world.deliver_signed(&body).await);
            assert_eq!(world.keys("dead#recurring.token.created#").await.len(), sent, "{place}");
        }
    }
    let body =
        notification.to_string().replace("\"type\":\"recurring", "\"ty\\ud800pe\":\"recurring");
    accepted(&world.deliver_signed(body).await);
    assert_eq!(world.keys("dead##QBQQ9DLNRHHKGK38").await.len(), 1);
    assert_eq!(world.count("tokens").await, 0);
    let first = world.item("dead#recurring.token.created#QBQQ9DLNRHHKGK38").await.unwrap();
    assert!(first["body"].is_s() && first["signature"].is_s() && !first.contains_key("expiresAt"));
}

#[tokio::test]
async fn unsigned_body_must_be_strict_json() {
    let world = World::new().await;
    world.dynamodb.begin(|_| None);
    for body in ["\u{feff}{}", r#"{"a":1e999999}"#, "{}\0"] {
        let answer = world.deliver(body).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_notification"), "{body}");
        accepted(&world.deliver_signed(body).await);
    }
    assert!(world.dynamodb.calls().is_empty());
}

fn reason(body: &[u8]) -> Option<String> {
    let Ok(Webhook::Standard(notification)) = webhook::read(body) else {
        panic!("{}", String::from_utf8_lossy(body));
    };
    let item = &notification.notification_items[0].notification_request_item;
    assert_eq!(item.event(jiff::Timestamp::now()).unwrap().psp_reference, "KHQC5N7G84BLNK43");
    item.reason.clone()
}

/// A delivery with these JSON bytes as its reason.
fn with_reason(reason: &[u8]) -> Vec<u8> {
    let notification = item("AUTHORISATION", "KHQC5N7G84BLNK43", "O");
    with_bytes(&standard(&[with(notification, json!({"reason": "PLACE"}))]), reason)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn text_of_any_code_units_is_decoded_as_rust_does(
        units in prop::collection::vec(
            prop_oneof![any::<u16>(), 0xd7f0..0xe010_u16, 0..0x80_u16], 0..20,
        ),
    ) {
        let escaped: String = units.iter().map(|unit| format!("\\u{unit:04X}")).collect();
        let read = reason(&with_reason(format!("\"{escaped}\"").as_bytes()));
        prop_assert_eq!(read, Some(String::from_utf16_lossy(&units)));
    }

    #[test]
    fn text_of_any_bytes_is_decoded_as_rust_does(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|byte| !b"\"\\".contains(byte)).collect();
        let read = reason(&with_reason(&[b"\"", &bytes[..], b"\""].concat()));
        prop_assert_eq!(read, Some(String::from_utf8_lossy(&bytes).into_owned()));
    }

    #[test]
    fn readable_json_stays_unchanged(text in "\\PC{0,60}", escape: bool) {
        let value = json!({"a": [text], text.clone(): null});
        let mut body = value.to_string();
        if escape {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            body = format!("[\"{}\"]", units.collect::<String>());
        }
        prop_assert_eq!(readable(body.as_bytes(), '?'), body);
    }

    #[test]
    fn repaired_json_stays_unchanged(body in prop::collection::vec(any::<u8>(), 0..60)) {
        let once = readable(&[b"[\"\\", &body[..]].concat(), '\u{fffd}');
        prop_assert_eq!(readable(once.as_bytes(), '?'), once);
    }
}
