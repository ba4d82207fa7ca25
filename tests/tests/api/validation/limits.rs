//! Adyen's limits for the length of fields, to the character.

use serde_json::{Value, json};
use tests::Answer;

use super::{Untouched, dotted, everything, with};

/// The maximum length of each field. Values are filled with `x`, unless they need a format.
const LIMITS: [(&str, usize); 27] = [
    ("/billingAddress/city", 3000),
    ("/billingAddress/houseNumberOrName", 3000),
    ("/billingAddress/postalCode", 10),
    ("/billingAddress/stateOrProvince", 3),
    ("/billingAddress/street", 3000),
    ("/browserInfo/acceptHeader", 2048),
    ("/browserInfo/language", 64),
    ("/browserInfo/userAgent", 2048),
    ("/deliveryAddress/city", 3000),
    ("/deliveryAddress/houseNumberOrName", 3000),
    ("/deliveryAddress/postalCode", 10),
    ("/deliveryAddress/stateOrProvince", 3),
    ("/deliveryAddress/street", 3000),
    ("/merchantOrderReference", 1000),
    ("/metadata/shop", 80),
    ("/origin", 80),
    ("/paymentMethod/amazonPayToken", 1000),
    ("/paymentMethod/checkoutAttemptId", 256),
    ("/paymentMethod/sdkData", 50_000),
    ("/reference", 80),
    ("/returnUrl", 1024),
    ("/shopperEmail", 256),
    ("/shopperName/firstName", 80),
    ("/shopperName/lastName", 80),
    ("/shopperReference", 256),
    ("/shopperStatement", 22),
    ("/telephoneNumber", 64),
];

/// A value of this length that is otherwise valid.
fn of_length(pointer: &str, length: usize) -> Value {
    let around = |start: &str, end: &str| {
        let filling = length - start.len() - end.len();
        format!("{start}{}{end}", "x".repeat(filling))
    };
    json!(match pointer {
        "/origin" => around("https://", ".example.com"),
        "/returnUrl" => around("https://example.com/", ""),
        "/shopperEmail" => around("", "@example.com"),
        _ => around("", ""),
    })
}

#[tokio::test]
async fn field_of_adyens_maximum_length_is_accepted() {
    let bundle = Untouched::start().await;
    for (number, (pointer, most)) in LIMITS.into_iter().enumerate() {
        let body = with(everything(), "/reference", json!(format!("ORDER-{number}")));
        let body = with(body, pointer, of_length(pointer, most));
        let answer = Answer::of(bundle.post("/payments", body.to_string())).await;
        assert_eq!(answer.status, 200, "{most} at {pointer}: {answer:?}");
        let sent = bundle.0.adyen().books().calls.pop().unwrap().body;
        assert_eq!(sent, body);
    }
}

#[tokio::test]
async fn field_above_adyens_maximum_length_is_rejected() {
    let bundle = Untouched::start().await;
    for (pointer, most) in LIMITS {
        let field = dotted(pointer);
        for length in [most + 1, 2 * most, 100_000] {
            let body = with(everything(), pointer, of_length(pointer, length));
            let request = bundle.post("/payments", body.to_string());
            let refusal = (422, "invalid_field", Some(field.as_str()));
            bundle.refuses(&format!("{length} at {pointer}"), request, refusal).await;
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn lengths_are_counted_in_characters() {
    let bundle = Untouched::start().await;
    let body = with(everything(), "/shopperName/firstName", json!("\u{1f600}".repeat(80)));
    let answer = Answer::of(bundle.post("/payments", body.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn metadata_beyond_adyens_limits_is_rejected() {
    let pairs = |count: usize, length: usize| -> Value {
        let pair = |number| (format!("{number:0length$}"), json!("x"));
        Value::Object((0..count).map(pair).collect())
    };
    let bundle = Untouched::start().await;
    for (row, metadata) in [
        ("21 pairs", pairs(21, 20)),
        ("a key of 21 characters", pairs(1, 21)),
        ("a key of none", json!({"": "x"})),
        ("a NUL in a key", json!({"a\0": "x"})),
    ] {
        let body = with(everything(), "/metadata", metadata);
        let request = bundle.post("/payments", body.to_string());
        bundle.refuses(row, request, (422, "invalid_field", Some("metadata"))).await;
    }
    bundle.is_untouched().await;
    let body = with(everything(), "/metadata", pairs(20, 20));
    let answer = Answer::of(bundle.post("/payments", body.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
