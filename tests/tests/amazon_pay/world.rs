//! A shop, and its shopper's way through Amazon Pay.

use std::collections::BTreeMap;

use amazon_pay_simulator::{Books, Options, PRIVATE_KEY, Session, Simulator};
use local::bundle;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::amazon_pay::AmazonPay;
use shared::platform::config::{Env, Settings, StartError};
use tests::{Answer, Stack, browser};

pub const REVIEW: &str = "https://shop.example/review?basket=1";
pub const RESULT: &str = "https://shop.example/result";

/// The bundle, and a shopper's browser that calls its Amazon Pay simulator.
pub struct Shop {
    pub stack: Stack,
    browser: reqwest::Client,
}

impl Shop {
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::of(Stack::with_variables(variables).await)
    }

    pub async fn simulating(options: Options, variables: &[(&str, &str)]) -> Self {
        let variables: BTreeMap<_, _> = owned(variables).collect();
        let options = bundle::Options {
            amazon: Some(Box::new(options)),
            variables,
            ..bundle::Options::default()
        };
        Self::of(Stack::with(options).await)
    }

    /// A shop whose deployment is not registered at Amazon Pay.
    pub async fn unregistered() -> Stack {
        Stack::with(bundle::Options { amazon: None, ..bundle::Options::default() }).await
    }

    fn of(stack: Stack) -> Self {
        Self { stack, browser: shared::platform::http_client::build(None).unwrap() }
    }

    pub fn amazon(&self) -> &Simulator {
        self.stack.bundle.amazon().unwrap()
    }

    pub fn books(&self) -> Books {
        self.amazon().books()
    }

    pub fn session(&self, id: &str) -> Session {
        self.books().sessions[id].clone()
    }

    pub async fn create(&self, token: &str, body: &Value) -> Answer {
        self.stack.post("/checkoutSessions", token, body).await
    }

    pub async fn confirm(&self, id: &str, token: &str, body: Option<&Value>) -> Answer {
        let path = format!("/checkoutSessions/{id}");
        let mut request = self.stack.request(Method::PATCH, &path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await
    }

    /// Creates a button for an order, presses it and picks a card. Returns the session's id.
    pub async fn pick(&self, reference: &str, card: &str) -> String {
        let button = self.create(&browser(reference), &urls()).await;
        assert_eq!(button.status, 200, "{button:?}");
        let page = location(&self.press(&button.body).await);
        let review = self.visit(&format!("{page}?card={card}")).await;
        session_id(&location(&review))
    }

    /// Presses the button as Amazon Pay's script does.
    pub async fn press(&self, button: &Value) -> Response {
        press(&self.browser, self.amazon(), button).await
    }

    pub async fn visit(&self, url: &str) -> Response {
        self.browser.get(url).send().await.unwrap()
    }
}

pub async fn press(browser: &reqwest::Client, amazon: &Simulator, button: &Value) -> Response {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in button.as_object().unwrap() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    browser
        .post(format!("{}/checkout", amazon.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish())
        .send()
        .await
        .unwrap()
}

pub fn location(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// The session's id in the URL to which the shopper returns.
pub fn session_id(url: &str) -> String {
    url::Url::parse(url)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "amazonCheckoutSessionId")
        .unwrap()
        .1
        .into_owned()
}

pub fn urls() -> Value {
    json!({"checkoutReviewReturnUrl": REVIEW, "checkoutResultReturnUrl": RESULT})
}

/// `urls` with these members.
pub fn urls_and(members: Value) -> Value {
    let mut body = urls();
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn owned<'a>(variables: &'a [(&str, &str)]) -> impl Iterator<Item = (String, String)> + 'a {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// Amazon Pay's variables for a simulator, with these changes; an empty value leaves the variable
/// unset.
pub fn variables(options: &Options, url: &str, changed: &[(&str, &str)]) -> Env {
    let sandbox = options.sandbox.to_string();
    let mut variables: BTreeMap<String, String> = owned(&[
        ("AMAZON_PAY_LEDGER_CURRENCY", &options.ledger_currency),
        ("AMAZON_PAY_MERCHANT_ID", &options.merchant_id),
        ("AMAZON_PAY_PRIVATE_KEY", PRIVATE_KEY),
        ("AMAZON_PAY_PUBLIC_KEY_ID", &options.public_key_id),
        ("AMAZON_PAY_REGION", &options.region),
        ("AMAZON_PAY_SANDBOX", &sandbox),
        ("AMAZON_PAY_STORE_ID", &options.store_id),
        ("AMAZON_PAY_URL", url),
    ])
    .collect();
    variables.extend(owned(changed));
    variables.into_iter().collect()
}

/// Reads the configuration as a function does.
pub async fn read(env: &Env) -> Result<Option<AmazonPay>, StartError> {
    let mut settings = Settings::load(env, AmazonPay::SECRETS).await?;
    let read = AmazonPay::read(&mut settings);
    settings.finish(read)
}

/// Sends a request that `tamper` changed after the signature was made.
pub async fn send(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}
