//! Adyen's names of what happened to a payment.

use super::text::open_enum;

open_enum! {
    /// What an event is about. Only those that an order's life knows are named.
    EventCode {
        /// A payment was authorised, or not.
        Authorisation = "AUTHORISATION",
        /// The shopper did not complete a payment in time.
        OfferClosed = "OFFER_CLOSED",
        /// A capture was accepted, or not.
        Capture = "CAPTURE",
        /// A capture that had been accepted failed.
        CaptureFailed = "CAPTURE_FAILED",
        /// A payment was cancelled, or not.
        Cancellation = "CANCELLATION",
        /// As CANCELLATION, for a cancel without the payment's pspReference.
        TechnicalCancel = "TECHNICAL_CANCEL",
        /// A reversal: cancelled or refunded, as `modification.action` says.
        CancelOrRefund = "CANCEL_OR_REFUND",
        /// A refund was accepted, or not.
        Refund = "REFUND",
        /// A refund that had been accepted failed.
        RefundFailed = "REFUND_FAILED",
        /// Refunded money came back.
        RefundedReversed = "REFUNDED_REVERSED",
        /// What was not captured in time cannot be any more.
        Expire = "EXPIRE",
        /// The shopper's bank took the money back.
        Chargeback = "CHARGEBACK",
        /// A chargeback was won.
        ChargebackReversed = "CHARGEBACK_REVERSED",
        /// A chargeback was lost for good.
        SecondChargeback = "SECOND_CHARGEBACK",
        /// A chargeback may come.
        NotificationOfChargeback = "NOTIFICATION_OF_CHARGEBACK",
        /// The shopper's bank asks questions.
        RequestForInformation = "REQUEST_FOR_INFORMATION",
        /// The shopper's bank accepted the merchant's defence after a chargeback was reversed.
        PrearbitrationWon = "PREARBITRATION_WON",
        /// It did not accept it.
        PrearbitrationLost = "PREARBITRATION_LOST",
        /// The card scheme decided for the merchant.
        SchemeArbitrationWon = "SCHEME_ARBITRATION_WON",
        /// The card scheme decided for the shopper's bank.
        SchemeArbitrationLost = "SCHEME_ARBITRATION_LOST",
    }
}
