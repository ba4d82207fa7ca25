//! Reads HTTP requests from Lambda events.
//!
//! AWS forwards invalid queries and headers, and `lambda_http` panics on them. A panic would be a
//! failed invocation, which counts against the new version and could stop a deployment, so invalid
//! parts are repaired or removed first.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderName, HeaderValue,
    header::HOST,
    uri::{Authority, PathAndQuery},
};
use lambda_http::{aws_lambda_events::apigw::ApiGatewayV2httpRequest, request::LambdaRequest};
use serde::de::Error;
use serde_json::{Value, value::RawValue};
use url::Url;

/// Replaces a body that is not base64 although the event says so. It is not JSON, so a function
/// that reads it answers with an error.
const NOT_BASE64: &str = "not base64";

/// AWS's longest request line and headers together have 10 KB. `http` accepts a URL of 64 KB, and
/// encoding makes a text three times as long.
const LONGEST_URL: usize = 20_000;

/// # Errors
/// If the event is not from a function URL or an HTTP API.
pub fn read(event: &RawValue) -> Result<LambdaRequest, serde_json::Error> {
    match serde_json::from_str(event.get()) {
        Ok(request) if is_valid(&request) => Ok(LambdaRequest::ApiGatewayV2(request)),
        _ => repaired(event),
    }
}

fn is_valid(request: &ApiGatewayV2httpRequest) -> bool {
    let is_valid = |(name, value): (&HeaderName, &HeaderValue)| is_valid_part(name.as_str(), value);
    let path = request.raw_path.as_deref().unwrap_or_default();
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    // It takes the place of a missing host.
    let domain = request.request_context.domain_name.as_deref();
    let domain = domain.filter(|_| !request.headers.contains_key(HOST));
    let body = request.body.as_deref().filter(|_| request.is_base64_encoded).unwrap_or_default();
    request.headers.iter().all(is_valid)
        && path.len() + query.len() < LONGEST_URL
        && is_path(path)
        && is_query(query)
        && domain.is_none_or(is_host)
        && is_base64(body)
}

fn repaired(event: &RawValue) -> Result<LambdaRequest, serde_json::Error> {
    let mut event: Value = serde_json::from_str(event.get())?;
    if let Some(Value::String(path)) = event.get_mut("rawPath")
        && !is_path(path)
    {
        path.insert(0, '/');
    }
    if let Some(Value::String(query)) = event.get_mut("rawQueryString") {
        encode_query(query);
    }
    if let Some(Value::Object(headers)) = event.get_mut("headers") {
        headers.retain(is_header);
    }
    if let Some(domain) = event.pointer_mut("/requestContext/domainName")
        && !domain.as_str().is_some_and(is_host)
    {
        *domain = Value::Null;
    }
    if event["isBase64Encoded"] == true
        && let Some(Value::String(body)) = event.get_mut("body")
        && !is_base64(body)
    {
        *body = NOT_BASE64.to_owned();
        event["isBase64Encoded"] = Value::Bool(false);
    }
    // It can be read from text only, not from a Value.
    let request = serde_json::from_str(&event.to_string())?;
    match is_valid(&request) {
        true => Ok(LambdaRequest::ApiGatewayV2(request)),
        false => Err(Error::custom("the request's URL is invalid")),
    }
}

fn is_path(path: &str) -> bool {
    path.is_empty() || path.starts_with('/')
}

fn is_host(host: &str) -> bool {
    let is_authority = Authority::try_from(host).is_ok() && !host.contains('@');
    host.len() < 1000 && is_authority && Url::parse(&format!("https://{host}/")).is_ok()
}

fn is_base64(body: &str) -> bool {
    BASE64_STANDARD.decode(body).is_ok()
}

fn is_query(query: &str) -> bool {
    PathAndQuery::try_from(format!("/?{query}")).is_ok()
}

/// Percent-encodes characters that a query must not contain, as browsers do.
fn encode_query(query: &mut String) {
    if !is_query(query) {
        let encode = |c: char| match c {
            '!'..='~' if !"\"#<>".contains(c) => c.to_string(),
            _ => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
        };
        *query = query.chars().map(encode).collect();
    }
}

fn is_header(name: &String, value: &mut Value) -> bool {
    let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
    let name = HeaderName::try_from(name);
    name.ok().zip(value).is_some_and(|(name, value)| is_valid_part(name.as_str(), &value))
}

/// False for a header of the request's URL that cannot be part of one.
fn is_valid_part(name: &str, value: &HeaderValue) -> bool {
    let text = || value.to_str().unwrap_or_default();
    match name {
        "host" => is_host(text()),
        "x-forwarded-proto" => matches!(text(), "http" | "https"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lambda_http::Request;
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn request(change: Value) -> Request {
        read(&to_raw_value(&with(change)).unwrap()).unwrap().into()
    }

    fn with(change: Value) -> Value {
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
        event
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
            ("host", json!("a%b@c")),
            ("x-forwarded-proto", json!("ht tp")),
        ] {
            let request = request(json!({"headers": {name: value, "y": "é"}}));
            assert_eq!(request.headers().get(name), None, "{name}");
            assert_eq!(request.headers()["y"], "é", "{name}");
        }
    }

    #[test]
    fn a_body_is_decoded_and_one_that_is_not_base64_is_not_json() {
        for (sent, read) in [("e30=", "{}"), ("", ""), ("{}", NOT_BASE64), ("e30", NOT_BASE64)] {
            let request = request(json!({"body": sent, "isBase64Encoded": true}));
            assert_eq!(request.body().as_ref(), read.as_bytes());
        }
    }

    #[test]
    fn parts_of_a_url_that_is_none_are_repaired() {
        for (change, url) in [
            (
                json!({"rawPath": ":99999999"}),
                "https://id.lambda-url.eu-west-1.on.aws/:99999999?a=b",
            ),
            (json!({"headers": {"host": "a b"}, "requestContext": {"domainName": "a b"}}), "/?a=b"),
        ] {
            assert_eq!(request(change).uri(), url);
        }
    }

    #[test]
    fn an_event_without_a_request_or_with_a_longer_url_than_aws_s_is_rejected() {
        let long = "é".repeat(LONGEST_URL);
        for event in [
            json!(null),
            json!({}),
            json!({"takeOver": "foreign"}),
            with(json!({"rawPath": format!("/{long}")})),
            with(json!({"rawQueryString": long})),
        ] {
            assert!(read(&to_raw_value(&event).unwrap()).is_err(), "{event}");
        }
    }
}
