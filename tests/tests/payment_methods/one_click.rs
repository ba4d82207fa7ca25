//! One click: the shopper pays with a stored payment method from the browser.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Stack, browser_with};

use crate::shop::{Shop, card, with};

fn token(reference: &str, shopper: &str) -> String {
    browser_with(json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL",
        "shopperReference": shopper,
    }))
}

/// Stores a card of the shopper and returns its id.
async fn stored(shop: &Shop, shopper: &str) -> String {
    let mut body = with(card("4111111111111111"));
    body["storePaymentMethod"] = json!(true);
    body["recurringProcessingModel"] = json!("CardOnFile");
    let answer =
        shop.stack.post("/payments", &token(&format!("STORE-{shopper}"), shopper), &body).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    stored_id(shop, shopper).await
}

/// The id of the shopper's stored payment method, once its webhook has arrived.
pub async fn stored_id(shop: &Shop, shopper: &str) -> String {
    let (_, tokens) = shop.stack.stores().await;
    let shopper = shopper.to_owned().try_into().unwrap();
    loop {
        if let Some(token) = tokens.of_shopper(&shopper).await.unwrap().first() {
            return token.key.stored_payment_method_id.to_string();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn one_click(id: &str) -> Value {
    with(json!({
        "type": "scheme",
        "storedPaymentMethodId": id,
        "encryptedSecurityCode": "test_737",
        "checkoutAttemptId": "1",
    }))
}

#[tokio::test]
async fn shopper_pays_with_an_own_stored_card() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    let answer =
        shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &one_click(&id)).await;
    assert_eq!(answer.body["nextStep"], "success", "{answer:?}");
    let sent = shop.sent().pop().unwrap();
    assert_eq!(sent["shopperInteraction"], "ContAuth");
    assert_eq!(sent["recurringProcessingModel"], "CardOnFile");
    assert_eq!(sent["shopperReference"], "SHOPPER-1");
    assert_eq!(sent["paymentMethod"]["encryptedSecurityCode"], "test_737");
}

#[tokio::test]
async fn stored_card_is_listed_to_its_shopper() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    let answer =
        shop.stack.post("/paymentMethods", &token("ORDER-1", "SHOPPER-1"), &json!({})).await;
    let card = &answer.body["storedPaymentMethods"][0];
    assert_eq!(card["id"], id, "{answer:?}");
    // Adyen's library offers no other.
    assert!(card["supportedShopperInteractions"].to_string().contains("Ecommerce"), "{card}");
    let other =
        shop.stack.post("/paymentMethods", &token("ORDER-2", "SHOPPER-2"), &json!({})).await;
    assert!(other.body.get("storedPaymentMethods").is_none(), "{other:?}");
}

#[tokio::test]
async fn another_shoppers_stored_card_is_refused_without_a_payment() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    let before = shop.stack.adyen().books().calls.len();
    let answer =
        shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-2"), &one_click(&id)).await;
    assert_eq!((answer.status, answer.code()), (422, "stored_payment_method_wrong_shopper"));
    assert_eq!(shop.stack.adyen().books().calls.len(), before, "no call");
}

#[tokio::test]
async fn stored_method_of_a_type_that_is_not_switched_on_is_not_allowed_in_a_browser() {
    let stack = Stack::start().await;
    for kind in ["scheme", "paypal"] {
        let mut body = one_click("M");
        body["paymentMethod"]["type"] = json!(kind);
        let answer = stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "payment_method_not_allowed"));
    }
}

#[tokio::test]
async fn one_click_without_a_shopper_is_rejected() {
    let shop = Shop::open().await;
    let answer = shop.stack.post("/payments", &tests::browser("ORDER-1"), &one_click("M")).await;
    assert_eq!((answer.status, answer.code()), (422, "missing_field"), "{answer:?}");
    assert_eq!(answer.body["field"], "shopperReference");
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn another_name_of_a_stored_card_is_rejected() {
    let shop = Shop::open().await;
    for name in ["recurringDetailReference", "networkPaymentReference"] {
        for mut method in [card("4111111111111111"), json!({"type": "ideal"})] {
            method[name] = json!("M");
            let answer =
                shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &with(method)).await;
            assert_eq!((answer.status, answer.code()), (422, "unknown_field"), "{answer:?}");
            assert_eq!(answer.body["field"], format!("paymentMethod.{name}"));
        }
    }
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn stored_amazon_pay_is_not_charged_from_a_browser_under_another_type() {
    let shop = Shop::open().await;
    let mut body = with(json!({"type": "amazonpay", "amazonPayToken": "160583287597AMZN"}));
    body["storePaymentMethod"] = json!(true);
    let claims = token("STORE", "SHOPPER-1");
    let answer = shop.stack.post("/payments", &claims, &body).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    let id = stored_id(&shop, "SHOPPER-1").await;
    for method in [
        json!({"storedPaymentMethodId": id}),
        json!({"type": "scheme", "storedPaymentMethodId": id}),
    ] {
        let answer =
            shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &with(method)).await;
        assert_eq!((answer.status, answer.code()), (403, "merchant_token_required"), "{answer:?}");
    }
    assert_eq!(shop.sent().len(), 1);
}

#[tokio::test]
async fn charge_without_the_shopper_has_no_security_code() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    let body = json!({
        "amount": {"currency": "EUR", "value": 1000},
        "reference": "MONTH-1",
        "paymentMethod": {"storedPaymentMethodId": id, "encryptedSecurityCode": "test_737"},
        "shopperReference": "SHOPPER-1",
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription",
    });
    let answer = shop.stack.post("/payments", &tests::backend(), &body).await;
    assert_eq!((answer.status, answer.code()), (422, "invalid_field"), "{answer:?}");
    assert_eq!(answer.body["field"], "paymentMethod.encryptedSecurityCode");
}

#[tokio::test]
async fn subscription_of_a_stored_card_is_not_charged_from_a_browser() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    let before = shop.sent().len();
    for model in ["Subscription", "UnscheduledCardOnFile"] {
        let mut body = one_click(&id);
        body["recurringProcessingModel"] = json!(model);
        let answer = shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (403, "merchant_token_required"), "{answer:?}");
    }
    assert_eq!(shop.sent().len(), before);
}

#[tokio::test]
async fn stored_card_that_adyen_no_longer_knows_leads_to_another_method() {
    let shop = Shop::open().await;
    let id = stored(&shop, "SHOPPER-1").await;
    shop.stack.adyen().hold_webhooks();
    shop.stack.adyen().disable_token(&id).unwrap();
    let answer =
        shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &one_click(&id)).await;
    assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"), "{answer:?}");
    assert_eq!(answer.body["errorCode"], "803");
    assert_eq!(answer.body["nextStep"], "tryAnotherMethod");
    assert!(!answer.body["message"].as_str().unwrap().contains("Amazon Pay"), "{answer:?}");
    assert_eq!(shop.stack.order("ORDER-1").await["nextStep"], "tryAnotherMethod");

    let body = with(card("5555555555554444"));
    let other = shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &body).await;
    assert_eq!((&other.body["attempt"], &other.body["nextStep"]), (&json!(2), &json!("success")));
}

#[tokio::test]
async fn stored_amazon_pay_is_charged_by_the_backend_only() {
    let shop = Shop::open().await;
    let body = with(json!({"type": "amazonpay", "storedPaymentMethodId": "M"}));
    let answer = shop.stack.post("/payments", &token("ORDER-1", "SHOPPER-1"), &body).await;
    assert_eq!((answer.status, answer.code()), (403, "merchant_token_required"), "{answer:?}");
}
