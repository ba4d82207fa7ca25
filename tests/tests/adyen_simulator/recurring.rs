use local::keys;
use serde_json::{Value, json};
use shared::adyen::hmac::Key;

use crate::world::{Reply, World, payment, reply, with};

async fn stored(world: &World, token: &str) -> (Reply, String) {
    let members = json!({
        "storePaymentMethod": true,
        "shopperReference": "shopper-1",
        "recurringProcessingModel": "Subscription",
        "reference": "FIRST",
    });
    let reply = world.post("/payments", None, &with(payment(token), &members)).await;
    world.recover().await;
    let id = world.adyen.books().tokens.keys().next().cloned().unwrap_or_default();
    (reply, id)
}

fn charge(id: &str) -> Value {
    with(
        payment(""),
        json!({
            "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": id},
            "shopperReference": "shopper-1",
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "Subscription",
            "reference": "CHARGE",
        }),
    )
}

fn query() -> String {
    format!("?shopperReference=shopper-1&merchantAccount={}", keys::MERCHANT_ACCOUNT)
}

async fn delete(world: &World, id: &str) -> Reply {
    let path = format!("/storedPaymentMethods/{id}{}", query());
    reply(world.request("DELETE", &path)).await.unwrap()
}

#[tokio::test]
async fn storing_payment_creates_a_token_and_sends_a_signed_webhook() {
    let world = World::new().await;
    let (first, id) = stored(&world, "A").await;
    let received = world.inbox.received();
    let webhook =
        received.iter().find(|webhook| webhook.event() == "recurring.token.created").unwrap();
    assert_eq!(webhook.body["eventId"], first.body["pspReference"]);
    assert_eq!(webhook.body["environment"], "test");
    assert_eq!(webhook.body["data"]["storedPaymentMethodId"], id);
    assert_eq!(webhook.body["data"]["shopperReference"], "shopper-1");
    assert_eq!(webhook.body["data"]["merchantAccount"], keys::MERCHANT_ACCOUNT);
    assert_eq!(webhook.body["data"]["operation"], "created");
    assert!(webhook.body["createdAt"].is_string());
    assert_eq!(webhook.headers["protocol"], "HmacSHA256");
    let signature = webhook.headers["hmacsignature"].to_str().unwrap();
    let key = Key::from_hex(keys::TOKEN_HMAC_KEY).unwrap();
    assert!(key.verify(webhook.text.as_bytes(), signature));
    let authorisation = received.iter().find(|webhook| webhook.event() == "AUTHORISATION").unwrap();
    let additional = &authorisation.item()["additionalData"];
    assert_eq!(additional["tokenization.storedPaymentMethodId"], id);
}

#[tokio::test]
async fn same_amazon_pay_token_is_stored_once() {
    let world = World::new().await;
    stored(&world, "A").await;
    stored(&world, "A").await;
    assert_eq!(world.adyen.books().tokens.len(), 1);
    let events = world.inbox.events();
    assert!(events.contains(&"recurring.token.alreadyExisting".to_owned()), "{events:?}");
}

#[tokio::test]
async fn refused_payment_stores_no_token() {
    let world = World::new().await;
    for token in ["X-REFUSED", "X-LATE-FAIL"] {
        stored(&world, token).await;
    }
    assert!(world.adyen.books().tokens.is_empty());
    assert_eq!(world.inbox.events(), ["AUTHORISATION", "AUTHORISATION"]);
}

#[tokio::test]
async fn stored_token_is_charged_without_the_shopper() {
    let world = World::new().await;
    let (_, id) = stored(&world, "A").await;
    for kind in [json!("amazonpay"), json!("scheme")] {
        let method = json!({"paymentMethod": {"type": kind, "storedPaymentMethodId": id}});
        let reply = world.post("/payments", None, &with(charge(&id), &method)).await;
        assert_eq!(reply.body["resultCode"], "Authorised");
    }
    assert_eq!(world.adyen.books().authorisations("CHARGE"), 2);
}

#[tokio::test]
async fn charge_without_the_tokens_shopper_or_a_model_is_rejected() {
    let world = World::new().await;
    let (_, id) = stored(&world, "A").await;
    for (body, code) in [
        (charge("NOSUCH"), "803"),
        (with(charge(&id), json!({"shopperReference": "shopper-2"})), "800"),
        (with(charge(&id), json!({"shopperReference": null})), "121"),
        (with(charge(&id), json!({"recurringProcessingModel": null})), "807"),
        (with(charge(&id), json!({"shopperInteraction": "Whatever"})), "807"),
        (with(charge(&id), json!({"returnUrl": null})), "14_030"),
    ] {
        let reply = world.post("/payments", None, &body).await;
        assert!(reply.is_error(422, code), "{code} {reply:?}");
    }
    assert_eq!(world.adyen.books().authorisations("CHARGE"), 0);
}

#[tokio::test]
async fn charge_of_a_revoked_token_is_refused_and_of_a_disabled_token_rejected() {
    let world = World::new().await;
    let (_, id) = stored(&world, "A").await;
    assert!(world.adyen.revoke_token(&id).unwrap());
    let reply = world.post("/payments", None, &charge(&id)).await;
    assert_eq!(reply.body["resultCode"], "Refused");
    assert_eq!(reply.body["refusalReasonCode"], "50");
    assert!(world.adyen.disable_token(&id).unwrap());
    assert!(world.post("/payments", None, &charge(&id)).await.is_error(422, "803"));
    world.recover().await;
    let received = world.inbox.received();
    let webhook = received.last().unwrap();
    assert_eq!(webhook.event(), "recurring.token.disabled");
    assert!(webhook.body["data"]["operation"].is_null());
    assert!(!world.adyen.disable_token("NOSUCH").unwrap());
}

#[tokio::test]
async fn token_can_be_revoked_after_its_first_charge() {
    let world = World::new().await;
    let (_, id) = stored(&world, "A-REVOKED").await;
    let first = world.post("/payments", None, &charge(&id)).await;
    assert_eq!(first.body["resultCode"], "Authorised");
    for _ in 0..2 {
        let reply = world.post("/payments", None, &charge(&id)).await;
        assert_eq!(reply.body["refusalReasonCode"], "50");
    }
}

#[tokio::test]
async fn stored_payment_methods_are_listed_and_removed_once() {
    let world = World::new().await;
    let (first, id) = stored(&world, "A").await;
    let list = || async {
        reply(world.request("GET", &format!("/storedPaymentMethods{}", query()))).await.unwrap()
    };
    let listed = list().await;
    assert_eq!(listed.body["shopperReference"], "shopper-1");
    assert_eq!(listed.body["storedPaymentMethods"][0]["id"], id);
    let legacy = world
        .client
        .post(format!("{}/listRecurringDetails", world.adyen.recurring_url()))
        .header("x-api-key", keys::ADYEN_API_KEY)
        .json(&json!({
            "merchantAccount": keys::MERCHANT_ACCOUNT,
            "shopperReference": "shopper-1",
            "recurring": {"contract": "RECURRING"},
        }));
    let legacy = reply(legacy).await.unwrap();
    let detail = &legacy.body["details"][0]["RecurringDetail"];
    assert_eq!(detail["recurringDetailReference"], id);
    assert_eq!(detail["firstPspReference"], first.body["pspReference"]);
    assert!(detail["variant"].is_string());

    let other = "?shopperReference=shopper-2&merchantAccount=".to_owned() + keys::MERCHANT_ACCOUNT;
    let foreign = world.request("DELETE", &format!("/storedPaymentMethods/{id}{other}"));
    assert!(reply(foreign).await.unwrap().is_error(422, "800"));
    let removed = delete(&world, &id).await;
    assert_eq!((removed.status, removed.body), (204, json!("")));
    assert!(delete(&world, &id).await.is_error(422, "803"));
    assert_eq!(list().await.body["storedPaymentMethods"], json!([]));
    world.recover().await;
    assert_eq!(world.inbox.events().last().unwrap(), "recurring.token.disabled");
}

#[tokio::test]
async fn stored_payment_methods_are_listed_per_shopper_and_account() {
    let world = World::new().await;
    for (query, status, code) in [
        ("?shopperReference=shopper-1&merchantAccount=Other".to_owned(), 403, "901"),
        (format!("?merchantAccount={}", keys::MERCHANT_ACCOUNT), 422, "121"),
    ] {
        let path = format!("/storedPaymentMethods{query}");
        let listed = reply(world.request("GET", &path)).await.unwrap();
        assert!(listed.is_error(status, code), "{listed:?}");
    }
}

#[tokio::test]
async fn storing_without_a_shopper_reference_is_rejected() {
    let world = World::new().await;
    let body = with(payment("A"), json!({"storePaymentMethod": true}));
    assert!(world.post("/payments", None, &body).await.is_error(422, "121"));
}
