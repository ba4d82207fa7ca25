//! Secrets held in AWS Secrets Manager.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State as With,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use shared::platform::config::Env;

const HMAC_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A Secrets Manager with these secrets that records its requests.
#[derive(Clone, Default)]
pub struct Manager {
    secrets: Arc<Mutex<BTreeMap<String, String>>>,
    requested: Arc<Mutex<Vec<String>>>,
    silent: Arc<AtomicBool>,
}

async fn answer(With(manager): With<Manager>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    let id = body["SecretId"].as_str().unwrap().to_owned();
    manager.requested.lock().unwrap().push(id.clone());
    if manager.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    match manager.secrets.lock().unwrap().get(&id) {
        Some(secret) => Json(json!({"Name": id, "SecretString": secret})).into_response(),
        None => {
            let error = json!({"__type": "ResourceNotFoundException", "Message": "no such secret"});
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

impl Manager {
    pub async fn with(secrets: &[(&str, &str)]) -> (Self, String) {
        let owned = |(id, secret): &(&str, &str)| ((*id).to_owned(), (*secret).to_owned());
        let manager = Self {
            secrets: Arc::new(Mutex::new(secrets.iter().map(owned).collect())),
            ..Self::default()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(manager.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (manager, url)
    }

    pub fn put(&self, id: &str, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap();
        secrets.insert(id.to_owned(), secret.to_owned());
    }

    /// Removes all secrets.
    pub fn fail(&self) {
        self.secrets.lock().unwrap().clear();
    }

    /// Stops answering.
    pub fn fall_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    pub fn requests_for(&self, id: &str) -> usize {
        let requested = self.requested.lock().unwrap();
        requested.iter().filter(|requested| *requested == id).count()
    }
}

pub fn env(url: &str, more: &[(&str, &str)]) -> Env {
    let always = [
        ("ADYEN_MERCHANT_ACCOUNT", "Account"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    always
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

async fn started(env: &Env) {
    if let Err(error) = webhooks::State::start(env).await {
        panic!("{error}");
    }
}

#[tokio::test]
async fn function_fetches_only_its_own_secrets() {
    let (manager, url) =
        Manager::with(&[("hmac", &format!("{HMAC_KEY}\n")), ("auth", "user:password")]).await;
    let secrets = [
        ("ADYEN_HMAC_KEYS_SECRET", "hmac"),
        ("WEBHOOK_BASIC_AUTH_SECRET", "auth"),
        ("ADYEN_API_KEY_SECRET", "not-the-webhooks'"),
        ("MERCHANT_TOKEN_KEYS_SECRET", "not-the-webhooks'"),
    ];
    started(&env(&url, &secrets)).await;
    let mut requested = manager.requested.lock().unwrap().clone();
    requested.sort();
    assert_eq!(requested, ["auth", "hmac"]);
}

#[tokio::test]
async fn a_secret_given_directly_is_not_fetched() {
    let (manager, url) = Manager::with(&[]).await;
    let secrets = [("ADYEN_HMAC_KEYS", HMAC_KEY), ("ADYEN_HMAC_KEYS_SECRET", "hmac")];
    started(&env(&url, &secrets)).await;
    assert!(manager.requested.lock().unwrap().is_empty());
}

#[tokio::test]
async fn missing_or_malformed_secrets_are_named_without_their_values() {
    let (_, url) = Manager::with(&[("auth", "the-password-alone")]).await;
    let secrets = [("ADYEN_HMAC_KEYS_SECRET", "hmac"), ("WEBHOOK_BASIC_AUTH_SECRET", "auth")];
    let Err(error) = webhooks::State::start(&env(&url, &secrets)).await else {
        panic!("started");
    };
    let error = error.to_string();
    assert!(error.contains("ADYEN_HMAC_KEYS_SECRET: no secret hmac"), "{error}");
    assert!(error.contains("WEBHOOK_BASIC_AUTH_SECRET: expected user:password"), "{error}");
    assert!(!error.contains("the-password-alone"), "{error}");
}
