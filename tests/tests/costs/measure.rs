//! The units of one payment, and of one run of the schedule.

use std::collections::{BTreeMap, BTreeSet};

use adyen_simulator::Release;
use axum::body::Bytes;
use local::bundle::Options;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use shared::platform::observe::{self, Completion, Source};
use tests::faulty::{Call, Faulty};
use tests::output::Output;
use tests::{Answer, Stack, browser, faulty_dynamodb, in_browser, with};
use tracing::level_filters::LevelFilter;

use crate::template;

/// CloudWatch adds this to each line.
const BYTES_OF_AN_EVENT: usize = 26;

/// The lines that Lambda itself writes for an invocation, with the ids of AWS's examples.
const LAMBDA_LINES: [&str; 3] = [
    "START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: 12\n",
    "END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\n",
    "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 812.53 ms\t\
     Billed Duration: 813 ms\tMemory Size: 256 MB\tMax Memory Used: 24 MB\t\n",
];

/// Units by the rows of the document.
#[derive(Debug)]
pub struct Units(pub BTreeMap<&'static str, f64>);

#[derive(Debug)]
pub struct Measured {
    /// The lookup, the payment, its webhook, the reading of its order, and a run of the schedule.
    pub requests: [Units; 5],
    /// The metrics that they published, each with the values of its dimensions.
    pub metrics: BTreeSet<String>,
    /// Writes that the pipe of order events sends.
    pub changes: f64,
    /// KB of the order's items.
    pub stored: f64,
    pub stored_with_indexes: f64,
}

const REFERENCE: &str = "SHOP-NL-2026-11-000004711";

pub async fn everything() -> Measured {
    observe::set_source(Source {
        namespace: "amazon-pay".to_owned(),
        version: "amazon-pay-PaymentsFunction-Tp7sQ1Xw9AbC:12".to_owned(),
    });
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::INFO));
    let dynamodb = Faulty::start(Some(as_live)).await;
    // With the workbench the gateway sends a trace with each invocation, as Lambda does.
    let options = Options {
        // A deployment for Amazon Pay has one webhook.
        variables: BTreeMap::from([
            faulty_dynamodb::variable(&dynamodb),
            ("ADYEN_HMAC_KEYS".to_owned(), local::keys::STANDARD_HMAC_KEY.to_owned()),
        ]),
        workbench: true,
        ..Options::default()
    };
    let stack = Stack::with(options).await;
    dynamodb.lead_to(stack.bundle.dynamodb_url());
    stack.adyen().hold_webhooks();
    let mut meter = Meter { output, dynamodb, read: 0, changes: 0, metrics: BTreeSet::new() };
    meter.units();

    let token = browser(REFERENCE);
    let lookup = json!({"channel": "Web", "shopperLocale": "nl-NL"});
    answered(&stack.post("/paymentMethods", &token, &lookup).await);
    let lookup = meter.units();
    answered(&stack.post("/payments", &token, &payment()).await);
    let payment = meter.units();
    stack.adyen().release_webhooks(Release::InOrder).await;
    stack.webhooks_delivered().await;
    let webhook = meter.units();
    let order = stack.get(&format!("/orders/{REFERENCE}"), &token).await;
    answered(&order);
    assert_eq!(order.body["confirmed"], true, "{order:?}");
    let order = meter.units();
    scheduled(&stack).await;
    let schedule = meter.units();

    let (stored, stored_with_indexes) = stored(&stack).await;
    Measured {
        requests: [lookup, payment, webhook, order, schedule],
        metrics: meter.metrics,
        changes: meter.changes as f64,
        stored,
        stored_with_indexes,
    }
}

/// Adyen's host in the live environment, which an order stores. The simulator's is shorter.
const LIVE_HOST: &str = "1797a841fbb37ca7-YourCompany-checkout-live.adyenpayments.com";

fn as_live(name: &str, request: Bytes) -> Bytes {
    let request = faulty_dynamodb::measure(name, request);
    let text = String::from_utf8(request.to_vec()).unwrap();
    text.replace(r#""endpoint":{"S":"127.0.0.1"}"#, &format!(r#""endpoint":{{"S":"{LIVE_HOST}"}}"#))
        .into()
}

#[track_caller]
fn answered(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A payment with all that a storefront knows of its shopper.
fn payment() -> Value {
    let address = json!({
        "street": "Simon Carmiggeltstraat", "houseNumberOrName": "6-50", "city": "Amsterdam",
        "postalCode": "1011 DJ", "country": "NL",
    });
    let shopper = json!({
        "billingAddress": address, "deliveryAddress": address,
        "shopperName": {"firstName": "Anna", "lastName": "de Vries"},
        "shopperEmail": "anna.devries@shopper.example", "telephoneNumber": "+31201234567",
        "shopperLocale": "nl-NL",
    });
    with(in_browser(REFERENCE, "160583287597AMZN"), shopper)
}

/// Runs the schedule as its function does.
async fn scheduled(stack: &Stack) {
    let mut context = lambda_runtime::Context::default();
    context.request_id = "8f507cfc-xmpl-4697-b07a-ac58fc914c95".to_owned();
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    context.xray_trace_id = Some(trace.to_owned());
    let completion = |_: &_| Completion::Run(true);
    let (headers, run) = (HeaderMap::new(), stack.bundle.recover());
    observe::invocation("schedule", &headers, Some(&context), run, completion).await.unwrap();
}

/// Measures what happened since it was last read.
struct Meter {
    output: Output,
    dynamodb: Faulty,
    /// The bytes of the output that were read.
    read: usize,
    changes: usize,
    metrics: BTreeSet<String>,
}

impl Meter {
    fn units(&mut self) -> Units {
        let mut units = Units::new();
        for call in self.dynamodb.calls() {
            units.add_call(&call);
            self.changes += changes(&call);
        }
        self.dynamodb.begin(|_| None);

        let text = self.output.text();
        for line in text[self.read..].lines() {
            let bytes = kilobytes(line.len() + 1);
            let line: Value = serde_json::from_str(line).unwrap();
            if line["_aws"].is_object() {
                units.add("Logs, metrics, KB", bytes);
                self.metrics.extend(metrics(&line));
                continue;
            }
            units.add("Logs, lines, KB", bytes);
            if line["message"] == "done" {
                units.add_invocation(line["what"].as_str().unwrap());
            }
        }
        self.read = text.len();
        units
    }
}

impl Units {
    fn new() -> Self {
        let parts = [
            "API Gateway, requests",
            "Lambda, requests",
            "DynamoDB, writes of the table",
            "DynamoDB, writes of the index `open`",
            "DynamoDB, writes of the index `updated`",
            "DynamoDB, reads",
            "Logs, lines, KB",
            "Logs, metrics, KB",
            "Logs, Lambda's own lines, KB",
            "Logs, access log, KB",
        ];
        Self(parts.map(|part| (part, 0.0)).into())
    }

    fn add(&mut self, part: &str, units: f64) {
        *self.0.get_mut(part).unwrap_or_else(|| panic!("docs/costs.md lacks {part}")) += units;
    }

    fn add_invocation(&mut self, what: &str) {
        self.add("Lambda, requests", 1.0);
        let lines: f64 = LAMBDA_LINES.iter().map(|line| kilobytes(line.len())).sum();
        self.add("Logs, Lambda's own lines, KB", lines);
        if what.contains('/') {
            self.add("API Gateway, requests", 1.0);
            self.add("Logs, access log, KB", kilobytes(template::access_log_line()));
        }
    }

    fn add_call(&mut self, call: &Call) {
        for consumed in faulty_dynamodb::capacity(call) {
            assert_eq!(consumed["TableName"], "orders");
            let units = |part: &Value| part["CapacityUnits"].as_f64().unwrap_or_default();
            if matches!(&*call.name, "GetItem" | "Query") {
                self.add("DynamoDB, reads", units(&consumed));
                continue;
            }
            self.add("DynamoDB, writes of the table", units(&consumed["Table"]));
            for (index, part) in
                consumed["GlobalSecondaryIndexes"].as_object().into_iter().flatten()
            {
                self.add(&format!("DynamoDB, writes of the index `{index}`"), units(part));
            }
        }
    }
}

fn kilobytes(line: usize) -> f64 {
    (line + BYTES_OF_AN_EVENT) as f64 / 1000.0
}

/// The items with a change that the pipe sends.
fn changes(call: &Call) -> usize {
    let request: Value = serde_json::from_slice(&call.request).unwrap();
    let alone = [&request["Item"]];
    let together = request["TransactItems"].as_array().into_iter().flatten();
    let items = together.map(|it| &it["Put"]["Item"]).chain(alone);
    items.filter(|item| item["change"].is_object()).count()
}

/// The names of a line's metrics, with each of their dimensions.
fn metrics(line: &Value) -> BTreeSet<String> {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    let mut metrics = BTreeSet::new();
    for metric in directive["Metrics"].as_array().unwrap() {
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let names = dimensions.as_array().unwrap().iter().map(|it| it.as_str().unwrap());
            let named: Vec<_> = names.map(|name| format!("{name}={}", line[name])).collect();
            metrics.insert(format!("{} {}", metric["Name"], named.join(" ")));
        }
    }
    metrics
}

/// KB of the table, and of the table with its indexes. DynamoDB adds 100 bytes to each entry.
async fn stored(stack: &Stack) -> (f64, f64) {
    let described = stack.dynamodb().describe_table().table_name("orders").send().await.unwrap();
    let table = described.table.unwrap();
    let kilobytes = |bytes: Option<i64>, entries: Option<i64>| {
        (bytes.unwrap() + 100 * entries.unwrap()) as f64 / 1000.0
    };
    let own = kilobytes(table.table_size_bytes, table.item_count);
    let indexes = table.global_secondary_indexes.unwrap();
    let indexes = indexes.iter().map(|it| kilobytes(it.index_size_bytes, it.item_count));
    (own, own + indexes.sum::<f64>())
}
