//! Subscriptions are charged by jobs that crash and run again.

use adyen_simulator::webhook::Event;
use adyen_simulator::{Answer, Fault, FaultOn};
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use tests::{faulty_dynamodb, passing_time};

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, charge, with};

fn refused() -> FaultOn {
    let answer = json!({
        "pspReference": "REFUSEDPAYMENT01",
        "resultCode": "Refused",
        "refusalReason": "Not enough balance",
        "refusalReasonCode": "12",
    });
    Fault::Instead(Answer::json(200, &answer)).on("/payments")
}

#[tokio::test]
async fn repeated_job_returns_the_answer_of_the_first_run() {
    let (shop, id) = Shop::with_token().await;
    let body = charge(SHOPPER, "MONTH-1", &id);
    let first = shop.charge(&body).await;
    assert_paid(&first, "authorised", 1);
    let calls = shop.calls("/payments");
    for _ in 0..3 {
        let again = shop.charge(&body).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    assert_eq!(shop.calls("/payments"), calls);
    assert_eq!(shop.processed("MONTH-1"), 1);
}

#[tokio::test]
async fn concurrent_runs_of_a_job_charge_once() {
    let (shop, id) = Shop::with_token().await;
    let body = charge(SHOPPER, "MONTH-1", &id);
    let runs = join_all((0..12).map(|_| shop.charge(&body))).await;
    for run in &runs {
        assert_paid(run, "authorised", 1);
    }
    assert_eq!(shop.processed("MONTH-1"), 1);
}

#[tokio::test]
async fn refused_charge_is_retried_only_with_a_new_key() {
    let (shop, id) = Shop::with_token().await;
    let body = charge(SHOPPER, "MONTH-1", &id);
    shop.adyen().inject(refused());
    let first = shop.charge_with_key(&body, "run-1").await;
    assert_paid(&first, "refused", 1);
    assert_eq!(first.body["refusalReasonCode"], "12");
    // The same key, or none, returns the stored answer.
    assert_eq!(shop.charge_with_key(&body, "run-1").await.body, first.body);
    assert_eq!(shop.charge(&body).await.body, first.body);
    assert_eq!(shop.processed("MONTH-1"), 0);

    assert_paid(&shop.charge_with_key(&body, "run-2").await, "authorised", 2);
    assert_paid(&shop.charge_with_key(&body, "run-2").await, "authorised", 2);
    assert_eq!(shop.processed("MONTH-1"), 1);
    let third = shop.charge_with_key(&body, "run-3").await;
    assert_problem(&third, 409, "order_already_paid");
}

#[tokio::test]
async fn idempotency_key_of_another_charge_is_rejected() {
    let (shop, id) = Shop::with_token().await;
    let body = charge(SHOPPER, "MONTH-1", &id);
    shop.adyen().inject(refused());
    assert_paid(&shop.charge_with_key(&body, "run-1").await, "refused", 1);
    let other = with(body, json!({"recurringProcessingModel": "UnscheduledCardOnFile"}));
    let answer = shop.charge_with_key(&other, "run-1").await;
    assert_problem(&answer, 422, "idempotency_key_reused");
}

#[tokio::test]
async fn repeated_charge_keeps_its_answer_after_its_token_is_gone() {
    let (shop, id) = Shop::with_token().await;
    let paid = charge(SHOPPER, "PAID", &id);
    let first = shop.charge(&paid).await;
    assert_paid(&first, "authorised", 1);
    // Charged, but the answer was lost.
    let lost = charge(SHOPPER, "LOST", &id);
    shop.adyen().inject(Fault::lost_answer().on("/payments"));
    assert_eq!(shop.charge(&lost).await.status, 202);

    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    assert_eq!(shop.charge(&paid).await.body, first.body);
    assert_paid(&shop.charge(&lost).await, "authorised", 1);
    // A paid order is reported as paid, even if its token is disabled.
    let again = shop.charge_with_key(&paid, "again").await;
    assert_problem(&again, 409, "order_already_paid");
    let next = shop.charge(&charge(SHOPPER, "NEXT", &id)).await;
    assert_problem(&next, 422, "stored_payment_method_disabled");
    assert_eq!((shop.processed("PAID"), shop.processed("LOST")), (1, 1));
}

/// Each DynamoDB call of a charge fails once; the job runs until it receives an answer.
#[tokio::test]
async fn charge_with_every_dynamodb_fault_is_made_once() {
    let (shop, dynamodb) = Shop::behind_a_faulty_dynamodb().await;
    let id = shop.stored(SHOPPER, "FIRST").await;
    shop.adyen().hold_webhooks();

    dynamodb.begin(|_| None);
    assert_paid(&shop.charge(&charge(SHOPPER, "CALM", &id)).await, "authorised", 1);
    let names: Vec<_> = dynamodb.calls().into_iter().map(|call| call.name).collect();
    // Reads the token, writes the attempt, then writes the answer with the payment's pointer.
    assert_eq!(names, ["GetItem", "PutItem", "TransactWriteItems"]);

    for at in 0..names.len() {
        for (kind, fault) in [
            ("before", faulty_dynamodb::server_error()),
            ("after", faulty_dynamodb::server_error_afterwards()),
        ] {
            let reference = format!("{kind}-{at}");
            // The SDK tries three times; all tries fail.
            dynamodb.begin(move |call| (at..at + 3).contains(&call.index).then(|| fault.clone()));
            let body = charge(SHOPPER, &reference, &id);
            let failed = shop.charge(&body).await;
            dynamodb.calm();
            if failed.status != 200 {
                assert_problem(&failed, 503, "storage_unavailable");
            }
            assert_paid(&shop.charge(&body).await, "authorised", 1);
            assert_eq!(shop.processed(&reference), 1);
        }
    }
}

#[tokio::test]
async fn refused_charge_of_a_revoked_token_disables_it_after_a_crash() {
    let (shop, dynamodb) = Shop::behind_a_faulty_dynamodb().await;
    let id = shop.stored(SHOPPER, "FIRST").await;
    assert!(shop.adyen().revoke_token(&id).unwrap());
    shop.adyen().hold_webhooks();
    let body = charge(SHOPPER, "MONTH-1", &id);
    // All calls after the attempt was written fail.
    dynamodb.begin(|call| (call.index >= 2).then(faulty_dynamodb::server_error));
    assert_problem(&shop.charge(&body).await, 503, "storage_unavailable");
    dynamodb.calm();
    assert_paid(&shop.charge(&body).await, "refused", 1);
    assert!(shop.ids(SHOPPER, "").await.is_empty());
    assert_eq!(shop.processed("MONTH-1"), 1);
}

#[tokio::test]
async fn webhook_of_a_revoked_token_disables_it() {
    let (shop, id) = Shop::with_token().await;
    assert!(shop.adyen().revoke_token(&id).unwrap());
    let body = charge(SHOPPER, "MONTH-1", &id);
    shop.adyen().inject(Fault::lost_answer().on("/payments"));
    assert_eq!(shop.charge(&body).await.status, 202);
    shop.webhooks_delivered().await;

    assert!(shop.ids(SHOPPER, "").await.is_empty());
    let end = shop.token(SHOPPER, &id).await.unwrap().events.pop().unwrap();
    let refused = shop.order("MONTH-1").await;
    assert_eq!(refused["pspReference"], end.event_id);
    assert_eq!(end.reference, Some("MONTH-1".parse().unwrap()));

    let calls = shop.calls("/payments");
    assert_paid(&shop.charge(&body).await, "refused", 1);
    let next = shop.charge(&charge(SHOPPER, "MONTH-2", &id)).await;
    assert_problem(&next, 422, "stored_payment_method_disabled");
    assert_eq!(shop.calls("/payments"), calls);
    assert_eq!(shop.processed("MONTH-1"), 1);
}

#[tokio::test]
async fn unbound_refused_answer_disables_no_token() {
    let shop = Shop::open().await;
    let revoked = shop.stored(SHOPPER, "FIRST").await;
    shop.pay_and_store(SHOPPER, "SECOND", "ANOTHERCARD").await;
    shop.webhooks_delivered().await;
    let stored = shop.ids(SHOPPER, "").await;
    let healthy = stored.iter().find(|id| **id != revoked).unwrap();
    assert!(shop.adyen().revoke_token(&revoked).unwrap());
    shop.adyen().hold_webhooks();
    shop.adyen().inject(Fault::lost_answer().on("/payments"));
    let first = charge(SHOPPER, "MONTH-1", &revoked);
    assert_eq!(shop.charge_with_key(&first, "one").await.status, 202);

    // Adyen replays the first request's result for the attempt's key.
    let minute = SignedDuration::from_mins(1);
    passing_time::pass(&shop.stack.dynamodb(), "MONTH-1", minute).await;
    let second = charge(SHOPPER, "MONTH-1", healthy);
    assert_paid(&shop.charge_with_key(&second, "two").await, "refused", 1);

    assert_eq!(shop.ids(SHOPPER, "").await, stored);
    let next = shop.charge(&charge(SHOPPER, "MONTH-2", healthy)).await;
    assert_paid(&next, "authorised", 1);
}

#[tokio::test]
async fn webhook_of_another_refusal_disables_no_token() {
    let (shop, id) = Shop::with_token().await;
    assert_paid(&shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await, "authorised", 1);
    let webhooks = [
        // These failures are of an unknown payment, of one without a charge, and with another
        // reason.
        ("MONTH-1", "UNHEARDOFPAYMENT", "Token Revoked"),
        ("FIRST", &payment_of(&shop, "FIRST").await, "Token Revoked"),
        ("MONTH-1", &payment_of(&shop, "MONTH-1").await, "Refused"),
    ];
    for (reference, psp_reference, reason) in webhooks {
        let account = local::keys::MERCHANT_ACCOUNT;
        let mut event = Event::new("AUTHORISATION", account, psp_reference, reference);
        event.success = false;
        event.reason = Some(reason.into());
        shop.adyen().notify(&event).unwrap();
        shop.webhooks_delivered().await;
    }
    assert_eq!(shop.ids(SHOPPER, "").await, [&*id]);
}

async fn payment_of(shop: &Shop, reference: &str) -> String {
    let order = shop.order(reference).await;
    order["pspReference"].as_str().unwrap().to_owned()
}
