//! The status of an order, and the reasons for which it needs attention.

use std::fmt;

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The order has no attempt.
    Created,
    /// The outcome of an attempt is not known yet.
    Pending,
    /// Paid, and not captured by a request of the merchant.
    Authorised,
    /// A capture requested by the merchant succeeded.
    Captured,
    PartiallyRefunded,
    Refunded,
    /// The shopper's bank took the money back.
    ChargedBack,
    /// Cancelled by the shopper, or by the merchant after the authorisation.
    Cancelled,
    /// The shopper did not pay in time, or the merchant did not capture in time.
    Expired,
    Refused,
    Error,
}

impl Status {
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Pending,
        Self::Authorised,
        Self::Captured,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::ChargedBack,
        Self::Cancelled,
        Self::Expired,
        Self::Refused,
        Self::Error,
    ];

    /// Returns the status as written in responses and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::PartiallyRefunded => "partiallyRefunded",
            Self::Refunded => "refunded",
            Self::ChargedBack => "chargedBack",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Error => "error",
        }
    }

    /// Returns true if the order was paid, even if the money was returned since.
    pub fn was_paid(self) -> bool {
        matches!(
            self,
            Self::Authorised
                | Self::Captured
                | Self::PartiallyRefunded
                | Self::Refunded
                | Self::ChargedBack
        )
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The reason for which a person should look at an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// An AUTHORISATION has another amount than the order.
    AmountDiffers,
    /// An AUTHORISATION, capture or refund has no readable amount.
    AmountUnreadable,
    /// A payment was cancelled although a capture of it stands.
    CancelledAfterCapture,
    /// A CANCEL_OR_REFUND lacks `modification.action`, so it may be a cancel or a refund.
    CancelOrRefundUnclear,
    /// More was captured than authorised.
    CaptureExceedsAuthorised,
    /// A CAPTURE_FAILED matches no capture.
    CaptureFailedUnmatched,
    /// Payments stand of attempts that a person had closed.
    ClosedAttemptPaid(Vec<String>),
    /// A capture or refund is in another currency than the order.
    CurrencyDiffers,
    /// Adyen received a modification and did not decide it in time.
    ModificationUndecided,
    /// It will never be known if Adyen received a modification.
    ModificationUnknown,
    /// The outcome of an attempt will never be known.
    OutcomeUnknown,
    /// The authorised payments add up to less than the order's amount.
    PaidInPart,
    /// Several payments stand.
    PaidTwice(Vec<String>),
    /// Another order claims the same payments.
    PaymentOfAnotherOrder(Vec<String>),
    /// A dispute was lost in pre-arbitration or arbitration.
    PrearbitrationLost,
    /// More was refunded than captured.
    RefundExceedsCaptured,
    /// A REFUND_FAILED or REFUNDED_REVERSED matches no refund.
    RefundFailedUnmatched,
    /// Events that change nothing were dropped.
    TooManyEvents,
    /// Adyen answered that a payment was authorised, but its AUTHORISATION did not arrive.
    Unconfirmed,
}

impl Attention {
    /// The codes of all reasons.
    pub const CODES: [&str; 19] = [
        "amount_differs",
        "amount_unreadable",
        "cancel_or_refund_unclear",
        "cancelled_after_capture",
        "capture_exceeds_authorised",
        "capture_failed_unmatched",
        "closed_attempt_paid",
        "currency_differs",
        "modification_undecided",
        "modification_unknown",
        "outcome_unknown",
        "paid_in_part",
        "paid_twice",
        "payment_of_another_order",
        "prearbitration_lost",
        "refund_exceeds_captured",
        "refund_failed_unmatched",
        "too_many_events",
        "unconfirmed",
    ];

    /// Returns the reason without its payments.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::AmountUnreadable => "amount_unreadable",
            Self::CancelledAfterCapture => "cancelled_after_capture",
            Self::CancelOrRefundUnclear => "cancel_or_refund_unclear",
            Self::CaptureExceedsAuthorised => "capture_exceeds_authorised",
            Self::CaptureFailedUnmatched => "capture_failed_unmatched",
            Self::ClosedAttemptPaid(_) => "closed_attempt_paid",
            Self::CurrencyDiffers => "currency_differs",
            Self::ModificationUndecided => "modification_undecided",
            Self::ModificationUnknown => "modification_unknown",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::PaidInPart => "paid_in_part",
            Self::PaidTwice(_) => "paid_twice",
            Self::PaymentOfAnotherOrder(_) => "payment_of_another_order",
            Self::PrearbitrationLost => "prearbitration_lost",
            Self::RefundExceedsCaptured => "refund_exceeds_captured",
            Self::RefundFailedUnmatched => "refund_failed_unmatched",
            Self::TooManyEvents => "too_many_events",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::ClosedAttemptPaid(payments)
            | Self::PaidTwice(payments)
            | Self::PaymentOfAnotherOrder(payments)
                if !payments.is_empty() =>
            {
                write!(f, ": {}", payments.join(", "))
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for Attention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
