//! An HTTP request as AWS tells a function about it: payload format 2.0, from
//! an HTTP API or from a Lambda function URL.
//!
//! The two differ in more than names. An HTTP API decodes the path before it
//! matches a route; a function URL hands it on as it came and knows no routes.

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

/// Which kind of front door a request came through.
#[derive(Clone, Debug)]
pub enum Door {
    /// A route of the HTTP API.
    HttpApi {
        /// `POST /payments/details`, as the template writes it.
        route_key: String,
        /// The values of the template's `{names}`, decoded.
        path_parameters: BTreeMap<String, String>,
    },
    /// The function URL of the webhooks function.
    FunctionUrl,
}

/// Why no event can be made of a request. The gateway answers 400, as AWS does
/// before any function hears of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The path is no UTF-8 once decoded.
    #[error("the path is not UTF-8")]
    Path,
    /// `Host` is missing, given twice, or no host.
    #[error("the Host header is not a host")]
    Host,
    /// Path and query are no URL together.
    #[error("the target is not a URL")]
    Target,
}

/// The path as an HTTP API sees it: percent-decoded, and cut at a `?` that
/// only decoding brought out.
pub fn http_api_path(uri: &Uri) -> Result<String, Unusable> {
    let path = percent_decode_str(uri.path()).decode_utf8().map_err(|_| Unusable::Path)?;
    Ok(path.split('?').next().unwrap_or_default().to_owned())
}

/// The event for one request, as JSON text. `id` is the gateway's request id.
pub fn event(
    door: &Door,
    parts: &Parts,
    body: &Bytes,
    client: SocketAddr,
    id: &str,
    now: Timestamp,
) -> Result<String, Unusable> {
    let raw_path = match door {
        Door::HttpApi { .. } => http_api_path(&parts.uri)?,
        // Everything below the function URL's mount is its own root.
        Door::FunctionUrl => "/".to_owned(),
    };
    let query = parts.uri.query().unwrap_or_default();
    refuse_what_no_url_holds(&parts.headers, &raw_path, query)?;

    let (domain_prefix, domain_name, api_id, route_key) = match door {
        Door::HttpApi { route_key, .. } => (
            "localapi",
            format!("localapi.execute-api.{REGION}.amazonaws.com"),
            "localapi",
            route_key.as_str(),
        ),
        Door::FunctionUrl => {
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
        add_optional(event, door, parts, query, body);
    }
    Ok(event.to_string())
}

/// Members that AWS leaves out rather than sending empty.
fn add_optional(
    event: &mut Map<String, Value>,
    door: &Door,
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
    if let Door::HttpApi { path_parameters, .. } = door
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

/// Lower-case names, duplicates joined with a comma, cookies apart, plus what
/// AWS's own front end adds.
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
    // Behind AWS's front end it is always TLS on 443.
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

/// The content types whose body AWS passes on as text; every other one, and
/// none at all, comes base64-encoded.
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

/// `lambda_http` builds its URI from host, path and query and takes for granted
/// that AWS has refused what is none.
fn refuse_what_no_url_holds(
    headers: &HeaderMap,
    raw_path: &str,
    query: &str,
) -> Result<(), Unusable> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Unusable::Host);
    };
    let host = host.to_str().map_err(|_| Unusable::Host)?;
    host.parse::<axum::http::uri::Authority>()
        .ok()
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or(Unusable::Host)?;
    let mut url = url::Url::parse(&format!("https://{host}{raw_path}"))
        .map_err(|_| Unusable::Host)?
        .to_string();
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url.parse::<Uri>().map(drop).map_err(|_| Unusable::Target)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
