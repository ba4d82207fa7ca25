//! Keeps everybody but this machine's browser out.
//!
//! A web page can send requests to loopback, and a host name of its own can resolve to it. So the
//! peer, the `Host`, the `Origin` and the browser's `Sec-Fetch-Site` must all be this machine's.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Scripts and styles of the workbench only, and no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub async fn guard(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(reason) = admitted(peer, request.headers()) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admitted(peer: SocketAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err("The workbench is for this machine only.");
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).filter(|host| is_this_machine(host));
    let Some(host) = host else {
        return Err("Open the workbench as localhost or 127.0.0.1.");
    };
    let own = format!("http://{host}");
    if text(header::ORIGIN).is_some_and(|origin| !origin.eq_ignore_ascii_case(&own)) {
        return Err("The request comes from another web page.");
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        // A link from another page may open the workbench, but not call it.
        Some(_) if headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate") => Ok(()),
        Some(_) => Err("The request comes from another web page."),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|it| it.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_on_another_machine_is_refused_whatever_it_sends() {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        for (peer, is_admitted) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("172.17.0.2:1", false),
            ("[::ffff:172.17.0.2]:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            let admitted = peer.parse().is_ok_and(|peer| admitted(peer, &headers).is_ok());
            assert_eq!(admitted, is_admitted, "{peer}");
        }
    }

    #[test]
    fn request_without_a_host_is_refused() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(admitted(peer, &HeaderMap::new()).is_err());
    }
}
