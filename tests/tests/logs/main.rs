//! The log has the lines that an operator needs, and neither secrets nor personal
//! data.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod flows;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use adyen_simulator::Fault;
use adyen_simulator::webhook::{Event, Signer};
use jiff::Timestamp;
use local::bundle::Options;
use local::keys;
use local::template::Template;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use shared::domain::order::{Capture, Derived, Order};
use shared::http::edge;
use shared::platform::observe::{self, Completion};

use tests::output::Output;
use tests::{Answer, Stack, backend, faulty_dynamodb, until};
use tracing::level_filters::LevelFilter;

#[tokio::test]
async fn every_flow_is_logged_without_secrets_or_personal_data() {
    let output = Output::default();
    tracing::subscriber::set_global_default(output.subscriber(LevelFilter::TRACE)).unwrap();
    let stack = flows::start().await;
    let secrets = flows::everything(&stack).await;

    let planted = [
        flows::MAIL,
        flows::STREET,
        flows::NAME,
        flows::PHONE,
        flows::ADDRESS,
        flows::AGENT,
        flows::SHOPPER,
        flows::TOKEN,
        flows::API_KEY,
        flows::GARBAGE,
        flows::CARD,
        "planted-password",
        "Plantedcity",
        "planted.example",
        "127.0.0.1",
        keys::STANDARD_HMAC_KEY,
        keys::TOKEN_HMAC_KEY,
        keys::CHECKOUT_TOKEN_KEY,
        keys::MERCHANT_TOKEN_KEY,
        "PRIVATE KEY",
        "Bearer",
    ];
    let text = output.text();
    let planted = planted.iter().copied();
    for secret in planted.chain(secrets.iter().map(String::as_str)) {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }

    let (metrics, lines) = output.lines();
    let done: Vec<&Value> = lines.iter().filter(|it| it["message"] == "done").collect();
    every_invocation_has_its_line(&done);
    // The log has the reason for the merchant's developers.
    let invalid = || lines.iter().filter(|it| it["message"] == "token rejected");
    let reasons: Vec<_> = invalid().filter_map(|it| it["reason"].as_str()).collect();
    for (reason, part) in
        reasons.iter().zip(["not a JWT", "lifetime", "a claim is missing", "an unknown key"])
    {
        assert!(reason.contains(part), "{reason}");
    }
    let claims: Vec<_> = invalid().filter_map(|it| it["claim"].as_str()).collect();
    assert_eq!(
        claims,
        [
            "missing field `reference`",
            "reference: expected 1 to 80 letters, digits, '.', '_' or '-'",
            "amount.value: expected an integer number of minor units, at least 1 and below 2^63",
            "missing field `reference`",
            "shopperReference: expected a string",
            "splits: expected a sequence",
        ]
    );
    assert_eq!(reasons.len(), 9, "{reasons:?}");
    let odd = "parked event unreadable";
    assert!(lines.iter().any(|it| it["message"] == odd));
    // An order that needs attention is named.
    let attention = lines.iter().find(|it| it["reason"] == "amount_differs");
    assert_eq!(attention.unwrap()["reference"], "A");
    metrics::match_the_template(&metrics);
    metrics::count_separately(&metrics);
}

/// Every invocation has one line with the fields that an operator needs first.
fn every_invocation_has_its_line(done: &[&Value]) {
    let of = |what: &str, name: &str, value: &str| {
        let line = done.iter().find(|it| it["what"] == what && it[name] == value);
        *line.unwrap_or_else(|| panic!("no line of {what} with {name} {value}"))
    };
    let paid = of("POST /payments", "reference", "A");
    assert_eq!(paid["status"], 200, "{paid}");
    assert_eq!(paid["outcome"], "Authorised", "{paid}");
    assert_eq!(paid["adyenCalls"], 1, "{paid}");
    assert_eq!(paid["dynamodbCalls"], 2, "{paid}");
    assert!(paid["pspReference"].is_string(), "{paid}");
    assert!(paid["adyenMs"].as_f64().unwrap() > 0.0, "{paid}");
    assert_eq!((&paid["amazonPayCalls"], &paid["amazonPayMs"]), (&Value::Null, &Value::Null));
    let request_id = paid["span"]["requestId"].as_str().unwrap();
    assert!(!request_id.is_empty(), "{paid}");
    assert_eq!(of("POST /payments", "code", "unauthorized")["status"], 401);

    // The reference comes from the checkout token if no order is read.
    of("POST /paymentMethods", "reference", "A");
    of("POST /checkoutSessions", "reference", "K");
    for (what, outcome) in [
        ("webhook", "stored"),
        ("webhook", "duplicate"),
        ("webhook", "parked"),
        ("webhook", "deadLetter"),
        ("webhook", "foreign"),
        ("webhook", "invalid_signature"),
        ("POST /orders/{reference}/refunds", "received"),
        ("GET /orders/{reference}", "ok"),
        ("schedule", "ok"),
    ] {
        of(what, "outcome", outcome);
    }
    assert_eq!(of("webhook", "outcome", "parked")["pspReference"], "PSP-2");
    // The schedule looked at several orders, so none is named.
    assert_eq!(of("schedule", "outcome", "ok")["reference"], Value::Null);

    let whats = done.iter().filter_map(|line| line["what"].as_str());
    let whats: BTreeSet<_> = whats.map(str::to_owned).collect();
    let functions = Template::read().unwrap().functions;
    let routes = functions.values().flat_map(|function| &function.routes);
    let routes = routes.map(|(method, path)| format!("{method} {path}"));
    let others = ["schedule", "webhook"].map(str::to_owned);
    assert_eq!(whats, routes.chain(others).collect());
}

/// The sum of one of the bundle's metrics over all lines.
fn sum(metrics: &[Value], name: &str) -> f64 {
    let values = metrics.iter().filter_map(|line| line[name].as_array()).flatten();
    values.filter_map(Value::as_f64).sum()
}

#[tokio::test]
async fn an_event_is_parked_until_an_order_claims_it() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::WARN));
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    let slow = Fault::AnswerLate(Duration::from_millis(500));
    stack.adyen().inject(slow.on("/payments"));
    let paid_at_adyen = || {
        stack.adyen().with_books(|books| Some(books.payments_of("A").last()?.psp_reference.clone()))
    };
    let meanwhile = async {
        until(|| paid_at_adyen().is_some()).await;
        let mut capture = Event::new("CAPTURE", keys::MERCHANT_ACCOUNT, "PSP-1", "");
        capture.original_reference = paid_at_adyen();
        // The first event is parked once more when it is repeated; the last one is of an unknown
        // payment.
        for _ in 0..2 {
            send(&stack, &capture).await;
        }
        capture.original_reference = Some("PSP-2".to_owned());
        send(&stack, &capture).await;
        assert_eq!(sum(&output.lines().0, "ParkedEvents"), 3.0);
    };
    let (answer, ()) = tokio::join!(stack.pay("A", "AMZN"), meanwhile);
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");

    assert_eq!(sum(&output.lines().0, "ParkedEvents"), 1.0);
}

fn signer() -> Signer {
    Signer::new(keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY).unwrap()
}

async fn send(stack: &Stack, event: &Event) {
    let message = event.message(&signer(), false);
    let webhook = stack.request(Method::POST, "/webhooks").body(message.body);
    assert_eq!(Answer::of(webhook).await.status, 200);
}

#[tokio::test]
async fn unsigned_webhook_is_counted_apart_from_a_wrong_signature() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::WARN));
    let stack = Stack::with_variables(&[("WEBHOOK_BASIC_AUTH", "adyen:password")]).await;
    let post = |body: &str| stack.request(Method::POST, "/webhooks").body(body.to_owned());
    let event = Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "PSP-1", "A");
    let forged = event.message(&signer(), true).body;

    for unsigned in ["{}", r#"{"notificationItems":[{"NotificationRequestItem":{}}]}"#] {
        assert_eq!(Answer::of(post(unsigned)).await.code(), "invalid_signature");
    }
    let counted = |name: &str| sum(&output.lines().0, name);
    assert_eq!((counted("UnsignedWebhooks"), counted("WebhookSignatureFailures")), (2.0, 0.0));

    // Signed webhooks of Adyen's while the key or the password of the deployment is wrong.
    let with_password = |password| post(&forged).basic_auth("adyen", Some(password));
    for signed in [
        post(&forged),
        with_password("password"),
        with_password("another"),
        post("{}").header("hmacsignature", "x"),
        post("{}").basic_auth("adyen", Some("another")),
    ] {
        assert_eq!(Answer::of(signed).await.code(), "invalid_signature");
    }
    assert_eq!((counted("UnsignedWebhooks"), counted("WebhookSignatureFailures")), (2.0, 5.0));
}

#[tokio::test]
async fn keys_of_webhooks_are_counted_only_if_there_are_several() {
    let both = format!("{},{}", keys::TOKEN_HMAC_KEY, keys::STANDARD_HMAC_KEY);
    for (configured, counted) in [(keys::STANDARD_HMAC_KEY, 0.0), (&both, 1.0)] {
        let output = Output::default();
        let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::WARN));
        let stack = Stack::with_variables(&[("ADYEN_HMAC_KEYS", configured)]).await;
        send(&stack, &Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "PSP-1", "A")).await;
        let (metrics, _) = output.lines();
        assert_eq!(sum(&metrics, "WebhookEvents"), 1.0);
        assert_eq!(sum(&metrics, "HmacKeyMatched"), counted);
    }
}

#[tokio::test]
async fn panic_is_logged_as_one_failed_request() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::TRACE));
    let request = lambda_http::Request::default();
    let fault = async { panic!("{}", flows::GARBAGE) };

    let answer = edge::respond(&request, fault).await;

    assert_eq!(answer.status(), 500);
    let (metrics, lines) = output.lines();
    assert_eq!(lines[0]["outcome"], "panic", "{lines:?}");
    assert_eq!(lines[0]["status"], 500, "{lines:?}");
    // The alarm that stops a deployment counts this code for each version.
    let counted = metrics.iter().find(|it| it["ServerErrors"] == json!([1.0]));
    let counted = counted.unwrap_or_else(|| panic!("{metrics:?}"));
    assert_eq!((&counted["Code"], &counted["Version"]), (&json!("internal"), &json!("local")));
    assert!(!output.text().contains(flows::GARBAGE));
}

#[tokio::test]
async fn error_line_names_its_request_at_any_log_level() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::WARN));
    let mut context = lambda_runtime::Context::default();
    context.request_id = "request-1".to_owned();
    // Log the attention of an order as the store does.
    let reference = "ORDER-1".parse().unwrap();
    let price = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
    let mut order = Order::new(reference, price, Capture::Automatic, None, Timestamp::now());
    order.events_dropped = true;
    let changes = Derived::of(&order).changes_since(None);
    let work = async { observe::attention(&order.reference, &changes) };
    let completion = |(): &()| Completion::Run(true);
    observe::invocation("test", &HeaderMap::new(), Some(&context), work, completion).await;

    let (metrics, lines) = output.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["span"]["requestId"], "request-1");
    assert_eq!(line["reason"], "too_many_events");
    // Metrics have no level.
    assert_eq!(metrics[0]["Reason"], "too_many_events");
}

#[tokio::test]
async fn dead_letter_is_counted_once_and_its_outcome_logged_after_the_decision_is_stored() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.subscriber(LevelFilter::INFO));
    let dynamodb = faulty_dynamodb::start().await;
    let variables = BTreeMap::from([faulty_dynamodb::variable(&dynamodb)]);
    let stack = Stack::with(Options { variables, ..Options::default() }).await;
    dynamodb.lead_to(stack.bundle.dynamodb_url());
    send(&stack, &Event::new("CAPTURE", keys::MERCHANT_ACCOUNT, "A:B", "A")).await;
    assert_eq!(sum(&output.lines().0, "DeadLetters"), 1.0);
    let listed = stack.get("/deadLetters", &backend()).await;
    let letter = format!("/deadLetters/{}", listed.body["deadLetters"][0]["id"].as_str().unwrap());
    let act = async |action: &str| {
        let note = json!({"note": "Booked by hand."});
        let answer = stack.post(&format!("{letter}/{action}"), &backend(), &note).await;
        let (_, lines) = output.lines();
        let done = lines.iter().rfind(|line| line["message"] == "done").unwrap();
        (answer.status, done["outcome"].as_str().unwrap().to_owned())
    };

    assert_eq!(act("apply").await, (409, "wrong_state".to_owned()));
    dynamodb.begin(|call| (call.name == "UpdateItem").then(faulty_dynamodb::server_error));
    assert_eq!(act("discard").await, (503, "storage_unavailable".to_owned()));
    dynamodb.calm();
    assert_eq!(act("discard").await, (200, "discarded".to_owned()));
    assert_eq!(act("apply").await, (409, "wrong_state".to_owned()));

    let (metrics, _) = output.lines();
    assert_eq!(sum(&metrics, "DeadLetters"), 1.0);
    assert_eq!(sum(&metrics, "WebhookEvents"), 1.0);
}
