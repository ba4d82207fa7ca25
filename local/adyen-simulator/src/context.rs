//! The context in which one call is processed: the state that it reads and its changes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use simulator_http::Answer;

use crate::books::{Books, Change, Payment, Token, Webhook};
use crate::fault::WebhookFault;
use crate::options::Options;
use crate::webhook::{Event, Signer};

/// The answer to a call. `Ok` was processed, and later calls with the same idempotency key get
/// the same answer. `Err` was not processed and changes nothing, so the key can be used again.
pub(crate) type CallResult = Result<Answer, Answer>;

/// The context of one call, or of a change that a test makes.
pub(crate) struct CallContext<'a> {
    pub options: &'a Options,
    pub books: &'a Books,
    pub signer: &'a Signer,
    pub webhook_faults: &'a mut VecDeque<WebhookFault>,
    /// The URL of the simulator.
    pub base: &'a str,
    pub now: Timestamp,
    /// As in [`Options::merchant_reference`].
    pub merchant_reference: bool,
    pub idempotency_key: Option<&'a str>,
    /// The changes to commit if the call is processed.
    pub changes: Vec<Change>,
    /// The time until the answer is sent.
    pub withheld: Duration,
    /// True if the connection is cut instead of answering.
    pub cut: bool,
}

impl CallContext<'_> {
    pub fn save(&mut self, payment: &Payment) {
        self.changes.push(Change::Payment(Box::new(payment.clone())));
    }

    pub fn save_token(&mut self, token: Token) {
        self.changes.push(Change::Token(token));
    }

    /// An event about that payment, dated now.
    pub fn event(&self, event: &str, psp_reference: &str, payment: &Payment) -> Event {
        Event {
            amount: Some(payment.amount.clone()),
            event_date: self.now,
            additional_data: BTreeMap::from([(
                "paymentMethodVariant".to_owned(),
                payment.variant().to_owned(),
            )]),
            payment_method: payment.variant().to_owned(),
            ..Event::new(event, &self.options.merchant_account, psp_reference, &payment.reference)
        }
    }

    /// Sends a webhook after that delay.
    pub fn notify(&mut self, event: &Event, delay: Duration) {
        let fault = self.webhook_faults.pop_front();
        let message = event.message(self.signer, fault == Some(WebhookFault::BadSignature));
        let reference = match event.is_about_a_token() {
            true => &event.shopper_reference,
            false => &event.merchant_reference,
        };
        let copy = self.options.webhook_copy.clone().map(Some);
        for to in [None].into_iter().chain(copy) {
            let queued =
                self.changes.iter().filter(|change| matches!(change, Change::Webhook(_))).count();
            self.changes.push(Change::Webhook(Box::new(Webhook {
                id: (self.books.webhooks.len() + queued + 1) as u64,
                event: event.event.clone(),
                psp_reference: event.psp_reference.clone(),
                reference: reference.clone(),
                message: message.clone(),
                to,
                copies: if fault == Some(WebhookFault::Duplicate) { 2 } else { 1 },
                due: (fault != Some(WebhookFault::Lose)).then(|| later(self.now, delay)),
                attempts: Vec::new(),
            })));
        }
    }
}

pub(crate) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// The characters of pspReferences: without vowels, so that they spell no words.
pub(crate) const LETTERS: [char; 28] = [
    'B', 'C', 'D', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X',
    'Z', '2', '3', '4', '5', '6', '7', '8', '9',
];

/// A random pspReference of sixteen characters.
pub fn new_psp_reference() -> String {
    (0..16).map(|_| LETTERS[fastrand::usize(..LETTERS.len())]).collect()
}
