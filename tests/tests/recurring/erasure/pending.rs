//! Erasures of orders that are not concluded.

use adyen_simulator::{Fault, Release, TokenState};
use jiff::SignedDuration;
use serde_json::json;
use tests::{in_browser, passing_time};

use super::PERSONAL;
use crate::shop::{SHOPPER, Shop, browser_of, with};

#[tokio::test]
async fn order_with_an_open_outcome_is_erased_once_it_is_concluded() {
    let (shop, id) = Shop::with_token().await;
    let unrelated = shop.stored_another("SECOND").await;
    shop.adyen().hold_webhooks();
    shop.lost_charge("MONTH-1", &id).await;
    let answer = shop.erase(SHOPPER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let expected = json!({
        "erased": {"orders": 2, "storedPaymentMethods": 1, "deadLetters": 0},
        "finished": false,
        "remaining": {"orders": ["MONTH-1"], "storedPaymentMethods": [id], "deadLetters": []},
    });
    assert_eq!(answer.body, expected);
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Active);
    assert_eq!(shop.adyen().books().tokens[&unrelated].state, TokenState::Disabled);
    // The schedule needs what is left.
    passing_time::pass(&shop.dynamodb(), "MONTH-1", SignedDuration::from_mins(16)).await;
    shop.bundle.recover().await.unwrap();
    assert_eq!(shop.order("MONTH-1").await["status"], "authorised");
    assert_eq!(shop.processed("MONTH-1"), 1);
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.assert_no_trace(&[&id, &unrelated]).await;
}

#[tokio::test]
async fn order_that_waits_for_its_shopper_is_erased_and_can_be_paid() {
    let shop = Shop::open().await;
    let stored = json!({"storePaymentMethod": true, "recurringProcessingModel": "CardOnFile"});
    let body = with(in_browser("CHALLENGE", "AMZN-3DS-REDIRECT"), stored);
    let answer = shop.post("/payments", &browser_of(SHOPPER, "CHALLENGE"), &body).await;
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    let result = adyen_simulator::redirect_result(&answer.body["action"], "approved");
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.assert_no_trace(&[]).await;
    let paid = shop.return_to("CHALLENGE", &result).await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("CHALLENGE").await["confirmed"], true);
    assert_eq!(shop.processed("CHALLENGE"), 1);
    // Adyen stored the payment method, which the next erasure removes.
    let id = shop.adyen().books().tokens.keys().next().unwrap().clone();
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(SHOPPER, 0, 1).await;
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
}

#[tokio::test]
async fn order_that_is_pending_at_adyen_is_erased_and_concluded_by_its_webhook() {
    let shop = Shop::open().await;
    let answer = shop.pay_as(SHOPPER, "PENDING", "AMZN-PENDING").await;
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    shop.erase_all(SHOPPER, 1, 0).await;
    let repeated = shop.pay_as(SHOPPER, "PENDING", "AMZN-PENDING").await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    assert_eq!(shop.processed("PENDING"), 1);
    shop.assert_no_trace(&[]).await;
    let payment =
        shop.adyen().with_books(|books| books.payments_of("PENDING")[0].psp_reference.clone());
    shop.webhook("AUTHORISATION", &payment, "PENDING").await;
    let order = shop.order("PENDING").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    shop.assert_no_trace(&[]).await;
}

#[tokio::test]
async fn order_whose_details_have_no_answer_remains_until_a_person_ends_the_doubt() {
    let shop = Shop::open().await;
    let body = in_browser("CHALLENGE", "AMZN-3DS-REDIRECT");
    let answer = shop.post("/payments", &browser_of(SHOPPER, "CHALLENGE"), &body).await;
    let result = adyen_simulator::redirect_result(&answer.body["action"], "approved");
    shop.adyen().hold_webhooks();
    shop.adyen().inject(Fault::lost_answer().on("/payments/details"));
    let answer = shop.return_to("CHALLENGE", &result).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = shop.erase(SHOPPER).await;
    assert_eq!((answer.status, &answer.body["remaining"]["orders"]), (202, &json!(["CHALLENGE"])));
    passing_time::pass(&shop.dynamodb(), "CHALLENGE", SignedDuration::from_mins(16)).await;
    let reason = json!({"reason": format!("Phoned {}.", PERSONAL[4])});
    shop.state("/orders/CHALLENGE/attempts/1/close", reason).await;
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("CHALLENGE").await["status"], "authorised");
    shop.assert_no_trace(&[]).await;
}
