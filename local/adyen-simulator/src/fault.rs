//! Faults of webhooks that tests inject.

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
