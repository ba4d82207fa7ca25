//! Random faults at every call, impatient shoppers, two processes, webhooks at any time.
//!
//! `NEVER_TWICE_SCHEDULES` is the number of schedules (25; CI runs 1,000), `NEVER_TWICE_SEED` the
//! first seed. A schedule that fails prints its seed; run it alone with both variables.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adyen_simulator::{Release, WebhookFault};
use fastrand::Rng;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::Value;
use simulator_http::Fault;
use tests::faulty::Call;
use tests::{Answer, Stack};

use crate::faults::{NamedFault, PARALLEL, at_adyen, at_dynamodb};
use crate::shop::{Shop, in_browser};
use crate::shopper::{Flow, Next, pause, post, result};

/// The first seed by default.
const SEED: u64 = 20_261_123;

/// Calls after this number have no faults, so that every shopper succeeds in the end.
const CALLS: usize = 60;

/// The time in which a shopper must succeed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A bundle, and a second process on its tables.
struct TwoProcesses {
    shop: Shop,
    other: Stack,
}

/// A schedule's state.
struct Run<'a> {
    processes: &'a TwoProcesses,
    reference: String,
    flow: Flow,
    rng: Rng,
    session: u32,
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
            let processes = TwoProcesses { shop, other };
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
    let flow = rng.choice(Flow::ALL).unwrap();
    for (faulty, faults) in
        [(&processes.shop.adyen, at_adyen()), (&processes.shop.dynamodb, at_dynamodb())]
    {
        faulty.begin(script(rng.fork(), faults));
    }
    let simulator = processes.shop.simulator();
    let (held, named) = (rng.bool(), rng.bool());
    simulator.name_merchant_reference(named);
    // If Adyen's answer does not name the order, only the webhook confirms it.
    if held && (named || !flow.brings_details()) {
        simulator.hold_webhooks();
    }
    if rng.u8(..) < 64 {
        simulator.inject_webhook(WebhookFault::Duplicate);
    }
    let mut run = Run {
        processes,
        reference: format!("ORDER-{seed}"),
        flow,
        rng,
        session: 1,
        story: Vec::new(),
    };
    if tokio::time::timeout(PATIENCE, run.pay()).await.is_err() {
        let story = run.story.join("\n  ");
        panic!("seed {seed}, {flow:?}: not paid in {PATIENCE:?}\n  {story}");
    }
    let calls = [processes.shop.adyen.calls(), processes.shop.dynamodb.calls()];
    processes.shop.adyen.calm();
    processes.shop.dynamodb.calm();
    processes.shop.adyen.arrived().await;
    processes.shop.dynamodb.arrived().await;
    let order = Release::Shuffled(seed);
    simulator.release_webhooks(order).await;
    processes.shop.webhooks_delivered().await;
    let story = run.story.join("\n  ");
    let context = format!("seed {seed}, {flow:?}, named {named}\n  {story}\n");
    processes.shop.assert_paid_once(&run.reference, &context).await;
    covered(flow, named, calls)
}

fn covered(flow: Flow, named: bool, [adyen, dynamodb]: [Vec<Call>; 2]) -> Vec<String> {
    let name = |faults: &[NamedFault], fault: &Fault| {
        let named = faults.iter().find(|(_, known)| known == fault);
        named.map_or("?", |(name, _)| name).to_owned()
    };
    let of = |at: &str, faults: Vec<NamedFault>, calls: Vec<Call>| {
        let failed = calls.into_iter().filter_map(|call| call.fault);
        failed.map(|fault| format!("{at}: {}", name(&faults, &fault))).collect::<Vec<_>>()
    };
    let named = if named { "" } else { " without merchantReference" };
    let mut covered = vec![format!("flow {flow:?}{named}")];
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
        let TwoProcesses { shop, other } = self.processes;
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
        let token = &body["paymentMethod"]["amazonPayToken"];
        let response = &answer.body;
        self.story.push(format!(
            "{path} {token} {} -> {} {} {} {} attempt {} error {}",
            body["attempt"],
            answer.status,
            response["status"],
            response["nextStep"],
            response["code"],
            response["attempt"],
            response["errorCode"],
        ));
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
        let body = in_browser(&self.reference, &self.flow.token(self.session));
        if !self.chance(15) {
            return self.send("/payments", &body).await;
        }
        let other_session = self.session + 1;
        let other_body = in_browser(&self.reference, &self.flow.token(other_session));
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

    async fn time_passes(&mut self) {
        self.processes.shop.dynamodb.arrived().await;
        self.processes.shop.pass(&self.reference, SignedDuration::from_secs(31)).await;
        self.story.push("31 seconds pass".to_owned());
    }
}
