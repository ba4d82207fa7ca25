//! Faults that a test asks for.

use std::time::Duration;

use simulator_http::Answer;

use crate::errors;

/// What goes wrong with the next call that it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Only calls whose path ends so, as `/payments` or `/captures`; any call without it.
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

    /// The call is processed, and the connection is cut in the midst of the answer.
    pub fn truncated() -> Self {
        Self::new(Effect::Truncate)
    }

    /// The call is on its way for that long before Adyen sees it.
    pub fn arrive_late(delay: Duration) -> Self {
        Self::new(Effect::ArriveLate(delay))
    }

    /// The call is processed at once and answered later; a repeat with its key
    /// meanwhile gets 704.
    pub fn answer_late(delay: Duration) -> Self {
        Self::new(Effect::AnswerLate(delay))
    }

    /// The call is not processed, and is answered with this.
    pub fn instead(answer: Answer) -> Self {
        Self::new(Effect::Instead(answer))
    }

    /// The call is processed, but answered with this.
    pub fn afterwards(answer: Answer) -> Self {
        Self::new(Effect::Afterwards(answer))
    }

    /// The call is not processed; the error of that code, with its status and headers:
    /// `704` in flight, `703` unavailable for now.
    pub fn error(code: &str) -> Self {
        Self::instead(errors::coded(code))
    }

    /// The call is not processed; an HTTP status that Adyen doesn't explain.
    pub fn status(status: u16) -> Self {
        Self::instead(errors::status_only(status))
    }

    /// Only for calls whose path ends so.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.into());
        self
    }

    fn new(effect: Effect) -> Self {
        Self { path: None, effect }
    }

    pub(crate) fn fits(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|ending| path.ends_with(ending))
    }

    /// Its name in the books.
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

/// What goes wrong with the next webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// It is sent twice each time.
    Duplicate,
    /// Its signature is not that of its content.
    BadSignature,
    /// It is never sent.
    Lose,
}
