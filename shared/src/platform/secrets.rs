//! Secrets from environment variables or AWS Secrets Manager.
//!
//! A managed secret is fetched again when its copy is five minutes old, and at once when a
//! credential was rejected, because it may have been rotated. One request at a time fetches it.
//! Other requests use an old copy meanwhile, and all requests do if fetching fails or times out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Region, timeout::TimeoutConfig},
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::limits;
use crate::platform::{
    config::{Sdk, aws_error},
    retry,
};

/// The current value of a secret. Its `Debug` form is `[redacted]`.
pub struct Secret<T> {
    copy: Mutex<Copy<T>>,
    origin: Option<Origin<T>>,
}

struct Copy<T> {
    value: Arc<T>,
    /// The text of the value, to which a fetched one is compared.
    text: String,
    fetched: Instant,
    /// When a fetch was last tried.
    tried: Instant,
    /// When a rejected credential last caused a fetch that returned the same value.
    unchanged: Option<Instant>,
}

struct Origin<T> {
    client: Client,
    id: String,
    parse: fn(&str) -> Result<T, String>,
    /// Locked while the secret is fetched.
    fetching: tokio::sync::Mutex<()>,
}

impl<T> Secret<T> {
    /// A secret with a constant value.
    pub fn constant(value: T) -> Self {
        Self::new(value, String::new(), None)
    }

    fn new(value: T, text: String, origin: Option<Origin<T>>) -> Self {
        let now = Instant::now();
        Self {
            copy: Mutex::new(Copy {
                value: Arc::new(value),
                text,
                fetched: now,
                tried: now,
                unchanged: None,
            }),
            origin,
        }
    }

    /// The value, fetched again if the copy is too old.
    pub async fn get(&self) -> Arc<T> {
        let is_old = || self.with_copy(|copy| copy.tried.elapsed() >= limits::SECRET_LIFE);
        if let Some(origin) = &self.origin
            && is_old()
            // If another request is fetching it, use the copy.
            && let Ok(_fetching) = origin.fetching.try_lock()
            && is_old()
        {
            self.fetch(origin).await;
        }
        self.with_copy(|copy| copy.value.clone())
    }

    /// A value other than `refused`, which was rejected. Fetches the secret if necessary.
    pub async fn other_than(&self, refused: &Arc<T>) -> Option<Arc<T>> {
        let other = || {
            let value = self.with_copy(|copy| copy.value.clone());
            (!Arc::ptr_eq(&value, refused)).then_some(value)
        };
        let origin = self.origin.as_ref()?;
        let _fetching = origin.fetching.lock().await;
        // Another request may have fetched it while this one waited.
        if let Some(other) = other() {
            return Some(other);
        }
        let unchanged = self.with_copy(|copy| copy.unchanged);
        if unchanged.is_none_or(|tried| tried.elapsed() >= limits::SECRET_REFETCH) {
            self.fetch(origin).await;
            let unchanged = other().is_none().then(Instant::now);
            self.with_copy(|copy| copy.unchanged = unchanged);
        }
        other()
    }

    /// Applies `accept` to the value, and to a newer value if it returned `None`.
    pub async fn accepted<R>(&self, accept: impl Fn(&T) -> Option<R>) -> Option<R> {
        let value = self.get().await;
        match accept(&value) {
            Some(accepted) => Some(accepted),
            None => accept(&*self.other_than(&value).await?),
        }
    }

    /// Replaces the copy. If fetching fails, it logs the error and keeps the copy.
    async fn fetch(&self, origin: &Origin<T>) {
        self.with_copy(|copy| copy.tried = Instant::now());
        let fetched = timeout(limits::SECRET_REFRESH, fetch(&origin.client, &origin.id)).await;
        let fetched = fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let read = fetched.and_then(|text| Ok(((origin.parse)(&text)?, text)));
        match read {
            Ok((value, text)) => self.with_copy(|copy| {
                if copy.text != text {
                    copy.value = Arc::new(value);
                    copy.text = text;
                }
                copy.fetched = Instant::now();
            }),
            Err(problem) => tracing::warn!(
                secret = origin.id,
                problem,
                age = self.with_copy(|copy| copy.fetched.elapsed().as_secs()),
                "secret not refreshed"
            ),
        }
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

/// The managed secrets that a function needs, fetched at start.
#[derive(Default)]
pub struct SecretsClient {
    client: Option<Client>,
    fetched: BTreeMap<&'static str, (String, String)>,
}

impl SecretsClient {
    /// Fetches the secrets concurrently. `wanted` has pairs of variable and id. Failures are
    /// returned as problems.
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
        (Self { client: Some(client), fetched }, problems)
    }

    /// The secret of a variable, or `None` if it was not fetched.
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
            fetching: tokio::sync::Mutex::new(()),
        };
        Some(parse(text).map(|value| Secret::new(value, text.clone(), Some(origin))))
    }
}

fn client(sdk: &Sdk) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limits::AWS_TRY).build();
    let mut config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sdk.region.clone()))
        .credentials_provider(sdk.credentials.clone())
        .http_client(sdk.http.clone())
        .timeout_config(timeouts)
        .retry_config(retry::sdk());
    if let Some(endpoint) = &sdk.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}

async fn fetch(client: &Client, id: &str) -> Result<String, String> {
    let secret = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
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
        .ok_or_else(|| format!("secret {id} has no text"))
}
