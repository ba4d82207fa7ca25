//! Rules that are broken on purpose, to show that the properties find them.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The idempotency key depends on the token, so that another token makes another payment.
    KeyOfToken,
    /// A webhook is acknowledged before it is stored.
    AcknowledgedFirst,
    /// The next attempt begins while the details of the last one are in flight.
    SupersedesInFlight,
    /// A 5xx ends an attempt.
    ServerErrorEnds,
    /// The result of any payment concludes an attempt.
    ResultOfAnyPayment,
}

impl Broken {
    pub const ALL: [(&'static str, Self); 5] = [
        ("key-of-token", Self::KeyOfToken),
        ("acknowledged-first", Self::AcknowledgedFirst),
        ("supersedes-in-flight", Self::SupersedesInFlight),
        ("server-error-ends", Self::ServerErrorEnds),
        ("result-of-any-payment", Self::ResultOfAnyPayment),
    ];
}

impl FromStr for Broken {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, broken)| *broken).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("expected one of {names}")
        })
    }
}
