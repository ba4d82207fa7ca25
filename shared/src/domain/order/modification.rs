//! What the merchant asks of a payment after it was made: captures, cancels, refunds and
//! reversals.
//!
//! As with attempts, a request is written before Adyen is called, and carries a key that
//! makes Adyen process it once. What was asked for and is not decided yet counts as if it
//! had happened, so that two requests cannot ask for the same money.
//!
//! Adyen answers that it has received a request; a webhook decides it. Where the answer was
//! lost the webhook does not say of which request it speaks: each is decided by one event of
//! its kind, payment and amount that came after it and speaks of no other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    AdyenEvent, Derived, Order, Payment, Rejection, Target, decide::KEY_LIFE, findings::after,
    reports::Reports, room::MODIFICATIONS, sha256,
};
use crate::domain::{amount::Amount, event_code::EventCode, text::open_enum, unknown::Unknown};

open_enum! {
    /// A kind of modification. Source: Checkout API, `/payments/{paymentPspReference}/…`.
    Operation {
        /// Take the money of an authorised payment.
        Capture = "capture",
        /// Release a payment that was not captured.
        Cancel = "cancel",
        /// Give money back.
        Refund = "refund",
        /// Cancel or refund the whole payment, whichever is possible.
        Reversal = "reversal",
    }
}

impl Operation {
    /// The operation of a path's last segment.
    pub fn of_path(segment: &str) -> Option<Self> {
        match segment {
            "captures" => Some(Self::Capture),
            "cancels" => Some(Self::Cancel),
            "refunds" => Some(Self::Refund),
            "reversals" => Some(Self::Reversal),
            _ => None,
        }
    }

    /// The path's last segment, here and at Adyen.
    pub fn path(&self) -> &str {
        match self {
            Self::Capture => "captures",
            Self::Cancel => "cancels",
            Self::Refund => "refunds",
            Self::Reversal => "reversals",
            Self::Unknown(name) => name,
        }
    }

    /// Returns whether it is about a part of the payment.
    pub fn has_amount(&self) -> bool {
        matches!(self, Self::Capture | Self::Refund)
    }

    /// How much of a payment is open to it, in minor units.
    fn open(&self, payment: &Payment) -> i64 {
        match self {
            Self::Capture => payment.open_to_capture,
            Self::Cancel => payment.open_to_cancel,
            Self::Refund => payment.open_to_refund,
            Self::Reversal => payment.open_to_cancel.max(payment.open_to_reverse),
            Self::Unknown(_) => 0,
        }
    }

    /// The event that tells what became of it.
    pub(super) fn event_code(&self) -> EventCode {
        match self {
            Self::Capture => EventCode::Capture,
            Self::Cancel => EventCode::Cancellation,
            Self::Refund => EventCode::Refund,
            Self::Reversal => EventCode::CancelOrRefund,
            // No event has it, so that nothing decides what this version does not understand.
            Self::Unknown(name) => EventCode::Unknown(name.clone()),
        }
    }
}

open_enum! {
    /// Why money is given back. Source: Checkout API, `merchantRefundReason`.
    RefundReason {
        /// Somebody else paid with the shopper's means.
        Fraud = "FRAUD",
        /// The shopper wanted it.
        CustomerRequest = "CUSTOMER REQUEST",
        /// The goods came back.
        Return = "RETURN",
        /// It was paid twice.
        Duplicate = "DUPLICATE",
        /// Any other.
        Other = "OTHER",
    }
}

/// How long Adyen may take to decide a request that it has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecidedWithin {
    /// Refunds, and reversals because they may be refunds.
    pub refunds: SignedDuration,
    /// Captures and cancels.
    pub others: SignedDuration,
}

impl DecidedWithin {
    /// Days that a deployment allows where it says nothing.
    pub const USUAL_REFUND_DAYS: u16 = 10;
    /// As [`DecidedWithin::USUAL_REFUND_DAYS`], for the others.
    pub const USUAL_DAYS: u16 = 3;

    fn of(self, operation: &Operation) -> SignedDuration {
        match operation {
            Operation::Refund | Operation::Reversal => self.refunds,
            Operation::Capture | Operation::Cancel | Operation::Unknown(_) => self.others,
        }
    }
}

impl Default for DecidedWithin {
    fn default() -> Self {
        let days = |days: u16| SignedDuration::from_hours(24 * i64::from(days));
        Self { refunds: days(Self::USUAL_REFUND_DAYS), others: days(Self::USUAL_DAYS) }
    }
}

/// A request to modify a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Modification {
    pub operation: Operation,
    /// The pspReference of the payment.
    pub payment: String,
    /// Minor units of the order's currency; what a cancel or a reversal concerns.
    pub value: i64,
    /// Why money is given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_refund_reason: Option<RefundReason>,
    /// The `Idempotency-Key` that Adyen gets, made once.
    pub key: String,
    /// The merchant account that the key was made for. Older versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_account: Option<String>,
    /// The host of the Adyen that the key was made for. Older versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The caller's own `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Digest of the caller's request.
    pub content: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was sent last.
    pub sent_at: Timestamp,
    /// When it needs attention if Adyen has not decided it. Earlier versions did not set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<Timestamp>,
    /// Adyen's name of it, once Adyen has received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    /// Why Adyen did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// True if asking Adyen about it was given up.
    #[serde(default)]
    pub outcome_unknown: bool,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The state of a modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModificationState {
    /// True if Adyen has received it is not known yet.
    Requested,
    /// True if Adyen has received it stays unknown.
    Unknown,
    /// Adyen has received it.
    Received,
    /// It was carried out.
    Succeeded,
    /// It was not, or was undone.
    Failed,
    /// Adyen did not take it.
    Rejected,
}

impl ModificationState {
    /// The state in one word.
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

    /// Returns whether Adyen may yet carry it out.
    pub fn open(self) -> bool {
        matches!(self, Self::Requested | Self::Unknown | Self::Received)
    }

    /// Returns whether it is not even known that Adyen has received it.
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
    /// Returns true if Adyen can be asked about it with its key. A kind of modification that is
    /// not known here cannot be written as a request.
    pub(super) fn can_be_asked(&self, now: Timestamp) -> bool {
        now.duration_since(self.requested_at) < KEY_LIFE
            && !matches!(self.operation, Operation::Unknown(_))
    }

    /// Returns true if it can be sent again to `target`, because Adyen still knows the key
    /// there. Otherwise it might be processed anew.
    fn can_be_sent_again(&self, target: &Target, now: Timestamp) -> bool {
        self.can_be_asked(now)
            && target.is(self.merchant_account.as_deref(), self.endpoint.as_deref())
    }

    /// When it needs attention if Adyen has received it and not decided it.
    pub(super) fn due(&self) -> Timestamp {
        let usual = || after(self.requested_at, DecidedWithin::default().of(&self.operation));
        self.decide_by.unwrap_or_else(usual)
    }

    /// Keeps Adyen's answer. That it has received the request counts whatever else it said.
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

/// The state of each modification.
pub(super) fn states(order: &Order, reports: &Reports) -> Vec<ModificationState> {
    let names = order.modifications.iter();
    let mut claimed: Vec<&str> = names.filter_map(|it| it.psp_reference.as_deref()).collect();
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
    let modifications = order.modifications.iter();
    modifications
        .map(|modification| {
            // Adyen sends no webhook for a modification that it rejected.
            let taken = modification.rejection.is_none();
            let decision = taken.then(|| decide(modification)).flatten();
            modification.state(decision, reports)
        })
        .collect()
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct ModificationRequest {
    pub operation: Operation,
    /// The payment, if the caller names one; the one that is open to it otherwise.
    pub payment: Option<String>,
    /// How much; what is open otherwise.
    pub amount: Option<Amount>,
    /// Why money is given back.
    pub merchant_refund_reason: Option<RefundReason>,
    /// The caller's own `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Everything that the caller asked for.
    pub content: String,
    /// How long Adyen may take to decide it.
    pub decided_within: DecidedWithin,
}

/// A request that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its position among the order's modifications.
    pub at: usize,
    /// When it was sent, unless it is not to be sent (again).
    pub sent_at: Option<Timestamp>,
    /// True if it was not sent before.
    pub first: bool,
}

/// Why a request is not sent to Adyen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The order has no such payment.
    NoSuchPayment,
    /// Several payments are open to it, and the request names none.
    Ambiguous,
    /// The state of the payment does not allow it.
    WrongState,
    /// It asks for more than is open.
    Exceeds {
        /// Minor units that are open.
        open: i64,
    },
    /// It asks for another currency than the order's.
    Currency,
    /// The caller's `Idempotency-Key` came with another request before.
    KeyReused,
    /// The order was modified too often.
    TooMany,
}

impl Order {
    /// Records a request to modify a payment, or finds the one that it repeats. It is sent to
    /// `target`.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is recorded then.
    pub fn modify(
        &mut self,
        target: &Target,
        request: &ModificationRequest,
        now: Timestamp,
    ) -> Result<Recorded, Refusal> {
        let derived = Derived::of(self);
        if let Some(at) = self.repeated(request, &derived)? {
            return Ok(self.send_modification_again(target, at, now));
        }
        if let Some(amount) = request.amount
            && amount.currency != self.amount.currency
        {
            return Err(Refusal::Currency);
        }
        if self.modifications.len() == MODIFICATIONS || self.is_full() {
            return Err(Refusal::TooMany);
        }
        let (payment, open) = subject(request, &derived)?;
        let value = request.amount.map_or(open, |amount| amount.value);
        if value > open {
            return Err(Refusal::Exceeds { open });
        }
        let same = self.modifications.iter().filter(|earlier| {
            (&earlier.operation, &earlier.payment, earlier.value)
                == (&request.operation, &payment.psp_reference, value)
        });
        let told_apart = match &request.idempotency_key {
            Some(key) => format!("key {key}"),
            None => format!("{} {value} {}", payment.psp_reference, same.count()),
        };
        self.modifications.push(Modification {
            operation: request.operation.clone(),
            payment: payment.psp_reference.clone(),
            value,
            merchant_refund_reason: request.merchant_refund_reason.clone(),
            key: sha256(&[
                target.merchant_account.as_bytes(),
                self.reference.as_str().as_bytes(),
                request.operation.path().as_bytes(),
                told_apart.as_bytes(),
            ]),
            merchant_account: Some(target.merchant_account.clone()),
            endpoint: Some(target.endpoint.clone()),
            idempotency_key: request.idempotency_key.clone(),
            content: request.content.clone(),
            requested_at: now,
            sent_at: now,
            decide_by: Some(after(now, request.decided_within.of(&request.operation))),
            psp_reference: None,
            rejection: None,
            outcome_unknown: false,
            unknown: Unknown::default(),
        });
        Ok(Recorded { at: self.modifications.len() - 1, sent_at: Some(now), first: true })
    }

    /// The request that this one repeats: by its key, or without one by what it asks for as
    /// long as the earlier one is in doubt.
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
        let found = earlier.position(|(it, _)| it.idempotency_key == request.idempotency_key);
        match found {
            Some(at) if self.modifications[at].content != request.content => {
                Err(Refusal::KeyReused)
            }
            found => Ok(found),
        }
    }

    /// Sends a modification again whose answer is not known, unless Adyen would not know its
    /// key.
    pub fn send_modification_again(
        &mut self,
        target: &Target,
        at: usize,
        now: Timestamp,
    ) -> Recorded {
        let in_doubt =
            Derived::of(self).modifications.get(at).is_some_and(|state| state.in_doubt());
        let sent_at = match self.modifications.get_mut(at) {
            Some(modification) if in_doubt && !modification.can_be_sent_again(target, now) => {
                modification.outcome_unknown = true;
                None
            }
            Some(modification) if in_doubt => {
                modification.sent_at = now;
                Some(now)
            }
            _ => None,
        };
        Recorded { at, sent_at, first: false }
    }
}

/// The payment that a request is about, and how much of it is open to that.
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
