//! Unreadable bodies are rejected.

use std::time::Duration;

use local::keys;
use reqwest::Method;
use serde_json::{Value, json};
use tests::Answer;

use crate::world::{World, accepted, item, key, signed, standard, token_notification, with};

/// Sends bodies that cannot be read, signed as a whole and not.
async fn refused(world: &World, bodies: impl IntoIterator<Item = Vec<u8>>, statuses: &[u16]) {
    world.dynamodb.begin(|_| None);
    for body in bodies {
        let signature = key(keys::STANDARD_HMAC_KEY).sign(&body);
        for request in
            [world.post(body.clone()), world.post(body.clone()).header("hmacsignature", &signature)]
        {
            let answer = Answer::of(request).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert!(statuses.contains(&answer.status), "{shown}: {answer:?}");
            answer.code();
        }
    }
    assert!(world.dynamodb.calls().is_empty());
}

#[tokio::test]
async fn body_that_is_not_a_json_object_returns_400() {
    let world = World::new().await;
    let whole = standard(&[signed(&item("AUTHORISATION", "KHQC5N7G84BLNK43", "O"))]).to_string();
    let deep = |open: &str, close: &str| {
        format!("{{\"notificationItems\":{}{}}}", open.repeat(50_000), close.repeat(50_000))
    };
    let mut not_utf8 = whole.clone().into_bytes();
    not_utf8[40] = 0xff;
    let texts = [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"text\"",
        "[]",
        "[{}]",
        "{",
        "{]",
        "{}{}",
        "{\"a\":1,}",
        "live=false&eventCode=AUTHORISATION",
        "<notification/>",
        "{\"live\":NaN}",
        "{'live':'false'}",
    ];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    let structures = [deep("[", "]"), deep("{\"a\":", "}")].map(String::into_bytes);
    let truncated = (1..whole.len()).step_by(37).map(|end| whole.as_bytes()[..end].to_vec());
    let huge = format!("{{\"notificationItems\":[],\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let bodies = texts.into_iter().chain(structures).chain(truncated);
    refused(&world, bodies.chain([not_utf8, huge.into_bytes()]), &[400]).await;
}

#[tokio::test]
async fn body_without_notification_items_returns_400() {
    let world = World::new().await;
    let signed = signed(&item("AUTHORISATION", "KHQC5N7G84BLNK43", "O"));
    let bodies = [
        json!({"live": "false", "notificationItems": []}),
        json!({"live": "false", "notificationItems": null}),
        json!({"live": "false", "notificationItems": {}}),
        json!({"live": "false", "notificationItems": "text"}),
        json!({"live": "false", "notificationItems": [null]}),
        json!({"live": "false", "notificationItems": [7]}),
        json!({"live": "false", "notificationItems": [{}]}),
        json!({"live": "false", "notificationItems": [signed]}),
        json!({"live": "false", "notificationItems": [{"NotificationRequestItem": null}]}),
        json!({"live": "false", "notificationItems": [{"NotificationRequestItem": "text"}]}),
    ];
    refused(&world, bodies.map(|body| body.to_string().into_bytes()), &[400]).await;
}

#[tokio::test]
async fn signed_field_of_the_wrong_type_is_rejected() {
    let world = World::new().await;
    let good = signed(&item("AUTHORISATION", "KHQC5N7G84BLNK43", "O"));
    let strange = [
        json!(null),
        json!(7),
        json!(7.5),
        json!(true),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({"value": "text"}),
        json!(18_446_744_073_709_551_615_u64),
    ];
    let mut bodies = Vec::new();
    for value in &strange {
        for field in [
            "pspReference",
            "merchantAccountCode",
            "merchantReference",
            "eventCode",
            "success",
            "amount",
            "additionalData",
        ] {
            bodies.push(with(good.clone(), json!({field: value})));
        }
        let mut amount = good.clone();
        amount["amount"]["value"] = value.clone();
        bodies.push(amount);
        let mut currency = good.clone();
        currency["amount"]["currency"] = value.clone();
        bodies.push(currency);
    }
    // The signed content has `true` without quotes.
    let bodies = bodies.into_iter().filter(|item| item["success"] != json!(true));
    let bodies = bodies.map(|item| standard(&[item]).to_string().into_bytes());
    refused(&world, bodies, &[400, 401]).await;
}

#[tokio::test]
async fn malformed_signature_is_rejected() {
    let world = World::new().await;
    let good = signed(&item("AUTHORISATION", "KHQC5N7G84BLNK43", "O"));
    let signature = good["additionalData"]["hmacSignature"].as_str().unwrap().to_owned();
    let token = token_notification("created", "KHQC5N7G84BLNK43", "shopper", "TOKEN").to_string();
    let token_signature = key(keys::TOKEN_HMAC_KEY).sign(token.as_bytes());
    let mangled = |signature: &str| {
        [
            String::new(),
            " ".into(),
            "=".into(),
            "====".into(),
            "A".into(),
            "AAAA".into(),
            signature[1..].into(),
            signature[..43].into(),
            signature[..40].into(),
            format!("{signature}="),
            format!("{signature}A"),
            format!(" {signature}"),
            format!("{signature}{signature}"),
            format!("{signature},{signature}"),
            signature.to_lowercase(),
            signature.to_uppercase(),
            hex::encode(signature),
            signature.replace(['+', '/'], "-").replace('=', "_"),
            "é".repeat(22),
            "A".repeat(100_000),
        ]
    };
    world.dynamodb.begin(|_| None);
    for wrong in mangled(&signature) {
        let mut item = good.clone();
        item["additionalData"]["hmacSignature"] = json!(wrong);
        let answer = world.deliver(standard(&[item]).to_string()).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{wrong}");
    }
    for wrong in mangled(&token_signature) {
        // A header cannot carry every character.
        if wrong.len() < 1000 && wrong != format!(" {token_signature}") {
            let request = world.post(token.clone());
            let answer = Answer::of(request.header("hmacsignature", wrong.as_bytes())).await;
            assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{wrong}");
        }
    }
    for wrong in [Value::Null, json!(7), json!(true), json!([signature]), json!({"a": signature})] {
        let mut item = good.clone();
        item["additionalData"]["hmacSignature"] = wrong;
        let answer = world.deliver(standard(&[item]).to_string()).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    }
    let answer = world.deliver(token).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    assert!(world.dynamodb.calls().is_empty());
}

#[tokio::test]
async fn webhook_with_another_method_is_rejected() {
    let world = World::new().await;
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answer = Answer::of(world.stack.request(method, "/webhooks")).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
}

#[tokio::test]
async fn webhook_with_many_items_is_stored_in_time() {
    let world = World::new().await;
    world.paid("many", "AMZN").await;
    let payment = world.psp_reference("many");
    let items: Vec<Value> = (0..60)
        .map(|number| {
            let refund = item("INVENTED_IN_2031", &format!("EVENT{number:011}"), "many");
            signed(&with(refund, json!({"originalReference": payment})))
        })
        .collect();
    let body = standard(&items).to_string();
    let begun = std::time::Instant::now();
    accepted(&world.deliver(body).await);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let order = world.order("many").await;
    assert_eq!((order.events.len(), order.events_dropped), (60, false));
}
