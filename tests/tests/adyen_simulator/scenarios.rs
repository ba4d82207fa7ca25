use std::time::Instant;

use adyen_simulator::PaymentState;
use serde_json::json;

use crate::world::{World, payment, payment_in_browser, with};

#[tokio::test]
async fn example_token_is_authorised_and_confirmed_by_a_webhook() {
    let world = World::new().await;
    let reply = world.pay("160583287597AMZN").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["resultCode"], "Authorised");
    assert_eq!(reply.psp_reference().len(), 16);
    world.recover().await;
    let received = world.inbox.received();
    let item = received[0].item();
    assert_eq!(item["eventCode"], "AUTHORISATION");
    assert_eq!(item["success"], "true");
    assert_eq!(item["pspReference"], reply.body["pspReference"]);
    assert_eq!(item["merchantReference"], "ORDER-1");
    assert_eq!(item["amount"], json!({"currency": "EUR", "value": 1000}));
    let books = world.adyen.books();
    assert_eq!(books.authorisations("ORDER-1"), 1);
    let payment = books.payment(reply.psp_reference()).unwrap();
    assert_eq!((payment.money.authorised, payment.money.captured), (1000, 1000));
}

#[tokio::test]
async fn payment_that_is_not_authorised_has_a_refusal_reason_and_a_failed_webhook() {
    for (token, result, code, state) in [
        ("X-REFUSED", "Refused", "2", PaymentState::Refused),
        ("X-CANCELLED", "Cancelled", "16", PaymentState::Cancelled),
        ("X-ERROR", "Error", "4", PaymentState::Error),
    ] {
        let world = World::new().await;
        let reply = world.pay(token).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["resultCode"], result);
        assert_eq!(reply.body["refusalReasonCode"], code);
        assert!(reply.body["refusalReason"].is_string());
        world.recover().await;
        let received = world.inbox.received();
        assert_eq!(received.len(), 1, "{token}");
        assert_eq!(received[0].item()["eventCode"], "AUTHORISATION");
        assert_eq!(received[0].item()["success"], "false");
        let books = world.adyen.books();
        assert_eq!(books.payment(reply.psp_reference()).unwrap().state, state);
        assert_eq!(books.authorisations("ORDER-1"), 0);
    }
}

#[tokio::test]
async fn token_with_an_ending_that_does_not_exist_is_rejected_with_the_known_endings() {
    for token in [
        "1AMZN-REFUSD",
        "1AMZN-refused",
        "1AMZN-3DS",
        "1AMZN-3DS-REDIRECTED",
        "1AMZN-REFUND-FAIL-SOON",
        "1AMZN-1",
        "1AMZN-",
        "1AMZN-HTTP-99",
        "1AMZN-HTTP-600",
        "1AMZN-HTTP-",
        "1AMZN-FAULT-",
        "1AMZN-FAULT-x",
    ] {
        let world = World::new().await;
        let reply = world.pay(token).await;
        assert_eq!((reply.status, &reply.body["errorCode"]), (422, &json!("5_602")), "{token}");
        let message = reply.body["message"].as_str().unwrap();
        assert!(message.contains("-REFUSED") && message.contains("-FAULT-<code>"), "{message}");
        assert!(world.adyen.books().payments.is_empty(), "{token}");
    }
}

#[tokio::test]
async fn pending_payment_sends_no_webhook_until_it_is_resolved() {
    for (approved, success) in [(true, "true"), (false, "false")] {
        let world = World::new().await;
        let reply = world.pay("X-PENDING").await;
        assert_eq!(reply.body["resultCode"], "Pending");
        world.recover().await;
        assert!(world.inbox.received().is_empty());
        assert!(world.adyen.resolve_pending(reply.psp_reference(), approved).unwrap());
        assert!(!world.adyen.resolve_pending(reply.psp_reference(), approved).unwrap());
        world.recover().await;
        let received = world.inbox.received();
        assert_eq!(received[0].item()["success"], success);
        assert_eq!(received[0].item()["pspReference"], reply.body["pspReference"]);
        assert_eq!(world.adyen.books().authorisations("ORDER-1"), usize::from(approved));
    }
}

#[tokio::test]
async fn withheld_answer_is_sent_late_and_retries_meanwhile_are_in_flight() {
    let world = World::new().await;
    let start = Instant::now();
    let body = payment("X-TIMEOUT");
    let (first, second) = tokio::join!(world.post("/payments", Some("k"), &body), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.post("/payments", Some("k"), &body).await
    });
    assert!(second.is_error(422, "704"), "{second:?}");
    assert_eq!(first.body["resultCode"], "Authorised");
    assert!(start.elapsed().as_millis() >= 400);
    let third = world.post("/payments", Some("k"), &body).await;
    assert_eq!(third.body, first.body);
    world.recover().await;
    assert_eq!(world.inbox.events(), ["AUTHORISATION"]);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn retry_with_the_key_returns_the_answer_of_a_cut_connection() {
    let world = World::new().await;
    let body = payment("X-DROP");
    assert!(world.try_post("/payments", Some("k"), &body).await.is_err());
    let again = world.post("/payments", Some("k"), &body).await;
    assert_eq!(again.body["resultCode"], "Authorised");
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn failed_webhook_follows_an_authorised_answer() {
    let world = World::new().await;
    let reply = world.pay("X-LATE-FAIL").await;
    assert_eq!(reply.body["resultCode"], "Authorised");
    world.recover().await;
    let received = world.inbox.received();
    assert_eq!(received[0].item()["success"], "false");
    assert_eq!(received[0].item()["pspReference"], reply.body["pspReference"]);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 0);
}

#[tokio::test]
async fn scenario_no_webhook_sends_none() {
    let world = World::new().await;
    assert_eq!(world.pay("X-NO-WEBHOOK").await.body["resultCode"], "Authorised");
    assert!(world.adyen.books().webhooks.is_empty());
}

#[tokio::test]
async fn closed_offer_has_its_own_reference_and_cannot_be_completed() {
    let world = World::new().await;
    let reply = world.post("/payments", None, &payment_in_browser("X-OFFER-CLOSED")).await;
    assert_eq!(reply.body["resultCode"], "RedirectShopper");
    world.recover().await;
    let received = world.inbox.received();
    assert_eq!(received[0].event(), "OFFER_CLOSED");
    assert_eq!(received[0].item()["success"], "true");
    assert_eq!(received[0].item()["merchantReference"], "ORDER-1");
    let books = world.adyen.books();
    assert_ne!(received[0].item()["pspReference"], books.payments[0].psp_reference);
    let result = adyen_simulator::redirect_result(&reply.body["action"], "approved");
    assert!(world.details("redirectResult", &result).await.is_error(422, "702"));
}

#[tokio::test]
async fn error_code_is_returned_with_its_status() {
    let world = World::new().await;
    for (code, status, kind) in [
        ("5_606", 422, "validation"),
        ("5_616", 500, "configuration"),
        ("905", 500, "configuration"),
        ("703", 503, "internal"),
        ("704", 422, "validation"),
        ("901", 403, "security"),
    ] {
        let reply = world.pay(&format!("X-FAULT-{code}")).await;
        assert!(reply.is_error(status, code), "{reply:?}");
        assert_eq!(reply.body["errorType"], kind);
        let transient = reply.headers.get("transient-error").map(|value| value.as_bytes());
        assert_eq!(transient, (code == "703").then_some(b"true".as_slice()));
    }
    assert!(world.pay("X-UNKNOWN").await.is_error(422, "5_602"));
    assert!(world.adyen.books().payments.is_empty());
}

#[tokio::test]
async fn bare_http_status_is_returned_without_an_error_code() {
    let world = World::new().await;
    for status in [429, 500, 502] {
        let reply = world.pay(&format!("X-HTTP-{status}")).await;
        assert_eq!(reply.status, status);
        assert!(reply.body["errorCode"].is_null());
    }
    assert!(world.adyen.books().payments.is_empty());
}

#[tokio::test]
async fn amazon_pay_is_offered_where_it_is_supported() {
    let world = World::new().await;
    let asked = json!({
        "merchantAccount": local::keys::MERCHANT_ACCOUNT,
        "countryCode": "NL",
        "amount": {"currency": "EUR", "value": 1000},
        "allowedPaymentMethods": ["amazonpay"],
    });
    let reply = world.post("/paymentMethods", None, &asked).await;
    let method = &reply.body["paymentMethods"][0];
    assert_eq!(method["type"], "amazonpay");
    assert_eq!(method["name"], "Amazon Pay");
    assert_eq!(method["details"], json!([{"key": "amazonPayToken", "type": "text"}]));
    for name in ["merchantId", "storeId", "publicKeyId"] {
        assert!(method["configuration"][name].is_string());
    }
    for members in [
        json!({"countryCode": "BR"}),
        json!({"countryCode": null}),
        json!({"amount": {"currency": "JPY", "value": 1000}}),
        json!({"amount": null}),
        json!({"allowedPaymentMethods": []}),
        json!({"blockedPaymentMethods": ["amazonpay"]}),
    ] {
        let reply = world.post("/paymentMethods", None, &with(asked.clone(), &members)).await;
        assert_eq!(reply.body, json!({"paymentMethods": []}), "{members}");
    }
}
