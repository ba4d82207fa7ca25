//! Webhooks before, between, after and against Adyen's answers.

use std::time::{Duration, Instant};

use adyen_simulator::webhook::Event;
use adyen_simulator::{Amount, Fault, Release, redirect_result};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use local::bundle::{Adyen::Simulator as Simulated, Options};
use local::keys::MERCHANT_ACCOUNT;
use serde_json::{Value, json};
use shared::domain::order::Order;
use shared::store::{Start, StoreError};
use tests::{Answer, Stack, browser, longer_form, payment, until};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown, quick};

/// The order without its times.
fn summary(order: &Value) -> Value {
    let members = [
        "status",
        "confirmed",
        "authorisedAmount",
        "capturedAmount",
        "refundedAmount",
        "attempt",
        "pspReference",
        "needsAttention",
    ];
    members.iter().map(|member| (*member, order[member].clone())).collect()
}

/// A later event of a payment.
fn event(code: &str, psp: &str, original: Option<&str>, reference: &str, at: Timestamp) -> Event {
    Event {
        original_reference: original.map(str::to_owned),
        amount: Some(Amount { currency: "EUR".to_owned(), value: 1000 }),
        event_date: at,
        ..Event::new(code, MERCHANT_ACCOUNT, psp, reference)
    }
}

impl Shop {
    /// Delivers the newest webhook with this event code now.
    async fn deliver(&self, code: &str) {
        let id = self.simulator().with_books(|books| {
            let of_code = books.webhooks.values().rev().find(|hook| hook.event == code);
            of_code.expect(code).id
        });
        assert_eq!(self.simulator().deliver(id).await, Some(200), "{code}");
    }

    /// The pspReference of the newest payment at Adyen.
    fn newest_payment(&self) -> String {
        self.simulator().with_books(|books| books.payments.last().unwrap().psp_reference.clone())
    }
}

#[tokio::test]
async fn a_webhook_before_the_payments_answer_is_the_same_payment() {
    let shop = Shop::open().await;
    shop.adyen.fail_at(0, Fault::AnswerLate(Duration::from_millis(400)));
    let (answer, during) = tokio::join!(shop.pay("A", "T"), async {
        until(|| shop.calls("/payments") > 0).await;
        shop.stack.order_once("A", |order| order["confirmed"] == true).await
    });
    assert_eq!(during["status"], "authorised");
    assert_paid(&answer, "authorised", 1, "success");
    let order = shop.order("A").await;
    assert_eq!(order["pspReference"], answer.body["pspReference"]);
    assert_eq!((&order["status"], &order["needsAttention"]), (&json!("authorised"), &json!([])));
    assert_eq!(order["authorisedAmount"]["value"], 1000);
}

#[tokio::test]
async fn webhook_resolves_a_payment_whose_answer_was_lost() {
    let shop = Shop::open().await;
    for (token, status) in [("1", "authorised"), ("1-REFUSED", "refused")] {
        let reference = format!("ORDER{token}");
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.pay(&reference, token).await);
        shop.webhooks_delivered().await;
        let order = shop.order(&reference).await;
        assert_eq!(order["status"], status);
        assert_eq!(order["pspReference"], shop.newest_payment());
        let calls = shop.calls("/payments");
        let again = shop.pay(&reference, token).await;
        assert_eq!((again.status, &again.body["status"]), (200, &json!(status)), "{again:?}");
        assert_eq!(shop.calls("/payments"), calls, "known without asking");
    }
    assert_problem(&shop.pay("ORDER1", "2").await, 409, "order_already_paid");
    assert_paid(&shop.pay("ORDER1-REFUSED", "2").await, "authorised", 2, "success");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("ORDER1-REFUSED").await["needsAttention"], json!([]));
    for reference in ["ORDER1", "ORDER1-REFUSED"] {
        assert_eq!(shop.authorisations(reference), 1);
    }
}

#[tokio::test]
async fn a_webhook_hours_late_confirms_the_payment() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    assert_paid(&shop.pay("A", "T").await, "authorised", 1, "success");
    shop.pass("A", SignedDuration::from_hours(5)).await;
    let before = shop.order("A").await;
    assert_eq!((&before["status"], &before["confirmed"]), (&json!("authorised"), &json!(false)));
    shop.simulator().release_webhooks(Release::InOrder).await;
    let after = shop.order("A").await;
    assert_eq!((&after["status"], &after["confirmed"]), (&json!("authorised"), &json!(true)));
    assert_eq!(after["needsAttention"], json!([]));
}

/// All webhooks of an order, in any sequence and partly repeated.
#[tokio::test]
async fn webhooks_in_any_sequence_make_the_same_order() {
    let shop = Shop::open().await;
    let mut seen: Option<Value> = None;
    for seed in 0..if longer_form() { 40 } else { 8 } {
        let reference = format!("ORDER-{seed}");
        shop.simulator().hold_webhooks();
        // Attempt 1 is refused, and the answer to attempt 2 is lost.
        shop.pay(&reference, "1-REFUSED").await;
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.pay(&reference, "2").await);
        let psp = shop.newest_payment();
        let now = Timestamp::now();
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        let own = |name: &str| format!("{name}{seed}");
        for event in [
            event("CAPTURE", &own("CAP"), Some(&psp), "capture-1", later(10)),
            event("REFUND", &own("REF"), Some(&psp), &reference, later(20)),
            event("REFUND_FAILED", &own("REF"), Some(&psp), "refund-1", later(30)),
            event("REFUND", &own("AGAIN"), Some(&psp), "refund-2", later(40)),
            event("CHARGEBACK", &own("CB"), Some(&psp), &reference, later(50)),
            event("CHARGEBACK_REVERSED", &own("CB"), Some(&psp), &reference, later(60)),
            event("REPORT_AVAILABLE", &own("REP"), None, "report", later(70)),
        ] {
            if seed % 2 == 1 {
                shop.simulator().inject_webhook(adyen_simulator::WebhookFault::Duplicate);
            }
            shop.simulator().notify(&event).unwrap();
        }
        shop.simulator().release_webhooks(Release::Shuffled(seed)).await;
        shop.webhooks_delivered().await;
        let mut order = summary(&shop.order(&reference).await);
        assert_eq!(order["pspReference"], psp, "seed {seed}");
        order["pspReference"] = json!("the payment's");
        assert_eq!(order["status"], "refunded", "seed {seed}: {order}");
        assert_eq!(order["refundedAmount"]["value"], 1000, "seed {seed}: {order}");
        assert_eq!(&order, seen.get_or_insert(order.clone()), "seed {seed}");
    }
}

#[tokio::test]
async fn failed_webhook_turns_an_authorised_answer_into_refused() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    assert_paid(&shop.pay("A", "1-LATE-FAIL").await, "authorised", 1, "success");
    shop.simulator().release_webhooks(Release::InOrder).await;
    let order = shop.order("A").await;
    assert_eq!(order["status"], "refused");
    assert_eq!(order["nextStep"], "retryWithAmazonPay");
    assert_paid(&shop.pay("A", "2").await, "authorised", 2, "success");
    shop.webhooks_delivered().await;
    let order = shop.order("A").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    assert_eq!(order["needsAttention"], json!([]));
    assert_eq!(shop.authorisations("A"), 1);
}

#[tokio::test]
async fn a_closed_offer_changes_nothing_after_an_authorisation() {
    let shop = Shop::open().await;
    assert_paid(&shop.pay("A", "1").await, "authorised", 1, "success");
    let close = |reference: &str, own: &str| {
        let event = event("OFFER_CLOSED", own, None, reference, Timestamp::now());
        shop.simulator().notify(&event).unwrap();
    };
    close("A", "OFFER1");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("A").await["status"], "authorised");
    assert_problem(&shop.pay("A", "2").await, 409, "order_already_paid");
    // OFFER_CLOSED does not change a refusal either.
    shop.pay("B", "1-REFUSED").await;
    shop.webhooks_delivered().await;
    close("B", "OFFER2");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("B").await["status"], "refused");
}

#[tokio::test]
async fn a_closed_offer_before_a_late_authorisation_expires_the_order_until_then() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.pay("A", "1").await);
    let closed = event("OFFER_CLOSED", "OFFER", None, "A", Timestamp::now());
    shop.simulator().notify(&closed).unwrap();
    shop.deliver("OFFER_CLOSED").await;
    let order = shop.order("A").await;
    assert_eq!((&order["status"], &order["nextStep"]), (&json!("expired"), &json!("startOver")));
    shop.deliver("AUTHORISATION").await;
    let order = shop.order("A").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    assert_problem(&shop.pay("A", "2").await, 409, "order_already_paid");
    assert_eq!(shop.authorisations("A"), 1);
}

/// While an outcome is unknown, OFFER_CLOSED does not begin a new attempt.
#[tokio::test]
async fn closed_offer_allows_no_second_payment() {
    let shop = Shop::open().await;
    let close = async |reference: &str| {
        let closed = event("OFFER_CLOSED", "OFFER", None, reference, Timestamp::now());
        shop.simulator().notify(&closed).unwrap();
        shop.deliver("OFFER_CLOSED").await;
        shop.pass(reference, SignedDuration::from_secs(31)).await;
    };
    shop.simulator().hold_webhooks();
    // The answer to the payment was lost.
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.pay("A", "1").await);
    close("A").await;
    assert_paid(&shop.pay("A", "2").await, "authorised", 1, "success");
    assert_eq!((shop.authorisations("A"), shop.processed("A")), (1, 1));
    // The answer to the details is lost.
    let first = shop.pay("B", "1-3DS-REDIRECT").await;
    let result = redirect_result(&first.body["action"], "approved");
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.details("B", 1, "redirectResult", &result).await);
    close("B").await;
    shop.pay("B", "2").await;
    assert_eq!((shop.authorisations("B"), shop.processed("B")), (1, 1));
    let answer = shop.details("B", 1, "redirectResult", &result).await;
    assert_paid(&answer, "authorised", 1, "success");
}

#[tokio::test]
async fn offer_closed_expires_attempts_that_wait_for_the_shopper() {
    let shop = Shop::open().await;
    assert_paid(&shop.pay("A", "1-OFFER-CLOSED").await, "pending", 1, "handleAction");
    let order = shop.stack.order_once("A", |order| order["status"] == "expired").await;
    assert_eq!(order["nextStep"], "startOver");
    assert_paid(&shop.pay("A", "2").await, "authorised", 2, "success");
}

/// OFFER_CLOSED of attempt 1 arrives while the outcome of attempt 2 is unknown.
#[tokio::test]
async fn closed_offer_of_a_superseded_attempt_allows_no_third_attempt() {
    let shop = Shop::open().await;
    for (reference, token, unknown) in [("A", "2-PENDING", false), ("B", "2", true)] {
        shop.simulator().hold_webhooks();
        let first = shop.pay(reference, "1-OFFER-CLOSED").await;
        assert_paid(&first, "pending", 1, "handleAction");
        if unknown {
            shop.simulator().inject(Fault::lost_answer());
            assert_unknown(&shop.pay(reference, token).await);
        } else {
            assert_paid(&shop.pay(reference, token).await, "pending", 2, "wait");
        }
        shop.deliver("OFFER_CLOSED").await;
        let other = shop.pay(reference, "3").await;
        assert_problem(&other, 409, "payment_in_progress");
        shop.simulator().release_webhooks(Release::InOrder).await;
        if !unknown {
            let psp = shop.newest_payment();
            assert!(shop.simulator().resolve_pending(&psp, true).unwrap());
        }
        shop.webhooks_delivered().await;
        let order = shop.order(reference).await;
        assert_eq!(
            (&order["status"], &order["needsAttention"]),
            (&json!("authorised"), &json!([]))
        );
        assert_eq!(shop.authorisations(reference), 1);
    }
}

#[tokio::test]
async fn modification_with_another_reference_waits_for_its_order() {
    let shop = Shop::open().await;
    for (round, authorisation_first) in [(0, false), (1, true)] {
        let reference = format!("ORDER-{round}");
        shop.simulator().hold_webhooks();
        shop.adyen.fail_at(0, Fault::AnswerLate(Duration::from_millis(500)));
        let (answer, ()) = tokio::join!(shop.pay(&reference, "T"), async {
            until(|| shop.processed(&reference) > 0).await;
            let psp = shop.newest_payment();
            let refund =
                event("REFUND", &format!("R{round}"), Some(&psp), "my-refund", Timestamp::now());
            shop.simulator().notify(&refund).unwrap();
            shop.deliver("REFUND").await;
            assert_eq!(shop.order(&reference).await["refundedAmount"]["value"], 0);
            if authorisation_first {
                shop.deliver("AUTHORISATION").await;
                assert_eq!(shop.order(&reference).await["status"], "refunded");
            }
        });
        assert_eq!(answer.status, 200, "{answer:?}");
        let order = shop.order(&reference).await;
        assert_eq!(order["refundedAmount"]["value"], 1000, "{order}");
        assert_eq!(order["status"], "refunded");
        shop.simulator().release_webhooks(Release::InOrder).await;
        let order = shop.order(&reference).await;
        assert_eq!((&order["status"], &order["needsAttention"]), (&json!("refunded"), &json!([])));
    }
}

/// All webhooks write one item. One that does not succeed within the function's ten seconds is
/// rejected, and Adyen repeats it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_concurrent_webhooks_are_all_stored() {
    let stack =
        Stack::with(Options { adyen: Simulated(Box::new(quick())), ..Options::default() }).await;
    let simulator = stack.adyen();
    assert_paid(&stack.pay("A", "T").await, "authorised", 1, "success");
    assert!(simulator.webhooks_delivered(Duration::from_secs(10)).await);
    let psp = simulator.with_books(|books| books.payments[0].psp_reference.clone());
    let (begun, at) = (Instant::now(), Timestamp::now());
    for number in 0..64 {
        let mut refund = event("REFUND", &format!("R{number}"), Some(&psp), "A", at);
        refund.amount.as_mut().unwrap().value = 10;
        simulator.notify(&refund).unwrap();
    }
    assert!(simulator.webhooks_delivered(Duration::from_secs(120)).await);
    let again = simulator.with_books(|books| {
        let deliveries = books.webhooks.values().map(|hook| hook.attempts.len());
        deliveries.filter(|deliveries| *deliveries > 1).count()
    });
    let took = begun.elapsed();
    println!("64 webhooks landed in {took:?}; {again} of them were sent again");
    let order = stack.order("A").await;
    assert_eq!(order["refundedAmount"]["value"], 640);
    assert_eq!(order["events"].as_array().unwrap().len(), 65);
    assert_eq!(order["status"], "partiallyRefunded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_paid_from_sixty_four_tabs_is_paid_once() {
    let shop = Shop::open().await;
    let tabs = (0..64).map(|tab| {
        let request = shop
            .stack
            .request(reqwest::Method::POST, "/payments")
            .bearer_auth(browser("A"))
            .json(&payment("A", &format!("T{}", tab % 8)));
        tokio::spawn(Answer::of(request))
    });
    let answers = join_all(tabs).await;
    let paid = answers.iter().filter(|answer| answer.as_ref().unwrap().status == 200);
    assert!(paid.count() >= 1);
    assert_eq!((shop.processed("A"), shop.authorisations("A")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_concurrent_changes_of_one_order_are_all_stored() {
    let stack = Stack::start().await;
    assert_paid(&stack.pay("A", "T-NO-WEBHOOK").await, "authorised", 1, "success");
    let (orders, _) = stack.stores().await;
    // A long deadline, so that a slow machine does not fail the test.
    let orders = orders.within(tokio::time::Instant::now() + Duration::from_secs(120));
    let before = orders.get(&"A".parse().unwrap()).await.unwrap().unwrap();

    let changes = (0..64).map(|_| {
        let orders = orders.clone();
        tokio::spawn(async move {
            let change = |order: &mut Option<Order>| {
                let order = order.as_mut().unwrap();
                order.amount.value += 1;
                Ok::<_, StoreError>(())
            };
            let reference = "A".parse().unwrap();
            orders.change(&reference, Start::Read, change).await
        })
    });
    for change in join_all(changes).await {
        change.unwrap().unwrap();
    }

    let after = orders.get(&"A".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(after.amount.value, before.amount.value + 64);
    assert_eq!(after.version, before.version + 64);
}
