//! A flood of webhooks while some DynamoDB calls fail.
//!
//! `FLOOD_ORDERS` is the number of orders (30; CI runs 1,000).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::StreamSpecification;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use shared::domain::order::Capture;
use simulator_http::Fault;
use tests::faulty::Faulty;
use tests::faulty_dynamodb::{server_error, server_error_afterwards, throttled};

use crate::histories::{History, history};
use crate::world::{World, signed, standard};

const AT_ONCE: usize = 64;
/// The percentage of DynamoDB calls that fail, high enough that the SDK's retries do not hide all of
/// it from a small flood.
const FAILING: u32 = 25;
const SEED: u64 = 20_261_123;

fn orders() -> usize {
    std::env::var("FLOOD_ORDERS").map_or(20, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_webhooks_leaves_every_order_as_its_events_require() {
    let world = World::behind(Faulty::start(None).await, [("CAPTURE", "manual")]).await;
    stop_stream(&world).await;
    let mut rng = fastrand::Rng::with_seed(SEED);

    let begun = Instant::now();
    let histories: BTreeMap<String, History> = stream::iter(0..orders())
        .map(|number| begin(&world, number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    println!("{} orders begun in {:.1?}", histories.len(), begun.elapsed());

    let events: Vec<String> = histories
        .values()
        .flat_map(|history| &history.items)
        .map(|item| standard(&[signed(item)]).to_string())
        .collect();
    assert_eq!(events.len(), 10 * histories.len());
    let mut deliveries: Vec<&String> =
        events.iter().flat_map(|event| vec![event; rng.usize(1..=3)]).collect();
    rng.shuffle(&mut deliveries);

    let begun = Instant::now();
    let sent = deliveries.len();
    let counts = Counts::default();
    let mut refused = 0;
    while !deliveries.is_empty() {
        let again = deliver(&world, &deliveries, &counts, &mut rng).await;
        refused += again.len();
        deliveries = again;
    }
    world.dynamodb.begin(|_| None);
    report(begun.elapsed(), sent, refused, &counts);
    assert!(refused > 0, "DynamoDB failed too rarely to prove anything");

    for (reference, history) in &histories {
        check(&world, reference, history).await;
    }
}

/// The test does not read the orders' stream, and the embedded DynamoDB scans all of the stream for
/// each new record.
async fn stop_stream(world: &World) {
    let off = StreamSpecification::builder().stream_enabled(false);
    let update = world.stack.dynamodb().update_table().table_name("orders");
    let update = update.stream_specification(off.build().unwrap());
    update.send().await.unwrap();
}

/// An order with a payment. Every fifth order lost the answer, so its events are parked until the
/// AUTHORISATION.
async fn begin(world: &World, number: usize) -> (String, History) {
    let reference = format!("FLOOD-{number}");
    let known = !number.is_multiple_of(5);
    let payment = if known {
        world.paid(&reference, "AMZN-NO-WEBHOOK").await
    } else {
        world.begin(&reference, Capture::Manual).await;
        format!("UNHEARD{number:09}")
    };
    let history = history(number, &reference, &payment, known);
    (reference, history)
}

/// The number of calls and of failed calls for each operation.
type Counts = Arc<Mutex<BTreeMap<String, (usize, usize)>>>;

/// Delivers many webhooks at once, and returns those that were rejected.
async fn deliver<'a>(
    world: &World,
    deliveries: &[&'a String],
    counts: &Counts,
    rng: &mut fastrand::Rng,
) -> Vec<&'a String> {
    let mut again = Vec::new();
    for some in deliveries.chunks(1000) {
        // Begin a new recording now and then, because recorded calls are kept in memory.
        fail_now_and_then(world, counts, rng.fork());
        let answers = stream::iter(some)
            .map(async |event| (event, world.deliver(String::clone(event)).await))
            .buffer_unordered(AT_ONCE);
        let refused = answers.filter_map(async |(event, answer)| match answer.status {
            200 => None,
            status => {
                assert!(status >= 500, "{answer:?}");
                Some(*event)
            }
        });
        again.extend(refused.collect::<Vec<_>>().await);
    }
    again
}

fn fail_now_and_then(world: &World, counts: &Counts, mut rng: fastrand::Rng) {
    let faults = [
        throttled(),
        server_error(),
        server_error_afterwards(),
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncated,
    ];
    let counts = counts.clone();
    world.dynamodb.begin(move |call| {
        let fault = (rng.u32(0..100) < FAILING).then(|| faults[rng.usize(0..faults.len())].clone());
        let mut counts = counts.lock().unwrap();
        let (calls, failed) = counts.entry(call.name.clone()).or_default();
        *calls += 1;
        *failed += usize::from(fault.is_some());
        fault
    });
}

fn report(took: Duration, sent: usize, refused: usize, counts: &Counts) {
    let counts = counts.lock().unwrap();
    let calls: usize = counts.values().map(|(calls, _)| calls).sum();
    let answered = sent + refused;
    let each = took / u32::try_from(answered).unwrap();
    println!(
        "{} events delivered {sent} times, and {refused} again after a 5xx: {took:.1?}, {each:.1?} \
         a delivery, {:.0} a second",
        10 * orders(),
        answered as f64 / took.as_secs_f64(),
    );
    println!(
        "{calls} DynamoDB calls, {:.2} for each delivery, {:.2} for each event; of each operation, \
         and failed: {counts:?}",
        calls as f64 / answered as f64,
        calls as f64 / (10 * orders()) as f64,
    );
}

/// Asserts that the order has every event once, and the state that they produce.
async fn check(world: &World, reference: &str, history: &History) {
    let stored = world.order(reference).await;
    let keys: Vec<_> = stored
        .events
        .iter()
        .map(|event| {
            let (code, psp_reference, success) = event.key();
            (code.as_str().to_owned(), psp_reference.to_owned(), success)
        })
        .collect();
    let expected: BTreeSet<_> = history.items.iter().map(key).collect();
    assert_eq!(keys.len(), history.items.len(), "{reference}");
    assert_eq!(BTreeSet::from_iter(keys), expected, "{reference}");

    let order = world.stack.order(reference).await;
    assert_eq!(order["status"], history.status, "{order}");
    assert_eq!(order["confirmed"], history.confirmed, "{order}");
    assert_eq!(order["capturedAmount"]["value"], history.captured, "{order}");
    assert_eq!(order["refundedAmount"]["value"], history.refunded, "{order}");
    assert_eq!(order["needsAttention"], json!([]), "{order}");
}

fn key(item: &Value) -> (String, String, bool) {
    let text = |name: &str| item[name].as_str().unwrap().to_owned();
    (text("eventCode"), text("pspReference"), text("success") == "true")
}
