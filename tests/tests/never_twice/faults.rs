//! Every fault at every call of every flow.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adyen_simulator::webhook::Event;
use adyen_simulator::{Amount, Answer as AdyenAnswer, Fault, Release};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tests::faulty::Faulty;
use tests::faulty_dynamodb::{server_error, server_error_afterwards, throttled};
use tests::longer_form;

use crate::shop::{Shop, assert_unknown};
use crate::shopper::{Flow, Shopper};

/// A fault and its name in the table.
pub type NamedFault = (&'static str, Fault);

const SHORT: Duration = Duration::from_millis(120);

pub fn at_adyen() -> Vec<NamedFault> {
    let error = |status: u16, code: &str, transient: &str| {
        let body =
            json!({"status": status, "errorCode": code, "message": "no", "errorType": "internal"});
        AdyenAnswer::json(status, &body).header("transient-error", transient)
    };
    vec![
        ("drop before", Fault::DropBefore),
        ("drop after", Fault::DropAfter),
        ("arrives late", Fault::DropThenArrive(SHORT)),
        ("slow", Fault::AnswerLate(SHORT)),
        ("truncated", Fault::Truncated),
        ("500 before", Fault::status(500)),
        ("500 after", Fault::lost_answer()),
        ("500 905", Fault::Instead(error(500, "905", "false"))),
        ("500 transient", Fault::Instead(error(500, "903", "true"))),
        ("500 internal", Fault::Instead(error(500, "903", "false"))),
        ("500 internal after", Fault::Afterwards(error(500, "701", "false"))),
        ("401 000", Fault::Instead(error(401, "000", "false"))),
        ("503 703", Fault::Instead(error(503, "703", "true"))),
        ("422 704", Fault::Instead(error(422, "704", "false"))),
        ("429", Fault::Instead(error(429, "00_500", "false"))),
    ]
}

pub fn at_dynamodb() -> Vec<NamedFault> {
    vec![
        ("throttled", throttled()),
        ("500 before", server_error()),
        ("500 after", server_error_afterwards()),
        ("drop before", Fault::DropBefore),
        ("drop after", Fault::DropAfter),
        ("arrives late", Fault::DropThenArrive(SHORT)),
        ("slow", Fault::AnswerLate(SHORT)),
        ("truncated", Fault::Truncated),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Adyen,
    DynamoDb,
}

/// The request or webhook during which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Pay(Flow),
    /// AUTHORISATION after the payment's answer.
    Webhook,
    /// AUTHORISATION after the payment's answer was lost.
    WebhookOfNewPayment,
    /// A refund's webhook with a foreign reference, before the order knows its payment.
    WebhookParked,
}

impl Act {
    const ALL: [Self; 7] = [
        Self::Pay(Flow::Payment),
        Self::Pay(Flow::Redirect),
        Self::Pay(Flow::Native),
        Self::Pay(Flow::RetryAfterRefusal),
        Self::Webhook,
        Self::WebhookOfNewPayment,
        Self::WebhookParked,
    ];
}

/// One test: a fault at call `index`, and at the following ones as often as `times`.
#[derive(Clone, Debug)]
struct FaultCase {
    act: Act,
    at: Service,
    fault: NamedFault,
    index: usize,
    times: usize,
}

impl fmt::Display for FaultCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { act, at, fault: (fault, _), index, times } = self;
        write!(f, "{act:?}, {fault} at {at:?}, call {index}, {times} times")
    }
}

/// Runs the request or webhook for an order, with other webhooks held back.
async fn act(shop: &Shop, act: Act, reference: &str, begin: impl Fn()) {
    let simulator = shop.simulator();
    simulator.hold_webhooks();
    match act {
        Act::Pay(flow) => {
            begin();
            let shopper = Shopper::new(&shop.stack, reference, flow);
            return shopper.pay().await;
        }
        Act::Webhook => assert_eq!(shop.pay(reference, "T").await.status, 200),
        Act::WebhookOfNewPayment | Act::WebhookParked => {
            simulator.inject(Fault::lost_answer());
            assert_unknown(&shop.pay(reference, "T").await);
        }
    }
    if act == Act::WebhookParked {
        let psp =
            simulator.with_books(|books| books.payments_of(reference)[0].psp_reference.clone());
        for (code, name) in [("REFUND", "R"), ("REFUND_FAILED", "R")] {
            let event = Event {
                original_reference: Some(psp.clone()),
                amount: Some(Amount { currency: "EUR".to_owned(), value: 1000 }),
                event_date: Timestamp::now(),
                ..Event::new(code, local::keys::MERCHANT_ACCOUNT, &format!("{name}{psp}"), "my-own")
            };
            simulator.notify(&event).unwrap();
        }
    }
    begin();
    // Parked events come before AUTHORISATION; rejected deliveries are repeated.
    simulator.release_webhooks(Release::Reversed).await;
}

async fn run(shop: &Shop, case: &FaultCase, reference: &str) {
    let begin = || {
        shop.dynamodb.begin(|_| None);
        shop.adyen.begin(|_| None);
        let (from, to) = (case.index, case.index + case.times);
        let fault = case.fault.1.clone();
        faulty(shop, case.at)
            .begin(move |call| (from..to).contains(&call.index).then(|| fault.clone()));
    };
    act(shop, case.act, reference, begin).await;
    let calls = faulty(shop, case.at).calls();
    assert!(calls.iter().any(|call| call.fault.is_some()), "{case}: no such call");
    shop.dynamodb.calm();
    shop.adyen.calm();
    shop.simulator().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    shop.assert_paid_once(reference, &case.to_string()).await;
}

fn faulty(shop: &Shop, at: Service) -> &Faulty {
    match at {
        Service::Adyen => &shop.adyen,
        Service::DynamoDb => &shop.dynamodb,
    }
}

/// Counts the calls of an act without faults.
async fn measure(shop: &Shop, what: Act) -> BTreeMap<Service, usize> {
    let begin = || {
        shop.dynamodb.begin(|_| None);
        shop.adyen.begin(|_| None);
    };
    act(shop, what, &format!("{what:?}").replace(['(', ')'], "-"), begin).await;
    let calls = BTreeMap::from([
        (Service::Adyen, shop.adyen.calls().len()),
        (Service::DynamoDb, shop.dynamodb.calls().len()),
    ]);
    shop.simulator().release_webhooks(Release::InOrder).await;
    calls
}

/// After one fault, the SDK or the client retries. After three or more the SDK stops, and the
/// shopper or Adyen sends the request again.
const TIMES: [usize; 2] = [1, 4];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flow_with_a_fault_at_every_call_is_paid_once() {
    let mut cases = VecDeque::new();
    let shop = Shop::open().await;
    for act in Act::ALL {
        let calls = measure(&shop, act).await;
        for (at, faults) in [(Service::Adyen, at_adyen()), (Service::DynamoDb, at_dynamodb())] {
            for fault in faults {
                for (index, times) in
                    (0..calls[&at]).flat_map(|index| TIMES.map(|times| (index, times)))
                {
                    cases.push_back(FaultCase { act, at, fault: fault.clone(), index, times });
                }
            }
        }
    }
    let step = if longer_form() { 1 } else { 12 };
    let cases: VecDeque<FaultCase> = cases.into_iter().step_by(step).collect();
    let mut covered: BTreeMap<(Act, Service, &str), usize> = BTreeMap::new();
    for case in &cases {
        *covered.entry((case.act, case.at, case.fault.0)).or_default() += 1;
    }
    let cases = cases.into_iter().enumerate().collect::<VecDeque<_>>();
    let cases = Arc::new(Mutex::new(cases));
    let lanes = (0..PARALLEL).map(|_| {
        let cases = cases.clone();
        tokio::spawn(async move {
            let shop = Shop::open().await;
            let next = || cases.lock().unwrap().pop_front();
            while let Some((number, case)) = next() {
                run(&shop, &case, &format!("ORDER-{number}")).await;
            }
        })
    });
    for lane in join_all(lanes).await {
        lane.unwrap();
    }
    report(&covered);
}

/// The number of bundles that run in parallel, because a faulty call spends most of its time
/// waiting.
pub const PARALLEL: usize = 8;

fn report(covered: &BTreeMap<(Act, Service, &str), usize>) {
    // Printed past the capture of `cargo test`.
    let mut out = std::io::stderr().lock();
    let total: usize = covered.values().sum();
    writeln!(out, "never twice: {total} faults, one each in a payment of its own").unwrap();
    for act in Act::ALL {
        for at in [Service::Adyen, Service::DynamoDb] {
            let cases = covered.iter().filter(|((a, b, _), _)| (*a, *b) == (act, at));
            let cases: Vec<_> =
                cases.map(|((_, _, fault), count)| format!("{fault} {count}")).collect();
            if !cases.is_empty() {
                writeln!(out, "  {act:?} at {at:?}: {}", cases.join(", ")).unwrap();
            }
        }
    }
}
