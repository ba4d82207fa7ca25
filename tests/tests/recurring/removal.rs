//! Removal of stored payment methods.

use adyen_simulator::webhook::Event;
use adyen_simulator::{Fault, TokenState, coded};
use local::keys;
use reqwest::Method;
use serde_json::json;

use crate::shop::{SHOPPER, Shop, assert_problem, browser_of, charge, path};

#[tokio::test]
async fn removed_token_is_gone_here_and_at_adyen() {
    let (shop, id) = Shop::with_token().await;
    // The webhook about it is on its way, and not needed.
    shop.adyen().hold_webhooks();
    let answer = shop.remove(SHOPPER, &id).await;
    assert_eq!((answer.status, answer.body), (204, json!("")));
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
    let call = shop.adyen().books().calls.pop().unwrap();
    assert_eq!(call.method, "DELETE");
    assert_eq!(call.path, format!("/v72/storedPaymentMethods/{id}"));
    let query = format!("merchantAccount={}&shopperReference={SHOPPER}", keys::MERCHANT_ACCOUNT);
    assert_eq!(call.query, query);
    assert!(shop.ids(SHOPPER, "").await.is_empty());
    assert_eq!(shop.list(SHOPPER, "?status=all").await[0]["status"], "disabled");
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");

    let event_count = || async { shop.token(SHOPPER, &id).await.unwrap().events.len() };
    let before = event_count().await;
    shop.adyen().release_webhooks(adyen_simulator::Release::InOrder).await;
    assert_eq!(event_count().await, before + 1);
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
}

#[tokio::test]
async fn repeated_removal_succeeds() {
    let (shop, id) = Shop::with_token().await;
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    // Adyen's own webhook about it is in.
    shop.webhooks_delivered().await;
    let token = shop.token(SHOPPER, &id).await.unwrap();
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    // Every error of Adyen's that means "not found".
    for code in ["800", "803"] {
        for status in [404, 422] {
            let gone = adyen_simulator::errors::service_error(status, code, "gone");
            shop.adyen().inject(Fault::Instead(gone));
            assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
        }
    }
    // A 404 or 422 without such a code changes the token as little.
    for status in [404, 422] {
        shop.adyen().inject(Fault::status(status));
        assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    }
    shop.webhooks_delivered().await;
    let after = shop.token(SHOPPER, &id).await.unwrap();
    assert_eq!(after.disabled_at(), token.disabled_at());
}

#[tokio::test]
async fn token_removed_at_adyen_is_removed_here() {
    let (shop, id) = Shop::with_token().await;
    shop.removed_without_webhook(&id);
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    assert!(shop.ids(SHOPPER, "").await.is_empty());
}

#[tokio::test]
async fn removed_token_stays_removed_if_its_webhook_was_lost() {
    let shop = Shop::open().await;
    let id = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    shop.webhooks_delivered().await;
    // The webhook about its creation comes after all.
    send_created_webhook(&shop, &id).await;
    assert!(shop.ids(SHOPPER, "").await.is_empty());
}

async fn send_created_webhook(shop: &Shop, id: &str) {
    let mut event = Event::new("recurring.token.created", keys::MERCHANT_ACCOUNT, "PSP", "");
    event.shopper_reference = SHOPPER.into();
    event.stored_payment_method_id = id.into();
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
}

#[tokio::test]
async fn removed_unknown_token_stays_removed_even_if_the_answer_is_lost() {
    let shop = Shop::open().await;
    for (number, then) in [None, Some(Fault::status(404))].into_iter().enumerate() {
        let id = shop.stored_without_webhook(SHOPPER, &format!("FIRST-{number}")).await;
        // Asked again, Adyen knows of none.
        shop.adyen().inject(Fault::DropAfter);
        then.into_iter().for_each(|fault| shop.adyen().inject(fault));
        assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
        send_created_webhook(&shop, &id).await;
        assert!(shop.ids(SHOPPER, "").await.is_empty());
        let answer = shop.charge(&charge(SHOPPER, &format!("MONTH-{number}"), &id)).await;
        assert_problem(&answer, 422, "stored_payment_method_disabled");
    }
}

#[tokio::test]
async fn removal_date_stays_the_same_after_the_webhook() {
    let (shop, id) = Shop::with_token().await;
    shop.adyen().hold_webhooks();
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    let before = shop.list(SHOPPER, "?status=all").await;
    shop.adyen().release_webhooks(adyen_simulator::Release::InOrder).await;
    assert_eq!(shop.list(SHOPPER, "?status=all").await, before);
}

#[tokio::test]
async fn removal_of_an_unknown_token_stores_nothing() {
    let shop = Shop::open().await;
    for id in ["M5N7TQ4TG5PFWR50", "a%2Db", "%25"] {
        assert_eq!(shop.remove(SHOPPER, id).await.status, 204);
    }
    assert!(shop.ids(SHOPPER, "?status=all").await.is_empty());
}

#[tokio::test]
async fn token_of_another_shopper_is_not_removed() {
    let (shop, id) = Shop::with_token().await;
    assert_eq!(shop.remove("another-shopper", &id).await.status, 204);
    assert_eq!(shop.ids(SHOPPER, "?refresh=true").await, [&*id]);
}

#[tokio::test]
async fn removal_from_a_browser_is_rejected() {
    let (shop, id) = Shop::with_token().await;
    let request = shop
        .stack
        .request(Method::DELETE, &format!("{}/{id}", path(SHOPPER)))
        .bearer_auth(browser_of(SHOPPER, "ORDER"));
    let answer = tests::Answer::of(request).await;
    assert_problem(&answer, 403, "merchant_token_required");
    assert_eq!(shop.ids(SHOPPER, "?refresh=true").await, [&*id]);
}

#[tokio::test]
async fn removal_without_adyens_answer_can_be_retried() {
    let (shop, id) = Shop::with_token().await;
    for (fault, code) in [
        (Fault::status(500), "adyen_unavailable"),
        (Fault::status(404), "adyen_unavailable"),
        (Fault::status(422), "adyen_unavailable"),
        (Fault::Instead(coded("901")), "adyen_configuration"),
    ] {
        shop.adyen().inject(fault);
        assert_problem(&shop.remove(SHOPPER, &id).await, 502, code);
        assert_eq!(shop.ids(SHOPPER, "").await, [&*id]);
    }
    // Removed, and the answer is lost: asked again, it is gone.
    shop.adyen().inject(Fault::DropAfter);
    assert_eq!(shop.remove(SHOPPER, &id).await.status, 204);
    assert!(shop.ids(SHOPPER, "").await.is_empty());
}

#[tokio::test]
async fn removal_without_a_shopper_is_rejected() {
    let shop = Shop::open().await;
    for (shopper, id, field) in [
        ("ab", "ID", "shopperReference"),
        (SHOPPER, &*"x".repeat(65), "id"),
        (SHOPPER, "...", "id"),
    ] {
        let answer = shop.remove(shopper, id).await;
        assert_problem(&answer, 422, "invalid_field");
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    assert_eq!(shop.calls(""), 0);
}
