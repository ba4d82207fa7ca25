//! Lists of payment methods that are kept.

use std::time::{Duration, Instant};

use adyen_simulator::{Answer as AdyenAnswer, Fault};
use local::bundle::Options;
use serde_json::{Value, json};
use tests::{Answer, assert_problem, backend, browser, browser_with, with};

use crate::World;

impl World {
    async fn list(&self) -> Answer {
        self.list_as(&browser("ORDER-1"), json!({})).await
    }

    async fn list_as(&self, token: &str, body: Value) -> Answer {
        let answer = self.stack.post("/paymentMethods", token, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    fn lookups(&self) -> usize {
        self.stack.calls("/paymentMethods")
    }
}

fn cache_status(answer: &Answer) -> &str {
    answer.headers.get("cache-status").map_or("none", |value| value.to_str().unwrap())
}

/// The seconds for which a kept list is still fresh.
fn time_to_live(answer: &Answer) -> i64 {
    let (hit, seconds) = cache_status(answer).rsplit_once('=').unwrap();
    assert_eq!(hit, "payment-methods; hit; ttl", "{answer:?}");
    seconds.parse().unwrap()
}

#[tokio::test]
async fn list_is_answered_again_for_a_minute() {
    let world = World::start().await;
    let first = world.list().await;
    assert_eq!(cache_status(&first), "payment-methods; fwd=miss; stored");
    assert!(!first.headers.contains_key("age"));
    world.advance("40s").await;

    let again = world.list().await;

    assert_eq!((again.body, world.lookups()), (first.body, 1));
    let age: i64 = again.headers["age"].to_str().unwrap().parse().unwrap();
    assert!((40..55).contains(&age), "{age}");
    let again = world.list().await;
    assert!((5..=20).contains(&time_to_live(&again)), "{again:?}");
    world.advance("20s").await;
    assert_eq!(cache_status(&world.list().await), "payment-methods; fwd=miss; stored");
    assert_eq!(world.lookups(), 2);
}

#[tokio::test]
async fn list_is_kept_for_its_own_question_only() {
    let world = World::start().await;
    let questions = [
        json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}}),
        json!({"countryCode": "DE"}),
        json!({"amount": {"currency": "USD", "value": 1000}}),
        json!({"amount": {"currency": "EUR", "value": 1001}}),
        json!({"channel": "Web"}),
        json!({"channel": "iOS"}),
        json!({"shopperLocale": "nl-NL"}),
    ];
    for changes in &questions {
        let answer = world.list_as(&backend(), with(questions[0].clone(), changes)).await;
        assert_eq!(cache_status(&answer), "payment-methods; fwd=miss; stored", "{changes}");
    }
    for changes in &questions {
        let answer = world.list_as(&backend(), with(questions[0].clone(), changes)).await;
        assert!(time_to_live(&answer) > 0, "{changes}");
    }
    // Orders share a list, because it does not depend on the order.
    let answer = world.list_as(&browser("ORDER-2"), json!({"countryCode": "NL"})).await;
    assert!(time_to_live(&answer) > 0);
    assert_eq!(world.lookups(), questions.len());
}

#[tokio::test]
async fn list_with_a_shopper_is_never_kept() {
    let world = World::start().await;
    for shopper in ["SHOPPER-1", "SHOPPER-1", "SHOPPER-2"] {
        let token = browser_with(json!({
            "reference": "ORDER-1", "amount": {"currency": "EUR", "value": 1000},
            "countryCode": "NL", "shopperReference": shopper,
        }));
        assert_eq!(cache_status(&world.list_as(&token, json!({})).await), "none");
    }
    assert_eq!(world.lookups(), 3);
}

#[tokio::test]
async fn kept_list_is_answered_for_ten_minutes_while_adyen_does_not_answer() {
    let world = World::start().await;
    let first = world.list().await;
    for fault in [Fault::status(500), Fault::status(503)] {
        world.advance("4m").await;
        world.stack.adyen().inject(fault);
        let lookups = world.lookups();
        let stale = world.list().await;
        assert!(time_to_live(&stale) < 0, "{stale:?}");
        assert_eq!(stale.body, first.body);
        assert_eq!(world.lookups(), lookups + 1);
        // Adyen is not asked for each page view.
        assert!(time_to_live(&world.list().await) < 0);
        assert_eq!(world.lookups(), lookups + 1);
    }
    world.advance("11s").await;
    assert_eq!(cache_status(&world.list().await), "payment-methods; fwd=miss; stored");

    world.advance("10m").await;
    world.stack.adyen().inject(Fault::status(500));

    let answer = world.stack.post("/paymentMethods", &browser("ORDER-1"), &json!({})).await;
    assert_problem(&answer, 502, "adyen_unavailable");
}

#[tokio::test]
async fn kept_list_is_answered_if_adyen_is_slow() {
    let world = World::start().await;
    let first = world.list().await;
    world.advance("1m").await;
    world.stack.adyen().inject(Fault::AnswerLate(Duration::from_secs(20)));
    let begun = Instant::now();

    let stale = world.list().await;

    assert!(time_to_live(&stale) <= 0, "{stale:?}");
    assert_eq!(stale.body, first.body);
    assert!(begun.elapsed() < Duration::from_secs(15), "it waited for Adyen");
}

#[tokio::test]
async fn rejection_by_adyen_is_not_hidden_by_a_kept_list() {
    let world = World::start().await;
    world.list().await;
    world.advance("1m").await;
    let body = json!({
        "status": 401, "errorCode": "000", "message": "HTTP Status Response - Unauthorized",
        "errorType": "security",
    });
    world.stack.adyen().inject(Fault::Instead(AdyenAnswer::json(401, &body)));

    let answer = world.stack.post("/paymentMethods", &browser("ORDER-1"), &json!({})).await;

    assert_eq!(answer.status / 100, 5, "{answer:?}");
    assert_eq!(cache_status(&answer), "none");
}

#[tokio::test]
async fn no_list_is_kept_if_the_deployment_says_so() {
    let variables = [("KEEP_PAYMENT_METHODS".to_owned(), "false".to_owned())].into();
    let world = World::with_options(Options { variables, ..Options::default() }).await;
    for _ in 0..2 {
        assert_eq!(cache_status(&world.list().await), "none");
    }
    assert_eq!(world.lookups(), 2);
}
