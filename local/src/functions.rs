//! The bundle's functions, started as their Lambda binaries start them.

#[cfg(test)]
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared::platform::config::{Env, StartError};

use crate::gateway::{Function, Handler, Route};
use crate::template::{self, Template};

/// What Lambda sets for every function, beyond what the template names, and what
/// a machine may have to set: where AWS is and whose certificates count.
const SET_BY_THE_MACHINE: [&str; 5] = [
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SSL_CERT_FILE",
];

/// The functions behind the gateway.
pub struct Functions {
    /// The HTTP API's routes.
    pub routes: Vec<Route>,
    /// The function with the URL.
    pub webhooks: Function,
    /// Those that take HTTP requests, by folder.
    pub by_folder: BTreeMap<String, Function>,
    /// The function that a schedule runs.
    pub recover: Arc<recover::State>,
}

/// Why the functions didn't start.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// A function refused its configuration.
    #[error("{0}: {1}")]
    Start(String, StartError),
    /// The template names no function with a URL.
    #[error("template.yaml has no function with a URL")]
    NoUrl,
    /// The template has no schedule.
    #[error("template.yaml has no function with a schedule")]
    NoSchedule,
    /// A folder that no function here answers to.
    #[error("template.yaml names functions/{0}, which cargo dev does not know")]
    Unknown(String),
}

/// Starts every function of the template with the variables that the template
/// gives it, and no other: what is missing there is missing here.
pub async fn start(
    template: &Template,
    variables: &BTreeMap<String, String>,
) -> Result<Functions, FunctionsError> {
    let mut routes = Vec::new();
    let mut webhooks = None;
    let mut recover = None;
    let mut by_folder = BTreeMap::new();
    for (folder, described) in &template.functions {
        let env = environment(folder, described, variables);
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

fn environment(
    folder: &str,
    function: &template::Function,
    variables: &BTreeMap<String, String>,
) -> Env {
    function
        .variables
        .iter()
        .map(String::as_str)
        .chain(SET_BY_THE_MACHINE)
        .filter_map(|name| Some((name.to_owned(), variables.get(name)?.clone())))
        // Tells functions apart where they call AWS.
        .chain([("AWS_ACCESS_KEY_ID".to_owned(), folder.to_owned())])
        .collect()
}

/// Starts a function crate as its `main` does, and calls it as its runtime does.
macro_rules! handler {
    ($function:ident, $env:expr) => {{
        let state = Arc::new($function::State::start($env).await?);
        Arc::new(move |request| {
            let state = state.clone();
            Box::pin(async move { $function::handle(&state, request).await })
        })
    }};
}

/// The function of a folder, or `None` if there is none.
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
