//! Keys that change while the functions run.

use std::time::Duration;

use local::{bundle::Adyen, bundle::Options, keys};
use shared::{
    http::jwt::{Caller, Checkout, mint},
    limits,
    platform::{
        config::{Settings, text},
        secrets::Secret,
    },
};
use tests::{Answer, Stack, payment};

use crate::secrets::{Manager, env};

const NEW_HMAC: &str = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";
const NEW_TOKEN_KEY: &str = "a-new-key-for-tokens-of-at-least-32-bytes";
const NEW_API_KEY: &str = "a-new-api-key";

/// A key that the simulator does not know.
const FORMER_PRIVATE_KEY: &str = include_str!("former-private-key.pem");

const MANAGED: [(&str, &str); 6] = [
    ("ADYEN_API_KEY", keys::ADYEN_API_KEY),
    ("ADYEN_HMAC_KEYS", keys::STANDARD_HMAC_KEY),
    ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY),
    ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY),
    ("WEBHOOK_BASIC_AUTH", "user:old-password"),
    ("AMAZON_PAY_PRIVATE_KEY", FORMER_PRIVATE_KEY),
];

/// The bundle with its secrets in Secrets Manager, and an Adyen with the new credentials.
async fn rotating() -> (Stack, Manager) {
    let (manager, url) = Manager::with(&MANAGED).await;
    let mut variables = vec![("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), url)];
    for (name, _) in MANAGED {
        variables.push((name.to_owned(), String::new()));
        variables.push((format!("{name}_SECRET"), name.to_owned()));
    }
    let adyen = adyen_simulator::Options {
        api_key: NEW_API_KEY.to_owned(),
        hmac_key: NEW_HMAC.to_owned(),
        basic_auth: Some("user:new-password".to_owned()),
        webhook_delay: Duration::from_millis(10),
        ..adyen_simulator::Options::default()
    };
    let stack = Stack::with(Options {
        adyen: Adyen::Simulator(Box::new(adyen)),
        variables: variables.into_iter().collect(),
        ..Options::default()
    })
    .await;
    (stack, manager)
}

fn checkout(reference: &str, key: &str) -> String {
    let order: Checkout = serde_json::from_value(serde_json::json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
    }))
    .unwrap();
    mint(&Caller::Checkout(order), key, 600).unwrap()
}

/// Makes this many seconds pass.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn keys_rotate_without_a_rejected_request() {
    let (stack, manager) = rotating().await;
    manager.put("ADYEN_API_KEY", NEW_API_KEY);
    manager.put("ADYEN_HMAC_KEYS", &format!("{},{NEW_HMAC}", keys::STANDARD_HMAC_KEY));
    manager.put("WEBHOOK_BASIC_AUTH", "user:new-password");
    for (name, old) in [
        ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY),
        ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY),
    ] {
        manager.put(name, &format!("{NEW_TOKEN_KEY},{old}"));
    }

    // Tokens of the new key and of the old one, with the new API key.
    for (reference, key) in [("NEW", NEW_TOKEN_KEY), ("OLD", keys::CHECKOUT_TOKEN_KEY)] {
        let body = payment(reference, "160583287597AMZN");
        let answer = stack.post("/payments", &checkout(reference, key), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["resultCode"], "Authorised");
    }
    // Webhooks with the new key and password are accepted at their first delivery.
    let resolved = stack.adyen().webhooks_delivered(Duration::from_secs(10));
    assert!(resolved.await);
    let books = stack.adyen().books();
    assert_eq!(books.webhooks.len(), 2);
    for webhook in books.webhooks.values() {
        assert_eq!(webhook.attempts.len(), 1, "{:?}", webhook.attempts);
        assert!(webhook.accepted());
    }
    let merchant =
        mint(&Caller::Merchant(Default::default()), NEW_TOKEN_KEY, limits::MERCHANT_TOKEN_LIFE)
            .unwrap();
    let answer = stack.get("/orders/NEW", &merchant).await;
    assert_eq!(answer.body["confirmed"], true, "{answer:?}");

    // The old keys are removed from the secrets, and five minutes later they are rejected.
    manager.put("ADYEN_HMAC_KEYS", NEW_HMAC);
    manager.put("CHECKOUT_TOKEN_KEYS", NEW_TOKEN_KEY);
    manager.put("MERCHANT_TOKEN_KEYS", NEW_TOKEN_KEY);
    later(301).await;
    let pay = async |reference: &str, key: &str| {
        let body = payment(reference, "160583287597AMZN");
        stack.post("/payments", &checkout(reference, key), &body).await
    };
    let paid = pay("LAST", NEW_TOKEN_KEY).await;
    assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");
    assert!(stack.adyen().webhooks_delivered(Duration::from_secs(10)).await);
    let order = stack.get("/orders/LAST", &merchant).await;
    assert_eq!(order.body["confirmed"], true, "{order:?}");
    let refused = pay("NO-MORE", keys::CHECKOUT_TOKEN_KEY).await;
    assert_eq!(refused.code(), "unauthorized");
}

#[tokio::test]
async fn private_key_that_amazon_pay_rejects_is_fetched_again() {
    let (stack, manager) = rotating().await;
    stack.bundle.amazon().unwrap().open("S1");
    let confirm = async || {
        let request = stack.request(reqwest::Method::PATCH, "/checkoutSessions/S1");
        let token = checkout("ORDER-1", keys::CHECKOUT_TOKEN_KEY);
        Answer::of(request.bearer_auth(token)).await
    };
    assert_eq!(confirm().await.code(), "amazon_pay_configuration");
    manager.put("AMAZON_PAY_PRIVATE_KEY", amazon_pay_simulator::PRIVATE_KEY);
    // Longer than the pause between two fetches after a rejection.
    later(6).await;
    let confirmed = confirm().await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
}

#[tokio::test]
async fn failed_logins_trigger_at_most_one_fetch_in_five_seconds() {
    let (stack, manager) = rotating().await;
    let before = manager.requests_for("MERCHANT_TOKEN_KEYS");
    let wrong =
        mint(&Caller::Merchant(Default::default()), NEW_TOKEN_KEY, limits::MERCHANT_TOKEN_LIFE)
            .unwrap();
    let guesses = (0..20).map(|_| {
        let request = stack.request(reqwest::Method::GET, "/orders/A");
        Answer::of(request.bearer_auth(&wrong))
    });
    for answer in futures_util::future::join_all(guesses).await {
        assert_eq!(answer.status, 401);
    }
    assert_eq!(manager.requests_for("MERCHANT_TOKEN_KEYS"), before + 1);
}

#[tokio::test]
async fn secret_that_cannot_be_fetched_keeps_its_old_value() {
    let (stack, manager) = rotating().await;
    manager.fail();
    let wrong =
        mint(&Caller::Merchant(Default::default()), NEW_TOKEN_KEY, limits::MERCHANT_TOKEN_LIFE)
            .unwrap();
    assert_eq!(stack.get("/orders/A", &wrong).await.status, 401);
    let right = mint(
        &Caller::Merchant(Default::default()),
        keys::MERCHANT_TOKEN_KEY,
        limits::MERCHANT_TOKEN_LIFE,
    );
    let answer = stack.get("/orders/A", &right.unwrap()).await;
    assert_eq!(answer.code(), "order_not_found");
}

/// A secret that is "one".
async fn one() -> (Secret<String>, Manager) {
    let (manager, url) = Manager::with(&[("S", "one")]).await;
    let env = env(&url, &[("ADYEN_API_KEY_SECRET", "S")]);
    let mut settings = Settings::load(&env, &["ADYEN_API_KEY"]).await.unwrap();
    let read = |value: &str| text(value).map_err(str::to_owned);
    let secret = settings.secret("ADYEN_API_KEY", read);
    (settings.finish(secret).unwrap(), manager)
}

#[tokio::test]
async fn cached_secret_is_used_for_five_minutes_and_fetched_once() {
    let (secret, manager) = one().await;
    manager.put("S", "two");
    later(299).await;
    assert_eq!(*secret.get().await, "one");
    later(2).await;
    let all = futures_util::future::join_all((0..20).map(|_| secret.get())).await;
    assert!(all.iter().any(|value| **value == "two"));
    assert_eq!(*secret.get().await, "two");
    assert_eq!(manager.requests_for("S"), 2);
}

#[tokio::test]
async fn cached_secret_is_used_while_none_can_be_fetched() {
    let (secret, manager) = one().await;
    manager.fail();
    later(301).await;
    assert_eq!(*secret.get().await, "one");
    // Not every request waits for another try.
    assert_eq!(*secret.get().await, "one");
    assert_eq!(manager.requests_for("S"), 2);
    manager.put("S", "two");
    later(301).await;
    assert_eq!(*secret.get().await, "two");
}

#[tokio::test]
async fn unresponsive_secrets_manager_is_not_awaited_for_long() {
    let (secret, manager) = one().await;
    manager.fall_silent();
    later(301).await;
    let value = secret.get().await;
    assert_eq!(*value, "one");
    assert_eq!(secret.other_than(&value).await, None);
    // Each try ended before the SDK would have retried.
    assert_eq!(manager.requests_for("S"), 3);
    assert_eq!(*secret.get().await, "one");
    assert_eq!(manager.requests_for("S"), 3);
}
