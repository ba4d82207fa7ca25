//! The schedule processes any number of open orders page by page, in time and with little memory.
//! DynamoDB is another process, so that only the memory of the schedule is measured.
//!
//! `OPEN_ORDERS=100000 cargo test -p local --test open_orders -- --nocapture` prints the
//! figures of docs/architecture.md.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, StreamSpecification, WriteRequest};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local::dynamodb::DynamoDb;
use local::keys;
use local::template::Template;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use shared::adyen::payments::PaymentRequest;
use shared::domain::order::{Capture, Order, PayDecision, PaymentInstrument, Target, sha256};
use shared::platform::config::{Env, Settings};
use shared::platform::http_client::{SdkHttpClient, build};
use shared::platform::observe::{self, Completion};
use shared::platform::runtime;
use shared::store::{Orders, Start, StoreError};
use simulator_http::listen::{Port, listen};
use tracing::level_filters::LevelFilter;

type Item = HashMap<String, AttributeValue>;

/// The most time that a run can take on Lambda.
const LONGEST: Duration = Duration::from_secs(299);

/// The most memory that a run can add, in megabytes.
const MEGABYTES: u64 = 16;

/// Another process of this test, which serves the tables. It is not `cargo dev`, because that runs
/// the schedule too. It is killed when dropped.
struct Tables {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

/// The variable with the folder of the tables, for that process.
const DATA: &str = "OPEN_ORDERS_DATA";

impl Tables {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(DATA, data.path()).args(["--exact", "tables", "--ignored", "--nocapture"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("tables at ")?.1.to_owned()));
        // Reads on, because the process would end if it could not write.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: url.expect("where the tables are"), _data: data }
    }
}

#[tokio::test]
#[ignore = "the process that serves the tables to the other test"]
async fn tables() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let listener = listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await.unwrap();
    let template = Template::read().unwrap();
    let tables = DynamoDb::start(&template, Some(data.as_ref()), listener, None).await.unwrap();
    println!("tables at {}", tables.url());
    std::future::pending().await
}

impl Drop for Tables {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct World {
    _tables: Tables,
    client: Client,
    orders: Orders,
    recover: recover::State,
    log: Log,
}

impl World {
    async fn new() -> Self {
        let tables = Tables::start();
        let env = [
            ("ADYEN_API_KEY", "key"),
            ("ADYEN_MERCHANT_ACCOUNT", keys::MERCHANT_ACCOUNT),
            ("AWS_ACCESS_KEY_ID", "recover"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &tables.url),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        let env: Env =
            env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let mut settings = Settings::load(&env, &[]).await.unwrap();
        let orders = Orders::read(&mut settings);
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(&tables.url)
            .http_client(SdkHttpClient::new(build(None).unwrap()))
            .build();
        let log = Log::default();
        tracing::subscriber::set_global_default(runtime::log(LevelFilter::INFO, log.clone()))
            .unwrap();
        let world = Self {
            client: Client::from_conf(config),
            orders: settings.finish(orders).unwrap(),
            recover: recover::State::start(&env).await.unwrap(),
            _tables: tables,
            log,
        };
        world.stop_stream().await;
        world
    }

    /// Turns the stream off, because the embedded DynamoDB scans all of it for each new record.
    async fn stop_stream(&self) {
        let off = StreamSpecification::builder().stream_enabled(false).build().unwrap();
        let update = self.client.update_table().table_name("orders");
        update.stream_specification(off).send().await.unwrap();
    }

    /// The item of an order that has waited for its shopper that long.
    async fn waiting(&self, waited: SignedDuration) -> Item {
        let then = Timestamp::now() - waited;
        let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
        let reference: shared::domain::reference::Reference = "PATTERN".parse().unwrap();
        let mut order = Order::new(reference.clone(), amount, Capture::Automatic, None, then);
        let asked = json!({
            "merchantAccount": "ACCOUNT",
            "amount": {"currency": "EUR", "value": 1000},
            "paymentMethod": {"type": "amazonpay", "amazonPayToken": "T"},
            "reference": "PATTERN",
            "returnUrl": "https://shop.example.com/",
        });
        let payment: PaymentRequest = serde_json::from_value(asked).unwrap();
        let sent = payment.submission(&Default::default(), None, then);
        let target = Target {
            merchant_account: "ACCOUNT".to_owned(),
            endpoint: "adyen.example.com".to_owned(),
        };
        let begin = PayDecision::Begin { attempt: 1 };
        order.record_decision(begin, &target, PaymentInstrument::AmazonPay, &sent, then);
        let asked = json!({"answered": {"resultCode": "RedirectShopper"}});
        order.attempts[0].answer(serde_json::from_value(asked).unwrap(), None);
        let written = self.orders.change(&reference, Start::New, |slot| {
            *slot = Some(order.clone());
            Ok::<_, StoreError>(())
        });
        written.await.unwrap();
        let key = AttributeValue::S("PATTERN".to_owned());
        let read = self.client.get_item().table_name("orders").key("reference", key.clone());
        let item = read.send().await.unwrap().item.unwrap();
        self.client.delete_item().table_name("orders").key("reference", key).send().await.unwrap();
        item
    }

    /// Writes many copies of this order.
    async fn fill(&self, pattern: &Item, orders: usize) {
        let put = |number: usize| {
            let reference = format!("ORDER-{number}");
            let shard = format!("order-{}", &sha256(&[reference.as_bytes()])[..1]);
            let mut item = pattern.clone();
            let due_at: Timestamp = item["recoverAt"].as_s().unwrap().parse().unwrap();
            let due_at = due_at - SignedDuration::from_secs(number as i64 % 3600);
            item.insert("recoverAt".to_owned(), AttributeValue::S(due_at.to_string()));
            item.insert("reference".to_owned(), AttributeValue::S(reference));
            item.insert("openShard".to_owned(), AttributeValue::S(shard));
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        };
        let batches: Vec<usize> = (0..orders).step_by(25).collect();
        stream::iter(batches)
            .map(|first| {
                let puts = (first..orders.min(first + 25)).map(put).collect();
                self.client.batch_write_item().request_items("orders", puts).send()
            })
            .buffer_unordered(4)
            .for_each(|written| async {
                assert!(written.unwrap().unprocessed_items.is_none_or(|it| it.is_empty()));
            })
            .await;
    }

    /// One run, and its measurements.
    async fn run(&self) -> Run {
        let before = resident();
        let peak = Arc::new(AtomicU64::new(before));
        let watch = tokio::spawn({
            let peak = peak.clone();
            async move {
                loop {
                    peak.fetch_max(resident(), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        let begun = Instant::now();
        let run = recover::recover(&self.recover, tokio::time::Instant::now() + LONGEST);
        let completion = |_: &_| Completion::Run(true);
        let report =
            observe::invocation("schedule", &HeaderMap::new(), None, run, completion).await;
        let took = begun.elapsed();
        watch.abort();
        let grown = peak.load(Ordering::Relaxed).saturating_sub(before) / 1024;
        Run { report: report.unwrap(), took, grown, calls: self.log.calls() }
    }
}

#[derive(Debug)]
struct Run {
    report: recover::Report,
    took: Duration,
    /// In megabytes.
    grown: u64,
    /// Calls of DynamoDB.
    calls: u64,
}

/// Resident memory of this process, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Keeps only the last line of an invocation, to save memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn calls(&self) -> u64 {
        let line: Value = serde_json::from_slice(&self.0.lock().unwrap()).unwrap();
        line["dynamodbCalls"].as_u64().unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.windows(16).any(|part| part == b"\"message\":\"done\"") {
            *self.0.lock().unwrap() = line.to_vec();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> tracing_subscriber::fmt::MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_open_orders_is_worked_through_page_by_page() {
    let orders: usize = std::env::var("OPEN_ORDERS").map_or(400, |number| number.parse().unwrap());
    let world = World::new().await;
    // Creates clients and connections before the measurement.
    world.run().await;

    let young = world.waiting(SignedDuration::from_hours(3)).await;
    world.fill(&young, orders).await;
    let idle = world.run().await;
    println!("{orders} open orders, none due: {idle:?}");
    assert_eq!((idle.report.open, idle.calls), (0, 16), "{idle:?}");

    let old = world.waiting(SignedDuration::from_hours(26)).await;
    world.fill(&old, orders).await;
    let mut abandoned = 0;
    while abandoned < orders {
        let run = world.run().await;
        println!("{orders} open orders, all due: {run:?}");
        abandoned += run.report.abandoned;
        assert_eq!((run.report.failed, run.report.open), (0, run.report.abandoned), "{run:?}");
        assert!(run.took < LONGEST, "{run:?}");
        assert!(run.report.stopped || abandoned == orders, "{run:?}");
        assert!(run.grown < MEGABYTES, "{run:?}");
        // Each order is read and written; the index is read page by page.
        let pages = 16 + run.report.open / 25 + 16;
        assert!(run.calls as usize <= 2 * run.report.open + pages, "{run:?}");
    }
    assert_eq!(world.run().await.report.open, 0);
}
