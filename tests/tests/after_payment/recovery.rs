//! The schedule resolves open orders, or marks them for a person.

use std::time::Duration;

use adyen_simulator::{Fault, coded};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, in_browser, passing_time, until};

async fn an_hour_passes(stack: &Stack, reference: &str) {
    time_passes(stack, reference, SignedDuration::from_hours(1)).await;
}

async fn time_passes(stack: &Stack, reference: &str, time: SignedDuration) {
    passing_time::pass(&stack.dynamodb(), reference, time).await;
}

#[tokio::test]
async fn schedule_never_retries_a_shoppers_payment_but_marks_it_unknown() {
    let stack = Stack::start().await;
    let answer = stack.pay("ORDER-1", "x-HTTP-500").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(stack.bundle.recover().await.unwrap().open, 0);

    an_hour_passes(&stack, "ORDER-1").await;
    let calls = stack.adyen().books().calls.len();
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.unknown), (1, 1), "{report:?}");
    assert_eq!(stack.adyen().books().calls.len(), calls);
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["status"], "pending");
    assert_eq!(order["needsAttention"], json!(["outcome_unknown"]));
}

#[tokio::test]
async fn schedule_skips_orders_on_which_it_cannot_act() {
    let stack = Stack::start().await;
    stack.pay("PENDING", "x-PENDING").await;
    sent_to_the_bank(&stack, "WAITS").await;
    for reference in ["PENDING", "WAITS"] {
        an_hour_passes(&stack, reference).await;
    }
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!(report, recover::Report::default());
    for reference in ["PENDING", "WAITS"] {
        assert_eq!(stack.order(reference).await["needsAttention"], json!([]));
    }
}

/// An order that is an hour old, whose shopper returns from the bank only now. Returns the details
/// that the shopper's browser posts.
async fn comes_back_late(stack: &Stack) -> Value {
    let details = sent_to_the_bank(stack, "ORDER-1").await;
    an_hour_passes(stack, "ORDER-1").await;
    details
}

/// Pays with a redirect to the bank. Returns the details that the shopper's browser posts later.
async fn sent_to_the_bank(stack: &Stack, reference: &str) -> Value {
    let body = in_browser(reference, &format!("{reference}-3DS-REDIRECT"));
    let asked = stack.post("/payments", &browser(reference), &body).await;
    let result = adyen_simulator::redirect_result(&asked.body["action"], "approved");
    json!({"details": {"redirectResult": result}})
}

#[tokio::test]
async fn schedule_skips_details_that_are_in_flight() {
    let stack = Stack::start().await;
    let details = comes_back_late(&stack).await;
    let late = Fault::AnswerLate(Duration::from_secs(3));
    stack.adyen().inject(late.on("/payments/details"));
    let posted = async {
        let answer = stack.post("/payments/details", &browser("ORDER-1"), &details).await;
        assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    };
    let schedule = async {
        until(|| !stack.adyen().books().calls_to("/payments/details").is_empty()).await;
        let report = stack.bundle.recover().await.unwrap();
        assert_eq!((report.open, report.unknown), (0, 0), "{report:?}");
        assert_eq!(stack.order("ORDER-1").await["needsAttention"], json!([]));
    };
    tokio::join!(posted, schedule);
}

#[tokio::test]
async fn unknown_outcome_that_a_failed_webhook_resolves_needs_no_attention() {
    let stack = Stack::start().await;
    let details = comes_back_late(&stack).await;
    let post = async || stack.post("/payments/details", &browser("ORDER-1"), &details).await;
    stack.adyen().inject(Fault::status(500).on("/payments/details"));
    assert_eq!(post().await.status, 202);
    an_hour_passes(&stack, "ORDER-1").await;
    assert_eq!(stack.bundle.recover().await.unwrap().unknown, 1);
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["needsAttention"], json!(["outcome_unknown"]));

    stack.adyen().inject(Fault::Instead(coded("702")).on("/payments/details"));
    assert_eq!(post().await.code(), "adyen_rejected");
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["needsAttention"], json!([]));
    assert_eq!(post().await.body["resultCode"], "Authorised");
}

#[tokio::test]
async fn age_of_an_open_order_is_measured_until_it_needs_attention() {
    let stack = Stack::start().await;
    let age = async || stack.bundle.recover().await.unwrap().open_age;
    let hour = 3600..3700;
    assert_eq!(age().await, 0);
    stack.pay("UNKNOWN", "x-HTTP-500").await;
    an_hour_passes(&stack, "UNKNOWN").await;
    assert!(hour.contains(&age().await));
    assert_eq!(age().await, 0);

    // The age does not include orders whose shopper left.
    sent_to_the_bank(&stack, "WAITS").await;
    time_passes(&stack, "WAITS", SignedDuration::from_hours(30)).await;
    assert_eq!(age().await, 0);
}

/// An order in the index that no version can read.
async fn unreadable(stack: &Stack, reference: &str, since: Timestamp) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = stack.dynamodb().put_item().table_name("orders");
    put.item("reference", text(reference))
        .item("version", AttributeValue::N("1".to_owned()))
        .item("amount", text("no amount"))
        .item("openShard", text("order-7"))
        .item("openSince", text(&since.to_string()))
        .item("recoverAt", text("2026-01-01T00:00:00Z"))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn unreadable_order_is_measured_and_retried_later() {
    let stack = Stack::start().await;
    let since = Timestamp::now() - SignedDuration::from_hours(1);
    unreadable(&stack, "ODD", since).await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.failed), (1, 1), "{report:?}");
    assert!((3600..3700).contains(&report.open_age), "{report:?}");
    // It is not looked at again within the hour, so that it does not delay other orders.
    assert_eq!(stack.bundle.recover().await.unwrap().open, 0);
    time_passes(&stack, "ODD", SignedDuration::from_mins(61)).await;
    assert_eq!(stack.bundle.recover().await.unwrap().failed, 1);
}

#[tokio::test]
async fn attempt_is_abandoned_after_25_hours_without_its_shopper_by_the_schedule() {
    let stack = Stack::start().await;
    let details = sent_to_the_bank(&stack, "AWAY").await;
    time_passes(&stack, "AWAY", SignedDuration::from_hours(24)).await;
    assert_eq!(stack.bundle.recover().await.unwrap(), recover::Report::default());
    assert_eq!(stack.order("AWAY").await["status"], "pending");

    an_hour_passes(&stack, "AWAY").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.abandoned, report.unknown), (1, 1, 0), "{report:?}");
    let order = stack.order("AWAY").await;
    assert_eq!((&order["status"], &order["nextStep"]), (&json!("expired"), &json!("startOver")));
    assert_eq!(order["needsAttention"], json!([]));
    assert!(order["attempts"][0]["abandonedAt"].is_string(), "{order}");
    let seen = stack.get("/orders/AWAY", &browser("AWAY")).await;
    assert!(!seen.body.to_string().contains("abandoned"), "{seen:?}");
    assert_eq!(stack.bundle.recover().await.unwrap(), recover::Report::default());

    // Details that arrive later are sent to Adyen as usual.
    let answer = stack.post("/payments/details", &browser("AWAY"), &details).await;
    assert_eq!(answer.body["status"], "authorised", "{answer:?}");
    stack.order_once("AWAY", |order| order["confirmed"] == true).await;
}

#[tokio::test]
async fn abandoned_attempt_allows_a_new_one_and_its_late_payment_counts() {
    let stack = Stack::start().await;
    sent_to_the_bank(&stack, "BACK").await;
    time_passes(&stack, "BACK", SignedDuration::from_hours(26)).await;
    assert_eq!(stack.bundle.recover().await.unwrap().abandoned, 1);
    let answer = stack.pay("BACK", "ANOTHER-TOKEN").await;
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
    assert_eq!(answer.body["status"], "authorised", "{answer:?}");

    sent_to_the_bank(&stack, "LATE").await;
    time_passes(&stack, "LATE", SignedDuration::from_hours(26)).await;
    assert_eq!(stack.bundle.recover().await.unwrap().abandoned, 1);
    let psp_reference = stack.adyen().with_books(|books| {
        let payments = books.payments_of("LATE");
        payments.last().unwrap().psp_reference.clone()
    });
    let account = local::keys::MERCHANT_ACCOUNT;
    let mut event =
        adyen_simulator::webhook::Event::new("AUTHORISATION", account, &psp_reference, "LATE");
    event.amount = Some(adyen_simulator::Amount { currency: "EUR".to_owned(), value: 1000 });
    stack.adyen().notify(&event).unwrap();
    let order = stack.order_once("LATE", |order| order["confirmed"] == true).await;
    assert_eq!(order["status"], "authorised");
}

#[tokio::test]
async fn unchanged_order_is_looked_at_less_and_less_often() {
    let stack = Stack::start().await;
    let token = store(&stack, "160583287597AMZN").await;
    charge_in_doubt(&stack, "STUCK", &token).await;
    an_hour_passes(&stack, "STUCK").await;
    let look = async || {
        let nothing = adyen_simulator::Answer::text(500, "text/plain", "oops");
        stack.adyen().inject(adyen_simulator::Fault::Instead(nothing).on("/payments"));
        stack.bundle.recover().await.unwrap().open
    };
    assert_eq!(look().await, 1);
    for minutes in [5, 10, 20, 40, 80, 160, 320, 360, 360] {
        assert_eq!(look().await, 0, "{minutes}");
        time_passes(&stack, "STUCK", SignedDuration::from_mins(minutes)).await;
        time_passes(&stack, "STUCK", SignedDuration::from_secs(2)).await;
        assert_eq!(look().await, 1, "{minutes}");
    }
    // Once Adyen has forgotten the key, the order needs attention and is no longer open.
    time_passes(&stack, "STUCK", SignedDuration::from_hours(6 * 24)).await;
    assert_eq!(look().await, 1);
    time_passes(&stack, "STUCK", SignedDuration::from_hours(100)).await;
    assert_eq!(look().await, 0);
    assert_eq!(stack.order("STUCK").await["needsAttention"], json!(["outcome_unknown"]));
}

/// Pays with this token, stores the payment method and returns its id.
async fn store(stack: &Stack, amazon_pay_token: &str) -> String {
    let first = json!({
        "amount": {"currency": "EUR", "value": 1000}, "reference": "FIRST",
        "paymentMethod": {"type": "amazonpay", "amazonPayToken": amazon_pay_token},
        "storePaymentMethod": true, "shopperReference": "shopper-1",
        "recurringProcessingModel": "Subscription",
    });
    assert_eq!(stack.post("/payments", &backend(), &first).await.status, 200);
    loop {
        let stored = stored(stack).await;
        if let Some(token) = stored["storedPaymentMethodId"].as_str() {
            return token.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn stored(stack: &Stack) -> Value {
    let path = "/shoppers/shopper-1/storedPaymentMethods?status=all";
    stack.get(path, &backend()).await.body["storedPaymentMethods"][0].clone()
}

async fn charge(stack: &Stack, reference: &str, token: &str) -> Answer {
    let charge = json!({
        "amount": {"currency": "EUR", "value": 1000}, "reference": reference,
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": token},
        "shopperReference": "shopper-1", "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription",
    });
    stack.post("/payments", &backend(), &charge).await
}

/// As [`charge`], but Adyen's answer is lost.
async fn charge_in_doubt(stack: &Stack, reference: &str, token: &str) {
    stack.adyen().hold_webhooks();
    let lost = Fault::lost_answer();
    stack.adyen().inject(lost.on("/payments"));
    let answer = charge(stack, reference, token).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn charge_of_unknown_outcome_is_retried_with_its_key() {
    let stack = Stack::start().await;
    let token = store(&stack, "160583287597AMZN").await;
    charge_in_doubt(&stack, "SECOND", &token).await;

    an_hour_passes(&stack, "SECOND").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.resolved), (1, 1), "{report:?}");
    assert_eq!(stack.order("SECOND").await["status"], "authorised");
    assert_eq!(stack.adyen().books().authorisations("SECOND"), 1);
}

#[tokio::test]
async fn refund_of_unknown_outcome_is_retried_with_its_key() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    stack.adyen().hold_webhooks();
    // The first request is processed without an answer; the second does not reach Adyen.
    let nothing = || adyen_simulator::Answer::text(500, "text/plain", "oops");
    for (fault, value) in [
        (adyen_simulator::Fault::Afterwards(nothing()), 300),
        (adyen_simulator::Fault::Instead(nothing()), 200),
    ] {
        stack.adyen().inject(fault.on("/refunds"));
        let body = json!({
            "amount": {"currency": "EUR", "value": value}, "merchantRefundReason": "RETURN",
        });
        let (path, key) = ("/orders/ORDER-1/refunds", format!("refund-{value}"));
        let answer = stack.post_with_key(path, &backend(), &key, &body).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
    }
    assert_eq!(stack.bundle.recover().await.unwrap().open, 0);

    an_hour_passes(&stack, "ORDER-1").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.resolved), (1, 1), "{report:?}");
    let order = stack.order("ORDER-1").await;
    for modification in order["modifications"].as_array().unwrap() {
        assert_eq!(modification["state"], "received", "{order}");
    }
    let books = stack.adyen().books();
    let calls = books.calls_to("/refunds");
    assert_eq!(calls.len(), 4);
    for (first, again) in [(0, 2), (1, 3)] {
        assert_eq!(calls[first].body, calls[again].body);
        assert_eq!(calls[first].idempotency_key, calls[again].idempotency_key);
    }
    assert_eq!(books.payments[0].money.refunded, 500);
}

#[tokio::test]
async fn refund_whose_outcome_stays_unknown_needs_attention() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    for _ in 0..2 {
        let nothing = adyen_simulator::Answer::text(500, "text/plain", "oops");
        stack.adyen().inject(adyen_simulator::Fault::Instead(nothing).on("/refunds"));
    }
    let body = json!({"amount": {"currency": "EUR", "value": 300}});
    stack.post_with_key("/orders/ORDER-1/refunds", &backend(), "refund-1", &body).await;
    an_hour_passes(&stack, "ORDER-1").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.unknown), (1, 1), "{report:?}");
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["needsAttention"], json!(["modification_unknown"]));
    // The later run receives an answer.
    an_hour_passes(&stack, "ORDER-1").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!((report.open, report.resolved), (1, 1), "{report:?}");
    assert_eq!(stack.order("ORDER-1").await["needsAttention"], json!([]));
}

#[tokio::test]
async fn charge_of_unknown_outcome_that_was_refused_as_revoked_disables_its_token() {
    let stack = Stack::start().await;
    let token = store(&stack, "160583287597AMZN-REVOKED").await;
    let answer = charge(&stack, "SECOND", &token).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    charge_in_doubt(&stack, "THIRD", &token).await;
    assert_eq!(stored(&stack).await["status"], "active");

    an_hour_passes(&stack, "THIRD").await;
    let report = stack.bundle.recover().await.unwrap();
    assert_eq!(report.resolved, 1, "{report:?}");
    assert_eq!(stack.order("THIRD").await["status"], "refused");
    assert_eq!(stored(&stack).await["status"], "disabled");
}
