//! Each request is assigned to the right attempt.

use std::time::Duration;

use adyen_simulator::redirect_result;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, payment};

use crate::shop::{Shop, assert_paid, assert_problem, in_browser, quick};

#[tokio::test]
async fn repeated_request_of_an_ended_attempt_returns_the_stored_answer() {
    let shop = Shop::open().await;
    for (token, status, next_step) in [
        ("A", "authorised", "success"),
        ("A-REFUSED", "refused", "retryWithAmazonPay"),
        ("A-CANCELLED", "cancelled", "tryAnotherMethod"),
        ("A-ERROR", "error", "showError"),
    ] {
        let reference = format!("ENDED{token}");
        let before = shop.calls("/payments");
        let first = shop.pay(&reference, token).await;
        assert_paid(&first, status, 1, next_step);
        let again = shop.pay(&reference, token).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(shop.calls("/payments") - before, 1, "{token}");
    }
}

#[tokio::test]
async fn repeated_request_of_a_rejected_attempt_returns_the_same_rejection() {
    let shop = Shop::open().await;
    let first = shop.pay("R", "A-UNKNOWN").await;
    assert_problem(&first, 422, "adyen_rejected");
    assert_eq!(first.body["errorCode"], "5_602");
    assert_eq!(first.body["nextStep"], "startOver");
    let again = shop.pay("R", "A-UNKNOWN").await;
    assert_eq!((again.status, again.body), (first.status, first.body), "the stored rejection");
    assert_eq!(shop.calls("/payments"), 1);
    assert_eq!(shop.order("R").await["status"], "error");
}

#[tokio::test]
async fn repeated_request_of_a_rejected_attempt_does_not_restart_a_paid_order() {
    let shop = Shop::open().await;
    let rejected = shop.pay("ORDER-1", "T1-UNKNOWN").await;
    assert_eq!(rejected.body["nextStep"], "startOver", "{rejected:?}");
    assert_eq!(shop.pay("ORDER-1", "T2").await.body["status"], "authorised");
    let again = shop.pay("ORDER-1", "T1-UNKNOWN").await;
    assert_eq!(again.code(), "order_already_paid");
    assert_eq!(again.body["order"]["nextStep"], "success");
}

#[tokio::test]
async fn repeated_request_returns_the_outstanding_action() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "A-3DS-REDIRECT").await;
    assert_paid(&first, "pending", 1, "handleAction");
    assert_eq!(shop.order("A").await["nextStep"], "handleAction");
    let again = shop.pay("A", "A-3DS-REDIRECT").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.body["action"]["type"], "redirect");
    assert_eq!((shop.calls("/payments"), shop.processed("A")), (2, 1));
}

#[tokio::test]
async fn repeated_request_is_retried_at_adyen_while_it_has_no_result() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "A-PENDING").await;
    assert_paid(&first, "pending", 1, "wait");
    let again = shop.pay("A", "A-PENDING").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!((shop.calls("/payments"), shop.processed("A")), (2, 1));
}

#[tokio::test]
async fn concurrent_repeated_requests_are_processed_once_and_both_answered() {
    let shop = Shop::with(adyen_simulator::Options {
        answer_delay: Duration::from_millis(300),
        ..quick()
    })
    .await;
    let (one, two) = tokio::join!(shop.pay("A", "T"), shop.pay("A", "T"));
    assert_paid(&one, "authorised", 1, "success");
    assert_eq!(one.body, two.body);
    assert_eq!(shop.processed("A"), 1);
    let books = shop.simulator().books();
    assert!(books.calls.iter().any(|call| call.status == Some(422)), "one met the other in flight");
}

#[tokio::test]
async fn attempt_that_waits_for_its_shopper_is_superseded_by_another_token() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    let second = shop.pay("A", "2-3DS-REDIRECT").await;
    assert_paid(&second, "pending", 2, "handleAction");

    let calls = shop.calls("/payments/details");
    let late = redirect_result(&first.body["action"], "approved");
    let answer = shop.details("A", 1, "redirectResult", &late).await;
    assert_problem(&answer, 409, "attempt_superseded");
    assert_eq!(answer.body["attempt"], 2);
    assert_eq!(shop.calls("/payments/details"), calls, "without a call");

    // The superseded attempt's token begins a new attempt like any other.
    let third = shop.pay("A", "1-3DS-REDIRECT").await;
    assert_paid(&third, "pending", 3, "handleAction");
    let done = redirect_result(&third.body["action"], "approved");
    let answer = shop.details("A", 3, "redirectResult", &done).await;
    assert_paid(&answer, "authorised", 3, "success");
    assert_eq!(shop.authorisations("A"), 1);
}

#[tokio::test]
async fn another_token_while_adyen_is_pending_is_in_progress() {
    let shop = Shop::open().await;
    let pending = shop.pay("A", "1-PENDING").await;
    let other = shop.pay("A", "2").await;
    assert_problem(&other, 409, "payment_in_progress");
    assert!(retry_after(&other) >= 1);
    assert_eq!(shop.calls("/payments"), 1);
    let psp = pending.body["pspReference"].as_str().unwrap();
    assert!(shop.simulator().resolve_pending(psp, true).unwrap());
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("A").await["status"], "authorised");
}

#[tokio::test]
async fn a_paid_order_is_not_charged_again() {
    let shop = Shop::open().await;
    shop.pay("A", "1").await;
    for other in [
        shop.pay("A", "2").await,
        shop.stack.post_with_key("/payments", &browser("A"), "k", &payment("A", "1")).await,
        shop.stack.post("/payments", &backend(), &payment("A", "2")).await,
    ] {
        assert_problem(&other, 409, "order_already_paid");
        assert_eq!(other.body["order"]["status"], "authorised");
        assert_eq!(other.body["order"]["reference"], "A");
        assert_eq!(other.body["order"]["nextStep"], "success");
    }
    assert_eq!((shop.calls("/payments"), shop.processed("A")), (1, 1));
}

#[tokio::test]
async fn refused_attempt_is_followed_by_a_new_one_with_another_token_or_key() {
    let shop = Shop::open().await;
    let key = |key: &'static str| {
        let body = payment("A", "1-REFUSED");
        let stack = &shop.stack;
        async move { stack.post_with_key("/payments", &browser("A"), key, &body).await }
    };
    assert_paid(&shop.stack.pay("A", "1-REFUSED").await, "refused", 1, "retryWithAmazonPay");
    // The same token repeats the attempt; with a new key it begins another, which that key repeats.
    assert_eq!(shop.stack.pay("A", "1-REFUSED").await.body["attempt"], 1);
    assert_eq!(key("one").await.body["attempt"], 2);
    assert_eq!(key("one").await.body["attempt"], 2);
    assert_eq!(key("two").await.body["attempt"], 3);
    assert_eq!(key("one").await.body["attempt"], 2);
    assert_eq!(shop.processed("A"), 3);
    // A new token begins a new attempt.
    assert_paid(&shop.stack.pay("A", "2").await, "authorised", 4, "success");
    assert_eq!((shop.processed("A"), shop.authorisations("A")), (4, 1));
    shop.webhooks_delivered().await;
    let order = shop.order("A").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    assert_eq!(order["needsAttention"], json!([]));
}

#[tokio::test]
async fn idempotency_key_with_different_content_is_rejected() {
    let shop = Shop::open().await;
    let body = in_browser("A", "1-REFUSED");
    let post = |body: Value| {
        let stack = &shop.stack;
        async move { stack.post_with_key("/payments", &browser("A"), "k", &body).await }
    };
    assert_eq!(post(body.clone()).await.status, 200);
    // merchantAccount and repeated claims do not count as content.
    let mut same = body.clone();
    same["merchantAccount"] = json!(local::keys::MERCHANT_ACCOUNT);
    same["countryCode"] = json!("NL");
    assert_eq!(post(same).await.body["attempt"], 1);
    for (field, value) in [
        ("paymentMethod", json!({"type": "amazonpay", "amazonPayToken": "2"})),
        ("returnUrl", json!("https://your-company.example.com/elsewhere")),
        ("channel", json!("iOS")),
        ("shopperEmail", json!("someone@example.com")),
    ] {
        let mut other = body.clone();
        other[field] = value;
        assert_problem(&post(other).await, 422, "idempotency_key_reused");
    }
    // A merchant may use another amount, but only with another key.
    let mut dearer = body;
    dearer["amount"]["value"] = json!(1001);
    let dearer = shop.stack.post_with_key("/payments", &backend(), "k", &dearer).await;
    assert_problem(&dearer, 422, "idempotency_key_reused");
    assert_eq!(shop.calls("/payments"), 1);
}

#[tokio::test]
async fn order_with_another_amount_is_rejected() {
    let shop = Shop::open().await;
    let mut dearer = payment("A", "2");
    dearer["amount"]["value"] = json!(1001);
    shop.pay("A", "1-REFUSED").await;
    let answer = shop.stack.post("/payments", &backend(), &dearer).await;
    assert_problem(&answer, 422, "amount_mismatch");
    assert_eq!(shop.calls("/payments"), 1);
}

/// Two processes, each with two tabs, pay one order at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_paid_from_two_tabs_and_two_processes_is_paid_once() {
    let shop =
        Shop::with(adyen_simulator::Options { answer_delay: Duration::from_millis(20), ..quick() })
            .await;
    let other = shop.second_process().await;
    for round in 0..50 {
        let reference = format!("ORDER-{round}");
        // In turn: one token for all, one for each tab, one for each request.
        let token = |process: usize, tab: usize| match round % 3 {
            0 => "T".to_owned(),
            1 => format!("T{tab}"),
            _ => format!("T{process}{tab}"),
        };
        let pay = |stack: &Stack, process: usize, tab: usize| {
            let request = stack
                .request(reqwest::Method::POST, "/payments")
                .bearer_auth(browser(&reference))
                .json(&payment(&reference, &token(process, tab)));
            tokio::spawn(Answer::of(request))
        };
        let answers = join_all([
            pay(&shop.stack, 0, 0),
            pay(&other, 1, 0),
            pay(&shop.stack, 0, 1),
            pay(&other, 1, 1),
        ])
        .await;
        let mut paid = 0;
        for answer in answers.into_iter().map(Result::unwrap) {
            match answer.status {
                200 => {
                    assert_paid(&answer, "authorised", 1, "success");
                    paid += 1;
                }
                _ => assert!(
                    ["payment_in_progress", "order_already_paid"].contains(&answer.code()),
                    "{answer:?}"
                ),
            }
        }
        assert!(paid >= 1, "{reference}: nobody paid");
        assert!(round % 3 != 0 || paid == 4, "{reference}: one token, {paid}");
        assert_eq!(shop.processed(&reference), 1, "{reference}");
    }
    shop.webhooks_delivered().await;
    for round in 0..50 {
        let order = shop.order(&format!("ORDER-{round}")).await;
        assert_eq!(
            (&order["status"], &order["confirmed"]),
            (&json!("authorised"), &json!(true)),
            "{order}"
        );
        assert_eq!(order["needsAttention"], json!([]));
    }
}

#[tokio::test]
async fn a_key_older_than_six_days_is_never_sent_again() {
    let shop = Shop::open().await;
    let unknown = shop.pay("A", "1-HTTP-500").await;
    assert_eq!(unknown.status, 202);
    shop.pass("A", SignedDuration::from_hours(6 * 24)).await;
    for token in ["1-HTTP-500", "2"] {
        let answer = shop.pay("A", token).await;
        assert_eq!((answer.status, &answer.body["attempt"]), (202, &json!(1)), "{answer:?}");
    }
    assert_eq!(shop.calls("/payments"), 1);
    let order = shop.order("A").await;
    assert_eq!(order["needsAttention"], json!(["outcome_unknown"]));
    assert_eq!(order["status"], "pending");

    // One hour earlier, the request is still sent again.
    shop.pay("B", "1-HTTP-500").await;
    shop.pass("B", SignedDuration::from_hours(6 * 24 - 1)).await;
    shop.pay("B", "1-HTTP-500").await;
    assert_eq!(shop.calls("/payments"), 3);
}

pub fn retry_after(answer: &Answer) -> u64 {
    let header = answer.headers.get("retry-after").expect("Retry-After");
    header.to_str().unwrap().parse().unwrap()
}
