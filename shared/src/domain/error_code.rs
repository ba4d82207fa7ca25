//! Adyen's error codes, as far as they say something about earlier requests.

/// Returns true if an error rejects a field of the request, so that no request with the same
/// content was processed before either. Every other error may be the consequence of an earlier
/// request: an Amazon Pay token is not chargeable (5_606) once it was charged.
///
/// The codes are those of required fields and formats: reference (130), amount (137),
/// currency (138), a body that cannot be read (702), Checkout's own (14_…) and lengths (29_…).
pub fn rejects_content(error_code: &str) -> bool {
    matches!(error_code, "130" | "137" | "138" | "702")
        || ["14_", "29_"].iter().any(|prefix| error_code.starts_with(prefix))
}
