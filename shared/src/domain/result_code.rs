//! Adyen's result codes.

use super::text::open_enum;

open_enum! {
    /// Source: Checkout API, `PaymentResponse.resultCode`.
    ResultCode {
        /// An authentication-only request succeeded.
        AuthenticationFinished = "AuthenticationFinished",
        /// An authentication-only request found that no authentication is needed.
        AuthenticationNotRequired = "AuthenticationNotRequired",
        /// Paid, although the AUTHORISATION webhook may still report a failure.
        Authorised = "Authorised",
        /// Cancelled by the shopper.
        Cancelled = "Cancelled",
        ChallengeShopper = "ChallengeShopper",
        Error = "Error",
        /// The shopper's device must be fingerprinted.
        IdentifyShopper = "IdentifyShopper",
        PartiallyAuthorised = "PartiallyAuthorised",
        /// Not final.
        Pending = "Pending",
        /// The shopper must be shown a voucher or similar; the outcome follows later.
        PresentToShopper = "PresentToShopper",
        /// Not final.
        Received = "Received",
        RedirectShopper = "RedirectShopper",
        Refused = "Refused",
        /// Not final: the schema does not explain it.
        Success = "Success",
    }
}
