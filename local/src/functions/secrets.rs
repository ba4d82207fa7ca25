//! Each function reads all of its secrets in the template, and no other. Its role allows exactly
//! these.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::routing::{Router, post};
use serde_json::{Value, json};

use super::{FunctionsError, start};
use crate::bundle;
use crate::template::Template;

/// The only secret that a function can start without.
const OPTIONAL: &str = "WEBHOOK_BASIC_AUTH";

/// A Secrets Manager with secrets that are named like their variables.
#[derive(Clone, Default)]
struct Manager {
    secrets: BTreeMap<String, String>,
    read: Arc<Mutex<BTreeSet<String>>>,
}

async fn get(State(manager): State<Manager>, body: String) -> Json<Value> {
    let body: Value = serde_json::from_str(&body).unwrap();
    let name = body["SecretId"].as_str().unwrap().to_owned();
    let text = &manager.secrets[&name];
    manager.read.lock().unwrap().insert(name);
    Json(json!({ "SecretString": text }))
}

impl Manager {
    async fn start(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(get)).with_state(self);
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }
}

/// The variables of a deployment, including its secrets.
fn configuration() -> BTreeMap<String, String> {
    let mut variables = bundle::variables("https://shop.example", "http://127.0.0.1:9");
    variables.extend(bundle::for_adyen(&adyen_simulator::Options::default()));
    let amazon = amazon_pay_simulator::Options::default();
    variables.extend(bundle::for_amazon(&amazon, "http://127.0.0.1:9"));
    variables.insert(OPTIONAL.into(), "user:password".into());
    variables
}

/// Starts one function and returns the secrets that it read.
async fn started(
    template: &Template,
    folder: &str,
    missing: Option<&str>,
) -> Result<BTreeSet<String>, String> {
    let mut variables = configuration();
    let mut manager = Manager::default();
    let secrets: BTreeSet<_> = template.functions.values().flat_map(|f| &f.secrets).collect();
    for name in secrets {
        let text = variables.remove(name).unwrap();
        manager.secrets.insert(name.clone(), text);
        if Some(name.as_str()) != missing {
            variables.insert(format!("{name}_SECRET"), name.clone());
        }
    }
    let read = manager.read.clone();
    let url = manager.start().await;
    variables.insert("AWS_ENDPOINT_URL_SECRETS_MANAGER".into(), url);

    let mut alone = template.clone();
    alone.functions.retain(|name, _| name == folder);
    match start(&alone, &variables).await {
        Err(error @ (FunctionsError::Start(..) | FunctionsError::Unknown(_))) => {
            Err(error.to_string())
        }
        // An error because other functions are missing.
        _ => Ok(read.lock().unwrap().clone()),
    }
}

#[tokio::test]
async fn each_function_reads_exactly_its_own_secrets() {
    let template = Template::read().unwrap();
    for (folder, function) in &template.functions {
        let given: BTreeSet<_> = function.secrets.iter().cloned().collect();

        let read = started(&template, folder, None).await.unwrap();

        assert_eq!(read, given, "{folder}");
    }
}

#[tokio::test]
async fn no_function_starts_without_one_of_its_secrets() {
    let template = Template::read().unwrap();
    for (folder, function) in &template.functions {
        for secret in function.secrets.iter().filter(|name| *name != OPTIONAL) {
            let error = started(&template, folder, Some(secret)).await.unwrap_err();

            assert!(error.contains(&format!("{secret}_SECRET")), "{folder}: {error}");
        }
    }
}
