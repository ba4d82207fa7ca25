//! Processes that are killed during a payment, and restarted.
//!
//! DynamoDB and Adyen run in the test's process. The functions run in a child, which is this test
//! binary with the test [`process_to_be_killed`].

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adyen_simulator::Release;
use fastrand::Rng;
use futures_util::future::join_all;
use local::bundle::{Adyen, Options};
use local::keys;
use serde_json::Value;
use simulator_http::Fault;
use tests::faulty::{Call, Faulty};
use tests::{Answer, Stack, browser, longer_form};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::shop::Shop;
use crate::shopper::{Api, Flow, Shopper, pause};

/// The variables that a child takes from its parent.
const VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_DYNAMODB", "ADYEN_CHECKOUT_URL"];

/// Serves requests until it is killed or its parent has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run and killed by the other tests here"]
async fn process_to_be_killed() {
    let variables = VARIABLES.map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let [Some(dynamodb), Some(adyen)] = variables else {
        return;
    };
    let stack = Stack::with(Options {
        adyen: Adyen::Test {
            api_key: keys::ADYEN_API_KEY.to_owned(),
            merchant_account: keys::MERCHANT_ACCOUNT.to_owned(),
        },
        variables: [dynamodb, adyen].into(),
        ..Options::default()
    })
    .await;
    writeln!(std::io::stdout(), "\n{}", stack.bundle.url()).unwrap();
    let parent_is_gone = || std::io::stdin().read(&mut [0]);
    drop(spawn_blocking(parent_is_gone).await);
}

/// The functions in a process of their own, which is restarted after it was killed.
struct Process {
    shop: Arc<Shop>,
    child: Child,
    url: watch::Sender<String>,
}

impl Process {
    async fn start(shop: Arc<Shop>) -> Self {
        let (child, url) = spawn(&shop).await;
        let url = watch::channel(url).0;
        Self { shop, child, url }
    }

    /// Kills the process as `kill -9` does, and starts another one.
    async fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let (child, url) = spawn(&self.shop).await;
        self.child = child;
        self.url.send_replace(url);
    }

    fn client(&self) -> Client {
        Client {
            http: shared::platform::http_client::build(None).unwrap(),
            url: self.url.subscribe(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn spawn(shop: &Shop) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::process_to_be_killed"])
        .args(["--ignored", "--nocapture"])
        .env(VARIABLES[0], shop.dynamodb.url())
        .env(VARIABLES[1], format!("{}/v72", shop.adyen.url()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(child.stdout.take().unwrap());
    let url = spawn_blocking(move || {
        let mut lines = printed.lines().map_while(Result::ok);
        lines.find(|line| line.starts_with("http://"))
    });
    (child, url.await.unwrap().expect("it serves"))
}

/// A client that finds the current process.
struct Client {
    http: reqwest::Client,
    url: watch::Receiver<String>,
}

impl Api for Client {
    async fn post(&self, reference: &str, path: &str, body: &Value) -> Option<Answer> {
        let url = format!("{}{path}", *self.url.borrow());
        let request = self.http.post(url).bearer_auth(browser(reference));
        match request.json(body).send().await {
            Ok(response) => answer(response).await.ok(),
            Err(_) => {
                pause().await;
                None
            }
        }
    }
}

/// Reads a response whose body may end too early.
async fn answer(response: reqwest::Response) -> reqwest::Result<Answer> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, headers, body })
}

/// Kills the process at every call of every flow, once during the request and once during the
/// answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flow_killed_at_every_call_is_paid_once() {
    let lanes = Flow::ALL.map(|flow| {
        tokio::spawn(async move {
            let shop = Arc::new(Shop::open().await);
            let mut process = Process::start(shop.clone()).await;
            let client = process.client();
            let mut kills = 0;
            for faulty in [(|shop| &shop.adyen) as fn(&Shop) -> &Faulty, |shop| &shop.dynamodb] {
                for fault in [Fault::ArriveLate as fn(Duration) -> Fault, Fault::AnswerLate] {
                    let mut index = 0;
                    while killed_at(&mut process, &client, flow, faulty, fault, index).await {
                        index += 1;
                        kills += 1;
                    }
                }
            }
            kills
        })
    });
    let mut kills = Vec::new();
    for (flow, lane) in Flow::ALL.iter().zip(join_all(lanes).await) {
        kills.push(format!("{flow:?} {}", lane.unwrap()));
    }
    let mut out = std::io::stderr().lock();
    writeln!(out, "never twice: killed at every call: {}", kills.join(", ")).unwrap();
}

/// Pays an order and kills the process at this call. Returns false if there were fewer calls.
async fn killed_at(
    process: &mut Process,
    client: &Client,
    flow: Flow,
    faulty: fn(&Shop) -> &Faulty,
    fault: fn(Duration) -> Fault,
    index: usize,
) -> bool {
    let shop = process.shop.clone();
    let at = if std::ptr::eq(faulty(&shop), &shop.adyen) { "adyen" } else { "dynamodb" };
    let kind =
        if matches!(fault(Duration::ZERO), Fault::AnswerLate(_)) { "after" } else { "before" };
    let reference = format!("{flow:?}-{at}-{kind}-{index}");
    let (now, mut killing) = mpsc::unbounded_channel();
    shop.adyen.begin(|_| None);
    shop.dynamodb.begin(|_| None);
    faulty(&shop).begin(move |call: &Call| {
        (call.index == index).then(|| {
            now.send(()).unwrap();
            fault(Duration::from_millis(100))
        })
    });
    let shopper = Shopper::new(client, &reference, flow);
    let killed = tokio::select! {
        biased;
        Some(()) = killing.recv() => true,
        () = shopper.pay() => false,
    };
    if killed {
        // The browser received no answer and retries its last request.
        process.kill().await;
        shopper.pay().await;
    }
    shop.adyen.calm();
    shop.dynamodb.calm();
    shop.webhooks_delivered().await;
    shop.assert_paid_once(&reference, &reference).await;
    killed
}

/// Kills the process at random while several orders are paid and webhooks arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flow_killed_at_random_is_paid_once() {
    const ORDERS: usize = 6;
    let rounds: u64 = if longer_form() { 12 } else { 4 };
    let mut rng = Rng::with_seed(7);
    let shop = Arc::new(Shop::open().await);
    // So that a payment takes long enough to be killed anywhere in it.
    shop.dynamodb.begin(|_| Some(Fault::ArriveLate(Duration::from_millis(10))));
    shop.adyen.begin(|_| Some(Fault::AnswerLate(Duration::from_millis(30))));
    let mut process = Process::start(shop.clone()).await;
    for round in 0..rounds {
        let webhooks = |process: &Process| {
            let url = format!("{}/webhooks", *process.url.borrow());
            shop.simulator().set_webhook_url(&url);
        };
        webhooks(&process);
        let references: Vec<_> =
            (0..ORDERS).map(|order| format!("ORDER-{round}-{order}")).collect();
        let shoppers = references.iter().enumerate().map(|(number, reference)| {
            let (client, reference) = (process.client(), reference.clone());
            let flow = Flow::ALL[number % Flow::ALL.len()];
            tokio::spawn(async move {
                Shopper::new(&client, &reference, flow).pay().await;
            })
        });
        let shoppers: Vec<_> = shoppers.collect();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(rng.u64(20..300))).await;
            process.kill().await;
            webhooks(&process);
        }
        for shopper in shoppers {
            shopper.await.unwrap();
        }
        shop.simulator().release_webhooks(Release::InOrder).await;
        shop.webhooks_delivered().await;
        for reference in &references {
            shop.assert_paid_once(reference, reference).await;
        }
    }
    let mut out = std::io::stderr().lock();
    let orders = rounds as usize * ORDERS;
    writeln!(out, "never twice: {orders} orders paid while killed {} times", 2 * rounds).unwrap();
}
