//! Payments with a checkout session instead of its token.

use amazon_pay_simulator::{Fault, SessionState};
use serde_json::{Value, json};
use tests::{Answer, backend, browser, passing_time, payment};

use crate::world::Shop;

fn with_session(id: &str) -> Value {
    json!({"paymentMethod": {"type": "amazonpay", "amazonCheckoutSessionId": id}})
}

async fn pay(shop: &Shop, reference: &str, session: &str) -> Answer {
    let body = with_session(session);
    shop.stack.post("/payments", &browser(reference), &body).await
}

/// The calls to Adyen's `/payments`.
fn charged(shop: &Shop) -> Vec<Value> {
    let books = shop.stack.adyen().books();
    books.calls_to("/payments").iter().map(|call| call.body.clone()).collect()
}

#[tokio::test]
async fn token_of_the_session_is_sent_to_adyen() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1", "10.00", "EUR");

    let answer = pay(&shop, "ORDER-1", "S1").await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["resultCode"], "Authorised");
    let charged = charged(&shop);
    let [sent] = charged.as_slice() else { panic!("{charged:?}") };
    assert_eq!(
        sent["paymentMethod"],
        json!({"type": "amazonpay", "amazonPayToken": shop.session("S1").amazon_pay_token()})
    );
    assert_eq!(shop.books().completions(), 0);
    assert_eq!(shop.session("S1").state, SessionState::Open);
    shop.stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
}

#[tokio::test]
async fn repeated_session_is_the_same_payment() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1", "10.00", "EUR");
    let first = pay(&shop, "ORDER-1", "S1").await;

    let second = pay(&shop, "ORDER-1", "S1").await;
    assert_eq!(second.body, first.body);

    // The stored answer is returned even if the session has ended or Amazon Pay fails.
    shop.amazon().end("S1", SessionState::Completed, None);
    assert_eq!(pay(&shop, "ORDER-1", "S1").await.body, first.body);
    shop.amazon().inject(Fault::status(403));
    assert_eq!(pay(&shop, "ORDER-1", "S1").await.body, first.body);

    assert_eq!(charged(&shop).len(), 1);
    assert_eq!(shop.stack.adyen().books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn session_that_cannot_be_charged_is_rejected_and_nothing_is_written() {
    let shop = Shop::open().await;
    let amazon = shop.amazon();
    for (id, reason) in [("LEFT", "BuyerCanceled"), ("LATE", "Expired"), ("NO-CARD", "Declined")] {
        amazon.confirmed_for("ORDER-1", id, "10.00", "EUR");
        amazon.end(id, SessionState::Canceled, Some(reason));
    }
    amazon.confirmed_for("ORDER-1", "DONE", "10.00", "EUR");
    amazon.end("DONE", SessionState::Completed, None);
    amazon.confirmed_for("ORDER-1", "CHEAP", "0.01", "EUR");
    amazon.confirmed_for("ORDER-1", "DOLLARS", "10.00", "USD");
    amazon.confirmed_for("ORDER-1", "S-NO-TOKEN", "10.00", "EUR");
    amazon.open("UNCONFIRMED");

    for (id, status, code, next_step) in [
        ("LEFT", 409, "checkout_session_canceled", "startOver"),
        ("NO-CARD", 409, "checkout_session_canceled", "startOver"),
        ("LATE", 409, "checkout_session_expired", "startOver"),
        ("DONE", 409, "checkout_session_completed", "startOver"),
        ("NOBODY-S", 404, "checkout_session_not_found", "startOver"),
        ("CHEAP", 422, "amount_mismatch", "startOver"),
        ("DOLLARS", 422, "amount_mismatch", "startOver"),
        ("UNCONFIRMED", 422, "amount_mismatch", "startOver"),
        ("S-NO-TOKEN", 409, "amazon_pay_token_missing", "showError"),
    ] {
        let answer = pay(&shop, "ORDER-1", id).await;

        assert_eq!((answer.status, answer.code()), (status, code), "{id}");
        assert_eq!(answer.body["nextStep"], next_step, "{id}");
        assert!(answer.body["message"].is_string(), "{id}");
    }
    for _ in 0..3 {
        amazon.inject(Fault::status(500));
    }
    let answer = pay(&shop, "ORDER-1", "CHEAP").await;
    assert_eq!((answer.status, answer.code()), (502, "amazon_pay_unavailable"));

    assert!(charged(&shop).is_empty());
    let order = shop.stack.get("/orders/ORDER-1", &browser("ORDER-1")).await;
    assert_eq!(order.code(), "order_not_found");
}

#[tokio::test]
async fn payment_of_unknown_outcome_is_not_rejected_when_its_session_is_gone() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1-TIMEOUT", "10.00", "EUR");
    shop.stack.adyen().inject(adyen_simulator::Fault::status(500));
    let first = pay(&shop, "ORDER-1", "S1-TIMEOUT").await;
    assert_eq!((first.status, &first.body["nextStep"]), (202, &json!("wait")), "{first:?}");
    shop.amazon().end("S1-TIMEOUT", SessionState::Canceled, Some("Expired"));

    let again = pay(&shop, "ORDER-1", "S1-TIMEOUT").await;

    assert_eq!((again.status, &again.body["nextStep"]), (202, &json!("wait")), "{again:?}");
    assert_eq!(charged(&shop).len(), 1);
}

#[tokio::test]
async fn expired_session_of_unknown_outcome_does_not_delay_another() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1", "10.00", "EUR");
    shop.amazon().confirmed_for("ORDER-1", "S2", "10.00", "EUR");
    shop.stack.adyen().inject(adyen_simulator::Fault::status(500));
    assert_eq!(pay(&shop, "ORDER-1", "S1").await.status, 202);
    shop.amazon().end("S1", SessionState::Canceled, Some("Expired"));
    let minute = jiff::SignedDuration::from_mins(1);
    passing_time::pass(&shop.stack.dynamodb(), "ORDER-1", minute).await;

    assert_eq!(pay(&shop, "ORDER-1", "S1").await.status, 202);
    let paid = pay(&shop, "ORDER-1", "S2").await;
    assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");
}

#[tokio::test]
async fn refused_payment_is_followed_by_a_new_attempt_with_another_session() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1-REFUSED", "10.00", "EUR");
    shop.amazon().confirmed_for("ORDER-1", "S2", "10.00", "EUR");

    let refused = pay(&shop, "ORDER-1", "S1-REFUSED").await;
    assert_eq!(refused.body["nextStep"], "retryWithAmazonPay");
    let paid = pay(&shop, "ORDER-1", "S2").await;

    assert_eq!(paid.body["attempt"], 2, "{paid:?}");
    assert_eq!(paid.body["status"], "authorised");
}

#[tokio::test]
async fn session_excludes_other_payment_method_fields() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1", "10.00", "EUR");
    for (method, code, field) in [
        (
            json!({"type": "amazonpay", "amazonCheckoutSessionId": "S1", "amazonPayToken": "T"}),
            "invalid_field",
            "paymentMethod",
        ),
        (
            json!({"type": "amazonpay", "amazonCheckoutSessionId": "S1", "storedPaymentMethodId": "M"}),
            "invalid_field",
            "paymentMethod",
        ),
        (json!({"amazonCheckoutSessionId": "S1"}), "missing_field", "paymentMethod.type"),
        (
            json!({"type": "scheme", "amazonCheckoutSessionId": "S1"}),
            "invalid_field",
            "paymentMethod.type",
        ),
        (
            json!({"type": "amazonpay", "amazonCheckoutSessionId": "../S1"}),
            "invalid_field",
            "paymentMethod.amazonCheckoutSessionId",
        ),
        (
            json!({"type": "amazonpay", "amazonCheckoutSessionId": 1}),
            "invalid_field",
            "paymentMethod.amazonCheckoutSessionId",
        ),
    ] {
        let mut body = payment("ORDER-1", "");
        body["paymentMethod"] = method.clone();
        let answer = shop.stack.post("/payments", &backend(), &body).await;
        assert_eq!(answer.code(), code, "{method}: {answer:?}");
        assert_eq!(answer.body["field"], field, "{method}");
    }
    assert!(shop.books().calls.is_empty());
    assert!(charged(&shop).is_empty());
}

#[tokio::test]
async fn deployment_without_amazon_pay_configuration_accepts_tokens_only() {
    let stack = Shop::unregistered().await;

    let answer = stack.post("/payments", &browser("ORDER-1"), &with_session("S1")).await;
    assert_eq!((answer.status, answer.code()), (501, "amazon_pay_not_configured"));
    assert_eq!(stack.pay("ORDER-1", "160583287597AMZN").await.status, 200);
}

#[tokio::test]
async fn session_of_another_order_is_rejected_even_for_an_equal_amount() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("ORDER-1", "S1", "10.00", "EUR");
    shop.amazon().confirmed_for("ORDER-1", "S2", "20.00", "EUR");

    for token in [browser("ORDER-2"), backend()] {
        for session in ["S1", "S2"] {
            let mut body = payment("ORDER-2", "");
            body["paymentMethod"] = with_session(session)["paymentMethod"].clone();
            let answer = shop.stack.post("/payments", &token, &body).await;

            let code = (answer.status, answer.code());
            assert_eq!(code, (409, "checkout_session_wrong_order"), "{session}: {answer:?}");
            assert_eq!(answer.body["nextStep"], "startOver");
            assert!(answer.body["message"].is_string());
            assert!(!answer.body.to_string().contains("ORDER-1"), "{answer:?}");
        }
    }
    assert!(charged(&shop).is_empty());
    let order = shop.stack.get("/orders/ORDER-2", &browser("ORDER-2")).await;
    assert_eq!(order.code(), "order_not_found");

    // The session can still pay its own order.
    assert_eq!(pay(&shop, "ORDER-1", "S1").await.body["resultCode"], "Authorised");
}

#[tokio::test]
async fn references_that_differ_in_case_are_different_orders() {
    let shop = Shop::open().await;
    shop.amazon().confirmed_for("order-1", "S1", "10.00", "EUR");
    let answer = pay(&shop, "ORDER-1", "S1").await;
    assert_eq!(answer.code(), "checkout_session_wrong_order");
}

#[tokio::test]
async fn session_without_an_order_is_accepted_only_from_the_backend() {
    let shop = Shop::open().await;
    shop.amazon().confirmed("S1", "10.00", "EUR");
    shop.amazon().confirmed_for("", "S2", "10.00", "EUR");

    for session in ["S1", "S2"] {
        let answer = pay(&shop, "ORDER-1", session).await;
        assert_eq!((answer.status, answer.code()), (409, "checkout_session_wrong_order"));
        assert_eq!(answer.body["nextStep"], "startOver");
    }
    assert!(charged(&shop).is_empty());

    for (session, reference) in [("S1", "ORDER-1"), ("S2", "ORDER-2")] {
        let mut body = payment(reference, "");
        body["paymentMethod"] = with_session(session)["paymentMethod"].clone();
        let answer = shop.stack.post("/payments", &backend(), &body).await;
        assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    }
}
