//! Random faults at every call, impatient shoppers, two processes, webhooks at any time. Half of the
//! shoppers pay with Amazon Pay only. The others change between methods: one supersedes another,
//! vouchers are paid after days, and stored cards with one click.
//!
//! `NEVER_TWICE_SCHEDULES` is the number of schedules (25; CI runs 1,000), `NEVER_TWICE_SEED` the
//! first seed. A schedule that fails prints its seed; run it alone with both variables.

mod course;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adyen_simulator::{Release, WebhookFault};
use fastrand::Rng;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use simulator_http::Fault;
use tests::faulty::Call;
use tests::{Answer, Stack, browser_with};

use crate::faults::{NamedFault, PARALLEL, at_adyen, at_dynamodb};
use crate::shop::Shop;
use crate::shopper::{Flow, pause};

use self::course::{Course, card};
use self::run::Run;

/// The first seed by default.
const SEED: u64 = 20_261_123;

/// Calls after this number have no faults, so that every shopper succeeds in the end.
const CALLS: usize = 60;

/// The time in which a shopper must succeed.
const PATIENCE: Duration = Duration::from_secs(120);

const SHOPPER: &str = "SHOPPER-1";

/// A bundle, and a second process on its tables.
struct TwoProcesses {
    shop: Shop,
    other: Stack,
    /// The shopper's stored card.
    stored: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_schedules_pay_each_order_at_most_once() {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (count, first) = (number("NEVER_TWICE_SCHEDULES", 25), number("NEVER_TWICE_SEED", SEED));
    let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let pairs = (0..PARALLEL as u64).map(|_| {
        let next = next.clone();
        tokio::spawn(async move {
            let shop = Shop::open().await;
            let other = shop.second_process().await;
            let stored = stored_card(&shop).await;
            let processes = TwoProcesses { shop, other, stored };
            let mut covered = BTreeMap::<String, usize>::new();
            loop {
                let schedule = next.fetch_add(1, Ordering::Relaxed);
                if schedule >= count {
                    return covered;
                }
                for what in run(&processes, first + schedule).await {
                    *covered.entry(what).or_default() += 1;
                }
            }
        })
    });
    let mut covered = BTreeMap::<String, usize>::new();
    for processes in join_all(pairs).await {
        for (what, times) in processes.unwrap() {
            *covered.entry(what).or_default() += times;
        }
    }
    // Printed past the capture of `cargo test`.
    let mut out = std::io::stderr().lock();
    let took = begun.elapsed();
    writeln!(out, "never twice: {count} random schedules from seed {first} in {took:.0?}").unwrap();
    for (what, times) in &covered {
        writeln!(out, "  {times:6} {what}").unwrap();
    }
    // So few schedules may lack one by chance.
    if count >= 1000 {
        for what in
            ["paid_twice", "multibanco paid", "attempt with one click", "ideal, then multibanco"]
        {
            assert!(covered.contains_key(what), "no schedule has: {what}");
        }
    }
}

/// Runs a schedule and returns its requests and answers.
async fn run(processes: &TwoProcesses, seed: u64) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    let course = match rng.bool() {
        true => Course::AmazonPay(rng.choice(Flow::ALL).unwrap()),
        false => Course::AnyMethod { seed: rng.u64(..) },
    };
    for (faulty, faults) in
        [(&processes.shop.adyen, at_adyen()), (&processes.shop.dynamodb, at_dynamodb())]
    {
        faulty.begin(script(rng.fork(), faults));
    }
    let simulator = processes.shop.simulator();
    let (held, named) = (rng.bool(), rng.bool());
    simulator.name_merchant_reference(named);
    // If Adyen's answer does not name the order, only the webhook confirms it.
    if held && (named || !course.brings_details()) {
        simulator.hold_webhooks();
    }
    if rng.u8(..) < 64 {
        simulator.inject_webhook(WebhookFault::Duplicate);
    }
    let mut run = Run {
        processes,
        reference: format!("ORDER-{seed}"),
        course,
        rng,
        session: 1,
        methods: BTreeMap::new(),
        vouchers: BTreeMap::new(),
        paid_vouchers: BTreeSet::new(),
        acknowledged: BTreeSet::new(),
        days: 0,
        covered: Vec::new(),
        story: Vec::new(),
    };
    if tokio::time::timeout(PATIENCE, run.pay()).await.is_err() {
        let story = run.story.join("\n  ");
        panic!("seed {seed}, {course:?}: not paid in {PATIENCE:?}\n  {story}");
    }
    run.pay_old_vouchers().await;
    let calls = [processes.shop.adyen.calls(), processes.shop.dynamodb.calls()];
    processes.shop.adyen.calm();
    processes.shop.dynamodb.calm();
    processes.shop.adyen.arrived().await;
    processes.shop.dynamodb.arrived().await;
    let order = Release::Shuffled(seed);
    simulator.release_webhooks(order).await;
    processes.shop.webhooks_delivered().await;
    let story = run.story.join("\n  ");
    let context = format!("seed {seed}, {course:?}, named {named}\n  {story}\n");
    let paid = processes.shop.assert_paid(&run.reference, &run.paid_vouchers, &context).await;
    assert!(run.acknowledged.is_subset(&paid), "{context}: lost {:?}", run.acknowledged);
    if paid.len() > 1 {
        run.covered.push("paid_twice".to_owned());
    }
    run.covered.extend(covered(course, named, calls));
    run.covered
}

/// The shopper's token for an order.
fn token(reference: &str) -> String {
    browser_with(json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL",
        "shopperReference": SHOPPER,
    }))
}

async fn post(stack: &Stack, reference: &str, path: &str, body: &Value) -> Answer {
    let request = stack.request(Method::POST, path).json(body);
    Answer::of(request.bearer_auth(token(reference))).await
}

/// Stores a card of the shopper, and returns its id.
async fn stored_card(shop: &Shop) -> String {
    let body = json!({
        "paymentMethod": card("4111111111111111", "John Smith", 0), "storePaymentMethod": true,
        "recurringProcessingModel": "CardOnFile",
    });
    let answer = shop.stack.post("/payments", &token("STORE"), &body).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    let (_, tokens) = shop.stack.stores().await;
    loop {
        let stored = tokens.of_shopper(&SHOPPER.to_owned().try_into().unwrap()).await.unwrap();
        if let Some(token) = stored.first() {
            return token.key.stored_payment_method_id.to_string();
        }
        pause().await;
    }
}

fn covered(course: Course, named: bool, [adyen, dynamodb]: [Vec<Call>; 2]) -> Vec<String> {
    let name = |faults: &[NamedFault], fault: &Fault| {
        let named = faults.iter().find(|(_, known)| known == fault);
        named.map_or("?", |(name, _)| name).to_owned()
    };
    let of = |at: &str, faults: Vec<NamedFault>, calls: Vec<Call>| {
        let failed = calls.into_iter().filter_map(|call| call.fault);
        failed.map(|fault| format!("{at}: {}", name(&faults, &fault))).collect::<Vec<_>>()
    };
    let named = if named { "" } else { " without merchantReference" };
    let course = match course {
        Course::AmazonPay(flow) => format!("{flow:?}"),
        Course::AnyMethod { .. } => "any method".to_owned(),
    };
    let mut covered = vec![format!("flow {course}{named}")];
    covered.extend(of("Adyen", at_adyen(), adyen));
    covered.extend(of("DynamoDB", at_dynamodb(), dynamodb));
    covered
}

/// Fails a random share of the calls.
fn script(
    mut rng: Rng,
    faults: Vec<NamedFault>,
) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    let share = rng.choice([0.05, 0.1, 0.3, 0.5]).unwrap();
    move |call| {
        let fails = rng.f64() < share && call.index < CALLS;
        let (_, fault) = rng.choice(&faults)?;
        fails.then(|| fault.clone())
    }
}
