//! Configuration, read from the environment at start.
//!
//! A function names its secrets, loads [`Settings`] and reads typed values from it.
//! [`Settings::finish`] reports all missing and malformed variables in one error, so that a
//! deployment can be corrected at once. An empty variable counts as absent.

use std::{collections::BTreeMap, fmt, str::FromStr};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use futures_util::future::join_all;
use jiff::SignedDuration;
use tracing::level_filters::LevelFilter;
use url::{Host, Url};

use crate::{
    domain::return_url::ReturnUrl,
    limits,
    platform::{
        http_client::{self, SdkHttpClient},
        secrets::{Secret, SecretsClient},
    },
};

#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    pub fn process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, or `None` if it is absent or blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The configuration is invalid: one text for each variable that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct StartError(Vec<String>);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0.join("; "))
    }
}

/// Reads the environment and collects problems.
pub struct Settings<'e> {
    env: &'e Env,
    problems: Vec<String>,
    http: reqwest::Client,
    vault: SecretsClient,
}

impl<'e> Settings<'e> {
    /// Prepares to read `env`. Fetches the named secrets that have a Secrets Manager id, and
    /// opens connections meanwhile.
    ///
    /// # Errors
    /// [`StartError`] if `SSL_CERT_FILE` is unusable, because then nothing can be fetched.
    pub async fn load(env: &'e Env, secrets: &[&'static str]) -> Result<Self, StartError> {
        let http = http_client::build(env.get("SSL_CERT_FILE"))
            .map_err(|problem| StartError(vec![format!("SSL_CERT_FILE: {problem}")]))?;
        let mut settings =
            Self { env, problems: Vec::new(), http, vault: SecretsClient::default() };
        settings.or("LOG_LEVEL", LOG_LEVEL, log_level);
        let managed: Vec<_> = secrets
            .iter()
            .filter(|name| env.get(name).is_none())
            .filter_map(|name| Some((*name, env.get(&format!("{name}_SECRET"))?.to_owned())))
            .collect();
        let sdk = match managed.is_empty() {
            true => None,
            false => settings.sdk("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        };
        let fetched = async {
            match &sdk {
                Some(sdk) => SecretsClient::open(sdk, managed).await,
                None => Default::default(),
            }
        };
        let hosts = settings.hosts(secrets);
        let ((vault, problems), ()) = tokio::join!(fetched, settings.connect(&hosts));
        settings.vault = vault;
        settings.problems.extend(problems);
        Ok(settings)
    }

    /// The hosts that the first request will call.
    fn hosts(&self, secrets: &[&str]) -> Vec<String> {
        // Only Lambda starts a process before its first request; elsewhere it would take longer.
        if !self.is_set("AWS_LAMBDA_RUNTIME_API") {
            return Vec::new();
        }
        let mut hosts = Vec::new();
        if secrets.contains(&"ADYEN_API_KEY") {
            hosts.extend(self.env.get("ADYEN_CHECKOUT_URL").map(str::to_owned));
        }
        let tables = ["ORDERS_TABLE", "TOKENS_TABLE"];
        if tables.iter().any(|table| self.is_set(table)) {
            let region = self.env.get("AWS_REGION").unwrap_or_default();
            let usual = format!("https://dynamodb.{region}.amazonaws.com/");
            let given = self.env.get("AWS_ENDPOINT_URL_DYNAMODB");
            hosts.push(given.map_or(usual, str::to_owned));
        }
        hosts
    }

    /// Opens connections, so that the first request finds them in the pool. Failures are ignored,
    /// because the request opens a connection itself if necessary.
    async fn connect(&self, hosts: &[String]) {
        join_all(hosts.iter().map(async |host| {
            let request = self.http.get(host).timeout(limits::CONNECT_AT_START);
            let answer = async { request.send().await?.bytes().await };
            if let Err(error) = answer.await {
                tracing::debug!(error = %error.without_url(), "connection not opened at start");
            }
        }))
        .await;
    }

    pub fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.env.get(name).is_some()
    }

    /// A required variable.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.env.get(name) {
            Some(text) => self.parsed(name, text, parse),
            None => self.missing(name),
        }
    }

    /// A variable with a default.
    pub fn or<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.env.get(name).unwrap_or(default);
        self.parsed(name, text, parse)
    }

    /// The base URL of Adyen's Checkout API.
    pub fn adyen_checkout_url(&mut self) -> Option<Url> {
        self.or("ADYEN_CHECKOUT_URL", "https://checkout-test.adyen.com/v72", service_url)
    }

    /// The base URL of Adyen's Recurring API. The default is derived from the Checkout API's host.
    pub fn adyen_recurring_url(&mut self) -> Option<Url> {
        let checkout_url = self.adyen_checkout_url()?;
        let host = checkout_url.host_str().filter(|host| Environment::of_host(host).is_some());
        let host = host.unwrap_or("checkout-test.adyen.com").replacen("checkout-", "pal-", 1);
        let beside = format!("https://{host}/pal/servlet/Recurring/v68");
        self.or("ADYEN_RECURRING_URL", &beside, service_url)
    }

    /// A required secret: the text in `name`, or the Secrets Manager id in `name_SECRET`.
    pub fn secret<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<Secret<T>> {
        match self.optional_secret(name, parse) {
            Some(None) => self.missing(&format!("{name} or {name}_SECRET")),
            read => read.flatten(),
        }
    }

    /// An optional secret, which is `Some(None)` if absent.
    pub fn optional_secret<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<Option<Secret<T>>> {
        if let Some(text) = self.env.get(name) {
            return self.parsed(name, text, parse).map(|value| Some(Secret::constant(value)));
        }
        if !self.is_set(&format!("{name}_SECRET")) {
            return Some(None);
        }
        // If it could not be fetched, `load` has already recorded the problem.
        match self.vault.secret(name, parse)? {
            Ok(secret) => Some(Some(secret)),
            Err(problem) => self.problem(format!("{name}_SECRET: {problem}")),
        }
    }

    /// The settings of an AWS SDK client. `endpoint` is the variable of an alternative endpoint.
    pub fn sdk(&mut self, endpoint: &str) -> Option<Sdk> {
        let region = self.required("AWS_REGION", text);
        let access_key_id = self.required("AWS_ACCESS_KEY_ID", text);
        let secret_access_key = self.required("AWS_SECRET_ACCESS_KEY", text);
        let endpoint = match self.env.get(endpoint) {
            Some(url) => Some(self.parsed(endpoint, url, service_url)?),
            None => None,
        };
        let session_token = self.env.get("AWS_SESSION_TOKEN").map(str::to_owned);
        Some(Sdk {
            region: region?,
            credentials: Credentials::new(
                access_key_id?,
                secret_access_key?,
                session_token,
                None,
                "environment",
            ),
            endpoint,
            http: SdkHttpClient::new(self.http.clone()),
        })
    }

    /// # Errors
    /// [`StartError`] with each missing or malformed variable.
    pub fn finish<T>(mut self, read: Option<T>) -> Result<T, StartError> {
        match read {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                self.problems.sort();
                self.problems.dedup();
                Err(StartError(self.problems))
            }
        }
    }

    fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(problem) => self.problem(format!("{name}: {problem}")),
        }
    }

    fn missing<T>(&mut self, name: &str) -> Option<T> {
        self.problem(format!("{name} is missing"))
    }

    fn problem<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }
}

/// The settings of an AWS SDK client.
#[derive(Debug, Clone)]
pub struct Sdk {
    pub region: String,
    /// From Lambda's variables. They do not expire here, because Lambda replaces the execution
    /// environment first.
    pub credentials: Credentials,
    /// Replaces the region's endpoint.
    pub endpoint: Option<Url>,
    pub http: SdkHttpClient,
}

/// Describes an error of an AWS call for the log. The SDK's `Debug` form may quote the response,
/// and with it an item.
pub fn aws_error<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    if let Some(refusal) = error.as_service_error() {
        let code = refusal.code().unwrap_or("an error without a code");
        return format!("{code}: {}", refusal.message().unwrap_or_default());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Adyen's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Test,
    Live,
}

impl Environment {
    /// Reads the environment and checks that Adyen's URLs belong to it. With URLs of another
    /// environment, every webhook would count as foreign.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let environment = settings.or("ADYEN_ENVIRONMENT", "test", environment)?;
        let checkout_url = settings.adyen_checkout_url();
        // The default is derived from the Checkout API's URL, so it needs no check.
        let recurring_url = settings.is_set("ADYEN_RECURRING_URL");
        let recurring_url = recurring_url.then(|| settings.adyen_recurring_url()).flatten();
        let mut consistent = true;
        for (name, url) in
            [("ADYEN_CHECKOUT_URL", checkout_url), ("ADYEN_RECURRING_URL", recurring_url)]
        {
            let host = url.as_ref().and_then(Url::host_str);
            let Some(other) = host.and_then(Self::of_host).filter(|it| *it != environment) else {
                continue;
            };
            let (other, own) = (other.as_str(), environment.as_str());
            settings.problems.push(format!(
                "{name}: the host belongs to Adyen's {other} environment, but ADYEN_ENVIRONMENT is {own}"
            ));
            consistent = false;
        }
        consistent.then_some(environment)
    }

    /// The environment of a webhook with this `live` flag.
    pub fn of(live: bool) -> Self {
        if live { Self::Live } else { Self::Test }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The environment of one of Adyen's hosts. Other hosts, such as this machine, belong to none.
    fn of_host(host: &str) -> Option<Self> {
        let host = host.trim_end_matches('.');
        if host == "adyenpayments.com" || host.ends_with(".adyenpayments.com") {
            return Some(Self::Live);
        }
        let mut words = host.strip_suffix(".adyen.com")?.split(['-', '.']);
        words.find_map(|word| match word {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            _ => None,
        })
    }
}

const LOG_LEVEL: &str = "info";

impl Env {
    /// The log level. A malformed variable counts as the default here, and [`Settings`] reports
    /// it.
    pub fn log_level(&self) -> LevelFilter {
        self.get("LOG_LEVEL").and_then(|text| log_level(text).ok()).unwrap_or(LevelFilter::INFO)
    }
}

/// # Errors
/// The accepted values.
pub fn log_level(text: &str) -> Result<LevelFilter, &'static str> {
    match text.parse() {
        // `off` would also hide the reason for which a function does not start.
        Ok(LevelFilter::OFF) | Err(_) => Err("expected error, warn, info, debug or trace"),
        Ok(level) => Ok(level),
    }
}

/// Accepts any text.
///
/// # Errors
/// None.
pub fn text(text: &str) -> Result<String, &'static str> {
    Ok(text.to_owned())
}

/// # Errors
/// Unless it is a number of days from 1 to 365.
pub fn days(text: &str) -> Result<SignedDuration, &'static str> {
    match text.parse::<u16>() {
        Ok(days @ 1..=365) => Ok(SignedDuration::from_hours(24 * i64::from(days))),
        _ => Err("expected a number of days from 1 to 365"),
    }
}

/// # Errors
/// The accepted values.
pub fn flag(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false"),
    }
}

/// Reads texts separated by commas.
///
/// # Errors
/// None.
pub fn list(text: &str) -> Result<Vec<String>, &'static str> {
    Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}

/// Reads origins and app schemes separated by commas, in the form of [`ReturnUrl::origin`]. The
/// template writes a semicolon between origins and schemes, because it needs a fixed character at
/// which to split them.
///
/// # Errors
/// The accepted values.
pub fn origins(text: &str) -> Result<Vec<String>, &'static str> {
    let origin = |item: &String| {
        let url = if item.ends_with(':') { format!("{item}//") } else { item.clone() };
        match ReturnUrl::try_from(url) {
            Ok(url) if url.is_origin() => Ok(url.origin()),
            _ => Err("expected scheme and host of each origin, without a path, or an app's scheme"),
        }
    };
    list(&text.replace(';', ","))?.iter().map(origin).collect()
}

/// # Errors
/// The accepted values.
pub fn environment(text: &str) -> Result<Environment, &'static str> {
    match text {
        "test" => Ok(Environment::Test),
        "live" => Ok(Environment::Live),
        _ => Err("expected test or live"),
    }
}

/// Reads the URL of a service: https, or http on this machine.
///
/// # Errors
/// The accepted values.
pub fn service_url(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str =
        "expected an https URL, or http on a loopback host or host.docker.internal";
    let url = Url::from_str(text).map_err(|_| EXPECTED)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        _ => Err(EXPECTED),
    }
}

/// True for this machine, and for the host of a container.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    is_loopback(url) || url.host_str() == Some("host.docker.internal")
}

/// True for `localhost` and loopback addresses.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
