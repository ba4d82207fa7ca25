//! The bundle with a DynamoDB that counts and fails on demand, a simulator that holds its
//! webhooks, and constructors for webhooks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use adyen_simulator::Fault;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local::bundle::Options;
use local::keys;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::adyen::hmac::Key;
use shared::domain::order::{Capture, Derived, Order};
use shared::domain::token::Token;
use shared::store::{Orders, Start, StoreError, Tokens};
use tests::faulty::Faulty;
pub use tests::token_id;
use tests::{Answer, Stack, faulty_dynamodb, until};

/// The bundle, and stores that read its tables directly.
pub struct World {
    pub stack: Stack,
    /// The proxy between the functions and their tables; the stores do not use it.
    pub dynamodb: Faulty,
    pub orders: Orders,
    pub tokens: Tokens,
}

impl World {
    pub async fn new() -> Self {
        Self::with([]).await
    }

    /// A bundle with these variables for its functions.
    pub async fn with<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self::behind(faulty_dynamodb::start().await, variables).await
    }

    /// A bundle with this proxy before DynamoDB.
    pub async fn behind<const N: usize>(dynamodb: Faulty, variables: [(&str, &str); N]) -> Self {
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut variables = BTreeMap::from(variables);
        variables.extend([faulty_dynamodb::variable(&dynamodb)]);
        let stack = Stack::with(Options { variables, ..Options::default() }).await;
        stack.adyen().hold_webhooks();
        dynamodb.lead_to(stack.bundle.dynamodb_url());

        let (orders, tokens) = stack.stores().await;
        Self { stack, dynamodb, orders, tokens }
    }

    /// Pays and returns the payment's pspReference.
    pub async fn paid(&self, reference: &str, amazon_pay_token: &str) -> String {
        let answer = self.stack.pay(reference, amazon_pay_token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.psp_reference(reference)
    }

    /// The pspReference of the order's newest payment at Adyen.
    pub fn psp_reference(&self, reference: &str) -> String {
        self.stack.adyen().with_books(|books| {
            let payments = books.payments_of(reference);
            payments.last().unwrap().psp_reference.clone()
        })
    }

    /// Pays, and runs `act` with the payment's pspReference while Adyen's answer is on its way.
    pub async fn while_paying(&self, reference: &str, act: impl AsyncFnOnce(String)) {
        let slow = Fault::AnswerLate(Duration::from_secs(2));
        self.stack.adyen().inject(slow.on("/payments"));
        let meanwhile = async {
            let adyen = self.stack.adyen();
            until(|| adyen.with_books(|books| !books.payments_of(reference).is_empty())).await;
            act(self.psp_reference(reference)).await;
            let order = self.order(reference).await;
            assert_eq!(order.attempts[0].psp_reference, None, "answered too early");
        };
        let (answer, ()) = tokio::join!(self.stack.pay(reference, "AMZN"), meanwhile);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A request to the webhook URL without authentication and body.
    pub fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.stack
            .request(reqwest::Method::POST, "/webhooks")
            .header("content-type", "application/json; charset=utf-8")
            .body(body)
    }

    /// Delivers a body.
    pub async fn deliver(&self, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.post(body)).await
    }

    /// Signs and delivers an item, and expects it to be accepted.
    pub async fn deliver_item(&self, item: &Value) {
        accepted(&self.deliver(standard(&[signed(item)]).to_string()).await);
    }

    /// Signs and delivers a token notification, and expects it to be accepted.
    pub async fn deliver_token(&self, notification: &Value) {
        accepted(&self.deliver_signed(&notification.to_string()).await);
    }

    /// Signs a body as a whole and delivers it.
    pub async fn deliver_signed(&self, body: impl AsRef<[u8]>) -> Answer {
        let signature = key(keys::TOKEN_HMAC_KEY).sign(body.as_ref());
        Answer::of(self.post(body.as_ref().to_vec()).header("hmacsignature", signature)).await
    }

    /// The order as it is stored.
    pub async fn order(&self, reference: &str) -> Order {
        let reference = reference.parse().unwrap();
        self.orders.get(&reference).await.unwrap().unwrap()
    }

    /// The keys of the orders table with this prefix, sorted.
    pub async fn keys(&self, start: &str) -> Vec<String> {
        let scan = self.stack.dynamodb().scan().table_name("orders");
        let items = scan.into_paginator().items().send();
        let items = items.collect::<Result<Vec<_>, _>>().await.unwrap();
        let keys = items.into_iter().map(|item| item["reference"].as_s().unwrap().clone());
        let mut keys: Vec<String> = keys.filter(|key| key.starts_with(start)).collect();
        keys.sort();
        keys
    }

    /// The order's status.
    pub async fn status(&self, reference: &str) -> Value {
        json!(Derived::of(&self.order(reference).await).status)
    }

    /// The item of the orders table with this key.
    pub async fn item(&self, key: &str) -> Option<HashMap<String, AttributeValue>> {
        let read = self.stack.dynamodb().get_item().table_name("orders");
        let read = read.key("reference", AttributeValue::S(key.to_owned()));
        read.send().await.unwrap().item
    }

    /// The number of items in a table.
    pub async fn count(&self, table: &str) -> i32 {
        let scan = self.stack.dynamodb().scan().table_name(table);
        scan.send().await.unwrap().count()
    }

    /// Writes an order as the functions do.
    pub async fn store(&self, order: &Order) {
        let stored = self.orders.change(&order.reference, Start::New, |slot| {
            *slot = Some(order.clone());
            Ok::<_, StoreError>(())
        });
        stored.await.unwrap();
    }

    /// Stores an order to which nothing has happened.
    pub async fn begin(&self, reference: &str, capture: Capture) {
        let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
        let reference = reference.parse().unwrap();
        self.store(&Order::new(reference, amount, capture, None, Timestamp::now())).await;
    }

    /// A token of shopper-1 that cannot be read, and the event that is told about it.
    pub async fn spoil_a_token(&self) -> Value {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let broken = self.stack.dynamodb().put_item().table_name("tokens");
        let broken = broken
            .item("shopperReference", text("shopper-1"))
            .item("storedPaymentMethodId", text("TOKEN"))
            .item("events", text("no such thing"));
        broken.send().await.unwrap();
        let notification = token_notification("disabled", "DISABLE000000001", "shopper-1", "TOKEN");
        self.deliver_token(&notification).await;
        notification
    }

    /// The token as it is stored.
    pub async fn token(&self, shopper: &str, id: &str) -> Option<Token> {
        self.tokens.get(&token_id(shopper, id)).await.unwrap()
    }
}

/// Adyen takes nothing else for an acknowledgement.
#[track_caller]
pub fn accepted(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body, "[accepted]", "{answer:?}");
}

pub fn key(hex: &str) -> Key {
    Key::from_hex(hex).unwrap()
}

/// An item of EUR 10.00 with `success` true, unsigned.
pub fn item(event_code: &str, psp_reference: &str, merchant_reference: &str) -> Value {
    json!({
        "additionalData": {},
        "amount": {"currency": "EUR", "value": 1000},
        "eventCode": event_code,
        "eventDate": "2026-11-23T10:00:00+01:00",
        "merchantAccountCode": keys::MERCHANT_ACCOUNT,
        "merchantReference": merchant_reference,
        "paymentMethod": "visa_amazonpay",
        "pspReference": psp_reference,
        "reason": "",
        "success": "true",
    })
}

/// An item about a later event of a payment.
pub fn modification(event_code: &str, psp_reference: &str, payment: &str, named: &str) -> Value {
    let mut item = item(event_code, psp_reference, named);
    item["originalReference"] = json!(payment);
    item
}

/// The item with these members.
pub fn with(mut item: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

/// The item with its signature.
pub fn signed(item: &Value) -> Value {
    signed_by(item, keys::STANDARD_HMAC_KEY)
}

pub fn signed_by(item: &Value, hex: &str) -> Value {
    let mut item = item.clone();
    let content = tests::signed_text(&item);
    item["additionalData"]["hmacSignature"] = json!(key(hex).sign(content.as_bytes()));
    item
}

/// A webhook with these items.
pub fn standard(items: &[Value]) -> Value {
    let items: Vec<Value> =
        items.iter().map(|item| json!({"NotificationRequestItem": item})).collect();
    json!({"live": "false", "notificationItems": items})
}

/// A token notification; `kind` is for example `created`.
pub fn token_notification(kind: &str, event_id: &str, shopper: &str, id: &str) -> Value {
    let mut notification = json!({
        "createdAt": "2026-11-23T10:00:00+01:00",
        "eventId": event_id,
        "environment": "test",
        "data": {
            "merchantAccount": keys::MERCHANT_ACCOUNT,
            "storedPaymentMethodId": id,
            "type": "visa_amazonpay",
            "shopperReference": shopper,
        },
        "type": format!("recurring.token.{kind}"),
    });
    if kind != "disabled" {
        notification["data"]["operation"] = json!(kind);
    }
    notification
}
