//! Adyen's error codes that also decide the outcome of earlier requests.

/// Returns true if an error rejects the content of a request, so that no earlier request with
/// the same content was processed. Any other error may result from an earlier request: an Amazon
/// Pay token is no longer chargeable (5_606) once it was charged.
///
/// The codes cover required fields and formats: reference (130), amount (137), currency (138),
/// unreadable body (702), Checkout's own (14_…) and lengths (29_…).
pub fn rejects_content(error_code: &str) -> bool {
    matches!(error_code, "130" | "137" | "138" | "702")
        || ["14_", "29_"].iter().any(|prefix| error_code.starts_with(prefix))
}
