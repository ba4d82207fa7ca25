//! What the merchant asks of a payment after it was made: captures, cancels, refunds and
//! reversals.
//!
//! As with attempts, a request is written before Adyen is called, and carries a key that
//! makes Adyen process it once. What was asked for and is not decided yet counts as if it
//! had happened, so that two requests cannot ask for the same money.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Derived, Order, Rejection, sha256, take::KEY_LIFE};
use crate::adyen::notification::EventCode;

/// A kind of modification. Source: Checkout API, `/payments/{paymentPspReference}/…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Take the money of an authorised payment.
    Capture,
    /// Release a payment that was not captured.
    Cancel,
    /// Give money back.
    Refund,
    /// Cancel or refund the whole payment, whichever is possible.
    Reversal,
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
    pub fn path(self) -> &'static str {
        match self {
            Self::Capture => "captures",
            Self::Cancel => "cancels",
            Self::Refund => "refunds",
            Self::Reversal => "reversals",
        }
    }

    /// Whether it is about a part of the payment.
    pub fn has_amount(self) -> bool {
        matches!(self, Self::Capture | Self::Refund)
    }

    /// The event that tells what became of it.
    pub(super) fn event_code(self) -> EventCode {
        match self {
            Self::Capture => EventCode::Capture,
            Self::Cancel => EventCode::Cancellation,
            Self::Refund => EventCode::Refund,
            Self::Reversal => EventCode::CancelOrRefund,
        }
    }
}

/// A request to modify a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Modification {
    /// What was asked for.
    pub operation: Operation,
    /// The pspReference of the payment.
    pub payment: String,
    /// Minor units of the order's currency; what a cancel or a reversal concerns.
    pub value: i64,
    /// The `Idempotency-Key` that Adyen gets.
    pub key: String,
    /// The caller's own `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Digest of the caller's request.
    pub content: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Adyen's name of it, once Adyen has received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    /// Why Adyen did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
}

impl Modification {
    /// Whether Adyen has answered.
    fn answered(&self) -> bool {
        self.psp_reference.is_some() || self.rejection.is_some()
    }

    /// Whether Adyen may no longer know the key: sent again it might be processed anew.
    pub fn key_expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.requested_at) >= KEY_LIFE
    }

    /// Keeps Adyen's answer, unless one is known.
    pub fn answer(&mut self, answer: Result<String, Rejection>) {
        if !self.answered() {
            match answer {
                Ok(psp_reference) => self.psp_reference = Some(psp_reference),
                Err(rejection) => self.rejection = Some(rejection),
            }
        }
    }
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// The payment, if the caller names one; the one that stands otherwise.
    pub payment: Option<String>,
    /// Minor units; what is open otherwise.
    pub value: Option<i64>,
    /// The caller's own `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Everything that the caller asked for.
    pub content: String,
}

/// A request that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its position among the order's modifications.
    pub at: usize,
    /// Whether it may have been sent before.
    pub again: bool,
}

/// Why a request is not sent to Adyen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The order has no such payment.
    NoSuchPayment,
    /// Several payments stand, and the request names none.
    Ambiguous,
    /// The state of the payment does not allow it.
    WrongState,
    /// It asks for more than is open.
    Exceeds {
        /// Minor units that are open.
        open: i64,
    },
    /// The caller's `Idempotency-Key` came with another request before.
    KeyReused,
    /// The order was modified too often.
    TooMany,
}

/// So many modifications an order may have: it is one item, of limited size.
const MODIFICATIONS: usize = 200;

impl Order {
    /// Records a request to modify a payment, or finds the one that it repeats. One that
    /// Adyen has answered, or whose key is too old, is not to be sent again.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is recorded then.
    pub fn modify(
        &mut self,
        merchant_account: &str,
        request: &Request,
        now: Timestamp,
    ) -> Result<Recorded, Refusal> {
        if let Some(key) = &request.idempotency_key {
            let known = |earlier: &Modification| earlier.idempotency_key.as_ref() == Some(key);
            if let Some(at) = self.modifications.iter().position(known) {
                let same = self.modifications[at].content == request.content;
                let recorded = Recorded { at, again: true };
                return if same {
                    Ok(recorded)
                } else {
                    Err(Refusal::KeyReused)
                };
            }
        }
        let repeats = |earlier: &Modification| {
            earlier.idempotency_key.is_none() && earlier.content == request.content
        };
        let unanswered = |earlier: &Modification| repeats(earlier) && !earlier.answered();
        if request.idempotency_key.is_none()
            && let Some(at) = self.modifications.iter().position(unanswered)
        {
            return Ok(Recorded { at, again: true });
        }
        if self.modifications.len() == MODIFICATIONS {
            return Err(Refusal::TooMany);
        }

        let derived = Derived::of(self);
        let mut candidates = derived
            .payments
            .iter()
            .filter(|payment| match &request.payment {
                Some(named) => payment.psp_reference == *named,
                None => payment.stands,
            });
        let payment = candidates.next().ok_or(match request.payment {
            Some(_) => Refusal::NoSuchPayment,
            None => Refusal::WrongState,
        })?;
        if candidates.next().is_some() {
            return Err(Refusal::Ambiguous);
        }
        let open = match request.operation {
            Operation::Capture => payment.open_to_capture,
            Operation::Cancel => payment.open_to_cancel,
            Operation::Refund => payment.open_to_refund,
            Operation::Reversal => payment.open_to_cancel.max(payment.open_to_reverse),
        };
        if open <= 0 {
            return Err(Refusal::WrongState);
        }
        let value = request.value.unwrap_or(open);
        if value > open {
            return Err(Refusal::Exceeds { open });
        }
        let told_apart = match &request.idempotency_key {
            Some(key) => format!("key {key}"),
            None => format!(
                "{value} {}",
                self.modifications.iter().filter(|it| repeats(it)).count()
            ),
        };
        self.modifications.push(Modification {
            operation: request.operation,
            payment: payment.psp_reference.clone(),
            value,
            key: sha256(&[
                merchant_account.as_bytes(),
                self.reference.as_str().as_bytes(),
                request.operation.path().as_bytes(),
                told_apart.as_bytes(),
            ]),
            idempotency_key: request.idempotency_key.clone(),
            content: request.content.clone(),
            requested_at: now,
            psp_reference: None,
            rejection: None,
        });
        Ok(Recorded {
            at: self.modifications.len() - 1,
            again: false,
        })
    }
}
