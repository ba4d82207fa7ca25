//! HTTP requests as AWS's events of payload format 2.0, from an HTTP API or a function URL.
//!
//! An HTTP API decodes the path before it matches a route. A function URL passes the path on
//! unchanged and has no routes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::header::{CONNECTION, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE};
use axum::http::{HeaderMap, HeaderName, Uri, Version, request::Parts};
use base64::Engine;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

const ACCOUNT_ID: &str = "123456789012";
const REGION: &str = "eu-west-1";

/// The AWS service that invokes the function.
#[derive(Clone, Debug)]
pub enum EventSource {
    /// A route of the HTTP API.
    HttpApi {
        /// Such as `POST /payments/details`, as in the template.
        route_key: String,
        /// The decoded values of the template's `{names}`.
        path_parameters: BTreeMap<String, String>,
    },
    /// The function URL of the webhooks function.
    FunctionUrl,
}

/// A request without an event. The gateway answers 400, like AWS, without invoking a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    #[error("the path is not UTF-8")]
    Path,
    /// Or it is missing or repeated.
    #[error("the Host header is not a host")]
    Host,
    #[error("the target is not a URL")]
    Target,
}

/// The path as an HTTP API matches it: percent-decoded, then cut at the first `?`.
pub fn http_api_path(uri: &Uri) -> Result<String, InvalidRequest> {
    let path = percent_decode_str(uri.path()).decode_utf8().map_err(|_| InvalidRequest::Path)?;
    Ok(path.split('?').next().unwrap_or_default().to_owned())
}

/// The event of a request, as JSON. `id` is the gateway's request id.
pub fn event(
    source: &EventSource,
    parts: &Parts,
    body: &Bytes,
    client: SocketAddr,
    id: &str,
    now: Timestamp,
) -> Result<String, InvalidRequest> {
    let raw_path = match source {
        EventSource::HttpApi { .. } => http_api_path(&parts.uri)?,
        // The gateway mounts the root of the function URL.
        EventSource::FunctionUrl => "/".to_owned(),
    };
    let query = parts.uri.query().unwrap_or_default();
    check_url(&parts.headers, &raw_path, query)?;

    let (domain_prefix, domain_name, api_id, route_key) = match source {
        EventSource::HttpApi { route_key, .. } => (
            "localapi",
            format!("localapi.execute-api.{REGION}.amazonaws.com"),
            "localapi",
            route_key.as_str(),
        ),
        EventSource::FunctionUrl => {
            ("localurl", format!("localurl.lambda-url.{REGION}.on.aws"), "localurl", "$default")
        }
    };
    let headers = headers(&parts.headers, client, id, now);
    let user_agent = headers.get("user-agent").cloned().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": api_id,
            "domainName": domain_name,
            "domainPrefix": domain_prefix,
            "http": {
                "method": parts.method.as_str(),
                "path": raw_path,
                "protocol": protocol(parts.version),
                "sourceIp": client.ip().to_canonical().to_string(),
                "userAgent": user_agent,
            },
            "requestId": id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    if let Value::Object(event) = &mut event {
        add_optional(event, source, parts, query, body);
    }
    Ok(event.to_string())
}

/// Adds the members that AWS omits if they are empty.
fn add_optional(
    event: &mut Map<String, Value>,
    source: &EventSource,
    parts: &Parts,
    query: &str,
    body: &Bytes,
) {
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event.insert("cookies".into(), json!(cookies));
    }
    let query = comma_joined(url::form_urlencoded::parse(query.as_bytes()));
    if !query.is_empty() {
        event.insert("queryStringParameters".into(), json!(query));
    }
    if let EventSource::HttpApi { path_parameters, .. } = source
        && !path_parameters.is_empty()
    {
        event.insert("pathParameters".into(), json!(path_parameters));
    }
    if !body.is_empty() {
        let text = is_text(&parts.headers).then(|| std::str::from_utf8(body).ok()).flatten();
        event.insert("isBase64Encoded".into(), json!(text.is_none()));
        event.insert(
            "body".into(),
            text.map_or_else(
                || base64::engine::general_purpose::STANDARD.encode(body).into(),
                Value::from,
            ),
        );
    }
}

/// The headers with lower-case names, duplicates joined with a comma, without cookies, and with
/// those that AWS adds.
fn headers(
    sent: &HeaderMap,
    client: SocketAddr,
    id: &str,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let per_connection: [&HeaderName; 4] = [&CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &COOKIE];
    let mut headers = comma_joined(
        sent.iter()
            .filter(|(name, _)| !per_connection.contains(name))
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))),
    );
    let ip = client.ip().to_canonical();
    headers
        .entry("x-forwarded-for".into())
        .and_modify(|hops| *hops = format!("{hops}, {ip}"))
        .or_insert_with(|| ip.to_string());
    // AWS accepts TLS on port 443 only.
    headers.insert("x-forwarded-proto".into(), "https".into());
    headers.insert("x-forwarded-port".into(), "443".into());
    headers.insert("x-amzn-trace-id".into(), format!("Root=1-{:08x}-{id:0>24}", now.as_second()));
    headers
}

fn comma_joined<K: AsRef<str>, V: AsRef<str>>(
    pairs: impl Iterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        joined
            .entry(name.as_ref().to_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(value.as_ref());
            })
            .or_insert_with(|| value.as_ref().to_owned());
    }
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .split(';')
                .map(|cookie| cookie.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Returns whether AWS passes the body on as text. It encodes bodies of other content types, and
/// of none, in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "application/json" | "application/xml" | "application/javascript"
        )
}

/// Rejects a host, path or query that is not part of a URL. AWS does so too, and `lambda_http`
/// relies on it.
fn check_url(headers: &HeaderMap, raw_path: &str, query: &str) -> Result<(), InvalidRequest> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(InvalidRequest::Host);
    };
    let host = host.to_str().map_err(|_| InvalidRequest::Host)?;
    host.parse::<axum::http::uri::Authority>()
        .ok()
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or(InvalidRequest::Host)?;
    let mut url = url::Url::parse(&format!("https://{host}{raw_path}"))
        .map_err(|_| InvalidRequest::Host)?
        .to_string();
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url.parse::<Uri>().map(drop).map_err(|_| InvalidRequest::Target)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
