//! Every flow and its failures, with planted values that must not be logged.

use std::time::Duration;

use adyen_simulator::{Answer as Reply, Fault, webhook::Event};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use local::bundle::{Adyen, Options};
use local::keys;
use reqwest::{Method, header::HeaderMap};
use ring::hmac;
use serde_json::{Value, json};
use shared::http::jwt::{self, Caller};
use shared::platform::observe::{self, Completion};
use tests::{Answer, Stack, backend, browser_with};

pub const MAIL: &str = "planted-mail@shopper.example";
pub const STREET: &str = "Planted Street";
pub const NAME: &str = "Plantedname";
pub const PHONE: &str = "+31201112233";
pub const ADDRESS: &str = "203.0.113.99";
pub const AGENT: &str = "Planted/5.0 (Agent)";
pub const SHOPPER: &str = "planted-shopper-1";
pub const TOKEN: &str = "PLANTEDAMZN";
pub const API_KEY: &str = "planted-api-key";
pub const PASSWORD: &str = "planted-user:planted-password";
pub const CARD: &str = "4111111111111111";
pub const GARBAGE: &str = "planted-garbage";

pub async fn start() -> Stack {
    let adyen = adyen_simulator::Options {
        api_key: API_KEY.to_owned(),
        basic_auth: Some(PASSWORD.to_owned()),
        webhook_delay: Duration::from_millis(10),
        token_webhook_delay: Duration::from_millis(20),
        redelivery: vec![Duration::from_millis(10); 3],
        ..adyen_simulator::Options::default()
    };
    let password = ("WEBHOOK_BASIC_AUTH".to_owned(), PASSWORD.to_owned());
    Stack::with(Options {
        adyen: Adyen::Simulator(Box::new(adyen)),
        variables: [password].into(),
        ..Options::default()
    })
    .await
}

/// A payment with all data of the shopper that the API accepts.
fn payment(reference: &str, token: &str) -> Value {
    let address = json!({
        "street": STREET, "houseNumberOrName": "1", "city": "Plantedcity",
        "postalCode": "1011 DJ", "country": "NL",
    });
    json!({
        "amount": {"currency": "EUR", "value": 1000},
        "reference": reference,
        "paymentMethod": {"type": "amazonpay", "amazonPayToken": token},
        "returnUrl": "https://planted.example/return",
        "billingAddress": address, "deliveryAddress": address,
        "shopperEmail": MAIL, "telephoneNumber": PHONE, "shopperIP": ADDRESS,
        "shopperName": {"firstName": NAME, "lastName": NAME},
        "shopperReference": SHOPPER, "storePaymentMethod": true,
        "recurringProcessingModel": "Subscription",
        "channel": "Web", "origin": "https://planted.example",
        "browserInfo": {
            "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
            "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0, "userAgent": AGENT,
        },
    })
}

fn checkout(reference: &str) -> String {
    browser_with(json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
        "shopperReference": SHOPPER,
    }))
}

/// Runs every flow. Returns the secrets that were made on the way.
pub async fn everything(stack: &Stack) -> Vec<String> {
    let mut secrets = vec![backend(), checkout("A")];
    secrets.extend(payments(stack).await);
    invalid_requests(stack).await;
    webhooks(stack).await;
    operations(stack).await;
    secrets.push(stored(stack).await);
    secrets.extend(amazon_pay(stack).await);
    afterwards(stack).await;
    secrets
}

async fn pay(stack: &Stack, reference: &str, ending: &str) -> Answer {
    let body = payment(reference, &format!("{TOKEN}{ending}"));
    stack.post("/payments", &checkout(reference), &body).await
}

async fn bring(stack: &Stack, reference: &str, details: Value) -> Answer {
    let body = json!({ "details": details });
    stack.post("/payments/details", &checkout(reference), &body).await
}

/// Payments with and without 3-D Secure. Returns the values that only the bank and the browser may
/// know.
async fn payments(stack: &Stack) -> Vec<String> {
    let lookup = json!({"shopperLocale": "nl-NL"});
    stack.post("/paymentMethods", &checkout("A"), &lookup).await;
    for (reference, ending) in [
        ("A", ""),
        ("B", "-REFUSED"),
        ("C", "-ERROR"),
        ("D", "-UNKNOWN"),
        ("E", "-FAULT-901"),
        ("F", "-HTTP-500"),
        ("G", "-DROP"),
    ] {
        pay(stack, reference, ending).await;
        pay(stack, reference, ending).await;
    }
    // An unreadable answer of Adyen's.
    let answer = Reply::json(200, &json!({"resultCode": [MAIL], "pspReference": GARBAGE}));
    stack.adyen().inject(Fault::Instead(answer).on("/payments"));
    assert_eq!(pay(stack, "H", "").await.status, 202);

    let answer = pay(stack, "I", "-3DS-REDIRECT").await;
    let result = adyen_simulator::redirect_result(&answer.body["action"], "approved");
    bring(stack, "I", json!({"redirectResult": GARBAGE})).await;
    let paid = bring(stack, "I", json!({"redirectResult": result})).await;
    assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");

    let answer = pay(stack, "J", "-3DS-CHALLENGE").await;
    let fingerprint = adyen_simulator::fingerprint_result(&answer.body["action"]);
    let answer = bring(stack, "J", json!({"threeDSResult": fingerprint})).await;
    let challenge = adyen_simulator::challenge_result(&answer.body["action"], true);
    let paid = bring(stack, "J", json!({"threeDSResult": challenge})).await;
    assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");
    vec![result, fingerprint, challenge]
}

/// A checkout token with any claims.
fn signed(mut claims: Value) -> String {
    let now = Timestamp::now().as_second();
    claims["aud"] = json!("checkout");
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 60);
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let content = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, keys::CHECKOUT_TOKEN_KEY.as_bytes());
    let signature = hmac::sign(&key, content.as_bytes());
    format!("{content}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Invalid bodies, tokens and fields.
async fn invalid_requests(stack: &Stack) {
    let request = stack.request(Method::POST, "/payments");
    let request = request.bearer_auth(checkout("A"));
    let request = request.header("content-type", "application/json");
    Answer::of(request.body(format!("{{\"{GARBAGE}\":"))).await;
    let strange = json!({"shopperEmail": 1, GARBAGE: MAIL});
    stack.post("/payments", &checkout("A"), &strange).await;
    stack.post("/payments", GARBAGE, &strange).await;
    for method in [json!(CARD), json!({"type": "scheme", "number": CARD}), json!({"type": [CARD]})]
    {
        stack.post("/payments", &checkout("A"), &json!({"paymentMethod": method})).await;
    }
    let minted =
        |key: &str| jwt::mint(&Caller::Merchant(Default::default()), key, 24 * 60 * 60).unwrap();
    for key in [keys::MERCHANT_TOKEN_KEY, keys::CHECKOUT_TOKEN_KEY, GARBAGE] {
        let token = minted(key);
        stack.post("/payments", &token, &strange).await;
    }
    for claims in [
        json!({"reference": GARBAGE.to_owned() + "/", "amount": {"currency": "EUR", "value": 1}}),
        json!({"reference": "A", "amount": {"currency": "EUR", "value": 10.0}}),
        json!({"amount": {"currency": "EUR", "value": 1}}),
        json!({"reference": "A", "amount": {"currency": "EUR", "value": 1}, "shopperReference": 1}),
        json!({"reference": "A", "amount": {"currency": "EUR", "value": 1}, "splits": GARBAGE}),
    ] {
        stack.post("/payments", &signed(claims), &strange).await;
    }
}

/// Webhooks with and without a valid signature, of known, unknown and unreadable orders.
async fn webhooks(stack: &Stack) {
    let resolved = stack.adyen().webhooks_delivered(Duration::from_secs(10));
    assert!(resolved.await);
    let http = stack.request(Method::POST, "/webhooks");
    Answer::of(http.body(format!("{{\"{GARBAGE}\": \"{MAIL}\"}}"))).await;
    let (user, password) = PASSWORD.split_once(':').unwrap();
    let forged = json!({"type": "recurring.token.created", "eventId": GARBAGE});
    let http = stack.request(Method::POST, "/webhooks").json(&forged);
    let http = http.basic_auth(user, Some(password));
    let refused = Answer::of(http.header("hmacsignature", GARBAGE)).await;
    assert_eq!(refused.code(), "invalid_signature");

    unreadable(stack, "ODD", None).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let parked = stack.dynamodb().put_item().table_name("orders");
    let parked = parked.item("reference", text("psp#PSP-4"));
    let parked = parked.item("event:CAPTURE:PSP-5:true", text(GARBAGE));
    parked.send().await.unwrap();
    stack.adyen().inject_webhook(adyen_simulator::WebhookFault::BadSignature);
    for (code, payment, reference) in [
        ("AUTHORISATION", "PSP-1", "A"),
        ("REFUND", "PSP-2", "NOBODY-S"),
        ("AUTHORISATION", "PSP-3", "ODD"),
        ("AUTHORISATION", "PSP-4", "B"),
    ] {
        let mut event = Event::new(code, keys::MERCHANT_ACCOUNT, payment, reference);
        event.reason = Some(format!("{MAIL} {GARBAGE}"));
        event.amount = Some(adyen_simulator::Amount { currency: "EUR".to_owned(), value: 5 });
        // The first delivery of all has a wrong signature.
        for _ in 0..3 {
            stack.adyen().notify(&event).unwrap();
        }
    }
    // One event is of an unknown merchant account, one of the live environment.
    let mut foreign = Event::new("AUTHORISATION", "ANOTHER_ACCOUNT", "PSP-6", "A");
    foreign.reason = Some(format!("{MAIL} {GARBAGE}"));
    stack.adyen().notify(&foreign).unwrap();
    let mut token = Event::new("recurring.token.created", keys::MERCHANT_ACCOUNT, "PSP-7", "");
    token.live = true;
    token.shopper_reference = SHOPPER.to_owned();
    stack.adyen().notify(&token).unwrap();
    let resolved = stack.adyen().webhooks_delivered(Duration::from_secs(10));
    assert!(resolved.await);
    assert_eq!(stack.bundle.take_over().await.unwrap().taken_over, 0);
}

/// The searches and decisions of a person.
async fn operations(stack: &Stack) {
    let (reason, note) = (json!({"reason": MAIL}), json!({"note": MAIL}));
    stack.get("/orders?needsAttention=any", &backend()).await;
    stack.post("/orders/F/attempts/1/close", &backend(), &reason).await;
    let path = "/orders/A/needsAttention/amount_differs/acknowledge";
    assert_eq!(stack.post(path, &backend(), &note).await.status, 200);
    let letters = stack.get("/deadLetters", &backend()).await;
    let letter = letters.body["deadLetters"][0]["id"].as_str().expect("a dead letter");
    let letter = format!("/deadLetters/{letter}");
    assert_eq!(stack.get(&letter, &backend()).await.status, 200);
    stack.post(&format!("{letter}/apply"), &backend(), &json!({})).await;
    stack.post(&format!("{letter}/discard"), &backend(), &note).await;
}

/// An order that no version can read, and that has been open since then.
async fn unreadable(stack: &Stack, reference: &str, since: Option<&str>) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = stack.dynamodb().put_item().table_name("orders");
    let put = put.item("reference", text(reference)).item("amount", text(GARBAGE));
    let put = match since {
        Some(since) => put
            .item("openShard", text("order-0"))
            .item("openSince", text(since))
            .item("recoverAt", text(since)),
        None => put,
    };
    put.send().await.unwrap();
}

/// A payment method is stored, charged and removed. Returns its id.
async fn stored(stack: &Stack) -> String {
    let stored = format!("/shoppers/{SHOPPER}/storedPaymentMethods");
    let listed = stack.get(&format!("{stored}?refresh=true"), &backend()).await;
    let methods = listed.body["storedPaymentMethods"].as_array().unwrap();
    let id = methods[0]["storedPaymentMethodId"].as_str().unwrap();
    let charge = json!({
        "amount": {"currency": "EUR", "value": 1000}, "reference": "MONTH-1",
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": id},
        "shopperReference": SHOPPER, "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription", "shopperEmail": MAIL, "shopperIP": ADDRESS,
    });
    stack.adyen().inject(Fault::status(500).on("/payments"));
    stack.post("/payments", &backend(), &charge).await;
    stack.post("/payments", &backend(), &charge).await;
    let remove = stack.request(Method::DELETE, &format!("{stored}/{id}"));
    Answer::of(remove.bearer_auth(backend())).await;
    let shopper = format!("/shoppers?shopperReference={SHOPPER}");
    stack.get(&shopper, &backend()).await;
    stack.adyen().inject(Fault::status(500).on("/listRecurringDetails"));
    for _ in 0..2 {
        let erase = stack.request(Method::DELETE, &shopper);
        Answer::of(erase.bearer_auth(backend())).await;
    }
    id.to_owned()
}

/// Amazon Pay's flows. Returns the tokens of its sessions.
async fn amazon_pay(stack: &Stack) -> Option<String> {
    let urls = json!({
        "checkoutReviewReturnUrl": "https://planted.example/review",
        "checkoutResultReturnUrl": "https://planted.example/result",
    });
    stack.post("/checkoutSessions", &checkout("K"), &urls).await;
    let amazon = stack.bundle.amazon().unwrap();
    amazon.open("S1");
    for id in ["planted-session", "S1"] {
        let path = format!("/checkoutSessions/{id}");
        let patch = stack.request(Method::PATCH, &path);
        Answer::of(patch.bearer_auth(checkout("K"))).await;
    }
    amazon.confirmed_for("K", "S2", "10.00", "EUR");
    amazon.inject(amazon_pay_simulator::Fault::status(500));
    amazon.inject(amazon_pay_simulator::Fault::Instead(amazon_pay_simulator::error(
        400,
        "InvalidParameterValue",
        "",
    )));
    for (id, status) in [("S2", 422), ("planted-session", 404), ("S2", 200)] {
        let method = json!({"type": "amazonpay", "amazonCheckoutSessionId": id});
        let body = json!({ "paymentMethod": method });
        let answer = stack.post("/payments", &checkout("K"), &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    amazon.books().sessions["S2"].amazon_pay_token()
}

/// The backend's later requests, and the schedule.
async fn afterwards(stack: &Stack) {
    stack.get("/orders/A", &checkout("A")).await;
    // Two payments of order A stand, so a request that names none is ambiguous.
    for reference in ["A", "I"] {
        for operation in ["refunds", "captures", "cancels", "reversals"] {
            let path = format!("/orders/{reference}/{operation}");
            stack.post(&path, &backend(), &json!({})).await;
        }
    }
    unreadable(stack, "OLD", Some("2026-01-01T00:00:00Z")).await;
    let (headers, schedule) = (HeaderMap::new(), stack.bundle.recover());
    let run = observe::invocation("schedule", &headers, None, schedule, |_| Completion::Run(true));
    assert_eq!(run.await.unwrap().failed, 1);
    let resolved = stack.adyen().webhooks_delivered(Duration::from_secs(10));
    resolved.await;
}
