//! Attempts to pay an order: the requests to Adyen, and the answers.

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AttemptStatus, NextStep, Statement, Target, erase::is_key};
use crate::domain::{
    reference::Reference, result_code::ResultCode, text::open_enum, unknown::Unknown,
};
use crate::limits;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Also the time at which the idempotency key was made.
    pub started_at: Timestamp,
    /// The `Idempotency-Key` of all its requests to Adyen. It is stored, so that a changed
    /// configuration does not change it.
    pub key: String,
    /// The target for which the key was made.
    #[serde(flatten)]
    pub target: Target,
    pub payment_method: PaymentInstrument,
    /// Adyen processes at most one of them.
    pub submissions: Vec<Submission>,
    /// The payment's reference, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    /// Adyen's answer to `/payments`, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The results that the shopper's browser returned, in sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Details>,
    /// True if the schedule has stopped asking for the outcome.
    pub outcome_unknown: bool,
    /// When the schedule marked it as abandoned, because its shopper did not return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned_at: Option<Timestamp>,
    /// Why a person stated that there is no payment of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Statement>,
    /// The offers that had closed before it began, which therefore belong to earlier attempts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_before: Vec<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

open_enum! {
    /// The kind of payment method of an attempt. The token itself is not stored.
    PaymentInstrument {
        AmazonPay = "amazonPay",
        /// Charged by the merchant.
        StoredPaymentMethod = "storedPaymentMethod",
        /// A stored payment method that the shopper pays with.
        OneClick = "oneClick",
        /// Any other payment method of Adyen.
        Other = "other",
    }
}

/// Identifies a request to pay, so that a repeated one is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Digest of the token, the checkout session or the stored payment method.
    pub instrument: String,
    /// The caller's `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Digest of the completed request.
    pub content: String,
    /// Digest of the caller's body, to which the caller's key belongs.
    pub caller_body: String,
    /// The last time it was sent.
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_payment_method_id: Option<String>,
    /// The owner of the stored payment method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper_reference: Option<String>,
    /// The request itself if it charges a stored payment method, because such a request can be
    /// sent again without the shopper. See [`super::Order::drop_outdated`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// True if the instrument can be paid with again and again, so that it does not identify an
    /// attempt that has ended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reusable: bool,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Submission {
    /// True if `later` repeats this request. Without a caller's key only the instrument counts.
    pub(super) fn is_repeated_by(&self, later: &Self) -> bool {
        self.instrument == later.instrument
            && (later.idempotency_key.is_none()
                || is_key(self.idempotency_key.as_ref(), later.idempotency_key.as_ref()))
    }

    /// True if it is the request that was `sent`, and was not sent again since. An erasure may have
    /// changed the other fields in the meantime.
    pub(super) fn is(&self, sent: &Self) -> bool {
        (&self.instrument, &self.content, self.sent_at)
            == (&sent.instrument, &sent.content, sent.sent_at)
    }

    /// Drops what names the shopper.
    pub(super) fn forget_shopper(&mut self) {
        self.stored_payment_method_id = None;
        self.shopper_reference = None;
        self.request = None;
    }

    pub(super) fn reuses_key_of(&self, earlier: &Self) -> bool {
        self.idempotency_key.is_some()
            && is_key(earlier.idempotency_key.as_ref(), self.idempotency_key.as_ref())
            && self.caller_body != earlier.caller_body
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Adyen processed the request.
    Answered {
        result_code: ResultCode,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal_reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal_reason_code: Option<String>,
        /// True if the answer carried an action for the shopper. The action is not stored.
        #[serde(default, skip_serializing_if = "is_false")]
        has_action: bool,
        #[serde(flatten)]
        unknown: Unknown,
    },
    /// Adyen did not process the request and will not.
    Rejected(Rejection),
    /// An outcome that a newer version wrote. It counts as not final.
    #[serde(untagged)]
    Unknown(Value),
}

/// Adyen's error for a request that it did not process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    pub status: u16,
    pub error_code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Adyen's text, of a modification only: the text about a payment may quote the shopper's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Rejection {
    pub(super) fn next_step(&self) -> NextStep {
        NextStep::after_error(&self.error_code)
    }

    /// True if the error lies in the deployment and not in the caller's request.
    pub fn is_deployment_error(&self) -> bool {
        let is_deployment_error = matches!(self.status, 401 | 403)
            || matches!(self.error_type.as_deref(), Some("security" | "configuration"));
        is_deployment_error && self.next_step() == NextStep::ShowError
    }
}

/// A result that the shopper's browser returned for an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Digest of the result.
    pub content: String,
    /// When it was last sent to Adyen.
    pub sent_at: Timestamp,
    /// Adyen's answer, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The payment in an answer that is not bound to an attempt. It becomes the attempt's payment
    /// once an AUTHORISATION of this order names it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Details {
    pub fn new(content: String, now: Timestamp) -> Self {
        Self { content, sent_at: now, outcome: None, claimed: None, unknown: Unknown::default() }
    }

    /// True if Adyen's answer is needed again: it is missing, or its action is needed, which is
    /// not stored.
    pub fn needs_answer(&self) -> bool {
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
            key,
            target: target.clone(),
            payment_method,
            submissions: vec![first],
            psp_reference: None,
            outcome: None,
            details: Vec::new(),
            outcome_unknown: false,
            abandoned_at: None,
            closed: None,
            closed_before,
            unknown: Unknown::default(),
        }
    }

    /// True for a voucher or a bank transfer, which the shopper pays within days. It is not
    /// abandoned, because Adyen reports if it was not paid.
    pub(super) fn is_paid_later(&self) -> bool {
        let Some(Outcome::Answered { result_code, .. }) = self.outcome() else { return false };
        matches!(result_code, ResultCode::PresentToShopper | ResultCode::Received)
    }

    /// The storefront's step after a rejection of this attempt. Only Amazon Pay can start over.
    pub fn step_after(&self, rejection: &Rejection) -> NextStep {
        match rejection.next_step() {
            NextStep::StartOver if !self.is_amazon_pay() => NextStep::TryAnotherMethod,
            step => step,
        }
    }

    /// True if the shopper can choose another card in Amazon Pay after a refusal.
    pub(super) fn is_amazon_pay(&self) -> bool {
        !matches!(self.payment_method, PaymentInstrument::OneClick | PaymentInstrument::Other)
    }

    /// Adyen's latest answer to the details or, without one, its answer to the payment.
    pub fn outcome(&self) -> Option<&Outcome> {
        let answered =
            |details: &'_ Details| matches!(details.outcome, Some(Outcome::Answered { .. }));
        match self.details.iter().rev().find(|details| answered(details)) {
            Some(details) => details.outcome.as_ref(),
            None => self.outcome.as_ref(),
        }
    }

    /// True if Adyen has not answered some of the details.
    pub fn details_in_flight(&self) -> bool {
        self.details.iter().any(|details| details.outcome.is_none())
    }

    /// True if Adyen has not answered some of the details sent before `then`.
    pub fn details_in_doubt(&self, then: Timestamp) -> bool {
        let mut unanswered = self.details.iter().filter(|it| it.outcome.is_none());
        unanswered.any(|details| details.sent_at < then)
    }

    /// True if it was abandoned and nothing was sent for it since.
    pub fn is_abandoned(&self) -> bool {
        let since = |at: Timestamp| at >= self.last_sent_at();
        self.abandoned_at.is_some_and(since) && !self.details_in_flight()
    }

    /// Drops unanswered details that Adyen rejected, so that the attempt waits for the shopper
    /// again.
    pub fn drop_unanswered(&mut self, is_rejected: impl Fn(&Details) -> bool) {
        self.details.retain(|details| details.outcome.is_some() || !is_rejected(details));
        self.outcome_unknown &= self.outcome.is_none() || self.details_in_flight();
    }

    /// Updates the time of a request that is sent again while the outcome is unknown. Both senders
    /// see from it that a rejection of their own try does not end the attempt.
    pub(super) fn sent_again(&mut self, request: &Submission, now: Timestamp) {
        let unknown = self.outcome.is_none();
        let same = |earlier: &&mut Submission| unknown && earlier.is_repeated_by(request);
        for earlier in self.submissions.iter_mut().filter(same) {
            earlier.sent_at = sent_after(earlier.sent_at.max(request.sent_at), now);
        }
    }

    /// True if its requests can be sent again to `target`, because Adyen still knows their key
    /// there.
    pub(super) fn can_be_sent_again(&self, target: &Target, now: Timestamp) -> bool {
        !self.key_expired(now) && self.target == *target
    }

    pub(super) fn key_expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.started_at) >= limits::KEY_LIFE
    }

    /// Stores Adyen's answer to the payment. The first answer is never replaced, and an answer
    /// with another pspReference than the known one is dropped. A rejection belongs to one request
    /// only, so the answer to another request replaces it and its pspReference.
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

    /// Stores Adyen's answer to details, unless one is stored. A known pspReference is never
    /// replaced.
    pub fn answer_details(
        &mut self,
        content: &str,
        outcome: Outcome,
        psp_reference: Option<String>,
        now: Timestamp,
    ) {
        if !self.details.iter().any(|details| details.content == content) {
            self.details.push(Details::new(content.to_owned(), now));
        }
        self.note_outcome(&outcome);
        for details in &mut self.details {
            if details.content == content && details.outcome.is_none() {
                details.outcome = Some(outcome.clone());
            }
        }
        self.psp_reference = self.psp_reference.take().or(psp_reference);
    }

    /// Stores the payment of an answer that is not bound to an attempt.
    pub fn claim(&mut self, content: &str, psp_reference: Option<String>) {
        for details in self.details.iter_mut().filter(|details| details.content == content) {
            details.claimed = details.claimed.take().or(psp_reference.clone());
        }
    }

    /// True if all details without an outcome were answered with that payment.
    pub(super) fn claims(&self, psp_reference: &str) -> bool {
        let mut unanswered = self.details.iter().filter(|details| details.outcome.is_none());
        self.details_in_flight()
            && unanswered.all(|details| details.claimed.as_deref() == Some(psp_reference))
    }

    fn note_outcome(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Answered { .. }) {
            self.outcome_unknown = false;
        }
    }

    /// The last time that a request or details were sent.
    pub(super) fn last_sent_at(&self) -> Timestamp {
        let submissions = self.submissions.iter().map(|sent| sent.sent_at);
        let details = self.details.iter().map(|details| details.sent_at);
        submissions.chain(details).max().unwrap_or(self.started_at)
    }
}

/// Returns the time of a request that is sent again. It differs from the earlier one even if the
/// clocks of two processes show the same time, because the sender of a try compares it to find out
/// if its try was the last one.
pub(super) fn sent_after(earlier: Timestamp, now: Timestamp) -> Timestamp {
    now.max(earlier.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX))
}

/// Makes the `Idempotency-Key` of an attempt, 64 characters, when the attempt begins.
pub fn idempotency_key(merchant_account: &str, reference: &Reference, attempt: usize) -> String {
    sha256(&[
        merchant_account.as_bytes(),
        reference.as_str().as_bytes(),
        attempt.to_string().as_bytes(),
    ])
}

/// Hex digest of parts that are joined by line breaks, so that parts without line breaks cannot be
/// divided differently.
pub fn sha256(parts: &[&[u8]]) -> String {
    let joined = parts.join(&b'\n');
    hex::encode(digest(&SHA256, &joined))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn adyens_key_depends_on_account_order_and_attempt_number() {
        let key = |account: &str, order: &str, attempt| {
            idempotency_key(account, &order.parse().unwrap(), attempt)
        };
        let all = [
            key("Shop", "ORDER-1", 1),
            key("Shop", "ORDER-1", 2),
            key("Shop", "ORDER-1", 11),
            key("Shop", "ORDER-11", 1),
            key("Shop", "ORDER-2", 1),
            key("Shop2", "ORDER-1", 1),
            key("ShopO", "RDER-1", 1),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 64, "as long as Adyen allows");
            assert!(one.bytes().all(|c| c.is_ascii_hexdigit()));
            assert!(!all[at + 1..].contains(one));
        }
        assert_eq!(all[0], key("Shop", "ORDER-1", 1));
    }
}
