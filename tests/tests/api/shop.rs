//! A storefront whose shoppers go through 3-D Secure.

use adyen_simulator::Release;
use serde_json::{Value, json};
pub use tests::in_browser as from_browser;
use tests::{Answer, Stack, browser};

/// A storefront's page in the shopper's browser.
pub struct Shop {
    /// The bundle behind it.
    pub stack: Stack,
}

impl Shop {
    /// A storefront whose webhooks are held back.
    pub async fn open() -> Self {
        let stack = Stack::start().await;
        stack.adyen().hold_webhooks();
        Self { stack }
    }

    pub async fn pay(&self, reference: &str, amazon_pay_token: &str) -> Answer {
        let body = from_browser(reference, amazon_pay_token);
        self.stack.post("/payments", &browser(reference), &body).await
    }

    /// Pays and returns the action for the shopper.
    pub async fn pay_until_action(&self, reference: &str, amazon_pay_token: &str) -> Value {
        let answer = self.pay(reference, amazon_pay_token).await;
        assert_eq!(answer.body["nextStep"], "handleAction", "{answer:?}");
        answer.body["action"].clone()
    }

    /// Posts the details that the browser brings from the bank.
    pub async fn post_details(&self, reference: &str, details: Value) -> Answer {
        let body = json!({"details": details});
        self.stack.post("/payments/details", &browser(reference), &body).await
    }

    pub async fn sees(&self, reference: &str) -> Value {
        let path = format!("/orders/{reference}");
        self.stack.get(&path, &browser(reference)).await.body
    }

    /// The number of calls to Adyen's /payments/details.
    pub fn details_at_adyen(&self) -> usize {
        self.stack.adyen().books().calls_to("/payments/details").len()
    }

    pub async fn release_webhooks(&self) {
        self.stack.adyen().release_webhooks(Release::InOrder).await;
    }
}
