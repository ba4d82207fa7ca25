//! Random faults at every call, impatient shoppers, two processes, webhooks at any time. Half of the
//! shoppers pay with Amazon Pay only. The others change between methods: one supersedes another,
//! vouchers are paid after days, and stored cards with one click.
//!
//! `NEVER_TWICE_SCHEDULES` is the number of schedules (25; CI runs 1,000), `NEVER_TWICE_SEED` the
//! first seed. A schedule that fails prints its seed; run it alone with both variables.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adyen_simulator::{Release, WebhookFault};
use fastrand::Rng;
use futures_util::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use simulator_http::Fault;
use tests::faulty::Call;
use tests::{Answer, Stack, browser_with, with};

use crate::faults::{NamedFault, PARALLEL, at_adyen, at_dynamodb};
use crate::shop::{Shop, in_browser};
use crate::shopper::{Flow, Next, pause, result};

/// The first seed by default.
const SEED: u64 = 20_261_123;

/// Calls after this number have no faults, so that every shopper succeeds in the end.
const CALLS: usize = 60;

/// The time in which a shopper must succeed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The time in which Adyen keeps an idempotency key is 7 days, so less passes in a schedule. After
/// that the outcome of an unanswered request stays unknown.
const DAYS: i64 = 5;

const SHOPPER: &str = "SHOPPER-1";

/// A bundle, and a second process on its tables.
struct TwoProcesses {
    shop: Shop,
    other: Stack,
    /// The shopper's stored card.
    stored: String,
}

/// The methods of a schedule's shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    AmazonPay(Flow),
    /// Another method in each session.
    AnyMethod {
        seed: u64,
    },
}

impl Course {
    fn brings_details(self) -> bool {
        match self {
            Self::AmazonPay(flow) => flow.brings_details(),
            Self::AnyMethod { .. } => true,
        }
    }

    /// The method of the nth session, and its name in the table.
    fn method(self, session: u32, stored: &str) -> (&'static str, Value) {
        let amazon_pay = |flow: Flow| {
            let token = flow.token(session);
            ("amazonpay", json!({"type": "amazonpay", "amazonPayToken": token}))
        };
        let seed = match self {
            Self::AmazonPay(flow) => return amazon_pay(flow),
            Self::AnyMethod { seed } => seed,
        };
        let card = |number, holder| card(number, holder, session);
        match Rng::with_seed(seed ^ u64::from(session)).u8(..9) {
            0 => amazon_pay(Flow::Payment),
            1 => ("card", card("4111111111111111", "John Smith")),
            2 => ("card with 3-D Secure", card("4035501428146300", "John Smith")),
            3 => ("declined card", card("4111111111111111", "DECLINED")),
            4 => {
                let method = json!({
                    "type": "scheme",
                    "storedPaymentMethodId": stored,
                    "encryptedSecurityCode": format!("test_{session}"),
                });
                ("one click", method)
            }
            5 => ("ideal", json!({"type": "ideal"})),
            6 => ("multibanco", json!({"type": "multibanco"})),
            7 => ("bankTransfer_IBAN", json!({"type": "bankTransfer_IBAN"})),
            _ => ("mbway", json!({"type": "mbway", "telephoneNumber": "+351213822199"})),
        }
    }
}

/// A schedule's state.
struct Run<'a> {
    processes: &'a TwoProcesses,
    reference: String,
    course: Course,
    rng: Rng,
    session: u32,
    /// The method of each attempt.
    methods: BTreeMap<u64, &'static str>,
    /// The payments of attempts that the shopper completes outside of the page, such as vouchers.
    vouchers: BTreeMap<u64, String>,
    /// The vouchers that the shopper has paid.
    paid_vouchers: BTreeSet<String>,
    /// The payments that an answer called authorised.
    acknowledged: BTreeSet<String>,
    /// The days that have passed.
    days: i64,
    covered: Vec<String>,
    /// The requests and answers, printed if the schedule fails.
    story: Vec<String>,
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
    for (what, times) in covered {
        writeln!(out, "  {times:6} {what}").unwrap();
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

fn card(number: &str, holder: &str, session: u32) -> Value {
    json!({
        "type": "scheme",
        "encryptedCardNumber": format!("test_{number}"),
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        // Adyen's library encrypts anew in each session.
        "encryptedSecurityCode": format!("test_{session}"),
        "holderName": holder,
    })
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

impl<'a> Run<'a> {
    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn stack(&mut self) -> &'a Stack {
        let TwoProcesses { shop, other, .. } = self.processes;
        if self.rng.bool() { &shop.stack } else { other }
    }

    /// Sends the request, sometimes twice at once; the later answer counts.
    async fn send(&mut self, path: &str, body: &Value) -> Answer {
        let reference = self.reference.clone();
        let twice = self.chance(20);
        let one = post(self.stack(), &reference, path, body);
        let answer = if twice {
            let two = post(self.stack(), &reference, path, body);
            let (one, two) = tokio::join!(one, two);
            self.log(path, body, &one);
            if self.rng.bool() { one } else { two }
        } else {
            one.await
        };
        self.log(path, body, &answer);
        answer
    }

    fn log(&mut self, path: &str, body: &Value, answer: &Answer) {
        let response = &answer.body;
        let method = self.methods_name(body);
        self.note(method, response);
        self.story.push(format!(
            "{path} {method} {} -> {} {} {} {} attempt {} error {}",
            body["attempt"],
            answer.status,
            response["status"],
            response["nextStep"],
            response["code"],
            response["attempt"],
            response["errorCode"],
        ));
    }

    /// The name of the method that a request to pay names.
    fn methods_name(&self, body: &Value) -> &'static str {
        let sessions = (self.session..=self.session + 1).map(|session| self.method(session));
        let mut named = sessions.filter(|(_, method)| *method == body["paymentMethod"]);
        named.next().map_or("", |(name, _)| name)
    }

    fn method(&self, session: u32) -> (&'static str, Value) {
        self.course.method(session, &self.processes.stored)
    }

    fn body(&self, session: u32) -> Value {
        let (_, method) = self.method(session);
        with(in_browser(&self.reference, ""), json!({"paymentMethod": method}))
    }

    /// Remembers what an answer says.
    fn note(&mut self, method: &'static str, answer: &Value) {
        let payment = answer["pspReference"].as_str().map(str::to_owned);
        // `nextStep` is the order's: while this payment waits, an older voucher may be paid.
        if answer["resultCode"] == "Authorised" {
            self.acknowledged.extend(payment.clone());
        }
        let Some(attempt) = answer["attempt"].as_u64().filter(|_| !method.is_empty()) else {
            return;
        };
        if self.methods.insert(attempt, method).is_none() {
            self.covered.push(format!("attempt with {method}"));
            if let Some(earlier) = self.methods.get(&(attempt - 1)) {
                self.covered.push(format!("{earlier}, then {method}"));
            }
        }
        if is_paid_elsewhere(&answer["action"]) {
            self.vouchers.extend(payment.map(|payment| (attempt, payment)));
        }
    }

    /// The shopper pays a voucher, or lets it expire, after days. Adyen reports it by webhook.
    async fn resolve_voucher(&mut self, attempt: u64, approved: bool) {
        let Some(payment) = self.vouchers.remove(&attempt) else { return };
        let days = self.rng.i64(0..=(DAYS - self.days).min(3));
        self.days += days;
        self.processes.shop.dynamodb.arrived().await;
        self.processes.shop.pass(&self.reference, SignedDuration::from_hours(24 * days)).await;
        if !self.processes.shop.simulator().resolve_pending(&payment, approved).unwrap() {
            // It was resolved before, and an answer from before that showed it again.
            return;
        }
        let outcome = if approved { "paid" } else { "not paid" };
        let method = self.methods[&attempt];
        self.story.push(format!("{method} of attempt {attempt} is {outcome} after {days} days"));
        self.covered.push(format!("{method} {outcome}"));
        if approved {
            self.paid_vouchers.insert(payment);
        }
    }

    /// Pays some of the vouchers of an order that was paid otherwise.
    async fn pay_old_vouchers(&mut self) {
        for attempt in self.vouchers.keys().copied().collect::<Vec<_>>() {
            if self.chance(40) {
                self.resolve_voucher(attempt, true).await;
            }
        }
    }

    async fn pay(&mut self) {
        for _ in 0..200 {
            let answer = self.try_session().await;
            let mut next = Next::after(&answer);
            while let Next::Act { attempt, action } = next {
                next = self.act(attempt, action).await;
            }
            match next {
                Next::Done => return,
                Next::StartOver => self.session += 1,
                _ => pause().await,
            }
            // After a long wait the shopper uses a new session.
            if self.chance(10) {
                self.time_passes().await;
                self.session += 1;
            }
        }
        panic!("{} is not paid:\n{}", self.reference, self.story.join("\n"));
    }

    /// Pays with the session, sometimes in a second tab with another session too.
    async fn try_session(&mut self) -> Answer {
        let body = self.body(self.session);
        if !self.chance(15) {
            return self.send("/payments", &body).await;
        }
        let other_session = self.session + 1;
        let other_body = self.body(other_session);
        let reference = self.reference.clone();
        let (stack, other) = (&self.processes.shop.stack, &self.processes.other);
        let (here, there) = tokio::join!(
            post(stack, &reference, "/payments", &body),
            post(other, &reference, "/payments", &other_body),
        );
        self.log("/payments", &body, &here);
        self.log("/payments", &other_body, &there);
        let attempt = |answer: &Answer| match answer.status {
            200 => answer.body["attempt"].as_u64(),
            _ => None,
        };
        // The shopper continues in the tab with the higher attempt.
        if attempt(&there) > attempt(&here) {
            self.session = other_session;
            there
        } else {
            here
        }
    }

    async fn act(&mut self, attempt: u64, action: Value) -> Next {
        if is_paid_elsewhere(&action) {
            return self.wait_or_pay_otherwise(attempt).await;
        }
        if matches!(self.course, Course::AnyMethod { .. }) && self.chance(25) {
            // Leaves the bank's page, and pays otherwise.
            self.session += 1;
            return Next::Reload;
        }
        let approved = !self.chance(10);
        if self.chance(10) {
            // Reloads the page, or pays in another tab.
            self.session += u32::from(self.chance(30));
            return Next::Reload;
        }
        let body = result(Some(attempt), &action, approved);
        loop {
            let answer = self.send("/payments/details", &body).await;
            match Next::after(&answer) {
                // The page is closed without an answer.
                Next::Again if self.chance(5) => return Next::Reload,
                Next::Again => pause().await,
                next => return next,
            }
        }
    }

    /// The shopper has a voucher.
    async fn wait_or_pay_otherwise(&mut self, attempt: u64) -> Next {
        match self.rng.u8(..100) {
            0..40 => {
                self.session += 1;
                // A voucher that was superseded may be paid meanwhile.
                if self.chance(20) {
                    self.resolve_voucher(attempt, true).await;
                }
            }
            choice => {
                self.resolve_voucher(attempt, choice < 85).await;
                // The shopper sees the outcome only after the webhook.
                let order = Release::Shuffled(self.rng.u64(..));
                self.processes.shop.simulator().release_webhooks(order).await;
                pause().await;
            }
        }
        Next::Reload
    }

    async fn time_passes(&mut self) {
        self.processes.shop.dynamodb.arrived().await;
        self.processes.shop.pass(&self.reference, SignedDuration::from_secs(31)).await;
        self.story.push("31 seconds pass".to_owned());
    }
}

/// True if the shopper completes the payment outside of the page.
fn is_paid_elsewhere(action: &Value) -> bool {
    matches!(action["type"].as_str(), Some("voucher" | "bankTransfer" | "await"))
}
