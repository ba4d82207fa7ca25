//! Where one call is worked on: what is known, and what shall change.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use simulator_http::Answer;

use crate::books::{Books, Change, Payment, Token, Webhook};
use crate::fault::WebhookFault;
use crate::options::Options;
use crate::webhook::{Event, Signer};

/// `Ok` was processed, and is the answer under its idempotency key from now on. `Err` was
/// not: nothing changed, and the same key may be tried again.
pub(crate) type Answered = Result<Answer, Answer>;

/// One call being worked on.
pub(crate) struct Desk<'a> {
    pub options: &'a Options,
    pub books: &'a Books,
    pub signer: &'a Signer,
    pub webhook_faults: &'a mut VecDeque<WebhookFault>,
    /// Where the simulator is reached.
    pub base: &'a str,
    pub now: Timestamp,
    /// True if answers name the order and the amount.
    pub merchant_reference: bool,
    /// The call's idempotency key.
    pub key: Option<&'a str>,
    /// What shall change, once the call is processed.
    pub changes: Vec<Change>,
    /// How long the answer takes.
    pub withheld: Duration,
    /// True if the connection is cut instead of answering.
    pub cut: bool,
}

impl Desk<'_> {
    /// Keeps a payment as it is now.
    pub fn save(&mut self, payment: &Payment) {
        self.changes.push(Change::Payment(Box::new(payment.clone())));
    }

    /// Keeps a token as it is now.
    pub fn save_token(&mut self, token: Token) {
        self.changes.push(Change::Token(token));
    }

    /// An event of now about that payment.
    pub fn event(&self, event: &str, psp_reference: &str, payment: &Payment) -> Event {
        Event {
            amount: Some(payment.amount.clone()),
            event_date: self.now,
            additional_data: BTreeMap::from([(
                "paymentMethodVariant".to_owned(),
                "visa_amazonpay".to_owned(),
            )]),
            ..Event::new(event, &self.options.merchant_account, psp_reference, &payment.reference)
        }
    }

    /// Sends a webhook after a while.
    pub fn notify(&mut self, event: &Event, delay: Duration) {
        let fault = self.webhook_faults.pop_front();
        let message = event.message(self.signer, fault == Some(WebhookFault::BadSignature));
        let queued =
            self.changes.iter().filter(|change| matches!(change, Change::Webhook(_))).count();
        let reference = match event.is_about_a_token() {
            true => &event.shopper_reference,
            false => &event.merchant_reference,
        };
        self.changes.push(Change::Webhook(Box::new(Webhook {
            id: (self.books.webhooks.len() + queued + 1) as u64,
            event: event.event.clone(),
            psp_reference: event.psp_reference.clone(),
            reference: reference.clone(),
            message,
            copies: if fault == Some(WebhookFault::Duplicate) { 2 } else { 1 },
            due: (fault != Some(WebhookFault::Lose)).then(|| later(self.now, delay)),
            attempts: Vec::new(),
        })));
    }
}

/// That much later.
pub(crate) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// What pspReferences are made of: capital letters and digits that spell no words.
pub(crate) const LETTERS: [char; 28] = [
    'B', 'C', 'D', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X',
    'Z', '2', '3', '4', '5', '6', '7', '8', '9',
];

/// A new pspReference, of sixteen letters.
pub fn new_psp_reference() -> String {
    (0..16).map(|_| LETTERS[fastrand::usize(..LETTERS.len())]).collect()
}
