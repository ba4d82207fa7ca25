//! Every route rejects every invalid token before anything else.

use local::keys::{CHECKOUT_TOKEN_KEY, MERCHANT_TOKEN_KEY};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder};
use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser};

use crate::jwt::{checkout, merchant, now, sign, sign_as, sign_with, unsigned, with};
use crate::traces;

const ROUTES: [(Method, &str); 4] = [
    (Method::POST, "/paymentMethods"),
    (Method::POST, "/payments"),
    (Method::POST, "/payments/details"),
    (Method::GET, "/orders/ORDER-1"),
];

/// A request to each route that is invalid in every part except, perhaps, its token.
fn invalid_requests(stack: &Stack) -> impl Iterator<Item = RequestBuilder> {
    ROUTES.into_iter().map(|(method, path)| {
        stack.request(method, path).header(CONTENT_TYPE, "text/plain").body("{\"amount\":")
    })
}

/// Asserts that nothing was written or sent.
async fn untouched(stack: &Stack) {
    traces::nothing_sent(stack, "a bad token");
    traces::nothing_written(stack).await;
}

/// Tokens with an invalid signature or format, by their fault.
fn forged() -> Vec<(&'static str, String)> {
    let good = sign(&checkout());
    let (content, signature) = good.rsplit_once('.').unwrap();
    let another = sign(&with(checkout(), json!({"amount": {"currency": "EUR", "value": 1}})));
    let (changed, _) = another.rsplit_once('.').unwrap();
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT"});
    let none = |name: &str| format!("{}.", unsigned(&header(name), &checkout()));
    let first = if signature.starts_with('A') { "B" } else { "A" };
    vec![
        ("no token", String::new()),
        ("no JWT", "ORDER-1".into()),
        ("two parts", content.into()),
        ("four parts", format!("{good}.{signature}")),
        ("no signature", format!("{content}.")),
        ("a changed signature", format!("{content}.{first}{}", &signature[1..])),
        ("half a signature", format!("{content}.{}", &signature[..20])),
        ("changed claims", format!("{changed}.{signature}")),
        ("claims that are not JSON", format!("{content}AAAA.{signature}")),
        ("an unknown key", sign_with(&"x".repeat(32), &checkout())),
        ("no key", sign_with("", &checkout())),
        ("the backend's key", sign_with(MERCHANT_TOKEN_KEY, &checkout())),
        ("the browsers' key", sign_with(CHECKOUT_TOKEN_KEY, &merchant())),
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg NONE", none("NONE")),
        (
            "alg none, signed",
            sign_as(&header("none"), HMAC_SHA256, CHECKOUT_TOKEN_KEY, &checkout()),
        ),
        ("alg HS384", sign_as(&header("HS384"), HMAC_SHA384, CHECKOUT_TOKEN_KEY, &checkout())),
        ("alg HS512", sign_as(&header("HS512"), HMAC_SHA512, CHECKOUT_TOKEN_KEY, &checkout())),
        ("alg RS256", sign_as(&header("RS256"), HMAC_SHA256, CHECKOUT_TOKEN_KEY, &checkout())),
        ("alg ES256", sign_as(&header("ES256"), HMAC_SHA256, CHECKOUT_TOKEN_KEY, &checkout())),
        ("alg hs256", sign_as(&header("hs256"), HMAC_SHA256, CHECKOUT_TOKEN_KEY, &checkout())),
        ("no alg", sign_as(&json!({}), HMAC_SHA256, CHECKOUT_TOKEN_KEY, &checkout())),
    ]
}

/// Signed claims that are invalid, by their fault.
fn wrong() -> Vec<(&'static str, Value)> {
    let claims = |claims| with(checkout(), claims);
    let day = 24 * 60 * 60;
    vec![
        ("another audience", claims(json!({"aud": "refunds"}))),
        ("the audience in capitals", claims(json!({"aud": "Checkout"}))),
        ("an empty audience", claims(json!({"aud": ""}))),
        ("a list without the audience", claims(json!({"aud": ["refunds"]}))),
        ("no audience", claims(json!({"aud": null}))),
        ("no exp", claims(json!({"exp": null}))),
        ("no iat", claims(json!({"iat": null}))),
        ("no order", claims(json!({"reference": null}))),
        ("no amount", claims(json!({"amount": null}))),
        ("an impossible order", claims(json!({"reference": "ORDER:1"}))),
        ("an impossible amount", claims(json!({"amount": {"currency": "EUR", "value": 0}}))),
        ("an impossible currency", claims(json!({"amount": {"currency": "XXX", "value": 1}}))),
        ("an impossible country", claims(json!({"countryCode": "nl"}))),
        ("an impossible statement", claims(json!({"shopperStatement": "x".repeat(23)}))),
        ("impossible metadata", claims(json!({"metadata": {"shop": 12}}))),
        (
            "an impossible choice",
            claims(json!({"authenticationData": {"attemptAuthentication": "sometimes"}})),
        ),
        (
            "a choice of another name",
            claims(json!({"authenticationData": {"authenticationOnly": true}})),
        ),
        ("an impossible shopper", claims(json!({"shopperReference": "x"}))),
        ("exp as text", claims(json!({"exp": (now() + 60).to_string()}))),
        ("exp beyond numbers", claims(json!({"exp": u64::MAX}))),
        ("exp at the end of time", claims(json!({"exp": i64::MAX}))),
        ("iat before time", claims(json!({"iat": i64::MIN}))),
        ("a life of a day and a second", claims(json!({"exp": now() + day + 1}))),
        ("no life", claims(json!({"exp": now(), "iat": now()}))),
        ("expired before issued", claims(json!({"exp": now() - 60, "iat": now()}))),
        ("issued in two minutes", claims(json!({"iat": now() + 120}))),
        ("not valid for two minutes", claims(json!({"nbf": now() + 120}))),
        (
            "expired after too long a life",
            claims(json!({"exp": now() - 1, "iat": now() - 2 * day})),
        ),
        (
            "a backend's life of 15 minutes and a second",
            with(merchant(), json!({"exp": now() + 901})),
        ),
        ("a backend's without exp", with(merchant(), json!({"exp": null}))),
        ("a backend's without iat", with(merchant(), json!({"iat": null}))),
    ]
}

#[tokio::test]
async fn every_route_checks_the_token_first() {
    let stack = Stack::start().await;
    let mut tokens = forged();
    tokens.extend(wrong().into_iter().map(|(row, claims)| (row, sign(&claims))));
    let mut first = None;
    for (row, token) in tokens {
        for request in invalid_requests(&stack) {
            let answer = Answer::of(request.bearer_auth(&token)).await;
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{row}: {answer:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{row}");
            // All have the same message, because a more precise one would help an attacker.
            assert_eq!(first.get_or_insert(answer.body.clone()), &answer.body, "{row}");
        }
    }
    untouched(&stack).await;
}

#[tokio::test]
async fn token_is_read_only_from_one_bearer_header() {
    let stack = Stack::start().await;
    let token = sign(&checkout());
    for headers in [
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec![token.clone()],
        vec![format!("Basic {token}")],
        vec![format!("Token {token}")],
        vec![format!("Bearer{token}")],
        vec![format!("Bearer\t{token}")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
        vec![format!("Bearer {token}, Bearer {token}")],
        vec![format!("Bearer {token}"), String::new()],
    ] {
        for request in invalid_requests(&stack) {
            let request =
                headers.iter().fold(request, |request, value| request.header(AUTHORIZATION, value));
            let answer = Answer::of(request).await;
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{headers:?}");
        }
    }
    untouched(&stack).await;
    // The scheme `Bearer` is case-insensitive.
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = stack
            .request(Method::POST, "/paymentMethods")
            .header(AUTHORIZATION, format!("{scheme} {token}"));
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{scheme}: {answer:?}");
    }
}

#[tokio::test]
async fn expired_token_has_its_own_problem_code() {
    let stack = Stack::start().await;
    for claims in [
        with(checkout(), json!({"iat": now() - 3600, "exp": now() - 1})),
        with(checkout(), json!({"iat": now() - 86_400, "exp": now()})),
        with(merchant(), json!({"iat": now() - 600, "exp": now() - 1})),
    ] {
        for request in invalid_requests(&stack) {
            let answer = Answer::of(request.bearer_auth(sign(&claims))).await;
            assert_eq!((answer.status, answer.code()), (401, "token_expired"), "{answer:?}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
        }
        let forged = sign_with(&"x".repeat(32), &claims);
        for request in invalid_requests(&stack) {
            let answer = Answer::of(request.bearer_auth(&forged)).await;
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{answer:?}");
        }
    }
    untouched(&stack).await;
}

#[tokio::test]
async fn token_with_every_claim_is_accepted() {
    let stack = Stack::start().await;
    let body = json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}});
    for claims in [
        checkout(),
        merchant(),
        with(checkout(), json!({"countryCode": null, "shopperReference": null})),
        with(checkout(), json!({"iat": now() + 30})),
        with(checkout(), json!({"iat": now() - 86_390, "exp": now() + 10})),
        with(merchant(), json!({"iat": now(), "exp": now() + 900})),
        with(checkout(), json!({"aud": ["checkout"]})),
        with(merchant(), json!({"sub": 1})),
        with(merchant(), json!({"sub": null})),
        with(checkout(), json!({"iss": "shop", "sub": "1", "jti": "2", "nbf": now()})),
    ] {
        let answer = stack.post("/paymentMethods", &sign(&claims), &body).await;
        assert_eq!(answer.status, 200, "{claims}: {answer:?}");
    }
}

#[tokio::test]
async fn signature_by_any_of_several_keys_is_accepted() {
    let [old, new, never] = ["old", "new", "never"].map(|name| format!("{name:x<32}"));
    let stack = Stack::with_variables(&[
        ("CHECKOUT_TOKEN_KEYS", &format!("{new}, {old}")),
        ("MERCHANT_TOKEN_KEYS", &format!("{old},{new}")),
    ])
    .await;
    let body = json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}});
    for claims in [checkout(), merchant()] {
        for (key, status) in [
            (&*old, 200),
            (&*new, 200),
            (&*never, 401),
            (CHECKOUT_TOKEN_KEY, 401),
            (MERCHANT_TOKEN_KEY, 401),
        ] {
            let token = sign_with(key, &claims);
            let answer = stack.post("/paymentMethods", &token, &body).await;
            assert_eq!(answer.status, status, "{key}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn merchant_token_with_an_origin_header_is_rejected() {
    let stack = Stack::start().await;
    for origin in ["https://your-company.example.com", "null", ""] {
        for request in invalid_requests(&stack) {
            let answer = Answer::of(request.bearer_auth(backend()).header(ORIGIN, origin)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (403, "merchant_token_in_browser"),
                "{answer:?}"
            );
        }
    }
    untouched(&stack).await;
    let request = stack
        .request(Method::POST, "/paymentMethods")
        .bearer_auth(browser("ORDER-1"))
        .header(ORIGIN, "https://your-company.example.com");
    assert_eq!(Answer::of(request).await.status, 200);
}
