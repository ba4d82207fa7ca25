//! The gateway sends functions the same events as AWS, and returns the same answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use local::call::Call;
use local::gateway::{Function, Gateway, Route};
use local::template::Template;
use serde_json::{Value, json};
use simulator_http::listen::{Port, listen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers with the request that it got.
fn echo() -> Function {
    function(|request: Request| async move {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            panic!("no API Gateway context");
        };
        let lambda = request.lambda_context_ref().unwrap();
        let (kind, body) = match request.body() {
            Body::Text(text) => ("text", text.clone()),
            Body::Binary(bytes) => ("binary", format!("{bytes:?}")),
            _ => ("empty", String::new()),
        };
        let headers: serde_json::Map<_, _> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
            .collect();
        let parameters = request.path_parameters();
        let echo = json!({
            "uri": request.uri().to_string(),
            "rawPath": request.raw_http_path(),
            "headers": headers,
            "kind": kind,
            "body": body,
            "reference": parameters.first("reference"),
            "context": serde_json::to_value(context).unwrap(),
            "requestId": lambda.request_id,
            "deadline": lambda.deadline,
        });
        Response::builder()
            .header("content-type", "application/json")
            .body(Body::Text(echo.to_string()))
            .unwrap()
    })
}

fn function<F: Future<Output = Response<Body>> + Send + 'static>(
    handler: impl Fn(Request) -> F + Send + Sync + 'static,
) -> Function {
    Function {
        handler: Arc::new(move |request| Box::pin(handler(request))),
        timeout: Duration::from_millis(300),
    }
}

struct Served {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

async fn serve(function: Function, allowed_origins: &[&str]) -> Served {
    let listener = listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let route = |method: &str, path: &str| Route {
        method: method.parse().unwrap(),
        path: path.into(),
        function: function.clone(),
    };
    let gateway = Gateway {
        routes: vec![
            route("POST", "/payments"),
            route("POST", "/payments/details"),
            route("GET", "/orders/{reference}"),
        ],
        webhooks: function.clone(),
        allowed_origins: allowed_origins.iter().map(ToString::to_string).collect(),
        cors: Template::read().unwrap().cors,
        on_call: Arc::new(move |call| seen.lock().unwrap().push(call.clone())),
        traced: false,
    };
    let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());
    Served { address, calls }
}

impl Served {
    /// Sends bytes unchanged, and reads status, head and body.
    async fn send(&self, request: impl AsRef<[u8]>) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    async fn echoed(&self, request: impl AsRef<[u8]>) -> Value {
        let (status, _, body) = self.send(request).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_route_of_the_api_gets_an_api_gateway_event() {
    let served = serve(echo(), &[]).await;
    let echo = served
        .echoed(post(
            "/payments?a=1&a=2&b=x%20y",
            "Content-Type: application/json\r\nX-Two: 1\r\nX-Two: 2\r\n\
             Cookie: c=1; d=2\r\nUser-Agent: test\r\nX-Forwarded-For: 9.9.9.9\r\n",
            "{\"a\":1}",
        ))
        .await;

    let context = &echo["context"];
    assert_eq!(context["routeKey"], "POST /payments");
    assert_eq!(context["stage"], "$default");
    assert_eq!(context["http"]["method"], "POST");
    assert_eq!(context["http"]["path"], "/payments");
    assert_eq!(context["http"]["protocol"], "HTTP/1.1");
    assert_eq!(context["http"]["sourceIp"], "127.0.0.1");
    assert_eq!(context["http"]["userAgent"], "test");
    let domain = context["domainName"].as_str().unwrap();
    assert!(domain.contains(".execute-api."), "{domain}");
    assert!(context["timeEpoch"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(echo["uri"], "https://shop.test/payments?a=1&a=2&b=x%20y");
    assert_eq!(echo["headers"]["x-two"], "1,2");
    assert_eq!(echo["headers"]["cookie"], "c=1; d=2");
    assert_eq!(echo["headers"]["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
    assert_eq!(echo["headers"]["x-forwarded-proto"], "https");
    assert!(echo["headers"]["connection"].is_null());
    assert_eq!((&echo["kind"], &echo["body"]), (&json!("text"), &json!("{\"a\":1}")));
    assert_eq!(echo["requestId"].as_str().unwrap().len(), 36);
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((0..=300).contains(&(echo["deadline"].as_i64().unwrap() - now)));
}

#[tokio::test]
async fn the_webhooks_function_gets_a_function_url_event() {
    let served = serve(echo(), &[]).await;
    let body = r#"{"notificationItems":[{"NotificationRequestItem":
        {"eventCode":"AUTHORISATION","success":"true","merchantReference":"A"}}]}"#;
    let echo = served.echoed(post("/webhooks", "Content-Type: application/json\r\n", body)).await;

    let context = &echo["context"];
    assert_eq!(context["routeKey"], "$default");
    let domain = context["domainName"].as_str().unwrap();
    assert!(domain.contains(".lambda-url."), "{domain}");
    assert_eq!(echo["rawPath"], "/");
    assert_eq!(echo["body"], body);
    let line = served.calls.lock().unwrap()[0].to_string();
    assert!(line.contains("AUTHORISATION true A"), "{line}");
}

#[tokio::test]
async fn a_body_is_text_or_base64_by_its_content_type() {
    let served = serve(echo(), &[]).await;
    let kind = async |content_type: &str, body: &[u8]| {
        let head = post("/payments", content_type, "");
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", body.len()));
        served.echoed([head.as_bytes(), body].concat()).await["kind"].clone()
    };

    assert_eq!(kind("Content-Type: application/json; charset=utf-8\r\n", b"{}").await, "text");
    assert_eq!(kind("Content-Type: text/plain\r\n", b"x").await, "text");
    assert_eq!(kind("Content-Type: application/json\r\n", b"\xff\xfe").await, "binary");
    assert_eq!(kind("Content-Type: application/octet-stream\r\n", b"{}").await, "binary");
    assert_eq!(kind("Content-Type: application/x-www-form-urlencoded\r\n", b"a=1").await, "binary");
    assert_eq!(kind("", b"{}").await, "binary");
    assert_eq!(kind("Content-Type: application/json\r\n", b"").await, "empty");
}

#[tokio::test]
async fn path_parameters_are_decoded() {
    let served = serve(echo(), &[]).await;
    let echo = served.echoed(get("/orders/A%2D1", "")).await;
    assert_eq!(echo["reference"], "A-1");
    assert_eq!(echo["context"]["routeKey"], "GET /orders/{reference}");
    assert_eq!(served.echoed(get("/orders/%41%20b", "")).await["reference"], "A b");
}

#[tokio::test]
async fn unknown_routes_are_not_found() {
    let served = serve(echo(), &[]).await;
    for request in [
        get("/payments", ""),
        get("/orders", ""),
        get("/orders/", ""),
        get("/orders/a/b", ""),
        get("/orders/a%2Fb", ""),
        get("/payments/details/", ""),
        post("/paymentsx", "", ""),
    ] {
        let (status, _, body) = served.send(&request).await;
        assert_eq!((status, body.as_str()), (404, r#"{"message":"Not Found"}"#), "{request}");
    }
}

#[tokio::test]
async fn invalid_targets_and_hosts_are_rejected() {
    let served = serve(echo(), &[]).await;
    for request in [
        "GET /orders/a HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a\"b\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a?b\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: u@a\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a:b\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a:99999\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: xn--a\r\nConnection: close\r\n\r\n",
        "GET /orders/a HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /orders/%FF HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /orders/a b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /orders/a?a=\x7f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let (status, ..) = served.send(request).await;
        assert_eq!(status, 400, "{request}");
    }
    for target in [
        "/orders/%00",
        "/orders/%25",
        "/orders/%5C%5E%60%7B",
        "/orders/%3Fa",
        "/orders/%23a",
        "/orders/%22%3C%3E",
        "/orders/a?%00=%FF&&=&a",
        "/orders/a?\"<>`{}",
        "//evil.test/orders/a",
    ] {
        let (status, _, body) = served.send(get(target, "")).await;
        assert!([200, 404, 400].contains(&status), "{target} {status} {body}");
    }
}

#[tokio::test]
async fn a_body_beyond_aws_limits_is_refused() {
    let served = serve(echo(), &[]).await;
    let send = async |path: &str, size: usize| {
        let answer = shared::platform::http_client::build(None)
            .unwrap()
            .post(format!("http://{}{path}", served.address))
            .header("content-type", "application/json")
            .body(vec![b' '; size])
            .send()
            .await;
        answer.unwrap().status().as_u16()
    };
    const MIB: usize = 1024 * 1024;
    assert_eq!(send("/payments", 10 * MIB).await, 200);
    assert_eq!(send("/payments", 10 * MIB + 1).await, 413);
    assert_eq!(send("/webhooks", 6 * MIB + 1).await, 413);
    // The answer reaches a client that is still writing.
    assert_eq!(send("/webhooks", 14 * MIB).await, 413);

    // The size of a chunked body is not announced.
    let mut chunked = "POST /webhooks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                       Transfer-Encoding: chunked\r\n\r\n600001\r\n"
        .to_owned();
    chunked.push_str(&" ".repeat(6 * MIB + 1));
    chunked.push_str("\r\n0\r\n\r\n");
    assert_eq!(served.send(chunked).await.0, 413);
}

#[tokio::test]
async fn a_panic_is_one_failed_invocation() {
    let served = serve(
        function(|request: Request| async move {
            assert_ne!(request.uri().path(), "/orders/panic", "panics on this path");
            Response::new(Body::Empty)
        }),
        &[],
    )
    .await;
    let (status, _, body) = served.send(get("/orders/panic", "")).await;
    assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal Server Error"}"#));
    assert_eq!(served.send(get("/orders/a", "")).await.0, 200);
}

#[tokio::test]
async fn a_function_has_its_timeout() {
    let served = serve(
        function(|_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Response::new(Body::Empty)
        }),
        &[],
    )
    .await;
    assert_eq!(served.send(get("/orders/a", "")).await.0, 503);
    assert_eq!(served.send(post("/webhooks", "", "")).await.0, 502);
}

#[tokio::test]
async fn a_function_finishes_when_its_caller_is_gone() {
    let (began, finished) =
        (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (b, f) = (began.clone(), finished.clone());
    let served = serve(
        function(move |_| {
            let (began, finished) = (b.clone(), f.clone());
            async move {
                began.notify_one();
                tokio::time::sleep(Duration::from_millis(50)).await;
                finished.notify_one();
                Response::new(Body::Empty)
            }
        }),
        &[],
    )
    .await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(get("/orders/a", "").as_bytes()).await.unwrap();
    began.notified().await;
    drop(stream);
    tokio::time::timeout(Duration::from_secs(1), finished.notified()).await.unwrap();
}

#[tokio::test]
async fn a_refused_preflight_is_logged_with_its_origin() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for allowed in [&[][..], &["https://other.test"]] {
        let served = serve(echo(), allowed).await;
        served
            .send(
                "OPTIONS /payments HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                 Origin: https://shop.test\r\nAccess-Control-Request-Method: POST\r\n\r\n",
            )
            .await;
        let text = std::mem::take(&mut *log.0.lock().unwrap());
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("preflight of POST /payments refused"), "{text}");
        assert!(text.contains("ALLOWED_ORIGINS") && text.contains("https://shop.test"), "{text}");
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn preflight_requests_are_answered_once_origins_are_configured() {
    let preflight = "OPTIONS /payments HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        Origin: https://shop.test\r\nAccess-Control-Request-Method: POST\r\n\
        Access-Control-Request-Headers: authorization\r\n\r\n";

    assert_eq!(serve(echo(), &[]).await.send(preflight).await.0, 404);

    let served = serve(echo(), &["https://shop.test"]).await;
    let (status, head, _) = served.send(preflight).await;
    assert!((200..300).contains(&status));
    assert!(head.contains("access-control-allow-origin: https://shop.test"), "{head}");
    assert!(head.contains("access-control-allow-headers: authorization"), "{head}");

    let other = preflight.replace("shop.test", "evil.test");
    let (_, head, _) = served.send(other).await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");

    let (_, head, _) = served.send(get("/orders/a", "Origin: https://shop.test\r\n")).await;
    assert!(head.contains("access-control-allow-origin: https://shop.test"), "{head}");
}
