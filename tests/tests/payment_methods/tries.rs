//! The identity of a try: a single-use instrument identifies it, and a reusable one only while its
//! attempt is open.

use serde_json::json;
use tests::{assert_problem, browser};

use crate::shop::{Shop, card, refused_card, with};

fn finished(shop: &Shop) -> usize {
    shop.stack.adyen().books().payments.len()
}

#[tokio::test]
async fn reusable_method_repeated_while_its_attempt_is_open_is_the_same_try() {
    let shop = Shop::open().await;
    let first = shop.pay("ORDER-1", json!({"type": "ideal"})).await;
    let again = shop
        .pay("ORDER-1", json!({"type": "ideal", "checkoutAttemptId": "2", "sdkData": "another"}))
        .await;
    assert_eq!(first.body["attempt"], 1);
    assert_eq!(again.body["attempt"], 1);
    assert_eq!(again.body["action"], first.body["action"]);
    assert_eq!(again.body["nextStep"], "handleAction");
    assert_eq!(finished(&shop), 1);
}

#[tokio::test]
async fn result_without_an_attempt_is_not_sent_for_a_payment_that_replaced_its_own() {
    let shop = Shop::open().await;
    let left = shop.pay("ORDER-1", json!({"type": "ideal"})).await;
    let result = adyen_simulator::redirect_result(&left.body["action"], "authorised");
    let pending = json!({"type": "amazonpay", "amazonPayToken": "AMZN-PENDING"});
    let pending = shop.pay("ORDER-1", pending).await;
    assert_eq!((&pending.body["attempt"], &pending.body["nextStep"]), (&json!(2), &json!("wait")));
    let sent = shop.stack.calls("/payments/details");

    let body = json!({"details": {"redirectResult": result}});
    let answer = shop.stack.post("/payments/details", &browser("ORDER-1"), &body).await;

    assert_problem(&answer, 409, "attempt_superseded");
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
    assert_eq!(shop.stack.calls("/payments/details"), sent);
}

#[tokio::test]
async fn reusable_method_may_be_tried_again_after_its_attempt_was_refused() {
    let shop = Shop::open().await;
    for attempt in 1..=2 {
        let answer = shop.pay("ORDER-1", json!({"type": "ideal"})).await;
        assert_eq!(answer.body["attempt"], attempt, "{answer:?}");
        let result = adyen_simulator::redirect_result(&answer.body["action"], "refused");
        let body = json!({"details": {"redirectResult": result}});
        let refused = shop.stack.post("/payments/details", &browser("ORDER-1"), &body).await;
        assert_eq!(refused.body["nextStep"], "tryAnotherMethod", "{refused:?}");
    }
    assert_eq!(finished(&shop), 2);
}

#[tokio::test]
async fn reusable_method_with_the_key_of_a_refused_try_returns_that_try() {
    let shop = Shop::open().await;
    let (token, body) = (browser("ORDER-1"), with(json!({"type": "ideal"})));
    let answer = shop.stack.post_with_key("/payments", &token, "K", &body).await;
    let result = adyen_simulator::redirect_result(&answer.body["action"], "refused");
    let details = json!({"details": {"redirectResult": result}});
    shop.stack.post("/payments/details", &token, &details).await;

    let again = shop.stack.post_with_key("/payments", &token, "K", &body).await;
    assert_eq!(again.body["attempt"], 1, "{again:?}");
    assert_eq!(again.body["resultCode"], "Refused");
    let anew = shop.stack.post_with_key("/payments", &token, "L", &body).await;
    assert_eq!(anew.body["attempt"], 2, "{anew:?}");
    assert_eq!(finished(&shop), 2);
}

#[tokio::test]
async fn card_that_was_refused_is_not_sent_again_with_the_same_encrypted_fields() {
    let shop = Shop::open().await;
    let first = shop.pay("ORDER-1", refused_card("4111111111111111")).await;
    assert_eq!(first.body["nextStep"], "tryAnotherMethod", "{first:?}");
    let again = shop.pay("ORDER-1", refused_card("4111111111111111")).await;
    assert_eq!(again.body["attempt"], 1);
    let other = shop.pay("ORDER-1", card("5555555555554444")).await;
    assert_eq!(other.body["attempt"], 2);
    assert_eq!(other.body["nextStep"], "success");
    assert_eq!(finished(&shop), 2);
}

#[tokio::test]
async fn digest_of_an_instrument_differs_between_orders() {
    let shop = Shop::open().await;
    let (orders, _) = shop.stack.stores().await;
    let mut digests = Vec::new();
    for reference in ["ORDER-1", "ORDER-2"] {
        let method = json!({"type": "mbway", "telephoneNumber": "+351213822199"});
        shop.pay(reference, method).await;
        let order = orders.get(&reference.parse().unwrap()).await.unwrap().unwrap();
        let [submission] = &order.attempts[0].submissions[..] else { panic!("{order:?}") };
        let digest = |text: &String| text.clone();
        digests.extend(
            [&submission.instrument, &submission.content, &submission.caller_body].map(digest),
        );
    }
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[tokio::test]
async fn paid_order_is_not_charged_again_with_a_reusable_method() {
    let shop = Shop::open().await;
    let paid = shop.pay("ORDER-1", card("4111111111111111")).await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    let again = shop.pay("ORDER-1", json!({"type": "ideal"})).await;
    assert_eq!((again.status, again.code()), (409, "order_already_paid"));
    assert_eq!(finished(&shop), 1);
}
