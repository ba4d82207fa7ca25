//! The webhooks: every delivery with its signature, and sending them again or wrongly.

use std::time::Duration;

use adyen_simulator::webhook::{self, Event, Message, Reply, Signer, Target};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::adyen::hmac::Key;
use shared::adyen::notification::NotificationRequestItem;
use shared::domain::amount::{Amount, Currency};

use super::entry::{Entry, Source};
use super::{Answer, Bench, LIST, Refusal, Shared};
use crate::keys;

/// A key that no deployment knows.
const WRONG_KEY: &str = "bad00bad00bad00bad00bad00bad00bad00bad00bad00bad00bad00bad00bad0";

/// The longest delay of a late delivery.
const LATEST: Duration = Duration::from_secs(3600);

pub(super) async fn list(State(bench): Shared) -> Json<Value> {
    let is_webhook = |entry: &Entry| matches!(entry.source, Source::Webhook | Source::WebhookCopy);
    let entries = bench.record.newest(LIST, is_webhook);
    let deliveries = entries.iter().map(|entry| {
        let mut delivery = entry.brief();
        delivery["signature"] = bench.signature(entry);
        delivery
    });
    Json(json!({"deliveries": deliveries.collect::<Vec<_>>()}))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum How {
    Again,
    Twice,
    Late,
    Tampered,
    WrongKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Again {
    how: How,
    /// For a late delivery.
    #[serde(default)]
    seconds: u64,
}

/// Sends a recorded delivery again.
pub(super) async fn send_again(
    State(bench): Shared,
    Path(id): Path<u64>,
    Json(Again { how, seconds }): Json<Again>,
) -> Answer {
    let entry = bench.record.get(id).filter(|entry| !entry.raw.is_empty());
    let entry = entry.ok_or_else(|| Refusal::missing("webhook"))?;
    let message = recorded(&entry)?;
    let target = bench.target()?;
    let replies = match how {
        How::Again => vec![target.post(&message).await],
        How::Twice => {
            let (one, other) = tokio::join!(target.post(&message), target.post(&message));
            vec![one, other]
        }
        How::Tampered => vec![target.post(&tampered(&message)?).await],
        How::WrongKey => vec![target.post(&signed_wrongly(&message)?).await],
        How::Late => return later(target, message, Duration::from_secs(seconds)),
    };
    answered(replies)
}

/// An event of the form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Written {
    pub event: String,
    pub reference: String,
    pub psp_reference: Option<String>,
    pub original_reference: Option<String>,
    pub success: bool,
    pub amount: Option<PartOfAmount>,
    pub reason: Option<String>,
    /// `modification.action` of CANCEL_OR_REFUND.
    pub action: Option<String>,
    pub shopper_reference: String,
    pub stored_payment_method_id: String,
    pub live: bool,
    pub wrong_signature: bool,
    pub times: u8,
    pub seconds: u64,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            event: String::new(),
            reference: String::new(),
            psp_reference: None,
            original_reference: None,
            success: true,
            amount: None,
            reason: None,
            action: None,
            shopper_reference: String::new(),
            stored_payment_method_id: String::new(),
            live: false,
            wrong_signature: false,
            times: 1,
            seconds: 0,
        }
    }
}

/// The amount of the form, whose missing part is the order's.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PartOfAmount {
    currency: Option<Currency>,
    value: Option<i64>,
}

impl PartOfAmount {
    fn of(self, order: Option<Amount>) -> Result<Option<adyen_simulator::Amount>, Refusal> {
        let currency = self.currency.or(order.map(|amount| amount.currency));
        let value = self.value.or(order.map(|amount| amount.value));
        match (currency, value) {
            (Some(currency), Some(value)) => {
                Ok(Some(adyen_simulator::Amount { currency: currency.code().to_owned(), value }))
            }
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Refusal::new("amount: without its order, it needs a currency")),
            (Some(_), None) => Err(Refusal::new("amount: without its order, it needs minor units")),
        }
    }
}

/// Signs any event and sends it.
pub(super) async fn send(State(bench): Shared, Json(written): Json<Written>) -> Answer {
    if written.event.trim().is_empty() {
        return Err(Refusal::new("event: the name of an event is needed"));
    }
    let (times, seconds) = (written.times.clamp(1, 10), written.seconds);
    let wrong = written.wrong_signature;
    let event = bench.event(written)?;
    let signer = signer()?;
    let message = event.message(&signer, wrong);
    let target = bench.target()?;
    if seconds > 0 {
        return later(target, message, Duration::from_secs(seconds));
    }
    let mut replies = Vec::new();
    for _ in 0..times {
        replies.push(target.post(&message).await);
    }
    answered(replies)
}

impl Bench {
    /// The event of a form. Names that are missing are those of the order.
    pub(super) fn event(&self, written: Written) -> Result<Event, Refusal> {
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let name = written.event.trim();
        let order = super::tables::order(&self.database, &written.reference);
        let order = order.map_err(Refusal::internal)?.map(|(order, _)| order);
        let payment = order.as_ref().and_then(|order| {
            let derived = shared::domain::order::Derived::of(order);
            let attempts = || order.attempts.iter().rev().find_map(|it| it.psp_reference.clone());
            derived.psp_reference.or_else(attempts)
        });
        let (own, original) = webhook::names_of_payment(name, payment);
        let psp_reference = filled(written.psp_reference)
            .or(own)
            .unwrap_or_else(adyen_simulator::new_psp_reference);
        let mut event =
            Event::new(name, &self.merchant_account, &psp_reference, &written.reference);
        event.original_reference = filled(written.original_reference).or(original);
        event.success = written.success;
        event.reason = filled(written.reason);
        event.live = written.live;
        event.shopper_reference = written.shopper_reference;
        event.stored_payment_method_id = written.stored_payment_method_id;
        event.amount = written.amount.unwrap_or_default().of(order.map(|order| *order.amount))?;
        let action = filled(written.action);
        event
            .additional_data
            .extend(action.map(|action| ("modification.action".to_owned(), action)));
        Ok(event)
    }

    /// Sends an event through the simulator's queue if there is one, and directly otherwise.
    pub(super) async fn notify(&self, event: &Event) -> Answer {
        if let Some(adyen) = &self.adyen {
            adyen.notify(event).map_err(Refusal::internal)?;
            return Ok(Json(json!({"sent": event.event, "pspReference": event.psp_reference})));
        }
        let message = event.message(&signer()?, false);
        answered(vec![self.target()?.post(&message).await])
    }

    fn target(&self) -> Result<Target, Refusal> {
        Target::new(&self.webhooks_url(), self.basic_auth.as_deref()).map_err(Refusal::internal)
    }

    /// The signed text of a delivery, its signature, and the key that matches.
    pub(super) fn signature(&self, entry: &Entry) -> Value {
        if entry.raw.is_empty() {
            return Value::Null;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&entry.raw) else { return Value::Null };
        let header = entry.request["headers"]["hmacsignature"].as_str();
        let item = &body["notificationItems"][0]["NotificationRequestItem"];
        let in_item = item["additionalData"]["hmacSignature"].as_str();
        let (base, given) = match header {
            Some(given) => (String::from_utf8_lossy(&entry.raw).into_owned(), Some(given)),
            None => (signed_text(item).unwrap_or_default(), in_item),
        };
        let matches = |hex: &&String| {
            let key = Key::from_hex(hex).ok();
            key.zip(given).is_some_and(|(key, given)| key.verify(base.as_bytes(), given))
        };
        let position = self.hmac_keys.iter().position(|hex| matches(&hex));
        let key = position.map(|at| match self.hmac_keys[at].as_str() {
            keys::STANDARD_HMAC_KEY => format!("key {}: standard webhooks", at + 1),
            keys::TOKEN_HMAC_KEY => format!("key {}: stored payment methods", at + 1),
            _ => format!("key {}", at + 1),
        });
        json!({"base": base, "given": given, "key": key})
    }
}

fn signer() -> Result<Signer, Refusal> {
    Signer::new(keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY).map_err(Refusal::internal)
}

/// The text that the signature of an item covers, as the webhooks function reads it.
fn signed_text(item: &Value) -> Result<String, serde_json::Error> {
    NotificationRequestItem::deserialize(item).map(|item| item.signed_content())
}

/// A delivery as it was received.
fn recorded(entry: &Entry) -> Result<Message, Refusal> {
    let body = String::from_utf8(entry.raw.clone());
    let body = body.map_err(|_| Refusal::new("The body is not UTF-8."))?;
    let header = |name: &str| {
        let value = entry.request["headers"][name].as_str()?;
        Some((name.to_owned(), value.to_owned()))
    };
    let headers = ["hmacsignature", "protocol"].into_iter().filter_map(header).collect();
    Ok(Message { body, headers })
}

fn json_body(message: &Message) -> Result<Value, Refusal> {
    serde_json::from_str(&message.body).map_err(|_| Refusal::new("The body is not JSON."))
}

/// The delivery with another content under the same signature.
fn tampered(message: &Message) -> Result<Message, Refusal> {
    let mut body = json_body(message)?;
    match body.pointer_mut("/notificationItems/0/NotificationRequestItem") {
        Some(item) => match item["amount"]["value"].as_i64() {
            Some(value) => item["amount"]["value"] = json!(value.saturating_add(1)),
            None => item["merchantReference"] = json!("TAMPERED"),
        },
        None => body["data"]["shopperReference"] = json!("TAMPERED"),
    }
    Ok(Message { body: body.to_string(), headers: message.headers.clone() })
}

/// The delivery with the signature of a key that is not known.
fn signed_wrongly(message: &Message) -> Result<Message, Refusal> {
    let key = Key::from_hex(WRONG_KEY).map_err(Refusal::internal)?;
    let mut body = json_body(message)?;
    let Some(item) = body.pointer_mut("/notificationItems/0/NotificationRequestItem") else {
        let signature = key.sign(message.body.as_bytes());
        let mut headers = message.headers.clone();
        headers.retain(|(name, _)| name != "hmacsignature");
        headers.push(("hmacsignature".to_owned(), signature));
        return Ok(Message { body: message.body.clone(), headers });
    };
    let text = signed_text(item).map_err(|error| Refusal::new(error.to_string()))?;
    item["additionalData"]["hmacSignature"] = json!(key.sign(text.as_bytes()));
    Ok(Message { body: body.to_string(), headers: message.headers.clone() })
}

fn later(target: Target, message: Message, delay: Duration) -> Answer {
    if delay > LATEST {
        return Err(Refusal::new(format!("seconds: at most {}", LATEST.as_secs())));
    }
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        if let Err(error) = target.post(&message).await {
            tracing::warn!(error, "a late webhook was not answered");
        }
    });
    Ok(Json(json!({"sentInSeconds": delay.as_secs()})))
}

fn answered(replies: Vec<Result<Reply, String>>) -> Answer {
    let replies = replies.into_iter().map(|reply| match reply {
        Ok(reply) => json!({"status": reply.status, "body": text_or_json(&reply.body)}),
        Err(error) => json!({"error": error}),
    });
    Ok(Json(json!({"answers": replies.collect::<Vec<_>>()})))
}

fn text_or_json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}
