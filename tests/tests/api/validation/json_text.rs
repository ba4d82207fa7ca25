//! Bodies that are not a JSON object of an accepted size.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use tests::{Answer, Stack, backend, browser, payment};

use super::{Untouched, everything};

const LIMIT: usize = 256 * 1024;

const ROUTES: [&str; 3] = ["/payments", "/payments/details", "/paymentMethods"];

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{{\"metadata\":{}1{}}}", open.repeat(levels), close.repeat(levels))
}

/// A valid body of this length.
fn padded(length: usize) -> String {
    let body = everything().to_string();
    let space = " ".repeat(length - body.len());
    body + &space
}

#[tokio::test]
async fn body_that_is_not_a_json_object_is_rejected() {
    let whole = everything().to_string();
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("words", b"pay now".into()),
        ("a form", b"amount=1000&currency=EUR".into()),
        ("an open brace", b"{".into()),
        ("half of it", whole.as_bytes()[..whole.len() / 2].into()),
        ("all but the end", whole.as_bytes()[..whole.len() - 1].into()),
        ("more behind it", format!("{whole}}}").into()),
        ("two objects", format!("{whole}{whole}").into()),
        ("a comma too many", br#"{"reference":"ORDER-1",}"#.into()),
        ("single quotes", b"{'reference':'ORDER-1'}".into()),
        ("a comment", br#"{"reference":"ORDER-1"/**/}"#.into()),
        ("not a number", br#"{"amount":{"currency":"EUR","value":NaN}}"#.into()),
        ("a leading zero", br#"{"amount":{"currency":"EUR","value":01000}}"#.into()),
        ("a bare control character", b"{\"reference\":\"ORDER\x001\"}".into()),
        ("half a surrogate pair", br#"{"reference":"\ud800"}"#.into()),
        ("the other half", br#"{"reference":"\udc00"}"#.into()),
        ("a wrong escape", br#"{"reference":"\x41"}"#.into()),
        ("no UTF-8", b"{\"reference\":\"ORDER\xff\"}".into()),
        ("UTF-16", whole.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a byte order mark", format!("\u{feff}{whole}").into()),
        ("an array", format!("[{whole}]").into()),
        ("a string", br#""ORDER-1""#.into()),
        ("a number", b"1000".into()),
        ("null", b"null".into()),
        ("200 levels of objects", nested("{\"a\":", "}", 200).into()),
        ("10,000 levels of objects", nested("{\"a\":", "}", 10_000).into()),
        ("10,000 levels of arrays", nested("[", "]", 10_000).into()),
        ("nothing but arrays", "[".repeat(LIMIT).into()),
    ];
    let bundle = Untouched::start().await;
    for (row, body) in rows {
        for route in ROUTES {
            let row = format!("{row} at {route}");
            let request = bundle.post(route, body.clone());
            bundle.refuses(&row, request, (400, "invalid_json", None)).await;
            let request = bundle.post(route, body.clone()).bearer_auth("");
            bundle.refuses(&row, request, (401, "unauthorized", None)).await;
        }
    }
    for route in ["/payments", "/payments/details"] {
        let request = bundle.post(route, "");
        bundle.refuses("nothing", request, (400, "invalid_json", None)).await;
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn number_out_of_range_is_named() {
    let bundle = Untouched::start().await;
    let nines = "9".repeat(400);
    for number in ["1e400", "-1e999", nines.as_str()] {
        for (body, field) in [
            (format!(r#"{{"amount":{{"currency":"EUR","value":{number}}}}}"#), "amount.value"),
            (format!(r#"{{"list":[1,{{"a":{number}}}]}}"#), "list[1].a"),
        ] {
            for route in ROUTES {
                let request = bundle.post(route, body.clone());
                let refusal = (422, "invalid_field", Some(field));
                bundle.refuses(&body, request, refusal).await;
            }
        }
        for route in ROUTES {
            let request = bundle.post(route, number.to_owned());
            let refusal = (400, "invalid_json", None);
            bundle.refuses(number, request, refusal).await;
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn duplicate_field_is_rejected() {
    let amount = r#""amount":{"currency":"EUR","value":1000}"#;
    let bundle = Untouched::start().await;
    for (body, field) in [
        (format!(r#"{{{amount},"reference":"A",{amount}}}"#), "amount"),
        (format!(r#"{{{amount},"reference":"A","reference":"B"}}"#), "reference"),
        (r#"{"amount":{"currency":"EUR","value":1,"value":2}}"#.to_owned(), "value"),
        (r#"{"amount":{"currency":"EUR","val\u0075e":1,"value":2}}"#.to_owned(), "value"),
        (r#"{"metadata":{"a":"1","a":"1"}}"#.to_owned(), "a"),
    ] {
        for route in ROUTES {
            let request = bundle.post(route, body.clone());
            bundle.refuses(&body, request, (400, "invalid_json", None)).await;
            let answer = Answer::of(bundle.post(route, body.clone())).await;
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("`{field}`")), "{detail}");
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn body_larger_than_256_kilobytes_is_rejected() {
    let bundle = Untouched::start().await;
    for length in [LIMIT + 1, 2 * LIMIT, 4_000_000] {
        let body = padded(length);
        for route in ROUTES {
            let row = format!("{length} bytes at {route}");
            let request = bundle.post(route, body.clone());
            bundle.refuses(&row, request, (413, "body_too_large", None)).await;
        }
    }
    bundle.is_untouched().await;
    let body = padded(LIMIT);
    let answer = Answer::of(bundle.post("/payments", body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn body_of_another_content_type_is_rejected() {
    let bundle = Untouched::start().await;
    let request = |content_type: Option<&[u8]>, route: &str| {
        let request = bundle.0.request(Method::POST, route).bearer_auth(backend());
        let request = match content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        };
        request.body(everything().to_string())
    };
    for content_type in [
        None,
        Some(b"".as_slice()),
        Some(b"text/plain"),
        Some(b"text/json"),
        Some(b"application/x-www-form-urlencoded"),
        Some(b"application/problem+json"),
        Some(b"application/jsonx"),
        Some(b"application/json, text/plain"),
        Some(b"multipart/form-data; boundary=application/json"),
        Some(b"application/json\xff"),
    ] {
        for route in ROUTES {
            let row = format!("{content_type:?} at {route}");
            let refusal = (415, "unsupported_media_type", None);
            bundle.refuses(&row, request(content_type, route), refusal).await;
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn every_json_content_type_is_accepted() {
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json ; charset=UTF-8",
    ] {
        let stack = Stack::start().await;
        let request = stack
            .request(Method::POST, "/payments")
            .bearer_auth(browser("ORDER-1"))
            .header(CONTENT_TYPE, content_type)
            .body(payment("ORDER-1", "160583287597AMZN").to_string());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
}

#[tokio::test]
async fn body_with_a_missing_byte_is_handled() {
    let bundle = Untouched::start().await;
    let whole = everything().to_string().into_bytes();
    for at in (0..whole.len()).step_by(7) {
        let mut body = whole.clone();
        body.remove(at);
        let row = String::from_utf8_lossy(&body).into_owned();
        for route in ROUTES {
            let answer = Answer::of(bundle.post(route, body.clone())).await;
            // The other bodies may be valid requests.
            if answer.status != 200 {
                assert!((400..500).contains(&answer.status), "{row}: {answer:?}");
                answer.code();
            }
        }
    }
}
