//! Reads HTTP requests from Lambda events.
//!
//! AWS forwards invalid queries and headers, and `lambda_http` panics on them. A panic would be a
//! failed invocation, which counts against the new version and could stop a deployment, so invalid
//! parts are repaired or removed first.

use http::{HeaderName, HeaderValue, uri::PathAndQuery};
use lambda_http::request::LambdaRequest;
use serde_json::Value;
use url::Url;

/// # Errors
/// If the event is not from a function URL or an HTTP API.
pub fn read(mut event: Value) -> Result<LambdaRequest, serde_json::Error> {
    if let Some(Value::String(query)) = event.get_mut("rawQueryString") {
        encode_query(query);
    }
    if let Some(Value::Object(headers)) = event.get_mut("headers") {
        headers.retain(is_header);
    }
    // LambdaRequest can be read from text only, not from a Value.
    serde_json::from_str(&event.to_string())
}

/// Percent-encodes characters that a query must not contain, as browsers do.
fn encode_query(query: &mut String) {
    if PathAndQuery::try_from(format!("/?{query}")).is_err() {
        let encode = |c: char| match c {
            '!'..='~' if !"\"#<>".contains(c) => c.to_string(),
            _ => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
        };
        *query = query.chars().map(encode).collect();
    }
}

/// True if the header is valid. The request's URL is built from `host` and `x-forwarded-proto`.
fn is_header(name: &String, value: &mut Value) -> bool {
    let Some(value) = value.as_str() else {
        return false;
    };
    let is_header = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
    is_header
        && match name.to_ascii_lowercase().as_str() {
            "host" => Url::parse(&format!("https://{value}/")).is_ok(),
            "x-forwarded-proto" => matches!(value, "http" | "https"),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lambda_http::Request;
    use serde_json::json;

    use super::*;

    fn request(change: Value) -> Request {
        let mut event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "a=b",
            "headers": {"host": "id.lambda-url.eu-west-1.on.aws", "x-forwarded-proto": "https"},
            "requestContext": {
                "accountId": "anonymous", "apiId": "id", "domainPrefix": "id",
                "domainName": "id.lambda-url.eu-west-1.on.aws", "requestId": "1",
                "http": {
                    "method": "POST", "path": "/", "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "x",
                },
                "routeKey": "$default", "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_i64,
            },
            "body": "{}", "isBase64Encoded": false,
        });
        merge(&mut event, change);
        read(event).unwrap().into()
    }

    fn merge(event: &mut Value, change: Value) {
        match change {
            Value::Object(members) => {
                members.into_iter().for_each(|(name, it)| merge(&mut event[name], it));
            }
            value => *event = value,
        }
    }

    #[test]
    fn a_query_that_http_does_not_allow_is_encoded() {
        for (sent, read) in [
            ("a=b&c=%20", "a=b&c=%20"),
            ("a={}|^`\\", "a={}|^`\\"),
            ("a=<b>", "a=%3Cb%3E"),
            ("a=\"", "a=%22"),
            ("a= é\u{0}\n", "a=%20%C3%A9%00%0A"),
        ] {
            let request = request(json!({"rawQueryString": sent}));
            assert_eq!(request.uri().query(), Some(read));
            assert_eq!(request.body().as_ref(), b"{}");
        }
    }

    #[test]
    fn headers_that_http_does_not_allow_are_left_out() {
        for (name, value) in [
            ("x", json!("a\nb")),
            ("x", json!("a\u{1}b")),
            ("x", json!(null)),
            ("x y", json!("a")),
            ("host", json!("a b")),
            ("host", json!("")),
            ("x-forwarded-proto", json!("ht tp")),
        ] {
            let request = request(json!({"headers": {name: value, "y": "é"}}));
            assert_eq!(request.headers().get(name), None, "{name}");
            assert_eq!(request.headers()["y"], "é", "{name}");
        }
    }

    #[test]
    fn an_event_without_a_request_is_rejected() {
        for event in [json!(null), json!({}), json!({"takeOver": "foreign"})] {
            assert!(read(event.clone()).is_err(), "{event}");
        }
    }
}
