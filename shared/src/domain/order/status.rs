//! Where an order stands, and what about it a person should look at.

use std::fmt;

use serde::{Serialize, Serializer};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing was tried.
    Created,
    /// The outcome of an attempt is open.
    Pending,
    /// Paid, not captured by a request of the merchant.
    Authorised,
    /// The merchant's capture went through.
    Captured,
    /// A part was given back.
    PartiallyRefunded,
    /// All was given back.
    Refunded,
    /// The shopper's bank took the money back.
    ChargedBack,
    /// Cancelled, by the shopper or after authorisation by the merchant.
    Cancelled,
    /// The shopper or the merchant let the time pass.
    Expired,
    /// Refused.
    Refused,
    /// It went wrong.
    Error,
}

impl Status {
    /// The status as answers and the table show it.
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

    /// Returns whether money was taken, even if some or all of it went back since.
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

/// The reasons why a person should look at the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// An AUTHORISATION is not about the order's amount.
    AmountDiffers,
    /// An AUTHORISATION, capture or refund has no amount that can be read.
    AmountUnreadable,
    /// A payment was cancelled although a capture of it stands.
    CancelledAfterCapture,
    /// A CANCEL_OR_REFUND does not say which.
    CancelOrRefundUnclear,
    /// More was captured than authorised.
    CaptureExceedsAuthorised,
    /// A CAPTURE_FAILED matches no capture.
    CaptureFailedUnmatched,
    /// A capture or refund is in another currency than the order.
    CurrencyDiffers,
    /// Adyen received a capture, cancel, refund or reversal, and has not decided it in time.
    ModificationUndecided,
    /// True if Adyen received a capture, cancel, refund or reversal stays unknown.
    ModificationUnknown,
    /// What became of an attempt stays unknown.
    OutcomeUnknown,
    /// The AUTHORISATIONs of the payments that stand add up to less than the order's amount.
    PaidInPart,
    /// Two payments stand.
    PaidTwice(Vec<String>),
    /// Another order knows of the same payments.
    PaymentOfAnotherOrder(Vec<String>),
    /// A dispute was lost in pre-arbitration, or in the arbitration after it.
    PrearbitrationLost,
    /// More was refunded than was taken.
    RefundExceedsCaptured,
    /// A REFUND_FAILED or REFUNDED_REVERSED matches no refund.
    RefundFailedUnmatched,
    /// Events that change nothing were dropped.
    TooManyEvents,
    /// Adyen answered that a payment was authorised, and its AUTHORISATION does not come.
    Unconfirmed,
}

impl Attention {
    /// The reason in one word, without what it names.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::AmountUnreadable => "amount_unreadable",
            Self::CancelledAfterCapture => "cancelled_after_capture",
            Self::CancelOrRefundUnclear => "cancel_or_refund_unclear",
            Self::CaptureExceedsAuthorised => "capture_exceeds_authorised",
            Self::CaptureFailedUnmatched => "capture_failed_unmatched",
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
            Self::PaidTwice(payments) | Self::PaymentOfAnotherOrder(payments)
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
