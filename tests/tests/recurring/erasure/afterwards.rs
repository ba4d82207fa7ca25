//! Webhooks, requests and payments after an erasure.

use adyen_simulator::{Answer as AdyenAnswer, Fault, Release, TokenState};
use jiff::SignedDuration;
use serde_json::json;
use tests::{backend, browser, passing_time, payment};

use super::{OTHER, PERSONAL};
use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, charge, with};

#[tokio::test]
async fn late_webhooks_bring_nothing_back() {
    let shop = Shop::open().await;
    shop.adyen().hold_webhooks();
    let answer = shop.pay_and_store(SHOPPER, "FIRST", "AMZN").await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    let payment = answer.body["pspReference"].as_str().unwrap();
    let id = shop.adyen().books().tokens.keys().next().unwrap().clone();
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("FIRST").await["confirmed"], true, "the payment's webhook counts");
    shop.assert_no_trace(&[&id]).await;
    for kind in ["created", "updated", "alreadyExisting", "disabled"] {
        shop.token_webhook(kind, payment, &id).await;
        shop.token_webhook(kind, "CAUSE00000000001", &id).await;
    }
    // A method of the erased payment that Adyen did not list yet.
    shop.token_webhook("created", payment, "UNLISTED00000001").await;
    for kind in ["updated", "disabled"] {
        shop.token_webhook(kind, "CAUSE00000000002", "UNLISTED00000001").await;
    }
    shop.webhook("AUTHORISATION", payment, "FIRST").await;
    shop.assert_no_trace(&[&id, "UNLISTED00000001"]).await;
    // Neither does a charge, for which Adyen is asked.
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_unknown");
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn erased_method_that_adyen_still_lists_is_not_stored_again() {
    let (shop, id) = Shop::with_token().await;
    // Adyen answers that it is gone, and lists it all the same.
    let gone = adyen_simulator::errors::service_error(422, "803", "gone");
    shop.adyen().inject(Fault::Instead(gone).on(&id));
    shop.erase_all(SHOPPER, 1, 1).await;
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(SHOPPER, 0, 1).await;
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
}

#[tokio::test]
async fn data_that_is_written_to_an_erased_order_is_not_stored() {
    let shop = Shop::open().await;
    let key = PERSONAL[1];
    let refused = json!({"resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom"});
    let refused = || AdyenAnswer::json(200, &refused);

    // Money, and a person's note about it.
    let paid = shop.pay_as(SHOPPER, "PAID", "TOKEN-A").await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    shop.webhooks_delivered().await;
    shop.webhook("AUTHORISATION", "SECOND0000000001", "PAID").await;
    // An offer closed while the answer to the payment was lost.
    for reference in ["CLOSED", "LATE"] {
        shop.adyen().inject(Fault::status(500).on("/payments"));
        assert_eq!(shop.pay_as(SHOPPER, reference, "TOKEN-B").await.status, 202);
        shop.webhook("OFFER_CLOSED", &format!("OFFER-{reference}"), reference).await;
        assert_eq!(shop.order(reference).await["status"], "expired");
    }
    shop.erase_all(SHOPPER, 3, 0).await;

    let note = format!("Phoned {}.", PERSONAL[4]);
    let path = "/orders/PAID/needsAttention/paid_twice/acknowledge";
    let order = shop.state(path, json!({"note": note})).await;
    assert_eq!(order["acknowledged"][0]["note"], "erased", "{order}");
    let payment = &paid.body["pspReference"];
    let refund =
        json!({"amount": {"currency": "EUR", "value": 300}, "paymentPspReference": payment});
    let refunded = shop.post_with_key("/orders/PAID/refunds", &backend(), key, &refund).await;
    let again = shop.post_with_key("/orders/PAID/refunds", &backend(), key, &refund).await;
    assert_eq!((refunded.status, again.status), (202, 202), "{refunded:?} {again:?}");
    assert_eq!(shop.order("PAID").await["modifications"].as_array().unwrap().len(), 1);
    passing_time::pass(&shop.dynamodb(), "CLOSED", SignedDuration::from_mins(16)).await;
    shop.state("/orders/CLOSED/attempts/1/close", json!({"reason": note})).await;
    shop.adyen().inject(Fault::Instead(refused()).on("/payments"));
    assert_eq!(shop.pay_as(SHOPPER, "LATE", "TOKEN-B").await.body["status"], "refused");
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[]).await;
    shop.erase_all(SHOPPER, 0, 0).await;
}

#[tokio::test]
async fn guest_pays_an_erased_order_and_learns_of_a_rejection() {
    let shop = Shop::open().await;
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"}))));
    assert_eq!(shop.pay_as(SHOPPER, "ORDER", "TOKEN-A").await.body["status"], "refused");
    shop.erase_all(SHOPPER, 1, 0).await;
    let pay = async |token: &str| {
        let body = payment("ORDER", token);
        shop.post_with_key("/payments", &browser("ORDER"), PERSONAL[1], &body).await
    };
    let rejection = adyen_simulator::errors::service_error(422, "800", "Contract not found");
    shop.adyen().inject(Fault::Instead(rejection).on("/payments"));
    assert_eq!(pay("TOKEN-B").await.status, 422);
    assert_eq!(shop.order("ORDER").await["status"], "error");
    assert_problem(&pay("TOKEN-C").await, 422, "idempotency_key_reused");
    shop.assert_no_trace(&[]).await;
    let paid = shop.pay("ORDER", "TOKEN-C").await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
}

#[tokio::test]
async fn parked_event_leaves_its_payment_with_the_order_that_claims_it() {
    let shop = Shop::open().await;
    let payment = "PARKED0000000001";
    shop.webhook("AUTHORISATION", payment, "LATER").await;
    assert!(shop.occurs(PERSONAL[5]).await.is_some(), "the digits of the card are parked");
    let answer = json!({
        "resultCode": "Authorised", "pspReference": payment, "merchantReference": "LATER",
    });
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &answer)).on("/payments"));
    assert_eq!(shop.pay_as(SHOPPER, "LATER", "AMZN").await.body["status"], "authorised");
    assert_eq!(shop.order("LATER").await["confirmed"], true);
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.assert_no_trace(&[]).await;
}

#[tokio::test]
async fn payment_after_an_erasure_is_that_of_a_new_shopper() {
    let (shop, id) = Shop::with_token().await;
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"}))));
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S1").await.body["status"], "refused");
    let charged = charge(SHOPPER, "MONTH-1", &id);
    assert_paid(&shop.charge_with_key(&charged, "K").await, "authorised", 1);
    shop.webhooks_delivered().await;
    shop.erase_all(SHOPPER, 3, 1).await;
    // Repeated requests are recognised, and name nobody.
    let repeated = shop.pay_and_store(SHOPPER, "FIRST", "AMZN").await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    assert_paid(&shop.charge_with_key(&charged, "K").await, "authorised", 1);
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S1").await.body["attempt"], 1);
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    assert_eq!((shop.processed("FIRST"), shop.processed("MONTH-1")), (1, 1));
    // A new attempt and a new order.
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S2").await.body["attempt"], 2);
    let fresh = shop.stored(SHOPPER, "THIRD").await;
    assert_ne!(fresh, id);
    let exported = shop.export(SHOPPER, None).await;
    assert_eq!(exported["orders"].as_array().unwrap().len(), 2, "{exported}");
    assert_eq!(exported["storedPaymentMethods"][0]["storedPaymentMethodId"], json!(fresh));
    shop.erase_all(SHOPPER, 2, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id, &fresh]).await;
}

#[tokio::test]
async fn callers_keys_are_recognised_after_an_erasure_and_name_nobody() {
    let (shop, id) = Shop::with_token().await;
    // Also a key that looks as if it was erased.
    let key = format!("erased#{SHOPPER}-2026-11");
    let charged = charge(SHOPPER, "MONTH-1", &id);
    assert_paid(&shop.charge_with_key(&charged, &key).await, "authorised", 1);
    shop.webhooks_delivered().await;
    let refund = json!({"amount": {"currency": "EUR", "value": 300}});
    let refunds = "/orders/MONTH-1/refunds";
    // Its outcome is unknown, which needs no personal data.
    shop.adyen().inject(Fault::lost_answer().on("/refunds"));
    shop.adyen().hold_webhooks();
    let refunded = shop.post_with_key(refunds, &backend(), &key, &refund).await;
    assert_eq!(refunded.status, 202, "{refunded:?}");
    for _ in 0..2 {
        let answer = shop.erase(SHOPPER).await;
        assert_eq!((answer.status, &answer.body["finished"]), (200, &json!(true)), "{answer:?}");
    }
    assert!(shop.occurs(SHOPPER).await.is_none());
    passing_time::pass(&shop.dynamodb(), "MONTH-1", SignedDuration::from_mins(16)).await;
    shop.bundle.recover().await.unwrap();
    shop.adyen().release_webhooks(Release::InOrder).await;
    assert_eq!(shop.order("MONTH-1").await["modifications"][0]["state"], "succeeded");

    let repeated = shop.post_with_key(refunds, &backend(), &key, &refund).await;
    assert_eq!(
        repeated.body["pspReference"],
        shop.order("MONTH-1").await["modifications"][0]["pspReference"]
    );
    let other = json!({"amount": {"currency": "EUR", "value": 400}});
    let other = shop.post_with_key(refunds, &backend(), &key, &other).await;
    assert_problem(&other, 422, "idempotency_key_reused");
    let repeated = shop.charge_with_key(&charged, &key).await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    let other = with(charged, json!({"shopperEmail": PERSONAL[1]}));
    assert_problem(&shop.charge_with_key(&other, &key).await, 422, "idempotency_key_reused");
    assert_eq!(shop.order("MONTH-1").await["modifications"].as_array().unwrap().len(), 1);
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn order_is_of_the_shopper_of_its_latest_attempt() {
    let (shop, id) = Shop::with_token().await;
    shop.webhooks_delivered().await;
    let refused = || Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"})));
    // A guest, then the shopper, then another one.
    shop.adyen().inject(refused());
    shop.pay("ORDER", "AMZN-GUEST").await;
    assert!(shop.order("ORDER").await["shopperReference"].is_null());
    let reason = json!({"resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom"});
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &reason)));
    let charged = charge(SHOPPER, "ORDER", &id);
    shop.charge_with_key(&charged, PERSONAL[1]).await;
    assert_eq!(shop.export(SHOPPER, None).await["orders"].as_array().unwrap().len(), 2);
    assert_eq!(shop.pay_as(OTHER, "ORDER", "AMZN-OTHER").await.body["attempt"], 3);
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("ORDER").await["shopperReference"], OTHER);
    assert_eq!(shop.export(SHOPPER, None).await["orders"].as_array().unwrap().len(), 1);
    let exported = shop.export(OTHER, None).await;
    assert_eq!(exported["orders"][0]["order"]["reference"], "ORDER");
    for text in PERSONAL.iter().chain([&&*id]) {
        assert!(!exported.to_string().contains(text), "{text} in {exported}");
    }
    let repeated = shop.charge_with_key(&charged, PERSONAL[1]).await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(2)), "{repeated:?}");
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(OTHER, 1, 0).await;
    assert!(shop.occurs(OTHER).await.is_none());
}
