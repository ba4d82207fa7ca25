//! Secrets: given directly, or held in AWS Secrets Manager and fetched when needed.
//!
//! A managed secret is fetched again once its copy is five minutes old, by one request at
//! a time; the others go on with the copy, and so does everybody while fetching fails.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Region, timeout::TimeoutConfig},
};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::config::{AWS_ATTEMPT_TIMEOUT, Sdk, aws_error};

/// How long a copy of a managed secret is used.
const FRESH: Duration = Duration::from_secs(300);

/// A secret's current value. It cannot be printed.
pub struct Secret<T> {
    copy: Mutex<Copy<T>>,
    origin: Option<Origin<T>>,
}

struct Copy<T> {
    value: Arc<T>,
    due: Instant,
}

struct Origin<T> {
    client: Client,
    id: String,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Secret<T> {
    /// A secret whose value is known and stays.
    pub fn given(value: T) -> Self {
        Self::new(value, None)
    }

    fn new(value: T, origin: Option<Origin<T>>) -> Self {
        Self {
            copy: Mutex::new(Copy {
                value: Arc::new(value),
                due: Instant::now() + FRESH,
            }),
            origin,
        }
    }

    /// The value, fetched again where the copy is too old.
    pub async fn get(&self) -> Arc<T> {
        let Some(origin) = &self.origin else {
            return self.with_copy(|copy| copy.value.clone());
        };
        // Whoever finds the copy due puts the date off first: one request fetches, the
        // others use the copy, and a failed fetch is tried again after as long.
        let due = self.with_copy(|copy| {
            let due = copy.due <= Instant::now();
            if due {
                copy.due = Instant::now() + FRESH;
            }
            due
        });
        if due {
            match fetch(&origin.client, &origin.id)
                .await
                .and_then(|text| (origin.parse)(&text))
            {
                Ok(value) => self.with_copy(|copy| copy.value = Arc::new(value)),
                Err(problem) => tracing::warn!(secret = origin.id, problem, "secret not refreshed"),
            }
        }
        self.with_copy(|copy| copy.value.clone())
    }

    fn with_copy<R>(&self, act: impl FnOnce(&mut Copy<T>) -> R) -> R {
        act(&mut self.copy.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The managed secrets that one function needs, fetched at start.
#[derive(Default)]
pub struct Vault {
    client: Option<Client>,
    fetched: BTreeMap<&'static str, (String, String)>,
}

impl Vault {
    /// Fetches the secrets, given as variable and id, all at once. Those that cannot be had
    /// come back as problems.
    pub async fn open(sdk: &Sdk, wanted: Vec<(&'static str, String)>) -> (Self, Vec<String>) {
        let client = client(sdk);
        let texts = join_all(wanted.iter().map(|(_, id)| fetch(&client, id))).await;
        let mut fetched = BTreeMap::new();
        let mut problems = Vec::new();
        for ((name, id), text) in wanted.into_iter().zip(texts) {
            match text {
                Ok(text) => {
                    fetched.insert(name, (id, text));
                }
                Err(problem) => problems.push(format!("{name}_SECRET: {problem}")),
            }
        }
        (
            Self {
                client: Some(client),
                fetched,
            },
            problems,
        )
    }

    /// The secret of a variable, unless it could not be fetched.
    pub fn secret<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<Result<Secret<T>, String>> {
        let (id, text) = self.fetched.get(name)?;
        let origin = Origin {
            client: self.client.clone()?,
            id: id.clone(),
            parse,
        };
        Some(parse(text).map(|value| Secret::new(value, Some(origin))))
    }
}

fn client(sdk: &Sdk) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT)
        .build();
    let mut config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sdk.region.clone()))
        .credentials_provider(sdk.credentials.clone())
        .http_client(sdk.http.clone())
        .timeout_config(timeouts);
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}

async fn fetch(client: &Client, id: &str) -> Result<String, String> {
    let secret = client
        .get_secret_value()
        .secret_id(id)
        .send()
        .await
        .map_err(|error| {
            tracing::warn!(secret = id, error = aws_error(&error), "secret not fetched");
            match error.into_service_error() {
                error if error.is_resource_not_found_exception() => format!("no secret {id}"),
                error => format!(
                    "secret {id} cannot be read: {}",
                    error.meta().code().unwrap_or("no answer")
                ),
            }
        })?;
    secret
        .secret_string()
        .map(|text| text.trim().to_owned())
        .ok_or_else(|| format!("secret {id} holds no text"))
}
