//! A simulator, a receiver of its webhooks, and a merchant that calls it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adyen_simulator::{Options, Simulator};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use local::keys;
use serde_json::{Value, json};
pub use tests::with;

/// A time-out for everything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A received webhook.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Received {
    pub fn item(&self) -> &Value {
        &self.body["notificationItems"][0]["NotificationRequestItem"]
    }

    pub fn event(&self) -> &str {
        self.item()["eventCode"].as_str().or(self.body["type"].as_str()).unwrap()
    }
}

#[derive(Clone, Default)]
pub struct Inbox {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Inbox {
    /// The statuses of the answers to the next webhooks; later ones are answered with 200.
    pub fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn events(&self) -> Vec<String> {
        self.received().iter().map(|received| received.event().to_owned()).collect()
    }

    /// Starts the receiver on a free port and returns its URL.
    pub async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .route("/webhooks", axum::routing::post(take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, text: String) -> StatusCode {
    let body = serde_json::from_str(&text).unwrap();
    inbox.received.lock().unwrap().push(Received { headers, text, body });
    let status = inbox.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn is_error(&self, status: u16, code: &str) -> bool {
        self.status == status
            && self.body["status"] == status
            && self.body["errorCode"] == code
            && self.body["message"].is_string()
            && self.body["errorType"].is_string()
    }

    pub fn psp_reference(&self) -> &str {
        self.body["pspReference"].as_str().unwrap()
    }
}

pub struct World {
    pub adyen: Simulator,
    pub inbox: Inbox,
    pub client: reqwest::Client,
}

/// A simulator with short delays.
pub fn quick() -> Options {
    let ms = Duration::from_millis;
    Options {
        late_webhook_delay: ms(100),
        offer_closed_delay: ms(150),
        withheld: ms(400),
        redelivery: vec![ms(20), ms(30)],
        ..tests::quick()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(quick()).await
    }

    pub async fn with(options: Options) -> Self {
        let inbox = Inbox::default();
        let adyen = Simulator::start(options).await.unwrap();
        adyen.set_webhook_url(&inbox.open().await);
        let client = shared::platform::http_client::build(None).unwrap();
        Self { adyen, inbox, client }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.adyen.checkout_url()))
            .header("x-api-key", keys::ADYEN_API_KEY)
    }

    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Reply {
        self.try_post(path, key, body).await.unwrap()
    }

    pub async fn try_post(
        &self,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> reqwest::Result<Reply> {
        let mut request = self.request("POST", path).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        reply(request).await
    }

    /// Pays with this Amazon Pay token.
    pub async fn pay(&self, token: &str) -> Reply {
        self.post("/payments", None, &payment(token)).await
    }

    pub async fn details(&self, name: &str, result: &str) -> Reply {
        self.post("/payments/details", None, &json!({"details": {name: result}})).await
    }

    /// Waits until all webhooks are sent.
    pub async fn recover(&self) {
        assert!(self.adyen.webhooks_delivered(PATIENCE).await, "webhooks wait for too long");
    }
}

pub async fn reply(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let answer = request.timeout(PATIENCE).send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Reply { status, headers, body })
}

/// The request of Adyen's page, with this token.
pub fn payment(token: &str) -> Value {
    of_merchant(tests::payment("ORDER-1", token))
}

/// The same request with the fields that 3-D Secure needs.
pub fn payment_in_browser(token: &str) -> Value {
    of_merchant(tests::in_browser("ORDER-1", token))
}

fn of_merchant(body: Value) -> Value {
    with(body, json!({"merchantAccount": keys::MERCHANT_ACCOUNT}))
}
