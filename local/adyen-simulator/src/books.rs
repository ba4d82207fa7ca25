//! What the simulator knows and what happened to it.
//!
//! Everything that changes the books is a [`Change`], so that a journal of changes
//! gives the same books again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Money: minor units and currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// ISO 4217.
    pub currency: String,
    /// In minor units.
    pub value: i64,
}

/// One call to the API, secrets left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When it was received.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The headers, lower-case.
    pub headers: BTreeMap<String, String>,
    /// The JSON body; null without one, a string when it was not JSON.
    pub body: Value,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// True if the answer was that of an earlier call with the same key.
    pub replayed: bool,
    /// The injected fault that it met.
    pub fault: Option<String>,
    /// The status that was answered, if anything was.
    pub status: Option<u16>,
    /// The body that was answered.
    pub answer: Value,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The shopper is at the redirect page.
    Redirect,
    /// The browser is to be fingerprinted.
    Fingerprint,
    /// The shopper is being challenged.
    Challenge,
    /// Nobody knows yet.
    Pending,
    /// The money is promised.
    Authorised,
    /// The bank or the shopper's authentication said no.
    Refused,
    /// The shopper cancelled.
    Cancelled,
    /// The acquirer failed.
    Error,
}

/// How far the money has come, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Promised by the bank, and not taken back by a failed authorisation.
    pub authorised: i64,
    /// Taken.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// The promise was given up.
    pub cancelled: bool,
}

/// One processed POST /payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its pspReference, also while nobody was told.
    pub psp_reference: String,
    /// When it was processed.
    pub at: Timestamp,
    /// The merchant's reference.
    pub reference: String,
    /// What was asked for.
    pub amount: Amount,
    /// How far it has come.
    pub state: State,
    /// How far the money has come.
    pub money: Progress,
    /// True if it waits for a capture.
    pub manual_capture: bool,
    /// Whose payment it is.
    pub shopper_reference: Option<String>,
    /// The Amazon Pay token that it was made with.
    pub amazon_pay_token: Option<String>,
    /// The stored payment method that it was made with.
    pub stored_payment_method_id: Option<String>,
    /// For what its token shall be good, where one is to be stored.
    pub store_for: Option<Vec<String>>,
    /// Where the shopper returns to.
    pub return_url: String,
    /// Names it in 3-D Secure.
    pub action_id: Option<String>,
    /// When its offer ends.
    pub closes_at: Option<Timestamp>,
    /// True if a refund of it failed after all.
    #[serde(default)]
    pub refund_failed: bool,
}

impl Payment {
    /// Returns whether a refund that succeeds now will fail after all: the first one of a
    /// `-REFUND-FAIL` payment does.
    pub(crate) fn next_refund_fails(&self) -> bool {
        let asked_for = |token: &String| token.contains("-REFUND-FAIL");
        !self.refund_failed && self.amazon_pay_token.as_ref().is_some_and(asked_for)
    }
}

/// True if a token can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenState {
    /// It can.
    Active,
    /// The shopper withdrew it from Amazon Pay: charges are refused with code 50.
    Revoked,
    /// It was removed: charges are errors.
    Disabled,
}

/// A stored payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The `storedPaymentMethodId`.
    pub id: String,
    /// When it was created.
    pub at: Timestamp,
    /// Whose it is.
    pub shopper_reference: String,
    /// The payment that created it.
    pub first_psp_reference: String,
    /// What it stands for.
    pub amazon_pay_token: String,
    /// What it is good for: Subscription, UnscheduledCardOnFile, CardOnFile.
    pub recurring_processing_models: Vec<String>,
    /// True if it can be charged.
    pub state: TokenState,
}

/// One delivery of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was sent.
    pub at: Timestamp,
    /// The status that was answered.
    pub status: Option<u16>,
    /// Why nothing was answered.
    pub error: Option<String>,
}

impl Attempt {
    /// Adyen takes any 2xx.
    pub fn accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its number, from 1.
    pub id: u64,
    /// The eventCode, or the type of a token's webhook.
    pub event: String,
    /// The event's pspReference, or eventId.
    pub psp_reference: String,
    /// The merchantReference, or shopperReference.
    pub reference: String,
    /// What is sent, byte by byte.
    pub message: crate::webhook::Message,
    /// How often it is sent each time.
    pub copies: u32,
    /// When it is sent next; none: not any more.
    pub due: Option<Timestamp>,
    /// How often it was sent, and what came back.
    pub attempts: Vec<Attempt>,
}

impl Webhook {
    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.message.body).unwrap_or_default()
    }

    /// Returns whether somebody accepted it.
    pub fn accepted(&self) -> bool {
        self.attempts.iter().any(Attempt::accepted)
    }
}

/// The first answer under an idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub key: String,
    /// Until then the call is in flight.
    pub ready_at: Timestamp,
    pub status: u16,
    pub body: Value,
}

/// One step of the books.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    Call(Box<Call>),
    Payment(Box<Payment>),
    Token(Token),
    Webhook(Box<Webhook>),
    Key(Key),
}

/// Everything that the simulator knows, and everything that happened to it.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Every call, in the order of their processing.
    pub calls: Vec<Call>,
    /// Every payment in the order of their processing.
    pub payments: Vec<Payment>,
    /// Every stored payment method by its id.
    pub tokens: BTreeMap<String, Token>,
    /// Every webhook by its number.
    pub webhooks: BTreeMap<u64, Webhook>,
    pub(crate) keys: HashMap<String, Key>,
    by_psp_reference: HashMap<String, usize>,
    /// When which webhooks are due.
    pub(crate) agenda: BTreeSet<(Timestamp, u64)>,
}

impl Books {
    /// The payment with that pspReference.
    pub fn payment(&self, psp_reference: &str) -> Option<&Payment> {
        self.by_psp_reference.get(psp_reference).and_then(|index| self.payments.get(*index))
    }

    /// The payments with that merchant reference, the oldest first.
    pub fn payments_of(&self, reference: &str) -> Vec<&Payment> {
        self.payments.iter().filter(|payment| payment.reference == reference).collect()
    }

    /// How often money was promised for that merchant reference.
    pub fn authorisations(&self, reference: &str) -> usize {
        self.payments_of(reference).iter().filter(|payment| payment.money.authorised > 0).count()
    }

    /// The webhooks about that merchant reference or shopper, the oldest first.
    pub fn webhooks_of(&self, reference: &str) -> Vec<&Webhook> {
        self.webhooks.values().filter(|webhook| webhook.reference == reference).collect()
    }

    /// The calls whose path ends so: `/payments`, `/payments/details`, `/captures`.
    pub fn calls_to(&self, ending: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.path.ends_with(ending)).collect()
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Call(call) => self.calls.push(*call),
            Change::Payment(payment) => match self.by_psp_reference.get(&payment.psp_reference) {
                Some(index) => self.payments[*index] = *payment,
                None => {
                    self.by_psp_reference
                        .insert(payment.psp_reference.clone(), self.payments.len());
                    self.payments.push(*payment);
                }
            },
            Change::Token(token) => {
                self.tokens.insert(token.id.clone(), token);
            }
            Change::Webhook(webhook) => {
                if let Some(due) = self.webhooks.get(&webhook.id).and_then(|known| known.due) {
                    self.agenda.remove(&(due, webhook.id));
                }
                self.agenda.extend(webhook.due.map(|due| (due, webhook.id)));
                self.webhooks.insert(webhook.id, *webhook);
            }
            Change::Key(key) => {
                self.keys.insert(key.key.clone(), key);
            }
        }
    }
}
