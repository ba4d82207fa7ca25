//! Secrets are fetched and connections opened concurrently before the first request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::{Json, Router};
use serde_json::json;
use shared::platform::config::{Env, Settings};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A server that counts its open connections.
async fn server() -> (String, Arc<AtomicUsize>) {
    let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = inner.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(inner, Router::new()).await });
    let outer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v72", outer.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (mut caller, _) = outer.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(behind).await.unwrap();
                tokio::io::copy_bidirectional(&mut caller, &mut server).await
            });
        }
    });
    (url, connections)
}

fn env(variables: &[(&str, &str)]) -> Env {
    let variables = variables.iter();
    variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn connections_on_lambda_are_opened_before_the_first_request() {
    let (adyen, to_adyen) = server().await;
    let (dynamodb, to_dynamodb) = server().await;
    let env = env(&[
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("ADYEN_CHECKOUT_URL", &adyen),
        ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb),
        ("ORDERS_TABLE", "orders"),
    ]);
    let settings = Settings::load(&env, &["ADYEN_API_KEY"]).await.unwrap();
    let opened = || {
        let connections = [&to_adyen, &to_dynamodb];
        connections.map(|connections| connections.load(Ordering::SeqCst))
    };
    assert_eq!(opened(), [1, 1]);
    for url in [&adyen, &dynamodb] {
        settings.http().get(url).send().await.unwrap();
    }
    assert_eq!(opened(), [1, 1]);
}

#[tokio::test]
async fn unneeded_connections_are_not_opened_and_failing_ones_not_awaited() {
    let (adyen, to_adyen) = server().await;
    let env = env(&[
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("ADYEN_CHECKOUT_URL", &adyen),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ("ORDERS_TABLE", "orders"),
    ]);
    // Only the connection that needs the API key is opened.
    Settings::load(&env, &["ADYEN_HMAC_KEYS"]).await.unwrap();
    assert_eq!(to_adyen.load(Ordering::SeqCst), 0);
}

/// A server that answers only once this many requests wait.
async fn gathering(number: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (here, _) = watch::channel(0);
    let here = Arc::new(here);
    let answer = move |headers: HeaderMap| async move {
        let mut seen = here.subscribe();
        here.send_modify(|here| *here += 1);
        let _guard = WaitingGuard(here.clone());
        seen.wait_for(|here| *here >= number).await.unwrap();
        // All waiting calls see the count before one leaves.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let secret = headers.contains_key("x-amz-target");
        let text = if secret { "00112233" } else { "" };
        Json(json!({"Name": "S", "SecretString": text}))
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Counts a caller out, even if it stopped waiting.
struct WaitingGuard(Arc<watch::Sender<usize>>);

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        self.0.send_modify(|here| *here -= 1);
    }
}

#[tokio::test]
async fn secrets_are_fetched_while_connections_are_opened() {
    let url = gathering(4).await;
    let env = env(&[
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
        ("ADYEN_API_KEY_SECRET", "one"),
        ("ADYEN_HMAC_KEYS_SECRET", "two"),
        ("ADYEN_CHECKOUT_URL", &url),
        ("AWS_ENDPOINT_URL_DYNAMODB", &url),
        ("ORDERS_TABLE", "orders"),
    ]);
    let secrets = ["ADYEN_API_KEY", "ADYEN_HMAC_KEYS"];
    let settings = Settings::load(&env, &secrets).await.unwrap();
    settings.finish(Some(())).unwrap();
}

#[tokio::test]
async fn connections_elsewhere_are_opened_on_demand() {
    let (adyen, to_adyen) = server().await;
    let env = env(&[("ADYEN_CHECKOUT_URL", &adyen)]);
    Settings::load(&env, &["ADYEN_API_KEY"]).await.unwrap();
    assert_eq!(to_adyen.load(Ordering::SeqCst), 0);
}
