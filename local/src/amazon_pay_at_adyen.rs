//! Connects the simulator of Adyen to that of Amazon Pay, with the merchant's private key.

use adyen_simulator::Amount;
use amazon_pay_simulator::{Acquirer, PRIVATE_KEY};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use shared::amazon_pay::{PrivateKey, signing};
use url::Url;

pub struct AmazonPayAtAdyen {
    amazon_pay: Acquirer,
    key: PrivateKey,
}

impl AmazonPayAtAdyen {
    /// # Errors
    /// If the development key cannot be read.
    pub fn new(amazon_pay: Acquirer) -> Result<Self, String> {
        Ok(Self { amazon_pay, key: PrivateKey::from_pem(PRIVATE_KEY)? })
    }
}

impl adyen_simulator::AmazonPay for AmazonPayAtAdyen {
    fn configuration(&self) -> Value {
        let options = self.amazon_pay.options();
        json!({
            "merchantId": options.merchant_id,
            "storeId": options.store_id,
            "publicKeyId": options.public_key_id,
        })
    }

    fn sign(&self, payload: &str) -> String {
        let signature = self.key.sign(signing::string_to_sign(payload).as_bytes());
        BASE64_STANDARD.encode(signature.unwrap_or_default())
    }

    fn update(&self, session: &str, amount: &Amount, return_url: &Url) -> Option<String> {
        self.amazon_pay.update(session, &amount.currency, amount.value, return_url)
    }

    fn token(&self, session: &str, amount: &Amount) -> Option<String> {
        self.amazon_pay.token(session, &amount.currency, amount.value)
    }

    fn page(&self, session: &str) -> Option<String> {
        self.amazon_pay.page(session)
    }
}
