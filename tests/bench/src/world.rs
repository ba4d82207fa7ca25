//! What the functions call: Adyen's simulator over TLS, and the embedded DynamoDB.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adyen_simulator::Simulator;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use local::dynamodb::DynamoDb;
use local::template::Template;
use local::{bundle, functions};
use serde_json::Value;
use simulator_http::Watch;
use simulator_http::listen::{self, Port, listen};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::BenchError;

/// What the functions have called so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called {
    pub adyen: u64,
    pub dynamodb: u64,
    /// DynamoDB's capacity units.
    pub units: f64,
    /// TLS connections to Adyen.
    pub handshakes: u64,
    /// The time that DynamoDB and Adyen took.
    pub waited: Duration,
}

impl Sub for Called {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            adyen: self.adyen - before.adyen,
            dynamodb: self.dynamodb - before.dynamodb,
            units: self.units - before.units,
            handshakes: self.handshakes - before.handshakes,
            waited: self.waited.saturating_sub(before.waited),
        }
    }
}

/// Counts calls while they happen.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<Called>>);

impl Counter {
    fn called(&self) -> MutexGuard<'_, Called> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adyen(&self) -> Watch {
        let counter = self.clone();
        Arc::new(move |exchange| {
            let mut called = counter.called();
            called.adyen += 1;
            called.waited += exchange.took;
        })
    }

    fn dynamodb(&self) -> Watch {
        let counter = self.clone();
        Arc::new(move |exchange| {
            let mut called = counter.called();
            called.dynamodb += 1;
            called.units += exchange.answer.map_or(0.0, |answer| units(&answer.body));
            called.waited += exchange.took;
        })
    }
}

/// The capacity units of an answer of DynamoDB, in one table or in several.
fn units(answer: &str) -> f64 {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let consumed = &answer["ConsumedCapacity"];
    let tables = consumed.as_array().into_iter().flatten().chain([consumed]);
    tables.filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

pub struct World {
    template: Template,
    variables: BTreeMap<String, String>,
    /// The bodies of webhooks that Adyen sent and that were not taken yet.
    webhooks: Arc<Mutex<Vec<String>>>,
    counter: Counter,
    simulator: Simulator,
    dynamodb: DynamoDb,
    _servers: JoinSet<()>,
    /// Adyen's certificate.
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Result<Self, BenchError> {
        let template = Template::read()?.without_streams();
        let any = async || listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await;
        let mut servers = JoinSet::new();

        let counter = Counter::default();
        let listener = any().await?;
        let dynamodb = DynamoDb::start(&template, None, listener, Some(counter.dynamodb())).await?;

        let webhooks = Arc::<Mutex<Vec<String>>>::default();
        let inbox = any().await?;
        let inbox_url = listen::url(&inbox)?;
        let router = Router::new().fallback(receive).with_state(webhooks.clone());
        servers.spawn(async { axum::serve(inbox, router).await.unwrap_or(()) });

        let options = adyen_simulator::Options {
            webhook_url: Some(inbox_url),
            webhook_delay: Duration::ZERO,
            watch: Some(counter.adyen()),
            ..adyen_simulator::Options::default()
        };
        let mut variables = bundle::variables("http://127.0.0.1", dynamodb.url());
        variables.extend(bundle::for_adyen(&options));
        let listener = any().await?;
        let behind = listener.local_addr()?;
        let simulator = Simulator::serve(listener, options)?;

        let door = any().await?;
        let base = format!("https://{}", door.local_addr()?);
        let path = |url: &str| url.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        for (name, url) in [
            ("ADYEN_CHECKOUT_URL", simulator.checkout_url()),
            ("ADYEN_RECURRING_URL", simulator.recurring_url()),
        ] {
            variables.insert(name.to_owned(), format!("{base}/{}", path(&url)));
        }
        servers.spawn(count_connections(door, behind, counter.clone()));

        let folder = tempfile::tempdir()?;
        let http = shared::platform::http_client::build(None).map_err(BenchError::Http)?;
        let certificate = http.get(format!("http://{behind}/certificate.pem")).send().await?;
        let file = folder.path().join("certificate.pem");
        std::fs::write(&file, certificate.bytes().await?)?;
        variables.insert("SSL_CERT_FILE".to_owned(), file.display().to_string());

        Ok(Self {
            template,
            variables,
            webhooks,
            counter,
            simulator,
            dynamodb,
            _servers: servers,
            _folder: folder,
        })
    }

    /// The variables of a function, as in the template; none of a folder that it does not have.
    pub fn variables(&self, folder: &str) -> BTreeMap<String, String> {
        let function = self.template.functions.get(folder);
        let of = |function| functions::environment(folder, function, &self.variables);
        function.map(of).unwrap_or_default()
    }

    pub fn called(&self) -> Called {
        *self.counter.called()
    }

    /// The tables, for what is not measured.
    pub fn database(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// Takes the webhooks that Adyen has sent.
    pub async fn take_webhooks(&self) -> Vec<String> {
        self.simulator.webhooks_delivered(Duration::from_secs(20)).await;
        std::mem::take(&mut *self.webhooks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn receive(State(webhooks): State<Arc<Mutex<Vec<String>>>>, body: Bytes) -> &'static str {
    let body = String::from_utf8_lossy(&body).into_owned();
    webhooks.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    "[accepted]"
}

/// Forwards connections and counts them.
async fn count_connections(door: TcpListener, behind: SocketAddr, counter: Counter) {
    while let Ok((mut caller, _)) = door.accept().await {
        counter.called().handshakes += 1;
        tokio::spawn(async move {
            let mut server = TcpStream::connect(behind).await?;
            caller.set_nodelay(true)?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut caller, &mut server).await?;
            io::Result::Ok(())
        });
    }
}

/// The binary of a function in a folder: `cargo lambda build` makes `NAME/bootstrap`, and
/// `cargo build` makes `NAME`.
pub fn binary(folder: &Path, name: &str) -> PathBuf {
    let bootstrap = folder.join(name).join("bootstrap");
    if bootstrap.is_file() { bootstrap } else { folder.join(name) }
}
