//! Attempts to pay an order: what was sent to Adyen, and what Adyen answered.

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AttemptStatus, NextStep, Target, decide::KEY_LIFE};
use crate::domain::{
    reference::Reference, result_code::ResultCode, text::open_enum, unknown::Unknown,
};

/// One attempt to pay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began; its idempotency key is as old.
    pub started_at: Timestamp,
    /// The `Idempotency-Key` of all its requests to Adyen, made once: what configuration says
    /// later cannot make another. Older versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The merchant account that the key was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_account: Option<String>,
    /// The host of the Adyen that the key was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    pub payment_method: PaymentInstrument,
    /// The requests that were sent for it; Adyen processed one of them at most.
    pub submissions: Vec<Submission>,
    /// Adyen's name of the payment, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    /// Adyen's answer to `/payments`, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The results that the shopper's browser returned, in sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Details>,
    /// True if asking for the outcome was given up.
    #[serde(default)]
    pub outcome_unknown: bool,
    /// When it was given up, after its shopper had not come back for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned_at: Option<Timestamp>,
    /// The offers that had closed before it began: of these none was its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_before: Vec<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

open_enum! {
    /// The kind of instrument that an attempt pays with. The token itself is not stored.
    PaymentInstrument {
        /// A token of a checkout session.
        AmazonPay = "amazonPay",
        /// A stored payment method.
        StoredPaymentMethod = "storedPaymentMethod",
    }
}
/// The identity of one request to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Digest of what is charged.
    pub instrument: String,
    /// The caller's own `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Digest of the whole request, as we completed it.
    pub content: String,
    /// Digest of what the caller asked for, to which the caller's key belongs. Older versions
    /// did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// When it was sent last.
    pub sent_at: Timestamp,
    /// The stored payment method that it charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_payment_method_id: Option<String>,
    /// Whose stored payment method that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<String>,
    /// The request itself where a stored payment method is charged, because it can be sent
    /// again without the shopper; see [`super::Order::drop_requests`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Submission {
    /// Returns whether `later` asks for the same: a caller that sends no key means the token alone.
    pub(super) fn is_repeated_by(&self, later: &Self) -> bool {
        self.instrument == later.instrument
            && (later.idempotency_key.is_none() || self.idempotency_key == later.idempotency_key)
    }

    pub(super) fn reuses_key_of(&self, earlier: &Self) -> bool {
        let same = match (&self.asked, &earlier.asked) {
            (Some(asked), Some(earlier)) => asked == earlier,
            _ => self.content == earlier.content,
        };
        self.idempotency_key.is_some() && self.idempotency_key == earlier.idempotency_key && !same
    }
}

/// Adyen's answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It was processed.
    Answered {
        /// The outcome.
        result_code: ResultCode,
        /// Why it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal_reason: Option<String>,
        /// The same as a number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal_reason_code: Option<String>,
        /// Members that a newer version wrote.
        #[serde(flatten)]
        unknown: Unknown,
    },
    /// It was not processed, and will not be.
    Rejected(Rejection),
    /// An outcome that a newer version wrote. It counts as not final.
    #[serde(untagged)]
    Unknown(Value),
}

/// Why Adyen did not process a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// Adyen's `errorCode`.
    pub error_code: String,
    /// Adyen's `errorType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Rejection {
    /// The storefront's next step.
    pub fn next_step(&self) -> NextStep {
        NextStep::after_error(&self.error_code)
    }

    /// Returns whether the merchant must mend the deployment, not the caller the request.
    pub fn is_ours(&self) -> bool {
        let ours = matches!(self.status, 401 | 403)
            || matches!(self.error_type.as_deref(), Some("security" | "configuration"));
        ours && self.next_step() == NextStep::ShowError
    }
}

/// A result that the shopper's browser returned for an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Digest of it.
    pub content: String,
    /// When it was sent to Adyen.
    pub sent_at: Timestamp,
    /// Adyen's answer, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The payment that Adyen's answer named, if the answer is bound to nothing. It becomes the
    /// attempt's once an AUTHORISATION of this order names it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Details {
    /// Details that are about to be sent.
    pub fn new(content: String, now: Timestamp) -> Self {
        Self { content, sent_at: now, outcome: None, claimed: None, unknown: Unknown::default() }
    }

    /// Returns whether sending them again brings something: an answer that is missing, or the
    /// action, which is not stored.
    pub fn may_be_asked_again(&self) -> bool {
        match &self.outcome {
            Some(Outcome::Answered { result_code, .. }) => {
                AttemptStatus::from(result_code).is_pending()
            }
            Some(Outcome::Rejected(_)) | None => true,
            Some(Outcome::Unknown(_)) => false,
        }
    }
}

impl Attempt {
    pub(super) fn new(
        target: &Target,
        key: String,
        payment_method: PaymentInstrument,
        first: Submission,
        now: Timestamp,
        closed_before: Vec<String>,
    ) -> Self {
        Self {
            started_at: now,
            key: Some(key),
            merchant_account: Some(target.merchant_account.clone()),
            endpoint: Some(target.endpoint.clone()),
            payment_method,
            submissions: vec![first],
            psp_reference: None,
            outcome: None,
            details: Vec::new(),
            outcome_unknown: false,
            abandoned_at: None,
            closed_before,
            unknown: Unknown::default(),
        }
    }

    /// Adyen's latest answer: to what the browser brought back, else to the payment.
    pub fn outcome(&self) -> Option<&Outcome> {
        let answered =
            |details: &'_ Details| matches!(details.outcome, Some(Outcome::Answered { .. }));
        match self.details.iter().rev().find(|details| answered(details)) {
            Some(details) => details.outcome.as_ref(),
            None => self.outcome.as_ref(),
        }
    }

    /// Returns whether something that the browser brought back is at Adyen without an answer yet.
    pub fn details_in_flight(&self) -> bool {
        self.details.iter().any(|details| details.outcome.is_none())
    }

    /// Returns whether something that the browser brought back before `then` has no answer.
    pub fn details_in_doubt(&self, then: Timestamp) -> bool {
        let mut unanswered = self.details.iter().filter(|it| it.outcome.is_none());
        unanswered.any(|details| details.sent_at < then)
    }

    /// Returns whether it was given up because its shopper stayed away, and still does.
    pub fn is_abandoned(&self) -> bool {
        let since = |at: Timestamp| at >= self.last_sent_at();
        self.abandoned_at.is_some_and(since) && !self.details_in_flight()
    }

    /// Forgets what the browser brought back and Adyen did not take: the attempt is as it was
    /// before.
    pub fn forget(&mut self, not_taken: impl Fn(&Details) -> bool) {
        self.details.retain(|details| details.outcome.is_some() || !not_taken(details));
        self.outcome_unknown &= self.outcome.is_none() || self.details_in_flight();
    }

    /// Notes that a request is sent again while the outcome is not known, for whoever sent it
    /// before: a rejection of theirs is not the end of the attempt then.
    pub(super) fn sent_again(&mut self, request: &Submission, now: Timestamp) {
        let unknown = self.outcome.is_none();
        let same = |earlier: &&mut Submission| unknown && earlier.is_repeated_by(request);
        for earlier in self.submissions.iter_mut().filter(same) {
            earlier.sent_at = now;
        }
    }

    /// Returns true if its requests can be sent again to `target`, because Adyen still knows
    /// their key there.
    pub(super) fn can_be_sent_again(&self, target: &Target, now: Timestamp) -> bool {
        !self.key_expired(now) && self.was_made_for(target)
    }

    pub(super) fn key_expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.started_at) >= KEY_LIFE
    }

    /// Returns true if its requests went to `target`.
    pub fn was_made_for(&self, target: &Target) -> bool {
        target.is(self.merchant_account.as_deref(), self.endpoint.as_deref())
    }

    /// Keeps Adyen's answer to the payment. The first answer stays, and a payment that is known
    /// is never replaced: an answer that names another one is not kept. A rejection speaks for
    /// one request only, so that an answer to another one replaces it and its pspReference.
    pub fn answer(&mut self, outcome: Outcome, psp_reference: Option<String>) {
        match self.outcome {
            Some(Outcome::Answered { .. } | Outcome::Unknown(_)) => return,
            Some(Outcome::Rejected(_)) => self.psp_reference = None,
            None => {}
        }
        let named = psp_reference.as_ref().zip(self.psp_reference.as_ref());
        if named.is_some_and(|(named, known)| named != known) {
            return;
        }
        self.note_outcome(&outcome);
        self.outcome = Some(outcome);
        self.psp_reference = self.psp_reference.take().or(psp_reference);
    }

    /// Keeps Adyen's answer to what the browser brought back, unless one is known. A payment
    /// that is known is never replaced.
    pub fn answer_details(
        &mut self,
        content: &str,
        outcome: Outcome,
        psp_reference: Option<String>,
    ) {
        if !self.details.iter().any(|details| details.content == content) {
            self.details.push(Details::new(content.to_owned(), Timestamp::now()));
        }
        self.note_outcome(&outcome);
        for details in &mut self.details {
            if details.content == content && details.outcome.is_none() {
                details.outcome = Some(outcome.clone());
            }
        }
        self.psp_reference = self.psp_reference.take().or(psp_reference);
    }

    /// Keeps the payment that an answer named which is bound to nothing.
    pub fn claim(&mut self, content: &str, psp_reference: Option<String>) {
        for details in self.details.iter_mut().filter(|details| details.content == content) {
            details.claimed = details.claimed.take().or(psp_reference.clone());
        }
    }

    /// Returns true if all details that are not concluded were answered with that payment.
    pub(super) fn claims(&self, psp_reference: &str) -> bool {
        let mut unanswered = self.details.iter().filter(|details| details.outcome.is_none());
        self.details_in_flight()
            && unanswered.all(|details| details.claimed.as_deref() == Some(psp_reference))
    }

    /// An answer ends the doubt.
    fn note_outcome(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Answered { .. }) {
            self.outcome_unknown = false;
        }
    }

    /// When something was last sent of which no answer may have come.
    pub(super) fn last_sent_at(&self) -> Timestamp {
        let submissions = self.submissions.iter().map(|sent| sent.sent_at);
        let details = self.details.iter().map(|details| details.sent_at);
        submissions.chain(details).max().unwrap_or(self.started_at)
    }
}

/// The key with which Adyen is called for an attempt: 64 characters that depend on nothing else.
/// It is made once, when the attempt begins.
pub fn idempotency_key(merchant_account: &str, reference: &Reference, attempt: usize) -> String {
    sha256(&[
        merchant_account.as_bytes(),
        reference.as_str().as_bytes(),
        attempt.to_string().as_bytes(),
    ])
}

/// Hex digest of several parts, none of which can run into the next.
pub fn sha256(parts: &[&[u8]]) -> String {
    let joined = parts.join(&b'\n');
    hex::encode(digest(&SHA256, &joined))
}
