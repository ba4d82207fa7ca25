//! The event codes of Adyen's webhooks.

use super::text::open_enum;

open_enum! {
    /// The codes that affect an order. Other codes are `Unknown`.
    EventCode {
        Authorisation = "AUTHORISATION",
        /// The shopper did not complete a payment in time.
        OfferClosed = "OFFER_CLOSED",
        Capture = "CAPTURE",
        /// An accepted capture failed.
        CaptureFailed = "CAPTURE_FAILED",
        Cancellation = "CANCELLATION",
        /// Like CANCELLATION, for a cancel request without the payment's pspReference.
        TechnicalCancel = "TECHNICAL_CANCEL",
        /// A reversal; `modification.action` is `cancel` or `refund`.
        CancelOrRefund = "CANCEL_OR_REFUND",
        Refund = "REFUND",
        /// An accepted refund failed.
        RefundFailed = "REFUND_FAILED",
        /// The refunded money was returned to the merchant.
        RefundedReversed = "REFUNDED_REVERSED",
        /// The authorisation expired before it was captured.
        Expire = "EXPIRE",
        /// The shopper's bank took the money back.
        Chargeback = "CHARGEBACK",
        /// The merchant won a chargeback.
        ChargebackReversed = "CHARGEBACK_REVERSED",
        /// The merchant lost a chargeback for good.
        SecondChargeback = "SECOND_CHARGEBACK",
        /// A chargeback may follow.
        NotificationOfChargeback = "NOTIFICATION_OF_CHARGEBACK",
        RequestForInformation = "REQUEST_FOR_INFORMATION",
        /// The shopper's bank accepted the merchant's defence after a chargeback was reversed.
        PrearbitrationWon = "PREARBITRATION_WON",
        /// The shopper's bank rejected that defence.
        PrearbitrationLost = "PREARBITRATION_LOST",
        SchemeArbitrationWon = "SCHEME_ARBITRATION_WON",
        SchemeArbitrationLost = "SCHEME_ARBITRATION_LOST",
    }
}
