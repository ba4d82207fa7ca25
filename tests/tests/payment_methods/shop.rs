//! The bundle with several payment methods, and a shopper's browser.

use std::time::Duration;

use local::bundle::{Adyen, Options};
use serde_json::{Value, json};
use tests::{Answer, Stack, browser};

pub const METHODS: &str = "amazonpay,scheme,ideal,klarna,paypal,mbway,multibanco,wechatpayQR,\
                           bankTransfer_IBAN,sepadirectdebit,applepay,googlepay,paywithgoogle";

pub struct Shop {
    pub stack: Stack,
}

impl Shop {
    pub async fn open() -> Self {
        let ms = Duration::from_millis;
        let quick = adyen_simulator::Options {
            webhook_delay: ms(10),
            token_webhook_delay: ms(20),
            ..adyen_simulator::Options::default()
        };
        let options = Options {
            adyen: Adyen::Simulator(Box::new(quick)),
            variables: [("ALLOWED_PAYMENT_METHODS".to_owned(), METHODS.to_owned())].into(),
            ..Options::default()
        };
        Self { stack: Stack::with(options).await }
    }

    /// Pays EUR 10.00 as a browser does.
    pub async fn pay(&self, reference: &str, method: Value) -> Answer {
        self.stack.post("/payments", &browser(reference), &with(method)).await
    }

    /// The bodies of the calls of `/payments` so far.
    pub fn sent(&self) -> Vec<Value> {
        let books = self.stack.adyen().books();
        let calls = books.calls.iter().filter(|call| call.path.ends_with("/payments"));
        calls.map(|call| call.body.clone()).collect()
    }
}

/// The body of a browser's request.
pub fn with(method: Value) -> Value {
    json!({
        "paymentMethod": method,
        "returnUrl": "https://your-company.example.com/checkout",
    })
}

/// A card by Adyen's test prefix.
pub fn card(number: &str) -> Value {
    json!({
        "type": "scheme",
        "encryptedCardNumber": format!("test_{number}"),
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737",
        "holderName": "John Smith",
    })
}

pub fn refused_card(number: &str) -> Value {
    let mut card = card(number);
    card["holderName"] = json!("DECLINED");
    card
}
