//! Faults that tests inject.

use std::time::Duration;

use simulator_http::Answer;

use crate::errors;

/// A fault of the next call that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The end of the call's path, such as `/payments`; every call matches without it.
    pub path: Option<String>,
    pub(crate) effect: Effect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    CutBefore,
    CutAfter,
    Truncate,
    ArriveLate(Duration),
    AnswerLate(Duration),
    Instead(Answer),
    Afterwards(Answer),
}

impl Fault {
    /// The connection is cut before the call is processed.
    pub fn drop_before() -> Self {
        Self::new(Effect::CutBefore)
    }

    /// The call is processed, then the connection is cut.
    pub fn drop_after() -> Self {
        Self::new(Effect::CutAfter)
    }

    /// The call is processed, and the connection is cut in the middle of the answer.
    pub fn truncated() -> Self {
        Self::new(Effect::Truncate)
    }

    /// The call arrives that much later.
    pub fn arrive_late(delay: Duration) -> Self {
        Self::new(Effect::ArriveLate(delay))
    }

    /// The call is processed at once and answered later; a repeat with the same key gets 704
    /// until then.
    pub fn answer_late(delay: Duration) -> Self {
        Self::new(Effect::AnswerLate(delay))
    }

    /// The call is not processed, and gets this answer.
    pub fn instead(answer: Answer) -> Self {
        Self::new(Effect::Instead(answer))
    }

    /// The call is processed, but gets this answer.
    pub fn afterwards(answer: Answer) -> Self {
        Self::new(Effect::Afterwards(answer))
    }

    /// The call is not processed, and gets the error of that code.
    pub fn error(code: &str) -> Self {
        Self::instead(errors::coded(code))
    }

    /// The call is not processed, and gets that status without Adyen's error format.
    pub fn status(status: u16) -> Self {
        Self::instead(errors::status_only(status))
    }

    /// Limits the fault to calls with that ending of their path.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.into());
        self
    }

    fn new(effect: Effect) -> Self {
        Self { path: None, effect }
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|ending| path.ends_with(ending))
    }

    /// The fault as text, for the books.
    pub(crate) fn name(&self) -> String {
        match &self.effect {
            Effect::CutBefore => "cut before".into(),
            Effect::CutAfter => "cut after".into(),
            Effect::Truncate => "truncated".into(),
            Effect::ArriveLate(delay) => format!("arrives {delay:?} late"),
            Effect::AnswerLate(delay) => format!("answered {delay:?} late"),
            Effect::Instead(answer) => format!("{} instead", answer.status),
            Effect::Afterwards(answer) => format!("processed, then {}", answer.status),
        }
    }
}

/// A fault of the next webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// Each delivery sends it twice.
    Duplicate,
    /// Its signature is wrong.
    BadSignature,
    /// It is never sent.
    Lose,
}
