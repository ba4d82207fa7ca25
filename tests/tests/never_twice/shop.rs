//! The bundle with a DynamoDB and an Adyen that fail on demand, and a shopper's browser.

use std::collections::BTreeMap;
use std::ops::Deref;

use adyen_simulator::Simulator;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use local::bundle::{Adyen, Options};
use serde_json::{Value, json};
use tests::faulty::Faulty;
use tests::{Answer, Stack, browser, faulty_dynamodb, passing_time};
pub use tests::{assert_problem, in_browser, quick};

/// Methods with every kind of action, and without one.
const METHODS: &str = "amazonpay,scheme,ideal,mbway,multibanco,bankTransfer_IBAN";

/// The bundle, with a faulty proxy before DynamoDB and one before Adyen.
pub struct Shop {
    pub stack: Stack,
    pub dynamodb: Faulty,
    pub adyen: Faulty,
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
        let (dynamodb, adyen) = (faulty_dynamodb::start().await, Faulty::start(None).await);
        let variables = [
            faulty_dynamodb::variable(&dynamodb),
            ("ADYEN_CHECKOUT_URL".to_owned(), format!("{}/v72", adyen.url())),
            ("ALLOWED_PAYMENT_METHODS".to_owned(), METHODS.to_owned()),
        ];
        let stack = Stack::with(Options {
            adyen: Adyen::Simulator(Box::new(simulator)),
            variables: variables.into(),
            ..Options::default()
        })
        .await;
        dynamodb.lead_to(stack.bundle.dynamodb_url());
        let checkout = stack.adyen().checkout_url();
        adyen.lead_to(checkout.strip_suffix("/v72").unwrap());
        Self { stack, dynamodb, adyen }
    }

    /// A second process on the same tables and the same Adyen.
    pub async fn second_process(&self) -> Stack {
        self.second_process_with([]).await
    }

    /// As [`Shop::second_process`], with these variables.
    pub async fn second_process_with<const N: usize>(&self, otherwise: [(&str, &str); N]) -> Stack {
        let mut variables = BTreeMap::from([
            faulty_dynamodb::variable(&self.dynamodb),
            ("ADYEN_CHECKOUT_URL".to_owned(), format!("{}/v72", self.adyen.url())),
            ("ALLOWED_PAYMENT_METHODS".to_owned(), METHODS.to_owned()),
        ]);
        variables.extend(otherwise.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Stack::with(Options { variables, ..Options::default() }).await
    }

    pub fn simulator(&self) -> &Simulator {
        self.stack.adyen()
    }

    /// Lets time pass for an order.
    pub async fn pass(&self, reference: &str, time: SignedDuration) {
        passing_time::pass(&self.stack.dynamodb(), reference, time).await;
    }

    /// Pays as a browser that can do 3-D Secure.
    pub async fn pay(&self, reference: &str, amazon_pay_token: &str) -> Answer {
        let body = in_browser(reference, amazon_pay_token);
        self.stack.post("/payments", &browser(reference), &body).await
    }

    /// Posts the details of an attempt.
    pub async fn details(&self, reference: &str, attempt: u64, name: &str, result: &str) -> Answer {
        let body = json!({"attempt": attempt, "details": {name: result}});
        self.stack.post("/payments/details", &browser(reference), &body).await
    }

    /// The order's item in the table.
    pub async fn item(&self, reference: &str) -> Value {
        let key = AttributeValue::S(reference.to_owned());
        let dynamodb = self.stack.dynamodb();
        let item = dynamodb.get_item().table_name("orders").key("reference", key);
        let item = item.consistent_read(true).send().await.unwrap().item.unwrap();
        serde_dynamo::from_item(item).unwrap()
    }
}

/// Asserts the order's state in the answer to a payment.
#[track_caller]
pub fn assert_paid(answer: &Answer, status: &str, attempt: u64, next_step: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = &answer.body;
    assert_eq!(
        (&body["status"], &body["attempt"], &body["nextStep"]),
        (&json!(status), &json!(attempt), &json!(next_step)),
        "{answer:?}"
    );
}

/// Asserts that the outcome is unknown.
#[track_caller]
pub fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = &answer.body;
    assert_eq!(
        (&body["status"], &body["nextStep"]),
        (&json!("pending"), &json!("wait")),
        "{answer:?}"
    );
}
