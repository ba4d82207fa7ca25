//! The content, signature and delivery of webhooks.
//!
//! A standard webhook signs eight of its fields, joined by colons and not escaped, in
//! `additionalData.hmacSignature`. A recurring.token webhook signs its whole body in the
//! header `hmacsignature`. Each has its own key.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::adyen::hmac::Key;
use shared::clock;

use crate::books::Amount;

mod target;

pub use target::{Reply, Target};

/// An event that a webhook reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Such as `AUTHORISATION` or `recurring.token.created`.
    pub event: String,
    /// The pspReference of the event; the `eventId` of a token event, which is the payment's.
    pub psp_reference: String,
    /// The payment of a modification.
    pub original_reference: Option<String>,
    pub merchant_account: String,
    /// The reference of the payment or of the modification.
    pub merchant_reference: String,
    pub amount: Option<Amount>,
    pub success: bool,
    /// The reason of a failure; for an authorisation, `authCode:last4:expiry`.
    pub reason: Option<String>,
    pub event_date: Timestamp,
    /// Such as `visa_amazonpay`.
    pub payment_method: String,
    /// Such as `modification.action`.
    pub additional_data: BTreeMap<String, String>,
    /// The modifications that are possible next.
    pub operations: Vec<String>,
    /// True for the live environment.
    pub live: bool,
    /// For token events.
    pub shopper_reference: String,
    /// For token events.
    pub stored_payment_method_id: String,
}

impl Event {
    /// A successful event of the test environment and a Visa card at Amazon, dated now.
    pub fn new(event: &str, merchant_account: &str, psp_reference: &str, reference: &str) -> Self {
        Self {
            event: event.into(),
            psp_reference: psp_reference.into(),
            original_reference: None,
            merchant_account: merchant_account.into(),
            merchant_reference: reference.into(),
            amount: None,
            success: true,
            reason: None,
            event_date: clock::now(),
            payment_method: "visa_amazonpay".into(),
            additional_data: BTreeMap::new(),
            operations: Vec::new(),
            live: false,
            shopper_reference: String::new(),
            stored_payment_method_id: String::new(),
        }
    }

    /// Returns whether it belongs to the recurring.token webhook.
    pub fn is_about_a_token(&self) -> bool {
        self.event.starts_with("recurring.token.")
    }

    /// The webhook of this event. If `forged`, its signature is wrong.
    pub fn message(&self, signer: &Signer, forged: bool) -> Message {
        if self.is_about_a_token() {
            let body = self.token_body().to_string();
            let headers = vec![
                ("hmacsignature".into(), sign(&signer.token, &body, forged)),
                ("protocol".into(), "HmacSHA256".into()),
            ];
            return Message { body, headers };
        }
        let signature = sign(&signer.standard, &self.signed_text(), forged);
        Message { body: self.standard_body(&signature).to_string(), headers: Vec::new() }
    }

    fn signed_text(&self) -> String {
        let (value, currency) = match &self.amount {
            Some(amount) => (amount.value.to_string(), amount.currency.as_str()),
            None => (String::new(), ""),
        };
        [
            self.psp_reference.as_str(),
            self.original_reference.as_deref().unwrap_or_default(),
            &self.merchant_account,
            &self.merchant_reference,
            &value,
            currency,
            &self.event,
            if self.success { "true" } else { "false" },
        ]
        .join(":")
    }

    fn standard_body(&self, signature: &str) -> Value {
        let mut additional = self.additional_data.clone();
        additional.insert("hmacSignature".into(), signature.into());
        let mut item = json!({
            "additionalData": additional,
            "eventCode": self.event,
            "eventDate": date(self.event_date),
            "merchantAccountCode": self.merchant_account,
            "merchantReference": self.merchant_reference,
            "paymentMethod": self.payment_method,
            "pspReference": self.psp_reference,
            "reason": self.reason.as_deref().unwrap_or_default(),
            "success": if self.success { "true" } else { "false" },
        });
        if let Some(amount) = &self.amount {
            item["amount"] = json!(amount);
        }
        if let Some(original) = &self.original_reference {
            item["originalReference"] = json!(original);
        }
        if !self.operations.is_empty() {
            item["operations"] = json!(self.operations);
        }
        json!({
            "live": if self.live { "true" } else { "false" },
            "notificationItems": [{"NotificationRequestItem": item}],
        })
    }

    fn token_body(&self) -> Value {
        let mut data = json!({
            "merchantAccount": self.merchant_account,
            "storedPaymentMethodId": self.stored_payment_method_id,
            "type": self.payment_method,
            "shopperReference": self.shopper_reference,
        });
        match self.event.trim_start_matches("recurring.token.") {
            "disabled" => {}
            operation => data["operation"] = json!(operation),
        }
        json!({
            "createdAt": date(self.event_date),
            "eventId": self.psp_reference,
            "environment": if self.live { "live" } else { "test" },
            "data": data,
            "type": self.event,
        })
    }
}

/// Where an event names the payment that it is about: as its pspReference (the `eventId` of an event
/// about a stored payment method), or as its originalReference. An event that does not name it as
/// its pspReference has a reference of its own.
pub fn names_of_payment(event: &str, payment: Option<String>) -> (Option<String>, Option<String>) {
    match event {
        "AUTHORISATION" | "OFFER_CLOSED" | "EXPIRE" => (payment, None),
        "recurring.token.disabled" => (None, None),
        _ if event.starts_with("recurring.token.") => (payment, None),
        _ => (None, payment),
    }
}

/// A time in Adyen's format: in Amsterdam's winter time, to the second.
fn date(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::fixed(Offset::constant(1)))
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

fn sign(key: &Key, text: &str, forged: bool) -> String {
    if forged { key.sign(format!("not {text}").as_bytes()) } else { key.sign(text.as_bytes()) }
}

/// Signs both kinds of webhooks.
#[derive(Clone, Debug)]
pub struct Signer {
    standard: Key,
    token: Key,
}

impl Signer {
    /// Takes the keys in hex, as Adyen's Customer Area shows them.
    ///
    /// # Errors
    /// If one is not hex.
    pub fn new(standard: &str, token: &str) -> io::Result<Self> {
        let key = |hex| Key::from_hex(hex).map_err(|error| invalid(&error.to_string()));
        Ok(Self { standard: key(standard)?, token: key(token)? })
    }
}

/// The body and headers of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub body: String,
    /// The headers of the signature.
    pub headers: Vec<(String, String)>,
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.to_owned())
}
