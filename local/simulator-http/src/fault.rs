//! Faults of a call, for tests.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Answer;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the call is processed.
    DropBefore,
    /// The call is processed, then the connection is cut.
    DropAfter,
    /// The connection is cut, and the call is processed that much later.
    DropThenArrive(Duration),
    /// The call is processed that much later, and then answered.
    ArriveLate(Duration),
    /// The call is processed at once, and answered that much later.
    AnswerLate(Duration),
    /// The call is processed, and the connection is cut in the middle of the answer.
    Truncated,
    /// The call is not processed, and gets this answer.
    Instead(Answer),
    /// The call is processed, but gets this answer.
    Afterwards(Answer),
}

impl Fault {
    /// The call is not processed, and gets that status with a page instead of an error's format.
    pub fn status(status: u16) -> Self {
        Self::Instead(Answer::error_page(status))
    }

    /// The call is processed, but its answer is lost behind a page with status 500.
    pub fn lost_answer() -> Self {
        Self::Afterwards(Answer::error_page(500))
    }

    /// The fault as text, for the books.
    pub fn name(&self) -> String {
        match self {
            Self::Instead(answer) => format!("{} instead", answer.status),
            Self::Afterwards(answer) => format!("processed, then {}", answer.status),
            other => format!("{other:?}"),
        }
    }

    /// Limits the fault to calls with that ending of their path.
    pub fn on(self, path: &str) -> FaultOn {
        FaultOn { path: Some(path.into()), fault: self }
    }
}

/// A fault of the next call that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultOn {
    /// The end of the call's path, such as `/payments`; every call matches without it.
    pub path: Option<String>,
    pub fault: Fault,
}

impl From<Fault> for FaultOn {
    fn from(fault: Fault) -> Self {
        Self { path: None, fault }
    }
}

impl FaultOn {
    /// Takes the first fault that matches a call of that path.
    pub fn take(faults: &mut VecDeque<Self>, path: &str) -> Option<Fault> {
        let matches =
            |fault: &Self| fault.path.as_ref().is_none_or(|ending| path.ends_with(ending));
        let first = faults.iter().position(matches)?;
        faults.remove(first).map(|on| on.fault)
    }
}
