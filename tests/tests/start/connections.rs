//! Connections that stand before the first request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use shared::config::{Env, Settings};
use tokio::net::TcpListener;

/// A server that counts its connections, which end with it.
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
    variables
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn on_lambda_they_are_opened_before_and_used_by_the_first_request() {
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
async fn a_function_opens_none_that_it_does_not_need_and_waits_for_none_that_fails() {
    let (adyen, to_adyen) = server().await;
    let env = env(&[
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("ADYEN_CHECKOUT_URL", &adyen),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ("ORDERS_TABLE", "orders"),
    ]);
    // Not the one with the API key.
    Settings::load(&env, &["ADYEN_HMAC_KEYS"]).await.unwrap();
    assert_eq!(to_adyen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn elsewhere_they_are_opened_when_they_are_needed() {
    let (adyen, to_adyen) = server().await;
    let env = env(&[("ADYEN_CHECKOUT_URL", &adyen)]);
    Settings::load(&env, &["ADYEN_API_KEY"]).await.unwrap();
    assert_eq!(to_adyen.load(Ordering::SeqCst), 0);
}
