//! The changes of an order that the merchant's systems act on.

use std::fmt;

use super::{Derived, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Status(Status),
    Confirmed,
    /// A confirmed payment no longer counts, for instance because it was cancelled.
    ConfirmationLost,
    /// The code of a reason for attention.
    Raised(&'static str),
    /// The code of a reason that disappeared or was acknowledged.
    Lifted(&'static str),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Confirmed => f.write_str("confirmed"),
            Self::ConfirmationLost => f.write_str("confirmationLost"),
            Self::Raised(code) => write!(f, "raised:{code}"),
            Self::Lifted(code) => write!(f, "lifted:{code}"),
        }
    }
}

impl Derived {
    /// The changes since `before`, which is `None` for a new order.
    pub fn changes_since(&self, before: Option<&Self>) -> Vec<Change> {
        let codes = |derived: &Self| -> Vec<&'static str> {
            derived.needs_attention.iter().map(|reason| reason.code()).collect()
        };
        let (was, is) = (before.map(codes).unwrap_or_default(), codes(self));
        let status = before.map_or(Status::Created, |before| before.status);
        let confirmation = match (before.is_some_and(|before| before.confirmed), self.confirmed) {
            (false, true) => Some(Change::Confirmed),
            (true, false) => Some(Change::ConfirmationLost),
            _ => None,
        };
        let raised = is.iter().filter(|code| !was.contains(code)).copied().map(Change::Raised);
        let lifted = was.iter().filter(|code| !is.contains(code)).copied().map(Change::Lifted);
        let status = (status != self.status).then_some(Change::Status(self.status));
        status.into_iter().chain(confirmation).chain(raised).chain(lifted).collect()
    }
}
