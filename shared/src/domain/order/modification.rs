//! Captures, cancels, refunds and reversals.
//!
//! A request is stored before Adyen is called, with an idempotency key that makes Adyen process
//! it once. An undecided request counts as if it had succeeded, so that two requests cannot claim
//! the same money.
//!
//! Adyen only acknowledges a request; a webhook decides it. If the acknowledgement was lost, the
//! pspReference in the webhook is unknown. Such a request is matched to the first unclaimed event
//! of the same kind, payment and amount that is not older than the request.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    AdyenEvent, Derived, Order, Payment, Rejection, Target, attempt::sent_after, erase::is_key,
    findings::after, reports::Reports, sha256,
};
use crate::domain::{amount::Amount, event_code::EventCode, text::open_enum, unknown::Unknown};
use crate::limits;

open_enum! {
    /// Source: Checkout API, `/payments/{paymentPspReference}/…`.
    Operation {
        Capture = "capture",
        /// Releases a payment that was not captured.
        Cancel = "cancel",
        Refund = "refund",
        /// Cancels or refunds the whole payment, whichever is possible.
        Reversal = "reversal",
    }
}

impl Operation {
    /// Parses the last segment of a path.
    pub fn of_path(segment: &str) -> Option<Self> {
        match segment {
            "captures" => Some(Self::Capture),
            "cancels" => Some(Self::Cancel),
            "refunds" => Some(Self::Refund),
            "reversals" => Some(Self::Reversal),
            _ => None,
        }
    }

    /// Returns the last segment of the path, which is the same in our API and in Adyen's.
    pub fn path(&self) -> &str {
        match self {
            Self::Capture => "captures",
            Self::Cancel => "cancels",
            Self::Refund => "refunds",
            Self::Reversal => "reversals",
            Self::Unknown(name) => name,
        }
    }

    /// Returns true if it may concern a part of the payment.
    pub fn has_amount(&self) -> bool {
        matches!(self, Self::Capture | Self::Refund)
    }

    /// Returns how much of a payment it can still concern, in minor units.
    fn open(&self, payment: &Payment) -> i64 {
        match self {
            Self::Capture => payment.open_to_capture,
            Self::Cancel => payment.open_to_cancel,
            Self::Refund => payment.open_to_refund,
            Self::Reversal => payment.open_to_cancel.max(payment.open_to_reverse),
            Self::Unknown(_) => 0,
        }
    }

    /// Returns the code of the event that decides it.
    pub(super) fn event_code(&self) -> EventCode {
        match self {
            Self::Capture => EventCode::Capture,
            Self::Cancel => EventCode::Cancellation,
            Self::Refund => EventCode::Refund,
            Self::Reversal => EventCode::CancelOrRefund,
            // No event has this code, so an operation of a newer version stays undecided.
            Self::Unknown(name) => EventCode::Unknown(name.clone()),
        }
    }
}

open_enum! {
    /// Source: Checkout API, `merchantRefundReason`.
    RefundReason {
        Fraud = "FRAUD",
        CustomerRequest = "CUSTOMER REQUEST",
        Return = "RETURN",
        Duplicate = "DUPLICATE",
        Other = "OTHER",
    }
}

/// The time that Adyen has to decide a request before the order needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecidedWithin {
    /// Applies to reversals too, because they may be refunds.
    pub refunds: SignedDuration,
    /// Applies to captures and cancels.
    pub others: SignedDuration,
}

impl DecidedWithin {
    fn of(self, operation: &Operation) -> SignedDuration {
        match operation {
            Operation::Refund | Operation::Reversal => self.refunds,
            Operation::Capture | Operation::Cancel | Operation::Unknown(_) => self.others,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Modification {
    pub operation: Operation,
    /// The pspReference of the payment.
    pub payment: String,
    /// Minor units of the order's currency. For a cancel or reversal it is the whole open amount.
    pub value: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_refund_reason: Option<RefundReason>,
    /// The `Idempotency-Key` sent to Adyen.
    pub key: String,
    /// The target that the key was created for.
    #[serde(flatten)]
    pub target: Target,
    /// The caller's own `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Digest of the caller's request.
    pub content: String,
    pub requested_at: Timestamp,
    /// The last time it was sent.
    pub sent_at: Timestamp,
    /// The time from which it needs attention if Adyen has received but not decided it.
    pub decide_by: Timestamp,
    /// Adyen's reference of the modification; None until Adyen has acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// True if it is no longer sent again to find out its outcome.
    pub outcome_unknown: bool,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModificationState {
    /// Adyen has not acknowledged it yet.
    Requested,
    /// It will never be known if Adyen received it.
    Unknown,
    /// Adyen has acknowledged it.
    Received,
    Succeeded,
    /// It failed, or it succeeded and was undone later.
    Failed,
    /// Adyen did not accept the request.
    Rejected,
}

impl ModificationState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Unknown => "unknown",
            Self::Received => "received",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }

    /// Returns true if Adyen may still carry it out.
    pub fn open(self) -> bool {
        matches!(self, Self::Requested | Self::Unknown | Self::Received)
    }

    /// Returns true if it is not known that Adyen has received it.
    pub fn in_doubt(self) -> bool {
        matches!(self, Self::Requested | Self::Unknown)
    }
}

impl Serialize for ModificationState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Modification {
    /// Returns true if its outcome can be looked up by sending it again. A kind that this version
    /// does not know cannot be sent.
    pub(super) fn can_be_recovered(&self, now: Timestamp) -> bool {
        now.duration_since(self.requested_at) < limits::KEY_LIFE
            && !matches!(self.operation, Operation::Unknown(_))
    }

    /// Returns true if it can be sent again to `target`, because Adyen still knows its key there.
    /// Otherwise Adyen might process it a second time.
    fn can_be_sent_again(&self, target: &Target, now: Timestamp) -> bool {
        self.can_be_recovered(now) && self.target == *target
    }

    /// Stores Adyen's answer. An acknowledgement outweighs a rejection, whichever came first.
    pub fn answer(&mut self, answer: Result<String, Rejection>) {
        match answer {
            Ok(psp_reference) => {
                self.psp_reference.get_or_insert(psp_reference);
                self.rejection = None;
            }
            Err(rejection) if self.psp_reference.is_none() => self.rejection = Some(rejection),
            Err(_) => {}
        }
        self.outcome_unknown = false;
    }

    fn state<'a>(
        &self,
        decision: Option<&'a AdyenEvent>,
        reports: &Reports<'a>,
    ) -> ModificationState {
        match (decision, &self.psp_reference) {
            _ if self.rejection.is_some() => ModificationState::Rejected,
            (Some(event), _) if event.success && !reports.undone(event) => {
                ModificationState::Succeeded
            }
            (Some(_), _) => ModificationState::Failed,
            (None, Some(name)) => {
                let code = self.operation.event_code();
                // A failure may arrive before the acceptance that it undoes.
                match reports.failed(&code, &self.payment, name) {
                    true => ModificationState::Failed,
                    false => ModificationState::Received,
                }
            }
            (None, None) if self.outcome_unknown => ModificationState::Unknown,
            (None, None) => ModificationState::Requested,
        }
    }

    /// Returns true if an event of its payment may be about it.
    pub(super) fn is_about(&self, event: &AdyenEvent) -> bool {
        let amount = event.amount.as_ref().map(|amount| amount.value);
        (!self.operation.has_amount() || amount == Some(self.value))
            // Adyen dates events to the second.
            && event.date().as_second() >= self.requested_at.as_second()
    }
}

/// Derives the state of each modification.
pub(super) fn states(order: &Order, reports: &Reports) -> Vec<ModificationState> {
    let modifications = order.modifications.iter();
    let mut claimed: Vec<&str> =
        modifications.clone().filter_map(|it| it.psp_reference.as_deref()).collect();
    let mut decide = |modification: &Modification| {
        let code = modification.operation.event_code();
        if let Some(name) = &modification.psp_reference {
            return reports.get(&code, name);
        }
        let unclaimed = reports.about(&modification.payment, &code).into_iter().find(|event| {
            !claimed.contains(&event.psp_reference.as_str()) && modification.is_about(event)
        });
        claimed.extend(unclaimed.map(|event| event.psp_reference.as_str()));
        unclaimed
    };
    modifications
        .map(|modification| {
            // Adyen sends no webhook for a modification that it rejected.
            let accepted = modification.rejection.is_none();
            let decision = accepted.then(|| decide(modification)).flatten();
            modification.state(decision, reports)
        })
        .collect()
}

#[derive(Debug, Clone)]
pub struct ModificationRequest {
    pub operation: Operation,
    /// The pspReference of the payment. If None, exactly one payment must allow the operation.
    pub payment: Option<String>,
    /// If None, all that is open.
    pub amount: Option<Amount>,
    pub merchant_refund_reason: Option<RefundReason>,
    /// The caller's own `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Digest of the caller's request.
    pub content: String,
    pub decided_within: DecidedWithin,
}

/// The decision about a modification. `at` is the index in the order's modifications.
#[derive(Debug, Clone, PartialEq)]
pub enum ModificationDecision {
    /// It is new, and is sent to Adyen.
    Send(Box<Modification>),
    /// It repeats this one, which is sent again with its key.
    Resend { at: usize },
    /// It repeats this one, which Adyen has answered.
    Answered { at: usize },
    /// It repeats this one, whose outcome can no longer be asked for.
    Unknown { at: usize },
}

/// A modification after its decision was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedModification {
    /// Send it to Adyen.
    Sent(SentModification),
    /// Nothing is sent.
    Kept { at: usize },
}

/// A modification that is sent to Adyen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentModification {
    /// The index in the order's modifications.
    pub at: usize,
    pub sent_at: Timestamp,
    /// True if it was not sent before.
    pub first: bool,
}

/// The reason for which a request is not sent to Adyen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoSuchPayment,
    /// Several payments allow the operation, and the request names none.
    Ambiguous,
    /// The state of the payment does not allow it.
    WrongState,
    /// The amount exceeds what is open.
    Exceeds {
        /// Minor units.
        open: i64,
    },
    /// The currency is not the order's.
    Currency,
    /// The caller used the `Idempotency-Key` for a different request before.
    KeyReused,
    /// The order has reached its limit of modifications or size.
    TooMany,
}

impl Order {
    /// Decides about a request that would be sent to `target`.
    ///
    /// # Errors
    /// Returns a [`Refusal`].
    pub fn decide_modification(
        &self,
        target: &Target,
        request: &ModificationRequest,
        now: Timestamp,
    ) -> Result<ModificationDecision, Refusal> {
        let derived = Derived::of(self);
        if let Some(at) = self.repeated(request, &derived)? {
            return Ok(self.decide_resend(target, at, now));
        }
        if let Some(amount) = request.amount
            && amount.currency != self.amount.currency
        {
            return Err(Refusal::Currency);
        }
        if self.modifications.len() == limits::MODIFICATIONS || self.is_full() {
            return Err(Refusal::TooMany);
        }
        let (payment, open) = subject(request, &derived)?;
        let value = request.amount.map_or(open, |amount| amount.value);
        if value > open {
            return Err(Refusal::Exceeds { open });
        }
        let identical = self.modifications.iter().filter(|earlier| {
            (&earlier.operation, &earlier.payment, earlier.value)
                == (&request.operation, &payment.psp_reference, value)
        });
        let discriminator = match &request.idempotency_key {
            Some(key) => format!("key {key}"),
            None => format!("{} {value} {}", payment.psp_reference, identical.count()),
        };
        Ok(ModificationDecision::Send(Box::new(Modification {
            operation: request.operation.clone(),
            payment: payment.psp_reference.clone(),
            value,
            merchant_refund_reason: request.merchant_refund_reason.clone(),
            key: sha256(&[
                target.merchant_account.as_bytes(),
                self.reference.as_str().as_bytes(),
                request.operation.path().as_bytes(),
                discriminator.as_bytes(),
            ]),
            target: target.clone(),
            idempotency_key: request.idempotency_key.clone(),
            content: request.content.clone(),
            requested_at: now,
            sent_at: now,
            decide_by: after(now, request.decided_within.of(&request.operation)),
            psp_reference: None,
            rejection: None,
            outcome_unknown: false,
            unknown: Unknown::default(),
        })))
    }

    /// Decides about sending a modification again. Adyen must still know its key at `target`.
    pub fn decide_resend(
        &self,
        target: &Target,
        at: usize,
        now: Timestamp,
    ) -> ModificationDecision {
        let in_doubt =
            Derived::of(self).modifications.get(at).is_some_and(|state| state.in_doubt());
        match self.modifications.get(at) {
            Some(modification) if in_doubt && modification.can_be_sent_again(target, now) => {
                ModificationDecision::Resend { at }
            }
            Some(_) if in_doubt => ModificationDecision::Unknown { at },
            _ => ModificationDecision::Answered { at },
        }
    }

    pub fn record_modification(
        &mut self,
        decision: ModificationDecision,
        now: Timestamp,
    ) -> RecordedModification {
        let (at, first) = match decision {
            ModificationDecision::Send(modification) => {
                self.modifications.push(*modification);
                (self.modifications.len() - 1, true)
            }
            ModificationDecision::Resend { at } => {
                if let Some(modification) = self.modifications.get_mut(at) {
                    modification.sent_at = sent_after(modification.sent_at, now);
                }
                (at, false)
            }
            ModificationDecision::Unknown { at } => {
                if let Some(modification) = self.modifications.get_mut(at) {
                    modification.outcome_unknown = true;
                }
                return RecordedModification::Kept { at };
            }
            ModificationDecision::Answered { at } => return RecordedModification::Kept { at },
        };
        RecordedModification::Sent(SentModification { at, sent_at: now, first })
    }

    /// Finds the request that this one repeats: the one with the same key or, without a key, one of
    /// the same content that is in doubt.
    fn repeated(
        &self,
        request: &ModificationRequest,
        derived: &Derived,
    ) -> Result<Option<usize>, Refusal> {
        let mut earlier = self.modifications.iter().zip(&derived.modifications);
        if request.idempotency_key.is_none() {
            return Ok(earlier.position(|(earlier, state)| {
                earlier.idempotency_key.is_none()
                    && earlier.content == request.content
                    && state.in_doubt()
            }));
        }
        let sent = request.idempotency_key.as_ref();
        let found = earlier.position(|(it, _)| is_key(it.idempotency_key.as_ref(), sent));
        match found {
            Some(at) if self.modifications[at].content != request.content => {
                Err(Refusal::KeyReused)
            }
            found => Ok(found),
        }
    }
}

/// Returns the payment of a request, and how much of it is open to the operation.
fn subject<'a>(
    request: &ModificationRequest,
    derived: &'a Derived,
) -> Result<(&'a Payment, i64), Refusal> {
    let open = |payment: &'a Payment| (payment, request.operation.open(payment));
    let mut payments = derived.payments.iter();
    if let Some(named) = &request.payment {
        let payment = payments.find(|payment| payment.psp_reference == *named);
        let (payment, open) = payment.map(open).ok_or(Refusal::NoSuchPayment)?;
        return if open > 0 { Ok((payment, open)) } else { Err(Refusal::WrongState) };
    }
    let standing = payments.filter(|payment| payment.stands).map(open);
    let mut candidates = standing.filter(|(_, open)| *open > 0);
    match (candidates.next(), candidates.next()) {
        (None, _) => Err(Refusal::WrongState),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Refusal::Ambiguous),
    }
}
