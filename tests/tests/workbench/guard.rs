//! Only this machine's own pages can use the workbench.

use reqwest::Method;
use serde_json::json;
use tests::Answer;

use crate::world::Bench;

#[tokio::test]
async fn foreign_host_origin_or_site_is_refused() {
    let bench = Bench::start().await;
    let port = bench.stack.bundle.url().rsplit(':').next().unwrap().to_owned();
    let own = format!("http://127.0.0.1:{port}");
    for (header, value, status) in [
        ("host", "rebound.example", 403),
        ("host", "127.0.0.1.rebound.example", 403),
        ("host", "localhost.", 403),
        ("host", "192.0.2.1:3000", 403),
        ("host", &format!("localhost:{port}"), 200),
        ("host", &format!("[::1]:{port}"), 200),
        ("origin", "https://evil.example", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("origin", "null", 403),
        ("origin", &own, 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
    ] {
        for path in ["/workbench", "/workbench/workbench.js", "/workbench/api/orders"] {
            let request = bench.stack.request(Method::GET, path).header(header, value);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, status, "{header}: {value}: {path}");
        }
        let recover = bench.stack.request(Method::POST, "/workbench/api/do");
        let recover = recover.json(&json!({"action": "recover"})).header(header, value);
        assert_eq!(Answer::of(recover).await.status, status, "{header}: {value}");
    }
}

#[tokio::test]
async fn form_of_another_page_cannot_act() {
    let bench = Bench::start().await;
    let form = bench.stack.request(Method::POST, "/workbench/api/do");
    let form = form.header("content-type", "text/plain").body(r#"{"action": "recover"}"#);
    assert_eq!(Answer::of(form).await.status, 415);
}

#[tokio::test]
async fn page_allows_its_own_scripts_only() {
    let bench = Bench::start().await;

    let page = Answer::of(bench.stack.request(Method::GET, "/workbench")).await;

    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn bundle_without_a_workbench_has_no_such_route() {
    let stack = tests::Stack::start().await;
    for path in ["/workbench", "/workbench/api/orders"] {
        assert_eq!(Answer::of(stack.request(Method::GET, path)).await.status, 404, "{path}");
    }
}
