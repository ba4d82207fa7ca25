//! Secrets: given directly, or held in AWS Secrets Manager and fetched when needed.
//!
//! A managed secret is fetched again once its copy is five minutes old, and as soon as a
//! credential is not accepted, so that one that was rotated works at once. One request at a
//! time fetches: where the copy is merely old the others go on with it, and so does
//! everybody while fetching fails or takes too long.

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
use tokio::time::{Instant, timeout};

use crate::platform::config::{AWS_ATTEMPT_TIMEOUT, Sdk, aws_error};

/// How long a copy of a managed secret is used.
const FRESH: Duration = Duration::from_secs(300);

/// How long a request waits for a secret to be fetched again. Secrets Manager answers in tens of
/// milliseconds; a request that has a copy is not given up for one that does not answer.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long nothing is fetched after a credential was not accepted and there was no other:
/// whoever guesses keys must not make us ask for ours each time.
const NOTHING_NEW: Duration = Duration::from_secs(5);

/// A secret's current value. It cannot be printed.
pub struct Secret<T> {
    copy: Mutex<Copy<T>>,
    origin: Option<Origin<T>>,
}

struct Copy<T> {
    value: Arc<T>,
    /// What the value was read from, to tell whether a fetched one is another.
    text: String,
    fetched: Instant,
    /// When a fetch was last tried.
    tried: Instant,
    /// When one was last tried for want of another value, and brought none.
    in_vain: Option<Instant>,
}

struct Origin<T> {
    client: Client,
    id: String,
    parse: fn(&str) -> Result<T, String>,
    /// Held by whoever fetches.
    flight: tokio::sync::Mutex<()>,
}

impl<T> Secret<T> {
    /// A secret whose value is known and stays.
    pub fn given(value: T) -> Self {
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
                in_vain: None,
            }),
            origin,
        }
    }

    /// The value, fetched again where the copy is too old.
    pub async fn get(&self) -> Arc<T> {
        let is_old = || self.with_copy(|copy| copy.tried.elapsed() >= FRESH);
        if let Some(origin) = &self.origin
            && is_old()
            // Whoever comes second uses the copy.
            && let Ok(_flight) = origin.flight.try_lock()
            && is_old()
        {
            self.fetch(origin).await;
        }
        self.with_copy(|copy| copy.value.clone())
    }

    /// The value to try where `refused` was not accepted, if there is another by now.
    pub async fn other_than(&self, refused: &Arc<T>) -> Option<Arc<T>> {
        let other = || {
            let value = self.with_copy(|copy| copy.value.clone());
            (!Arc::ptr_eq(&value, refused)).then_some(value)
        };
        let origin = self.origin.as_ref()?;
        let _flight = origin.flight.lock().await;
        // Somebody may have fetched it while this one waited.
        if let Some(other) = other() {
            return Some(other);
        }
        let in_vain = self.with_copy(|copy| copy.in_vain);
        if in_vain.is_none_or(|tried| tried.elapsed() >= NOTHING_NEW) {
            self.fetch(origin).await;
            let in_vain = other().is_none().then(Instant::now);
            self.with_copy(|copy| copy.in_vain = in_vain);
        }
        other()
    }

    /// What `accept` makes of the value, or else of the one that took its place.
    pub async fn accepted<R>(&self, accept: impl Fn(&T) -> Option<R>) -> Option<R> {
        let value = self.get().await;
        match accept(&value) {
            Some(accepted) => Some(accepted),
            None => accept(&*self.other_than(&value).await?),
        }
    }

    /// Replaces the copy, unless fetching fails.
    async fn fetch(&self, origin: &Origin<T>) {
        self.with_copy(|copy| copy.tried = Instant::now());
        let fetched = timeout(REFRESH_TIMEOUT, fetch(&origin.client, &origin.id)).await;
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

/// The managed secrets that one function needs, fetched at start.
#[derive(Default)]
pub struct SecretsClient {
    client: Option<Client>,
    fetched: BTreeMap<&'static str, (String, String)>,
}

impl SecretsClient {
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
        (Self { client: Some(client), fetched }, problems)
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
            flight: tokio::sync::Mutex::new(()),
        };
        Some(parse(text).map(|value| Secret::new(value, text.clone(), Some(origin))))
    }
}

fn client(sdk: &Sdk) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT).build();
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
        .ok_or_else(|| format!("secret {id} holds no text"))
}
