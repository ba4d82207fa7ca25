//! The tests' harness: the bundle on one machine, and a client of its API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod faulty;
pub mod faulty_dynamodb;
pub mod files;
pub mod output;
pub mod passing_time;

use std::borrow::Borrow;
use std::time::{Duration, Instant};

use adyen_simulator::Simulator;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use local::{
    bundle::{Bundle, Options},
    token::{self, CHECKOUT_LIFE, MERCHANT_LIFE},
};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use shared::{
    domain::token::TokenId,
    http::jwt::{Checkout, Merchant},
    platform::{
        config::{Env, Settings},
        http_client::SdkHttpClient,
    },
    store::{Orders, Tokens},
};

/// Returns true if the longer form of the tests was asked for, as `ci/run` does.
pub fn longer_form() -> bool {
    std::env::var_os("NEVER_TWICE_ALL_FAULTS").is_some()
}

/// Waits until the condition holds; panics after ten seconds.
pub async fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the condition does not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The running bundle and a client for it.
pub struct Stack {
    pub bundle: Bundle,
    http: reqwest::Client,
}

/// A response of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body; a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// The problem's `code`, after asserting that the response has the members of RFC 9457.
    pub fn code(&self) -> &str {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        for member in ["type", "title", "detail", "code"] {
            assert!(self.body[member].is_string(), "{member}: {self:?}");
        }
        self.body["code"].as_str().unwrap()
    }
}

impl Stack {
    /// The bundle in memory, as `cargo dev` starts it.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let http = shared::platform::http_client::build(None).unwrap();
        Self { bundle: Bundle::start(options).await.expect("the bundle starts"), http }
    }

    /// The bundle in memory, with these variables of its functions set.
    pub async fn with_variables(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self::with(Options { variables, ..Options::default() }).await
    }

    /// How often Adyen was called, at a path that ends so.
    pub fn calls(&self, ending: &str) -> usize {
        self.adyen().with_books(|books| books.calls_to(ending).len())
    }

    /// How often money was promised for an order.
    pub fn authorisations(&self, reference: &str) -> usize {
        self.adyen().with_books(|books| books.authorisations(reference))
    }

    /// How many payments Adyen processed for an order, whatever became of them.
    pub fn processed(&self, reference: &str) -> usize {
        self.adyen().with_books(|books| books.payments_of(reference).len())
    }

    /// Waits until no webhook is on its way.
    pub async fn webhooks_delivered(&self) {
        let delivered = self.adyen().webhooks_delivered(Duration::from_secs(20));
        assert!(delivered.await, "webhooks wait for too long");
    }

    /// The Adyen that this bundle calls.
    pub fn adyen(&self) -> &Simulator {
        self.bundle.simulator().expect("a simulator")
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
            .endpoint_url(self.bundle.dynamodb_url())
            .http_client(SdkHttpClient::new(self.http.clone()))
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// Stores that read and write the bundle's tables.
    pub async fn stores(&self) -> (Orders, Tokens) {
        let env = [
            ("AWS_ENDPOINT_URL_DYNAMODB", self.bundle.dynamodb_url()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        let env: Env =
            env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let mut settings = Settings::load(&env, &[]).await.unwrap();
        let stores = Orders::read(&mut settings).zip(Tokens::read(&mut settings));
        settings.finish(stores).unwrap()
    }

    /// A request to the API without token and body.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.bundle.url()))
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    pub async fn post_with_key(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).bearer_auth(token);
        Answer::of(request.header("Idempotency-Key", key).json(body)).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).bearer_auth(token)).await
    }

    /// The order as the merchant's backend sees it.
    pub async fn order(&self, reference: &str) -> Value {
        let answer = self.get(&format!("/orders/{reference}"), &backend()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Waits until the order fulfils the condition; panics after ten seconds.
    pub async fn order_once(&self, reference: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let order = self.order(reference).await;
            if wanted(&order) {
                return order;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "still {order}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Pays as a browser does, EUR 10.00 with this amazonPayToken.
    pub async fn pay(&self, reference: &str, amazon_pay_token: &str) -> Answer {
        self.post("/payments", &browser(reference), &payment(reference, amazon_pay_token)).await
    }
}

/// A browser's token for an order of EUR 10.00 in the Netherlands.
pub fn browser(reference: &str) -> String {
    let order = json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL",
    });
    browser_with(order)
}

/// A browser's token with these claims.
pub fn browser_with(claims: Value) -> String {
    let order: Checkout = serde_json::from_value(claims).unwrap();
    token::checkout(order, CHECKOUT_LIFE).unwrap()
}

pub fn backend() -> String {
    token::merchant(Merchant::default(), MERCHANT_LIFE).unwrap()
}

/// A merchant token of a person.
pub fn operator(name: &str) -> String {
    token::merchant(Merchant { sub: Some(name.to_owned()) }, MERCHANT_LIFE).unwrap()
}

/// The request body of a payment of EUR 10.00.
pub fn payment(reference: &str, amazon_pay_token: &str) -> Value {
    json!({
        "amount": {"currency": "EUR", "value": 1000},
        "reference": reference,
        "paymentMethod": {"type": "amazonpay", "amazonPayToken": amazon_pay_token},
        "returnUrl": "https://your-company.example.com/checkout?shopperOrder=12xy..",
    })
}

/// The same with all that 3-D Secure needs.
pub fn in_browser(reference: &str, amazon_pay_token: &str) -> Value {
    let browser = json!({
        "channel": "Web",
        "origin": "https://your-company.example.com",
        "browserInfo": {
            "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
            "screenHeight": 1080, "screenWidth": 1920, "timeZoneOffset": -60,
            "userAgent": "Mozilla/5.0",
        },
    });
    with(payment(reference, amazon_pay_token), browser)
}

/// An object with these members instead; null ones are removed.
pub fn with(mut object: Value, members: impl Borrow<Value>) -> Value {
    let all = object.as_object_mut().unwrap();
    all.extend(members.borrow().as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    object
}

pub fn token_id(shopper: &str, id: &str) -> TokenId {
    TokenId {
        shopper_reference: shopper.to_owned().try_into().unwrap(),
        stored_payment_method_id: id.to_owned().try_into().unwrap(),
    }
}

/// A simulator that sends webhooks soon and, if they are not accepted, again soon.
pub fn quick() -> adyen_simulator::Options {
    let ms = Duration::from_millis;
    adyen_simulator::Options {
        webhook_delay: ms(10),
        token_webhook_delay: ms(20),
        offer_closed_delay: ms(60),
        redelivery: vec![ms(20); 200],
        ..adyen_simulator::Options::default()
    }
}

#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}

/// The eight signed fields, joined, as Adyen's libraries do it.
pub fn signed_text(item: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    [
        &item["pspReference"],
        &item["originalReference"],
        &item["merchantAccountCode"],
        &item["merchantReference"],
        &item["amount"]["value"],
        &item["amount"]["currency"],
        &item["eventCode"],
        &item["success"],
    ]
    .map(text)
    .join(":")
}
