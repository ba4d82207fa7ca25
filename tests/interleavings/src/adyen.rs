//! Adyen's side: what it may answer, and the events that it sends. Source of the shapes: Checkout
//! API v72 and Adyen's page about idempotency.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    adyen::{
        client::{CallError, Failure, ServiceError, read_try},
        payments::PaymentResponse,
    },
    domain::{
        event_code::EventCode,
        order::{AdyenEvent, EventAmount},
        unknown::Unknown,
    },
};

use crate::rules::Broken;

/// The amount of every payment and refund, in euro cents.
pub const VALUE: i64 = 1000;
pub const REFERENCE: &str = "ORDER-1";

/// A payment, by its position in Adyen's books.
pub type PaymentAt = u8;

/// A payment of another order, whose result a browser may post.
pub const FOREIGN: PaymentAt = u8::MAX;

pub fn psp_reference(payment: PaymentAt) -> String {
    match payment {
        FOREIGN => "FOREIGN".to_owned(),
        payment => format!("PAYMENT-{}", payment + 1),
    }
}

/// The payment with that name, unless it is foreign.
pub fn payment_of(psp_reference: &str) -> Option<PaymentAt> {
    psp_reference.strip_prefix("PAYMENT-")?.parse::<PaymentAt>().ok()?.checked_sub(1)
}

pub fn refund_reference(refund: u8) -> String {
    format!("REFUND-{}", refund + 1)
}

/// An answer of Adyen's to one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reply {
    Authorised(PaymentAt),
    Refused(PaymentAt),
    /// The result follows in a webhook.
    Pending(PaymentAt),
    /// The shopper must act. Adyen names the payment only after that.
    Action(PaymentAt),
    /// A modification was received.
    Received(u8),
    /// 422 of a field, so nothing with this content is processed.
    FieldRejected,
    /// 422 that may depend on an earlier request, such as of a token that was charged.
    TokenRejected,
    /// 403 of the merchant account, before processing.
    AccountRejected,
    /// 500 without a reason to believe that anything was or was not processed.
    Internal,
    /// 503, marked as transient: the key could not be looked up.
    KeysUnavailable,
    /// 422 while the first request with this key is being processed.
    InProgress,
}

impl Reply {
    /// The status, the header `transient-error`, and the body.
    fn http(self, named: bool) -> (u16, bool, Value) {
        let result = |code: &str, payment: PaymentAt| {
            let mut body = json!({"resultCode": code, "pspReference": psp_reference(payment)});
            if named && payment != FOREIGN {
                body["merchantReference"] = REFERENCE.into();
                body["amount"] = json!({"currency": "EUR", "value": VALUE});
            }
            (200, false, body)
        };
        let error = |status: u16, transient, code: &str, kind: &str| {
            (status, transient, json!({"status": status, "errorCode": code, "errorType": kind}))
        };
        match self {
            Self::Authorised(payment) => result("Authorised", payment),
            Self::Refused(payment) => result("Refused", payment),
            Self::Pending(payment) => result("Pending", payment),
            Self::Action(_) => {
                let action = json!({"type": "redirect", "url": "https://bank.example"});
                (200, false, json!({"resultCode": "RedirectShopper", "action": action}))
            }
            Self::Received(refund) => {
                (201, false, json!({"pspReference": refund_reference(refund)}))
            }
            Self::FieldRejected => error(422, false, "14_030", "validation"),
            Self::TokenRejected => error(422, false, "5_606", "validation"),
            Self::AccountRejected => error(403, false, "901", "security"),
            Self::Internal => error(500, false, "903", "internal"),
            Self::KeysUnavailable => error(503, true, "703", "internal"),
            Self::InProgress => error(422, false, "704", "validation"),
        }
    }

    /// The meaning of the answer, as Adyen's client reads it.
    pub fn read(self, named: bool, broken: Option<Broken>) -> Result<Vec<u8>, Failure> {
        let (status, transient, body) = self.http(named);
        let read = StatusCode::from_u16(status).map_or(Err(Failure::unanswered()), |status| {
            read_try(status, transient, body.to_string().into_bytes())
        });
        match (read, serde_json::from_value::<ServiceError>(body)) {
            (Err(failure), Ok(error))
                if broken == Some(Broken::ServerErrorEnds) && status >= 500 && !transient =>
            {
                let error = CallError::Rejected { status, error };
                Err(Failure { error, again: false, in_doubt: false, ..failure })
            }
            (read, _) => read,
        }
    }
}

/// Reads the body of an answer, as Adyen's client does.
pub fn response(body: &[u8]) -> Result<PaymentResponse, CallError> {
    serde_json::from_slice(body).map_err(|error| CallError::Unknown(error.to_string()))
}

/// The pspReference in the answer to a modification.
pub fn modification(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("pspReference")?.as_str().map(str::to_owned)
}

/// A webhook. `at` is the moment of what it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    Authorisation {
        payment: PaymentAt,
        success: bool,
        at: u8,
    },
    Refund {
        payment: PaymentAt,
        refund: u8,
        success: bool,
        at: u8,
    },
    /// A refund was accepted and then rejected by the scheme.
    RefundFailed {
        payment: PaymentAt,
        refund: u8,
        at: u8,
    },
}

impl Event {
    pub fn payment(self) -> PaymentAt {
        match self {
            Self::Authorisation { payment, .. }
            | Self::Refund { payment, .. }
            | Self::RefundFailed { payment, .. } => payment,
        }
    }

    pub fn stored(self, received_at: Timestamp, moment: impl Fn(u8) -> Timestamp) -> AdyenEvent {
        let (event_code, psp_reference, success, at) = match self {
            Self::Authorisation { payment, success, at } => {
                (EventCode::Authorisation, psp_reference(payment), success, at)
            }
            Self::Refund { refund, success, at, .. } => {
                (EventCode::Refund, refund_reference(refund), success, at)
            }
            Self::RefundFailed { refund, at, .. } => {
                (EventCode::RefundFailed, refund_reference(refund), true, at)
            }
        };
        let original = match self {
            Self::Authorisation { .. } => None,
            _ => Some(self::psp_reference(self.payment())),
        };
        let amount =
            EventAmount { currency: "EUR".to_owned(), value: VALUE, unknown: Unknown::default() };
        AdyenEvent {
            event_date: Some(moment(at)),
            event_code,
            psp_reference,
            success,
            original_reference: original,
            amount: Some(amount),
            reason: None,
            modification_action: None,
            received_at,
            unknown: Unknown::default(),
        }
    }
}
