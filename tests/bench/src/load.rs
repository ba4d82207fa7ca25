//! Concurrent payments on the bundle of this machine, with all functions in one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use local::bundle::{Bundle, Options};
use local::token;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::BenchError;
use crate::process::memory;
use crate::ratios::{median, milliseconds};
use crate::requests;

const CONCURRENT: usize = 64;

/// Adyen's response time.
const ADYEN: Duration = Duration::from_millis(100);

/// A payment's status, and what the shopper waited.
type Answer = (u16, Duration);

struct Shop {
    bundle: Bundle,
    http: reqwest::Client,
}

pub async fn print(payments: usize) -> Result<(), BenchError> {
    let shop = Arc::new(Shop::open().await?);

    println!("{CONCURRENT} concurrent payments of one order, three times:");
    for round in 1..=3 {
        let order = format!("ONE-{round}");
        let answers = shop.pay(vec![order.clone(); CONCURRENT], CONCURRENT).await;
        println!("  {}; charged {} time", describe(&answers), shop.charges(&order));
    }
    println!("{CONCURRENT} concurrent payments of {CONCURRENT} orders, three times:");
    for round in 1..=3 {
        let orders: Vec<_> = (0..CONCURRENT).map(|it| format!("EACH-{round}-{it}")).collect();
        let answers = shop.pay(orders.clone(), CONCURRENT).await;
        let twice = orders.iter().filter(|order| shop.charges(order) != 1).count();
        println!("  {}; not charged exactly once: {twice}", describe(&answers));
    }
    println!("{payments} payments each with more and more at the same time:");
    for concurrent in [1, 4, 16, 64, 256] {
        let orders = (0..payments).map(|it| format!("LOAD-{concurrent}-{it}")).collect();
        let begun = Instant::now();
        let answers = shop.pay(orders, concurrent).await;
        let rate = answers.len() as f64 / begun.elapsed().as_secs_f64();
        let megabytes = memory()? as f64 / 1e6;
        println!("  {concurrent}: {}, {rate:.0}/s, {megabytes:.0} MB", describe(&answers));
    }
    Ok(())
}

/// The statuses and latencies of answers.
fn describe(answers: &[Answer]) -> String {
    let mut statuses = BTreeMap::new();
    for (status, _) in answers {
        *statuses.entry(status).or_insert(0) += 1;
    }
    let statuses: Vec<_> = statuses.iter().map(|(status, it)| format!("{it} × {status}")).collect();
    let times = || answers.iter().map(|(_, took)| milliseconds(*took));
    let slowest = times().fold(0.0, f64::max);
    let middle = median(times());
    format!("{}, median {middle:.0} ms, slowest {slowest:.0} ms", statuses.join(", "))
}

impl Shop {
    async fn open() -> Result<Self, BenchError> {
        let simulator =
            adyen_simulator::Options { answer_delay: ADYEN, ..adyen_simulator::Options::default() };
        let options = Options {
            adyen: local::bundle::Adyen::Simulator(Box::new(simulator)),
            streams: false,
            ..Options::default()
        };
        let bundle = Bundle::start(options).await?;
        let http = shared::platform::http_client::build(None).map_err(BenchError::Http)?;
        Ok(Self { bundle, http })
    }

    /// Pays the orders, so many at the same time.
    async fn pay(self: &Arc<Self>, orders: Vec<String>, concurrent: usize) -> Vec<Answer> {
        let at_once = Arc::new(Semaphore::new(concurrent));
        let mut payments = JoinSet::new();
        for order in orders {
            let (shop, at_once) = (self.clone(), at_once.clone());
            payments.spawn(async move {
                let _turn = at_once.acquire().await;
                let begun = Instant::now();
                let status = shop.pay_one(&order).await.unwrap_or(0);
                (status, begun.elapsed())
            });
        }
        payments.join_all().await
    }

    async fn pay_one(&self, reference: &str) -> Result<u16, BenchError> {
        let order: Value = json!({
            "reference": reference,
            "amount": {"currency": "EUR", "value": 1000},
            "countryCode": "NL",
        });
        let token = token::checkout(serde_json::from_value(order)?, token::CHECKOUT_LIFE);
        let request = self
            .http
            .post(format!("{}/payments", self.bundle.url()))
            .bearer_auth(token.map_err(BenchError::Token)?)
            .json(&requests::payment(reference));
        Ok(request.send().await?.status().as_u16())
    }

    /// How often money was promised for an order.
    fn charges(&self, order: &str) -> usize {
        let simulator = self.bundle.simulator();
        simulator.map_or(0, |it| it.with_books(|books| books.authorisations(order)))
    }
}
