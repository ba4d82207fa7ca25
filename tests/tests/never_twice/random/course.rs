//! The methods with which the shopper of a schedule pays.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::shopper::Flow;

/// The methods of a schedule's shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    AmazonPay(Flow),
    /// Another method in each session.
    AnyMethod {
        seed: u64,
    },
}

impl Course {
    pub fn brings_details(self) -> bool {
        match self {
            Self::AmazonPay(flow) => flow.brings_details(),
            Self::AnyMethod { .. } => true,
        }
    }

    /// The method of the nth session, and its name in the table.
    pub fn method(self, session: u32, stored: &str) -> (&'static str, Value) {
        let amazon_pay = |flow: Flow| {
            let token = flow.token(session);
            ("amazonpay", json!({"type": "amazonpay", "amazonPayToken": token}))
        };
        let seed = match self {
            Self::AmazonPay(flow) => return amazon_pay(flow),
            Self::AnyMethod { seed } => seed,
        };
        let card = |number, holder| card(number, holder, session);
        match Rng::with_seed(seed ^ u64::from(session)).u8(..9) {
            0 => amazon_pay(Flow::Payment),
            1 => ("card", card("4111111111111111", "John Smith")),
            2 => ("card with 3-D Secure", card("4035501428146300", "John Smith")),
            3 => ("declined card", card("4111111111111111", "DECLINED")),
            4 => {
                let method = json!({
                    "type": "scheme",
                    "storedPaymentMethodId": stored,
                    "encryptedSecurityCode": format!("test_{session}"),
                });
                ("one click", method)
            }
            5 => ("ideal", json!({"type": "ideal"})),
            6 => ("multibanco", json!({"type": "multibanco"})),
            7 => ("bankTransfer_IBAN", json!({"type": "bankTransfer_IBAN"})),
            _ => ("mbway", json!({"type": "mbway", "telephoneNumber": "+351213822199"})),
        }
    }
}

pub fn card(number: &str, holder: &str, session: u32) -> Value {
    json!({
        "type": "scheme",
        "encryptedCardNumber": format!("test_{number}"),
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        // Adyen's library encrypts anew in each session.
        "encryptedSecurityCode": format!("test_{session}"),
        "holderName": holder,
    })
}
