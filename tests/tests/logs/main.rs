//! What the functions print: what an operator needs, and nothing that a shopper, an attacker
//! or the merchant would mind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local::adyen::{self, Fault, webhook::Event};
use local::bundle::{Adyen, Options};
use local::keys;
use local::template::Template;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use shared::observe::{self, Said};
use tests::{Answer, Stack, backend, browser_with};
use tracing::level_filters::LevelFilter;

const MAIL: &str = "planted-mail@shopper.example";
const STREET: &str = "Planted Street";
const NAME: &str = "Plantedname";
const PHONE: &str = "+31201112233";
const ADDRESS: &str = "203.0.113.99";
const AGENT: &str = "Planted/5.0 (Agent)";
const SHOPPER: &str = "planted-shopper-1";
const TOKEN: &str = "PLANTED-AMZN";
const API_KEY: &str = "planted-api-key";
const PASSWORD: &str = "planted-user:planted-password";
const GARBAGE: &str = "planted-garbage";

/// Whatever is printed.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

async fn start() -> Stack {
    let adyen = adyen::Options {
        api_key: API_KEY.to_owned(),
        basic_auth: Some(PASSWORD.to_owned()),
        webhook_delay: Duration::from_millis(10),
        token_webhook_delay: Duration::from_millis(20),
        redelivery: vec![Duration::from_millis(10); 3],
        ..adyen::Options::default()
    };
    let password = ("WEBHOOK_BASIC_AUTH".to_owned(), PASSWORD.to_owned());
    Stack::with(Options {
        adyen: Adyen::Simulator(Box::new(adyen)),
        variables: [password].into(),
        ..Options::default()
    })
    .await
}

/// A payment with everything that may be known of a shopper.
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

/// Every flow, and what goes wrong in each. Gives secrets that came up on the way.
async fn everything(stack: &Stack) -> Vec<String> {
    let mut secrets = vec![backend(), checkout("A")];
    let pay = async |reference: &str, ending: &str| {
        let body = payment(reference, &format!("{TOKEN}{ending}"));
        let token = checkout(reference);
        stack.post("/payments", &token, &body).await
    };
    for (reference, ending) in [
        ("A", ""),
        ("B", "-REFUSED"),
        ("C", "-ERROR"),
        ("D", "-UNKNOWN"),
        ("E", "-FAULT-901"),
        ("F", "-HTTP-500"),
        ("G", "-DROP"),
    ] {
        pay(reference, ending).await;
        pay(reference, ending).await;
    }
    let asked = pay("H", "-3DS-REDIRECT").await;
    let result = adyen::redirect_result(&asked.body["action"], "approved");
    for result in [GARBAGE, &result] {
        let details = json!({"details": {"redirectResult": result}});
        stack
            .post("/payments/details", &checkout("H"), &details)
            .await;
    }
    secrets.push(result);

    // What cannot be: bodies, tokens, fields.
    let request = stack.request(Method::POST, "/payments");
    Answer::of(
        request
            .bearer_auth(checkout("A"))
            .header("content-type", "application/json")
            .body(format!("{{\"{GARBAGE}\":")),
    )
    .await;
    let strange = json!({"shopperEmail": 1, GARBAGE: MAIL});
    stack.post("/payments", &checkout("A"), &strange).await;
    stack.post("/payments", GARBAGE, &strange).await;

    // Webhooks, signed and not.
    let settled = stack.adyen().webhooks_settled(Duration::from_secs(10));
    assert!(settled.await);
    let http = stack.request(Method::POST, "/webhooks");
    Answer::of(http.body(format!("{{\"{GARBAGE}\": \"{MAIL}\"}}"))).await;
    stack
        .adyen()
        .inject_webhook(adyen::WebhookFault::BadSignature);
    let reason = format!("{MAIL} {GARBAGE}");
    for (code, payment, reference) in [
        ("AUTHORISATION", "PSP-1", "A"),
        ("REFUND", "PSP-2", "NOBODY-S"),
    ] {
        let mut event = Event::new(code, keys::MERCHANT_ACCOUNT, payment, reference);
        event.reason = Some(reason.clone());
        event.amount = Some(adyen::Amount {
            currency: "EUR".to_owned(),
            value: 5,
        });
        // The very first with a wrong signature.
        for _ in 0..3 {
            stack.adyen().notify(&event).unwrap();
        }
    }

    // What is stored, charged and removed.
    let stored = format!("/shoppers/{SHOPPER}/storedPaymentMethods");
    let listed = stack
        .get(&format!("{stored}?refresh=true"), &backend())
        .await;
    let methods = listed.body["storedPaymentMethods"].as_array().unwrap();
    let id = methods[0]["storedPaymentMethodId"].as_str().unwrap();
    secrets.push(id.to_owned());
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

    // Afterwards, and Amazon Pay's side.
    stack.get("/orders/A", &checkout("A")).await;
    for operation in ["refunds", "captures", "cancels", "reversals"] {
        let path = format!("/orders/A/{operation}");
        stack.post(&path, &backend(), &json!({})).await;
    }
    let lookup = json!({"shopperLocale": "nl-NL"});
    stack.post("/paymentMethods", &checkout("A"), &lookup).await;
    let urls = json!({
        "checkoutReviewReturnUrl": "https://planted.example/review",
        "checkoutResultReturnUrl": "https://planted.example/result",
    });
    stack.post("/checkoutSessions", &checkout("A"), &urls).await;
    let session = json!({"paymentMethod": {
        "type": "amazonpay", "amazonCheckoutSessionId": "planted-session",
    }});
    stack.post("/payments", &checkout("A"), &session).await;
    let patch = stack.request(Method::PATCH, "/checkoutSessions/planted-session");
    Answer::of(patch.bearer_auth(checkout("A"))).await;
    let (headers, schedule) = (HeaderMap::new(), stack.bundle.settle());
    observe::invocation("schedule", &headers, None, schedule, |_| Said::default())
        .await
        .unwrap();
    let settled = stack.adyen().webhooks_settled(Duration::from_secs(10));
    settled.await;
    secrets
}

#[tokio::test]
async fn every_flow_is_written_down_without_a_secret_or_anything_of_the_shopper() {
    let output = Output::default();
    let writer = output.clone();
    let subscriber = shared::runtime::log(LevelFilter::TRACE, move || writer.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let stack = start().await;
    let secrets = everything(&stack).await;
    let text = output.text();

    let planted = [
        MAIL,
        STREET,
        NAME,
        PHONE,
        ADDRESS,
        AGENT,
        SHOPPER,
        TOKEN,
        API_KEY,
        GARBAGE,
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
    let planted = planted.iter().copied();
    for secret in planted.chain(secrets.iter().map(String::as_str)) {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }

    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let (metrics, lines): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line["_aws"].is_object());

    // One line a request says all that an operator asks first.
    let done: Vec<&Value> = lines.iter().filter(|it| it["message"] == "done").collect();
    let paid = done
        .iter()
        .find(|line| line["what"] == "POST /payments" && line["reference"] == "A")
        .unwrap();
    assert_eq!(paid["status"], 200, "{paid}");
    assert_eq!(paid["outcome"], "Authorised", "{paid}");
    assert_eq!(paid["adyen_calls"], 1, "{paid}");
    assert_eq!(paid["dynamodb_calls"], 2, "{paid}");
    assert!(paid["psp_reference"].is_string(), "{paid}");
    assert!(paid["adyen_ms"].as_f64().unwrap() > 0.0, "{paid}");
    assert!(
        !paid["span"]["request_id"].as_str().unwrap().is_empty(),
        "{paid}"
    );
    let refused = done.iter().find(|line| line["code"] == "unauthorized");
    assert_eq!(refused.unwrap()["status"], 401);
    let whats = done.iter().filter_map(|line| line["what"].as_str());
    let whats: BTreeSet<_> = whats.map(str::to_owned).collect();
    let functions = Template::read().unwrap().functions;
    let routes = functions.values().flat_map(|function| &function.routes);
    let routes = routes.map(|(method, path)| format!("{method} {path}"));
    let others = ["schedule", "webhook"].map(str::to_owned);
    assert_eq!(whats, routes.chain(others).collect());

    // And metrics are what CloudWatch reads.
    let mut names = BTreeSet::new();
    for line in &metrics {
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert!(line["_aws"]["Timestamp"].is_i64());
        for metric in described["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(!line[name].as_array().unwrap().is_empty(), "{line}");
            names.insert(name.to_owned());
        }
        for dimension in described["Dimensions"].as_array().unwrap() {
            for name in dimension.as_array().unwrap() {
                assert!(line[name.as_str().unwrap()].is_string(), "{line}");
            }
        }
    }
    // Two writers of one order do not meet in every run.
    names.insert("WriteConflicts".to_owned());
    assert_eq!(names, watched());
}

/// The metrics of ours that the template's alarms and dashboard name.
fn watched() -> BTreeSet<String> {
    let template = include_str!("../../../template.yaml");
    let mut names = BTreeSet::new();
    for (before, after) in [
        ("Namespace: !Ref AWS::StackName\n      MetricName: ", "\n"),
        ("[\"${AWS::StackName}\", \"", "\""),
        ("MetricName=\\\"", "\\\""),
    ] {
        let named = template.split(before).skip(1);
        names.extend(named.filter_map(|rest| Some(rest.split_once(after)?.0.to_owned())));
    }
    names
}
