//! Everything at once: DynamoDB, Adyen, Amazon Pay, the functions, the gateway. One handle
//! holds it all; any number of them run side by side in one process.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adyen_simulator::Simulator;
use simulator_http::listen::{self, Port, listen};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::call::OnCall;
use crate::dynamodb::{DynamoDb, DynamoDbError};
use crate::functions::{self, FunctionsError};
use crate::gateway::{Function, Gateway, WEBHOOKS};
use crate::template::{Template, TemplateError};
use crate::{invoke, keys, storefront};

/// How long a run of the schedule may take.
const SCHEDULED: Duration = Duration::from_secs(299);

/// How long running requests may take once the bundle is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How to run the bundle. By default: on loopback, any ports, in memory, with
/// simulators.
pub struct Options {
    /// The address that everything listens on.
    pub host: IpAddr,
    /// The gateway's port.
    pub port: Port,
    /// The Adyen simulator's port.
    pub adyen_port: Port,
    /// DynamoDB's port.
    pub dynamodb_port: Port,
    /// The Amazon Pay simulator's port.
    pub amazon_port: Port,
    /// The folder to keep the tables in; none: in memory.
    pub data: Option<PathBuf>,
    /// Which Adyen is called.
    pub adyen: Adyen,
    /// The Amazon Pay simulator; none: Amazon Pay as the variables say.
    pub amazon: Option<Box<amazon_pay_simulator::Options>>,
    /// Variables of the functions that differ from the development ones.
    pub variables: BTreeMap<String, String>,
    /// Told of each finished call.
    pub on_call: OnCall,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: Port::Any,
            adyen_port: Port::Any,
            dynamodb_port: Port::Any,
            amazon_port: Port::Any,
            data: None,
            adyen: Adyen::Simulator(Box::default()),
            amazon: Some(Box::default()),
            variables: BTreeMap::new(),
            on_call: Arc::new(|_| {}),
        }
    }
}

/// Which Adyen is called.
pub enum Adyen {
    /// The simulator, started along. Unless set: webhooks go to the gateway, and
    /// what it knows is kept beside the tables.
    Simulator(Box<adyen_simulator::Options>),
    /// Adyen's test environment.
    Test {
        /// Its API key.
        api_key: String,
        /// The merchant account of that key.
        merchant_account: String,
    },
}

/// The running bundle. Stops when dropped.
pub struct Bundle {
    url: String,
    dynamodb: DynamoDb,
    simulator: Option<Simulator>,
    amazon: Option<amazon_pay_simulator::Simulator>,
    functions: BTreeMap<String, Function>,
    recover: Arc<recover::State>,
    schedule: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

/// Why the bundle didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The gateway's port is taken or the address is not this machine's.
    #[error("cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    /// DynamoDB didn't start.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// A function didn't start.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The template can't be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The listener is unusable.
    #[error(transparent)]
    Listener(#[from] io::Error),
}

impl Bundle {
    /// Starts everything and returns once it takes calls.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let template = Template::read()?;
        let gateway = bind(options.host, options.port).await?;
        let url = listen::url(&gateway)?;
        let dynamodb = DynamoDb::start(
            &template,
            options.data.as_deref(),
            bind(options.host, options.dynamodb_port).await?,
        )
        .await?;

        let mut variables = variables(&url, dynamodb.url());
        let simulator = match options.adyen {
            Adyen::Simulator(mut simulated) => {
                simulated.webhook_url.get_or_insert(format!("{url}{WEBHOOKS}"));
                simulated.data = simulated.data.or(options.data);
                if let Some(password) = options.variables.get("WEBHOOK_BASIC_AUTH") {
                    simulated.basic_auth.get_or_insert(password.clone());
                }
                variables.extend(for_simulator(&simulated));
                let listener = bind(options.host, options.adyen_port).await?;
                let simulator = Simulator::serve(listener, *simulated)?;
                variables.insert("ADYEN_CHECKOUT_URL".into(), simulator.checkout_url());
                variables.insert("ADYEN_RECURRING_URL".into(), simulator.recurring_url());
                Some(simulator)
            }
            Adyen::Test { api_key, merchant_account } => {
                variables.insert("ADYEN_API_KEY".into(), api_key);
                variables.insert("ADYEN_MERCHANT_ACCOUNT".into(), merchant_account);
                None
            }
        };
        let amazon = match options.amazon {
            Some(simulated) => {
                let listener = bind(options.host, options.amazon_port).await?;
                let url = listen::url(&listener)?;
                variables.extend(for_amazon(&simulated, &url));
                Some(amazon_pay_simulator::Simulator::serve(listener, *simulated)?)
            }
            None => None,
        };
        variables.extend(options.variables);
        let functions = functions::start(&template, &variables).await?;
        let router = Gateway {
            routes: functions.routes,
            webhooks: functions.webhooks,
            allowed_origins: origins(&variables),
            cors: template.cors,
            on_call: options.on_call,
        }
        .router()
        .merge(storefront::router(amazon.as_ref().map(amazon_pay_simulator::Simulator::url)))
        .merge(invoke::router(functions.recover.clone(), SCHEDULED))
        .into_make_service_with_connect_info::<SocketAddr>();

        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(
            axum::serve(gateway, router)
                .with_graceful_shutdown(async { drop(stopped.await) })
                .into_future(),
        );
        Ok(Self {
            url,
            dynamodb,
            simulator,
            amazon,
            functions: functions.by_folder,
            schedule: tokio::spawn(schedule(functions.recover.clone())),
            recover: functions.recover,
            stop: Some(stop),
            server,
        })
    }

    /// Where the API is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where webhooks go.
    pub fn webhooks_url(&self) -> String {
        format!("{}{WEBHOOKS}", self.url)
    }

    /// The Adyen simulator, if Adyen is simulated.
    pub fn simulator(&self) -> Option<&Simulator> {
        self.simulator.as_ref()
    }

    /// The Amazon Pay simulator, if Amazon Pay is simulated.
    pub fn amazon(&self) -> Option<&amazon_pay_simulator::Simulator> {
        self.amazon.as_ref()
    }

    /// Where DynamoDB is.
    pub fn dynamodb_url(&self) -> &str {
        self.dynamodb.url()
    }

    /// Invokes a function by the name of its folder, as `cargo lambda invoke`
    /// does. `None`: there is no such function, or the invocation failed.
    pub async fn invoke(
        &self,
        function: &str,
        event: &str,
    ) -> Option<lambda_http::Response<lambda_http::Body>> {
        let function = self.functions.get(function)?;
        function.invoke(event, "0").await.ok()
    }

    /// Runs the function that looks after open outcomes, as its schedule does.
    ///
    /// # Errors
    /// As the function.
    pub async fn recover(&self) -> Result<recover::Report, shared::store::StoreError> {
        recover::recover(&self.recover, tokio::time::Instant::now() + SCHEDULED).await
    }

    /// Takes over foreign events, as an invocation with `{"takeOver": "foreign"}` does.
    ///
    /// # Errors
    /// As the function.
    pub async fn take_over(&self) -> Result<recover::TakenOver, shared::store::StoreError> {
        recover::take_over(&self.recover, tokio::time::Instant::now() + SCHEDULED).await
    }

    /// Stops taking calls, lets the running ones finish for a moment, and ends.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.schedule.abort();
        let ended = async {
            drop(self.server.await);
            if let Some(simulator) = self.simulator {
                simulator.stop().await;
            }
            if let Some(amazon) = self.amazon {
                amazon.stop().await;
            }
            self.dynamodb.stop().await;
        };
        drop(tokio::time::timeout(GRACE, ended).await);
    }
}

/// The template's schedule.
async fn schedule(state: Arc<recover::State>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(5 * 60));
    // The first tick is at once, when there is nothing to look after.
    minutes.tick().await;
    loop {
        minutes.tick().await;
        let until = tokio::time::Instant::now() + SCHEDULED;
        if let Err(error) = recover::recover(&state, until).await {
            tracing::error!(%error, "the schedule failed");
        }
    }
}

async fn bind(host: IpAddr, port: Port) -> Result<tokio::net::TcpListener, StartError> {
    listen(host, port).await.map_err(|error| {
        let port = match port {
            Port::Exactly(port) | Port::Preferably(port) => port,
            Port::Any => 0,
        };
        StartError::Listen(SocketAddr::new(host, port).to_string(), error)
    })
}

/// What a deployment is configured with, for this machine.
pub(crate) fn variables(gateway: &str, dynamodb: &str) -> BTreeMap<String, String> {
    let hmac_keys = format!("{},{}", keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY);
    let return_url = format!("{gateway}/");
    owned([
        ("ADYEN_ENVIRONMENT", "test"),
        ("ADYEN_HMAC_KEYS", &hmac_keys),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY),
        ("DEFAULT_RETURN_URL", &return_url),
        ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY),
        ("ORDERS_TABLE", "orders"),
        ("TOKENS_TABLE", "tokens"),
    ])
}

/// What the functions must know to get along with a simulator of those options.
pub(crate) fn for_simulator(options: &adyen_simulator::Options) -> BTreeMap<String, String> {
    let hmac_keys = format!("{},{}", options.hmac_key, options.token_hmac_key);
    owned([
        ("ADYEN_API_KEY", &options.api_key),
        ("ADYEN_HMAC_KEYS", &hmac_keys),
        ("ADYEN_MERCHANT_ACCOUNT", &options.merchant_account),
    ])
}

/// What the functions must know to get along with a simulator of Amazon Pay at that URL.
pub(crate) fn for_amazon(
    options: &amazon_pay_simulator::Options,
    url: &str,
) -> BTreeMap<String, String> {
    let sandbox = options.sandbox.to_string();
    owned([
        ("AMAZON_PAY_LEDGER_CURRENCY", &options.ledger_currency),
        ("AMAZON_PAY_MERCHANT_ID", &options.merchant_id),
        ("AMAZON_PAY_PRIVATE_KEY", amazon_pay_simulator::PRIVATE_KEY),
        ("AMAZON_PAY_PUBLIC_KEY_ID", &options.public_key_id),
        ("AMAZON_PAY_REGION", &options.region),
        ("AMAZON_PAY_SANDBOX", &sandbox),
        ("AMAZON_PAY_STORE_ID", &options.store_id),
        ("AMAZON_PAY_URL", url),
    ])
}

fn owned<const N: usize>(variables: [(&str, &str); N]) -> BTreeMap<String, String> {
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The web's origins of `ALLOWED_ORIGINS`: an app's scheme is none that browsers send.
fn origins(variables: &BTreeMap<String, String>) -> Vec<String> {
    let origins = variables.get("ALLOWED_ORIGINS").map(String::as_str).unwrap_or_default();
    let origins = origins.split([',', ';']).map(|origin| origin.trim().to_owned());
    origins.filter(|it| it.starts_with("http://") || it.starts_with("https://")).collect()
}
