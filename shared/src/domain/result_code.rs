//! Adyen's names of how a payment stands.

use super::text::open_enum;

open_enum! {
    /// The result of a request to pay. Source: Checkout API, `PaymentResponse.resultCode`.
    ResultCode {
        /// Authentication alone was asked for, and is done.
        AuthenticationFinished = "AuthenticationFinished",
        /// Authentication alone was asked for, and is not needed.
        AuthenticationNotRequired = "AuthenticationNotRequired",
        /// Paid, as far as the answer knows.
        Authorised = "Authorised",
        /// The shopper cancelled.
        Cancelled = "Cancelled",
        /// The shopper must pass a challenge.
        ChallengeShopper = "ChallengeShopper",
        /// It went wrong.
        Error = "Error",
        /// The shopper's device must be identified.
        IdentifyShopper = "IdentifyShopper",
        /// Paid in part.
        PartiallyAuthorised = "PartiallyAuthorised",
        /// Not final.
        Pending = "Pending",
        /// The shopper must be shown something, then wait.
        PresentToShopper = "PresentToShopper",
        /// Not final.
        Received = "Received",
        /// The shopper must be sent to another page.
        RedirectShopper = "RedirectShopper",
        /// Refused.
        Refused = "Refused",
        /// In the schema without an explanation: not final.
        Success = "Success",
    }
}
