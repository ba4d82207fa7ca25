//! Starts and stops DynamoDB, the simulators, the functions and the gateway together. A process
//! can run any number of bundles.

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

use crate::amazon_pay_at_adyen::AmazonPayAtAdyen;
use crate::call::OnCall;
use crate::dynamodb::{DynamoDb, DynamoDbError};
use crate::functions::{self, FunctionsError};
use crate::gateway::{Function, Gateway, WEBHOOKS};
use crate::storefront::{self, Shop};
use crate::template::{Template, TemplateError};
use crate::workbench::{self, Bench, Record, Source};
use crate::{invoke, keys, token};

/// The most time that a run of the schedule takes.
pub(crate) const SCHEDULED: Duration = Duration::from_secs(299);

/// The time that requests in progress have when the bundle stops.
const GRACE: Duration = Duration::from_secs(2);

/// The options of a bundle. The default is on loopback, on any ports, in memory, with simulators.
pub struct Options {
    /// The address that everything listens on.
    pub host: IpAddr,
    /// The gateway's port.
    pub port: Port,
    pub adyen_port: Port,
    pub dynamodb_port: Port,
    pub amazon_port: Port,
    /// The folder of the tables; without it they are in memory.
    pub data: Option<PathBuf>,
    pub adyen: Adyen,
    /// The Amazon Pay simulator; without it the variables configure Amazon Pay.
    pub amazon: Option<Box<amazon_pay_simulator::Options>>,
    /// Variables of the functions that override the development ones.
    pub variables: BTreeMap<String, String>,
    /// Called after each call.
    pub on_call: OnCall,
    /// False for long runs; see [`Template::without_streams`].
    pub streams: bool,
    /// True to record what happens, and to serve the workbench.
    pub workbench: bool,
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
            streams: true,
            workbench: false,
        }
    }
}

/// The Adyen that the functions call.
pub enum Adyen {
    /// The simulator. By default it sends its webhooks to the gateway and keeps its books in the
    /// folder of the tables.
    Simulator(Box<adyen_simulator::Options>),
    /// Adyen's test environment.
    Test { api_key: String, merchant_account: String },
}

/// The running bundle. Stops when dropped.
pub struct Bundle {
    url: String,
    dynamodb: DynamoDb,
    simulator: Option<Arc<Simulator>>,
    amazon: Option<Arc<amazon_pay_simulator::Simulator>>,
    record: Option<Record>,
    functions: BTreeMap<String, Function>,
    recover: Arc<recover::State>,
    schedule: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

/// An error at the start of the bundle.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Listener(#[from] io::Error),
}

impl Bundle {
    /// Starts everything and returns once it accepts calls.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let template = Template::read()?;
        let template = if options.streams { template } else { template.without_streams() };
        let gateway = bind(options.host, options.port).await?;
        let url = listen::url(&gateway)?;
        let record = options.workbench.then(Record::default);
        let dynamodb = DynamoDb::start(
            &template,
            options.data.as_deref(),
            bind(options.host, options.dynamodb_port).await?,
            record.as_ref().map(Record::dynamodb),
        )
        .await?;

        let mut variables = variables(&url, dynamodb.url());
        let is_simulated = matches!(options.adyen, Adyen::Simulator(_));
        let amazon = match options.amazon {
            Some(mut simulated) => {
                simulated.watch = record.as_ref().map(|record| record.watch(Source::AmazonPay));
                let listener = bind(options.host, options.amazon_port).await?;
                let url = listen::url(&listener)?;
                variables.extend(for_amazon(&simulated, &url));
                Some(Arc::new(amazon_pay_simulator::Simulator::serve(listener, *simulated)?))
            }
            None => None,
        };
        let mut webhooks_to = None;
        let simulator = match options.adyen {
            Adyen::Simulator(mut simulated) => {
                simulated.webhook_url.get_or_insert(format!("{url}{WEBHOOKS}"));
                simulated.data = simulated.data.or(options.data);
                if let Some(password) = options.variables.get("WEBHOOK_BASIC_AUTH") {
                    simulated.basic_auth.get_or_insert(password.clone());
                }
                if let Some(amazon) = &amazon {
                    let connection = AmazonPayAtAdyen::new(amazon.acquirer());
                    let connection = connection.map_err(io::Error::other)?;
                    simulated.amazon_pay.get_or_insert(Arc::new(connection));
                }
                simulated.watch = record.as_ref().map(|record| record.watch(Source::Adyen));
                webhooks_to.clone_from(&simulated.webhook_copy);
                variables.extend(for_adyen(&simulated));
                let listener = bind(options.host, options.adyen_port).await?;
                let simulator = Simulator::serve(listener, *simulated)?;
                variables.insert("ADYEN_CHECKOUT_URL".into(), simulator.checkout_url());
                variables.insert("ADYEN_RECURRING_URL".into(), simulator.recurring_url());
                Some(Arc::new(simulator))
            }
            Adyen::Test { api_key, merchant_account } => {
                variables.insert("ADYEN_API_KEY".into(), api_key);
                variables.insert("ADYEN_MERCHANT_ACCOUNT".into(), merchant_account);
                None
            }
        };
        variables.extend(options.variables);
        let functions = functions::start(&template, &variables).await?;
        let bench = record.as_ref().map(|record| Bench {
            record: record.clone(),
            database: dynamodb.database().clone(),
            pipe: template.order_events.clone(),
            adyen: simulator.clone(),
            amazon: amazon.clone(),
            recover: functions.recover.clone(),
            url: url.clone(),
            merchant_account: variable(&variables, "ADYEN_MERCHANT_ACCOUNT"),
            merchant_key: token::first_key(&variables["MERCHANT_TOKEN_KEYS"]).to_owned(),
            hmac_keys: variable(&variables, "ADYEN_HMAC_KEYS")
                .split(',')
                .map(|key| key.trim().to_owned())
                .collect(),
            basic_auth: variables.get("WEBHOOK_BASIC_AUTH").cloned(),
            webhooks_to,
        });
        let router = Gateway {
            routes: functions.routes,
            webhooks: functions.webhooks,
            allowed_origins: origins(&variables),
            cors: template.cors,
            on_call: recorded(options.on_call, record.clone()),
            traced: record.is_some(),
        }
        .router()
        .merge(storefront::router(Shop {
            amazon_pay: amazon.as_ref().map(|amazon| amazon.url().to_owned()),
            logos: (!is_simulated).then_some(storefront::ADYENS_LOGOS),
            token_key: token::first_key(&variables["CHECKOUT_TOKEN_KEYS"]).to_owned(),
        }))
        .merge(invoke::router(functions.recover.clone(), SCHEDULED))
        .merge(bench.map(workbench::router).unwrap_or_default())
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
            record,
            functions: functions.by_folder,
            schedule: tokio::spawn(schedule(functions.recover.clone())),
            recover: functions.recover,
            stop: Some(stop),
            server,
        })
    }

    /// The URL of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL for webhooks.
    pub fn webhooks_url(&self) -> String {
        format!("{}{WEBHOOKS}", self.url)
    }

    pub fn simulator(&self) -> Option<&Simulator> {
        self.simulator.as_deref()
    }

    pub fn amazon(&self) -> Option<&amazon_pay_simulator::Simulator> {
        self.amazon.as_deref()
    }

    pub fn dynamodb_url(&self) -> &str {
        self.dynamodb.url()
    }

    /// Invokes a function by the name of its folder, like `cargo lambda invoke`. Returns `None`
    /// if there is no such function or the invocation failed.
    pub async fn invoke(
        &self,
        function: &str,
        event: &str,
    ) -> Option<lambda_http::Response<lambda_http::Body>> {
        let function = self.functions.get(function)?;
        function.invoke(event, "0", false).await.ok()
    }

    /// Runs the function `recover`, like its schedule.
    pub async fn recover(&self) -> Result<recover::Report, shared::store::StoreError> {
        recover::recover(&self.recover, tokio::time::Instant::now() + SCHEDULED).await
    }

    /// Takes over foreign events, like an invocation with `{"takeOver": "foreign"}`.
    pub async fn take_over(&self) -> Result<recover::TakenOver, shared::store::StoreError> {
        recover::take_over(&self.recover, tokio::time::Instant::now() + SCHEDULED).await
    }

    /// Stops after the calls in progress, or after two seconds.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(record) = &self.record {
            record.end();
        }
        self.schedule.abort();
        let ended = async {
            drop(self.server.await);
            if let Some(simulator) = self.simulator.and_then(Arc::into_inner) {
                simulator.stop().await;
            }
            if let Some(amazon) = self.amazon.and_then(Arc::into_inner) {
                amazon.stop().await;
            }
            self.dynamodb.stop().await;
        };
        drop(tokio::time::timeout(GRACE, ended).await);
    }
}

/// The schedule of the template.
async fn schedule(state: Arc<recover::State>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(5 * 60));
    // The first tick is immediate, and there is nothing to recover yet.
    minutes.tick().await;
    loop {
        minutes.tick().await;
        let until = tokio::time::Instant::now() + SCHEDULED;
        if let Err(error) = recover::recover(&state, until).await {
            tracing::error!(%error, "the schedule failed");
        }
    }
}

/// Records each call too.
fn recorded(on_call: OnCall, record: Option<Record>) -> OnCall {
    match record {
        None => on_call,
        Some(record) => Arc::new(move |call| {
            on_call(call);
            record.call(call);
        }),
    }
}

fn variable(variables: &BTreeMap<String, String>, name: &str) -> String {
    variables.get(name).cloned().unwrap_or_default()
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

/// The variables of a deployment on this machine.
pub fn variables(gateway: &str, dynamodb: &str) -> BTreeMap<String, String> {
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

/// The variables for a simulator of Adyen with those options.
pub fn for_adyen(options: &adyen_simulator::Options) -> BTreeMap<String, String> {
    let hmac_keys = format!("{},{}", options.hmac_key, options.token_hmac_key);
    owned([
        ("ADYEN_API_KEY", &options.api_key),
        ("ADYEN_HMAC_KEYS", &hmac_keys),
        ("ADYEN_MERCHANT_ACCOUNT", &options.merchant_account),
    ])
}

/// The variables for a simulator of Amazon Pay at that URL.
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

/// The http and https origins of `ALLOWED_ORIGINS`, because browsers send no other.
fn origins(variables: &BTreeMap<String, String>) -> Vec<String> {
    let origins = variables.get("ALLOWED_ORIGINS").map(String::as_str).unwrap_or_default();
    let origins = origins.split([',', ';']).map(|origin| origin.trim().to_owned());
    origins.filter(|it| it.starts_with("http://") || it.starts_with("https://")).collect()
}
