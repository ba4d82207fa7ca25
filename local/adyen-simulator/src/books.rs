//! The state of the simulator and the history of its calls and webhooks.
//!
//! Every change of the books is a [`Change`], so that the books can be restored from a journal.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// An ISO 4217 code.
    pub currency: String,
    /// In minor units.
    pub value: i64,
}

/// One call of the API, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The time of receipt.
    pub at: Timestamp,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    /// With lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The JSON body: null if it was empty, a string if it was not JSON.
    pub body: Value,
    pub idempotency_key: Option<String>,
    /// True if an earlier call with the same key was answered with the same.
    pub replayed: bool,
    /// The injected fault, if one applied.
    pub fault: Option<String>,
    /// The status of the answer; none if the connection was cut.
    pub status: Option<u16>,
    /// The body of the answer.
    pub answer: Value,
}

/// The state of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentState {
    /// The shopper is at the redirect page.
    Redirect,
    /// The browser has to be fingerprinted.
    Fingerprint,
    /// The shopper is being challenged.
    Challenge,
    /// The browser was recognised, so that no challenge is needed.
    Frictionless,
    Pending,
    Authorised,
    /// By the bank, or because the authentication failed.
    Refused,
    /// By the shopper.
    Cancelled,
    /// At the acquirer.
    Error,
}

/// The amounts of a payment, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub authorised: i64,
    pub captured: i64,
    pub refunded: i64,
    /// True if the authorisation was cancelled.
    pub cancelled: bool,
}

/// One processed POST /payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Assigned at once, also if the answer does not contain it yet.
    pub psp_reference: String,
    /// The time of processing.
    pub at: Timestamp,
    /// The merchant's reference.
    pub reference: String,
    pub amount: Amount,
    pub state: PaymentState,
    pub money: Progress,
    /// True if it is captured by a request of the merchant only.
    pub manual_capture: bool,
    pub shopper_reference: Option<String>,
    /// The Amazon Pay token, if it was paid with one.
    pub amazon_pay_token: Option<String>,
    /// The stored payment method, if it was paid with one.
    pub stored_payment_method_id: Option<String>,
    /// The number of the test card, if it was paid with one.
    #[serde(default)]
    pub card: Option<String>,
    /// Adyen's type, if it is neither Amazon Pay nor a stored payment method.
    #[serde(default)]
    pub payment_method_type: Option<String>,
    /// The recurring processing models of the token to store, if one is to be stored.
    pub store_for: Option<Vec<String>>,
    pub return_url: String,
    /// The origin of the page that pays in a browser.
    #[serde(default)]
    pub origin: Option<String>,
    /// Its id in 3-D Secure.
    pub action_id: Option<String>,
    /// The time of its OFFER_CLOSED.
    pub closes_at: Option<Timestamp>,
    /// True if a refund failed after it had succeeded.
    #[serde(default)]
    pub refund_failed: bool,
}

impl Payment {
    /// The name of its payment method in webhooks.
    pub(crate) fn variant(&self) -> &str {
        match (&self.card, &self.payment_method_type) {
            (Some(_), _) => "visa",
            (None, Some(kind)) => kind,
            (None, None) => "visa_amazonpay",
        }
    }

    /// Returns whether the next successful refund fails later, as the first one of a
    /// `-REFUND-FAIL` payment does.
    pub(crate) fn next_refund_fails(&self) -> bool {
        let token = self.amazon_pay_token.as_deref().unwrap_or_default();
        !self.refund_failed && token.contains("-REFUND-FAIL")
    }

    /// Returns whether the payment can be captured in part. Adyen's pages about Amazon Pay differ.
    pub(crate) fn captures_in_part(&self) -> bool {
        let token = self.amazon_pay_token.as_deref().unwrap_or_default();
        !token.contains("-WHOLE-CAPTURE")
    }
}

/// The state of a stored payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenState {
    Active,
    /// The shopper revoked it at Amazon Pay: charges are refused with code 50.
    Revoked,
    /// It was removed: charges are errors.
    Disabled,
}

/// A stored payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The `storedPaymentMethodId`.
    pub id: String,
    /// The time of its creation.
    pub at: Timestamp,
    pub shopper_reference: String,
    /// The payment that created it.
    pub first_psp_reference: String,
    /// The Amazon Pay token of that payment.
    pub amazon_pay_token: String,
    /// Subscription, UnscheduledCardOnFile, CardOnFile.
    pub recurring_processing_models: Vec<String>,
    pub state: TokenState,
}

impl Token {
    /// True if a card created it, whose test number it then has.
    pub(crate) fn is_card(&self) -> bool {
        self.amazon_pay_token.bytes().all(|it| it.is_ascii_digit())
    }
}

/// One delivery of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The time of sending.
    pub at: Timestamp,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The reason if there was no answer.
    pub error: Option<String>,
}

impl Delivery {
    /// Adyen accepts any 2xx.
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
    pub message: crate::webhook::Message,
    /// The URL, if it is not that of all webhooks.
    #[serde(default)]
    pub to: Option<String>,
    /// The number of copies that each delivery sends.
    pub copies: u32,
    /// The time of the next delivery; none if there is none.
    pub due: Option<Timestamp>,
    pub attempts: Vec<Delivery>,
}

impl Webhook {
    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.message.body).unwrap_or_default()
    }

    /// Returns whether a delivery was accepted.
    pub fn accepted(&self) -> bool {
        self.attempts.iter().any(Delivery::accepted)
    }
}

/// The first answer under an idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredAnswer {
    pub key: String,
    /// Until then the first call is in flight.
    pub ready_at: Timestamp,
    pub status: u16,
    pub body: Value,
}

/// One change of the books.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    Call(Box<Call>),
    Payment(Box<Payment>),
    Token(Token),
    Webhook(Box<Webhook>),
    Key(StoredAnswer),
}

/// The state of the simulator and its history.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// In the order of processing.
    pub calls: Vec<Call>,
    /// In the order of processing.
    pub payments: Vec<Payment>,
    /// By storedPaymentMethodId.
    pub tokens: BTreeMap<String, Token>,
    /// By number.
    pub webhooks: BTreeMap<u64, Webhook>,
    pub(crate) keys: HashMap<String, StoredAnswer>,
    by_psp_reference: HashMap<String, usize>,
    /// The due webhooks, the earliest first.
    pub(crate) agenda: BTreeSet<(Timestamp, u64)>,
}

impl Books {
    pub fn payment(&self, psp_reference: &str) -> Option<&Payment> {
        self.by_psp_reference.get(psp_reference).and_then(|index| self.payments.get(*index))
    }

    /// The payments with that merchant reference, the oldest first.
    pub fn payments_of(&self, reference: &str) -> Vec<&Payment> {
        self.payments.iter().filter(|payment| payment.reference == reference).collect()
    }

    /// The last payment with that id in 3-D Secure.
    pub(crate) fn payment_of_action(&self, id: &str) -> Option<&Payment> {
        self.payments.iter().rfind(|payment| payment.action_id.as_deref() == Some(id))
    }

    /// The number of authorised payments with that merchant reference.
    pub fn authorisations(&self, reference: &str) -> usize {
        self.payments_of(reference).iter().filter(|payment| payment.money.authorised > 0).count()
    }

    /// The webhooks about that merchantReference or shopperReference, the oldest first.
    pub fn webhooks_of(&self, reference: &str) -> Vec<&Webhook> {
        self.webhooks.values().filter(|webhook| webhook.reference == reference).collect()
    }

    /// The calls with that ending of their path, such as `/payments` or `/captures`.
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
