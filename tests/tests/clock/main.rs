//! The clock of `cargo dev`, which the workbench sets forward. It is the process's, so these tests
//! are one program of their own, and wait for each other.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod payment_methods;

use std::time::{Duration, Instant};

use local::bundle::Options;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, assert_problem, backend, browser, in_browser, quick};
use tokio::sync::{Mutex, MutexGuard};

static CLOCK: Mutex<()> = Mutex::const_new(());

struct World {
    stack: Stack,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    async fn start() -> Self {
        Self::with(quick()).await
    }

    async fn with(adyen: adyen_simulator::Options) -> Self {
        Self::with_options(Options {
            adyen: local::bundle::Adyen::Simulator(Box::new(adyen)),
            ..Options::default()
        })
        .await
    }

    async fn with_options(options: Options) -> Self {
        let alone = CLOCK.lock().await;
        let options = Options { workbench: true, ..options };
        Self { stack: Stack::with(options).await, _alone: alone }
    }

    async fn act(&self, body: Value) -> Value {
        let request = self.stack.request(Method::POST, "/workbench/api/do").json(&body);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    async fn advance(&self, by: &str) {
        self.act(json!({"action": "advance", "by": by})).await;
    }
}

#[tokio::test]
async fn token_expires_when_its_life_has_passed() {
    let world = World::start().await;
    world.stack.pay("ORDER-1", "160583287597AMZN").await;
    let token = browser("ORDER-1");
    assert_eq!(world.stack.get("/orders/ORDER-1", &token).await.status, 200);

    world.advance("61m").await;

    assert_problem(&world.stack.get("/orders/ORDER-1", &token).await, 401, "token_expired");
    assert_eq!(world.stack.get("/orders/ORDER-1", &browser("ORDER-1")).await.status, 200);
}

#[tokio::test]
async fn offer_closes_when_its_time_has_passed() {
    let options =
        adyen_simulator::Options { offer_closed_delay: Duration::from_secs(3600), ..quick() };
    let world = World::with(options).await;
    let body = in_browser("ORDER-1", "160583287597AMZN-OFFER-CLOSED");
    world.stack.post("/payments", &browser("ORDER-1"), &body).await;
    assert_eq!(world.stack.order("ORDER-1").await["status"], "pending");

    world.advance("2h").await;

    world.stack.order_once("ORDER-1", |order| order["status"] == "expired").await;
}

#[tokio::test]
async fn schedule_abandons_an_order_whose_shopper_stayed_away() {
    let world = World::start().await;
    let body = in_browser("ORDER-1", "160583287597AMZN-3DS-REDIRECT");
    world.stack.post("/payments", &browser("ORDER-1"), &body).await;
    assert_eq!(world.act(json!({"action": "recover"})).await["abandoned"], 0);

    world.advance("25h").await;

    assert_eq!(world.act(json!({"action": "recover"})).await["abandoned"], 1);
    assert_eq!(world.stack.order("ORDER-1").await["status"], "expired");
}

#[tokio::test]
async fn idempotency_key_of_six_days_is_not_used_again() {
    let world = World::start().await;
    let fail = json!({"action": "failNext", "target": "adyen", "how": "error500"});
    for _ in 0..10 {
        world.act(fail.clone()).await;
    }
    world.stack.pay("ORDER-1", "160583287597AMZN").await;
    assert_eq!(world.stack.order("ORDER-1").await["status"], "pending");
    let calls = world.stack.calls("/payments");

    world.advance("7d").await;
    let report = world.act(json!({"action": "recover"})).await;

    assert_eq!(report["unknown"], 1, "{report}");
    assert_eq!(world.stack.calls("/payments"), calls, "its key no longer protects a repetition");
    let order = world.stack.order("ORDER-1").await;
    assert_eq!(order["needsAttention"], json!(["outcome_unknown"]));
}

#[tokio::test]
async fn clock_accepts_spans_of_time_only() {
    let world = World::start().await;
    let begun = Instant::now();
    for wrong in ["", "tomorrow", "-1h", "401d"] {
        let act = json!({"action": "advance", "by": wrong});
        let request = world.stack.request(Method::POST, "/workbench/api/do").json(&act);
        assert_eq!(Answer::of(request).await.status, 422, "{wrong}");
    }
    let before = shared::clock::ahead();
    world.advance("1h").await;
    assert_eq!((shared::clock::ahead() - before).as_hours(), 1);
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(world.stack.get("/orders/NOBODY", &backend()).await.status, 404);
}
