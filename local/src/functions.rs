//! Starts the functions in the same way as their Lambda binaries.

#[cfg(test)]
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared::platform::config::{Env, StartError};

use crate::gateway::{Function, Handler, Route};
use crate::template::{self, Template};

/// Variables that a function gets although the template does not name them.
const UNNAMED_VARIABLES: [&str; 5] = [
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SSL_CERT_FILE",
];

pub struct Functions {
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The function with a URL.
    pub webhooks: Function,
    /// The functions for HTTP requests, by folder.
    pub by_folder: BTreeMap<String, Function>,
    /// The function with a schedule.
    pub recover: Arc<recover::State>,
}

/// An error at the start of the functions.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    #[error("{0}: {1}")]
    Start(String, StartError),
    #[error("template.yaml has no function with a URL")]
    NoUrl,
    #[error("template.yaml has no function with a schedule")]
    NoSchedule,
    #[error("functions/{0} of template.yaml is missing in local/src/functions.rs")]
    Unknown(String),
}

/// Starts every function of the template with only its variables in the template, so that a
/// missing one is noticed.
pub async fn start(
    template: &Template,
    variables: &BTreeMap<String, String>,
) -> Result<Functions, FunctionsError> {
    let mut routes = Vec::new();
    let mut webhooks = None;
    let mut recover = None;
    let mut by_folder = BTreeMap::new();
    for (folder, described) in &template.functions {
        let env: Env = environment(folder, described, variables).into_iter().collect();
        if folder == "recover" {
            let started = recover::State::start(&env).await;
            let started = started.map_err(|error| FunctionsError::Start(folder.clone(), error))?;
            recover = Some(Arc::new(started));
            continue;
        }
        let function = Function {
            handler: handler(folder, &env)
                .await
                .map_err(|error| FunctionsError::Start(folder.clone(), error))?
                .ok_or_else(|| FunctionsError::Unknown(folder.clone()))?,
            timeout: Duration::from_secs(described.timeout),
        };
        for (method, path) in &described.routes {
            routes.push(Route {
                method: method.parse().unwrap_or_default(),
                path: path.clone(),
                function: function.clone(),
            });
        }
        if described.has_url {
            webhooks = Some(function.clone());
        }
        by_folder.insert(folder.clone(), function);
    }
    Ok(Functions {
        routes,
        webhooks: webhooks.ok_or(FunctionsError::NoUrl)?,
        by_folder,
        recover: recover.ok_or(FunctionsError::NoSchedule)?,
    })
}

/// The variables of a function: those of `variables` that the template gives it.
pub fn environment(
    folder: &str,
    function: &template::Function,
    variables: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    function
        .variables
        .iter()
        .map(String::as_str)
        .chain(UNNAMED_VARIABLES)
        .filter_map(|name| Some((name.to_owned(), variables.get(name)?.clone())))
        // Identifies the function in calls of AWS, for `actions`.
        .chain([("AWS_ACCESS_KEY_ID".to_owned(), folder.to_owned())])
        .collect()
}

/// Starts a function crate like its `main`, and returns its handler.
macro_rules! handler {
    ($function:ident, $env:expr) => {{
        let state = Arc::new($function::State::start($env).await?);
        Arc::new(move |request| {
            let state = state.clone();
            Box::pin(async move { $function::handle(&state, request).await })
        })
    }};
}

/// The handler of a folder, or `None` if the folder is unknown.
async fn handler(folder: &str, env: &Env) -> Result<Option<Handler>, StartError> {
    Ok(Some(match folder {
        "payment-methods" => handler!(payment_methods, env),
        "payments" => handler!(payments, env),
        "checkout-sessions" => handler!(checkout_sessions, env),
        "orders" => handler!(orders, env),
        "tokens" => handler!(tokens, env),
        "webhooks" => handler!(webhooks, env),
        _ => return Ok(None),
    }))
}
