//! The bundle with a fast simulator, a shopper and a merchant.

use std::ops::Deref;
use std::time::Duration;

use adyen_simulator::WebhookFault;
use local::bundle::{Adyen, Options};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::token::Token;
use shared::store::Tokens;
use tests::faulty::Faulty;
use tests::{Answer, Stack, backend, browser_with, faulty_dynamodb, payment};
pub use tests::{assert_problem, quick, token_id as key, with};

pub const SHOPPER: &str = "YOUR_UNIQUE_SHOPPER_ID_IOfW3k9G2PvXFu2j";

pub struct Shop {
    pub stack: Stack,
    /// The tokens table.
    pub tokens: Tokens,
}

impl Deref for Shop {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

impl Shop {
    pub async fn open() -> Self {
        Self::with(quick()).await
    }

    pub async fn with(simulator: adyen_simulator::Options) -> Self {
        let stack = Stack::with(Options {
            adyen: Adyen::Simulator(Box::new(simulator)),
            ..Options::default()
        })
        .await;
        Self::around(stack).await
    }

    /// A shop whose tables fail on demand.
    pub async fn behind_a_faulty_dynamodb() -> (Self, Faulty) {
        let dynamodb = faulty_dynamodb::start().await;
        let stack = Stack::with(Options {
            adyen: Adyen::Simulator(Box::new(quick())),
            variables: [faulty_dynamodb::variable(&dynamodb)].into(),
            ..Options::default()
        })
        .await;
        dynamodb.lead_to(stack.bundle.dynamodb_url());
        (Self::around(stack).await, dynamodb)
    }

    /// A shop, and the id of a stored payment method of the shopper.
    pub async fn with_token() -> (Self, String) {
        let shop = Self::open().await;
        let id = shop.stored(SHOPPER, "FIRST").await;
        (shop, id)
    }

    /// Around a bundle that runs already.
    pub async fn around(stack: Stack) -> Self {
        let (_, tokens) = stack.stores().await;
        Self { stack, tokens }
    }

    /// The shopper pays and stores the payment method, and the webhooks come. Gives its id.
    pub async fn stored(&self, shopper: &str, reference: &str) -> String {
        let answer = self.pay_and_store(shopper, reference, "AMZN").await;
        assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
        self.webhooks_delivered().await;
        self.newest_token()
    }

    /// As [`Shop::stored`], but without a webhook about the token. Returns its id.
    pub async fn stored_without_webhook(&self, shopper: &str, reference: &str) -> String {
        self.pay_and_store(shopper, reference, &format!("{reference}-NO-WEBHOOK")).await;
        // Wait until the other webhooks have arrived.
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.newest_token()
    }

    pub async fn pay_and_store(&self, shopper: &str, reference: &str, token: &str) -> Answer {
        let mut body = payment(reference, token);
        body["storePaymentMethod"] = json!(true);
        body["recurringProcessingModel"] = json!("Subscription");
        let browser = browser_of(shopper, reference);
        self.stack.post("/payments", &browser, &body).await
    }

    fn newest_token(&self) -> String {
        let tokens = self.adyen().books().tokens;
        let newest = tokens.values().max_by_key(|token| token.at);
        newest.unwrap().id.clone()
    }

    /// Charges a stored payment method as the merchant.
    pub async fn charge(&self, body: &Value) -> Answer {
        self.stack.post("/payments", &backend(), body).await
    }

    /// As [`Shop::charge`], with an `Idempotency-Key`.
    pub async fn charge_with_key(&self, body: &Value, key: &str) -> Answer {
        let backend = backend();
        self.stack.post_with_key("/payments", &backend, key, body).await
    }

    /// Lists a shopper's payment methods as the merchant; `query` begins with `?`.
    pub async fn list(&self, shopper: &str, query: &str) -> Vec<Value> {
        let answer = self.try_list(shopper, query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["shopperReference"], shopper);
        let listed = answer.body["storedPaymentMethods"].as_array();
        listed.unwrap().clone()
    }

    pub async fn try_list(&self, shopper: &str, query: &str) -> Answer {
        self.stack.get(&format!("{}{query}", path(shopper)), &backend()).await
    }

    /// The ids in that list.
    pub async fn ids(&self, shopper: &str, query: &str) -> Vec<String> {
        let listed = self.list(shopper, query).await;
        let id = |listed: &Value| listed["storedPaymentMethodId"].as_str().unwrap().to_owned();
        listed.iter().map(id).collect()
    }

    /// Removes a payment method as the merchant.
    pub async fn remove(&self, shopper: &str, id: &str) -> Answer {
        let path = format!("{}/{id}", path(shopper));
        let request = self.stack.request(Method::DELETE, &path);
        Answer::of(request.bearer_auth(backend())).await
    }

    /// Disables a token at Adyen and loses the webhook about it.
    pub fn removed_without_webhook(&self, id: &str) {
        self.adyen().inject_webhook(WebhookFault::Lose);
        assert!(self.adyen().disable_token(id).unwrap());
    }

    pub async fn token(&self, shopper: &str, id: &str) -> Option<Token> {
        self.tokens.get(&key(shopper, id)).await.unwrap()
    }

    /// Returns whether the order is unknown here: nothing was written for it.
    pub async fn order_is_unknown(&self, reference: &str) -> bool {
        let path = format!("/orders/{reference}");
        self.stack.get(&path, &backend()).await.status == 404
    }
}

pub fn path(shopper: &str) -> String {
    format!("/shoppers/{shopper}/storedPaymentMethods")
}

/// A checkout token for an order of this shopper.
pub fn browser_of(shopper: &str, reference: &str) -> String {
    browser_with(json!({
        "reference": reference,
        "amount": {"currency": "EUR", "value": 1000},
        "shopperReference": shopper,
    }))
}

/// The request body of a charge, as on Adyen's page about the integration.
pub fn charge(shopper: &str, reference: &str, id: &str) -> Value {
    json!({
        "amount": {"currency": "EUR", "value": 1000},
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": id},
        "reference": reference,
        "shopperReference": shopper,
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription",
    })
}

#[track_caller]
pub fn assert_paid(answer: &Answer, status: &str, attempt: u64) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = &answer.body;
    assert_eq!(
        (&body["status"], &body["attempt"]),
        (&json!(status), &json!(attempt)),
        "{answer:?}"
    );
}
