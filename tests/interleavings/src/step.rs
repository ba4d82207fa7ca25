//! The steps between two worlds, as a person reads them.

use std::fmt;

use crate::{
    adyen::{Event, PaymentAt, Reply, psp_reference, refund_reference},
    change::Instrument,
    world::Task,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Pay(Instrument),
    Details(PaymentAt),
    Refund,
    Look,
    ConcludeLook,
    DecideAgain,
    WriteLost,
    Call(Task, Reply),
    Answer(Task, Reply),
    TimeOut(Task, Lost),
    Retry(Task, Lost),
    Crash(Task),
    CrashAfter(Task, Reply),
    Deliver(Event),
    StoreLate(Event),
    Resolve { payment: PaymentAt, success: bool },
    AreaRefund(PaymentAt),
    ResolveRefund { refund: u8, success: bool },
    UndoRefund(u8),
    Close(u8),
    TimePasses,
}

/// The reason for which a try has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Request,
    Answer,
    /// Adyen asks to retry, but the time of the function is over.
    Patience,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the request is lost",
            Self::Answer => "the answer is lost",
            Self::Patience => "Adyen asks to retry",
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.is_of_schedule() { "recover: " } else { "" };
        match self {
            Self::Pay { instrument, attempt, .. } => {
                write!(f, "{by}attempt {attempt} with {instrument:?}")
            }
            Self::Details { result, attempt, .. } => {
                write!(f, "details of {} for attempt {attempt}", psp_reference(*result))
            }
            Self::Refund { at, .. } => write!(f, "{by}modification {}", at + 1),
            Self::Store { event } => write!(f, "storing {event}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorised(payment) => write!(f, "Authorised {}", psp_reference(*payment)),
            Self::Refused(payment) => write!(f, "Refused {}", psp_reference(*payment)),
            Self::Pending(payment) => write!(f, "Pending {}", psp_reference(*payment)),
            Self::Action(payment) => write!(f, "RedirectShopper for {}", psp_reference(*payment)),
            Self::Received(refund) => write!(f, "received {}", refund_reference(*refund)),
            Self::FieldRejected => f.write_str("422, error 14_030"),
            Self::TokenRejected => f.write_str("422, error 5_606"),
            Self::AccountRejected => f.write_str("403, error 901"),
            Self::Internal => f.write_str("500, error 903"),
            Self::KeysUnavailable => f.write_str("503, error 703, transient"),
            Self::InProgress => f.write_str("422, error 704"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorisation { payment, success, .. } => {
                write!(f, "AUTHORISATION {} success {success}", psp_reference(*payment))
            }
            Self::Refund { refund, success, .. } => {
                write!(f, "REFUND {} success {success}", refund_reference(*refund))
            }
            Self::RefundFailed { refund, .. } => {
                write!(f, "REFUND_FAILED {}", refund_reference(*refund))
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pay(instrument) => write!(f, "a request to pay with {instrument:?} arrives"),
            Self::Details(payment) => {
                write!(f, "the browser posts the result of {}", psp_reference(*payment))
            }
            Self::Refund => f.write_str("the merchant requests a refund"),
            Self::Look => f.write_str("recover looks at the order"),
            Self::ConcludeLook => f.write_str("recover concludes its look"),
            Self::DecideAgain => f.write_str("the process decides again"),
            Self::WriteLost => f.write_str("the order is written, but the answer is lost"),
            Self::Call(task, reply) => write!(f, "{task}: Adyen will answer {reply}"),
            Self::Answer(task, reply) => write!(f, "{task}: the answer {reply} arrives"),
            Self::TimeOut(task, lost) => write!(f, "{task}: {lost}, and the function gives up"),
            Self::Retry(task, lost) => write!(f, "{task}: {lost}, and the client retries"),
            Self::CrashAfter(task, reply) => {
                write!(f, "{task}: the answer {reply} is stored, and the process dies")
            }
            Self::Crash(task) => write!(f, "{task}: the process dies"),
            Self::Deliver(event) => write!(f, "Adyen delivers {event}"),
            Self::StoreLate(event) => write!(f, "{event} is stored"),
            Self::Resolve { payment, success } => {
                write!(f, "{} is decided at Adyen: success {success}", psp_reference(*payment))
            }
            Self::AreaRefund(payment) => {
                write!(f, "a person refunds {} in the Customer Area", psp_reference(*payment))
            }
            Self::ResolveRefund { refund, success } => {
                write!(f, "{} is decided at Adyen: success {success}", refund_reference(*refund))
            }
            Self::UndoRefund(refund) => {
                write!(f, "{} fails after it was accepted", refund_reference(*refund))
            }
            Self::Close(attempt) => write!(f, "a person closes attempt {attempt}"),
            Self::TimePasses => f.write_str("time passes"),
        }
    }
}
