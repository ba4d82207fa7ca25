//! Errors in Adyen's format.

use serde_json::json;
use simulator_http::Answer;

/// An error with its code, message and errorType.
pub fn service_error(status: u16, code: &str, message: &str) -> Answer {
    let kind = match (status, code) {
        (401 | 403, _) | (_, "010" | "901") => "security",
        (_, code) if code.starts_with("905") || code == "5_605" || code == "5_616" => {
            "configuration"
        }
        (500.., _) => "internal",
        _ => "validation",
    };
    let body = json!({"status": status, "errorCode": code, "message": message, "errorType": kind});
    Answer::json(status, &body)
}

/// The error of that code with Adyen's own status, message and headers.
pub fn coded(code: &str) -> Answer {
    let status = match code {
        "000" => 401,
        "010" | "901" => 403,
        "703" => 503,
        "701" | "903" | "905" | "905_2" | "5_616" => 500,
        "00_500" => 429,
        _ => 422,
    };
    let answer = service_error(status, code, message(code));
    match code {
        "703" => answer.header("transient-error", "true"),
        _ => answer,
    }
}

/// 422: the request is not valid.
pub(crate) fn invalid(code: &str, message: &str) -> Answer {
    service_error(422, code, message)
}

/// Adyen's texts for codes that are used without a message of their own.
fn message(code: &str) -> &'static str {
    match code {
        "000" => "HTTP Status Response - Unauthorized",
        "010" => "Not allowed",
        "107" => "Recurring is not enabled",
        "121" => "Required field 'shopperReference' is not provided.",
        "701" => "Server could not process request",
        "703" => "required resource temporarily unavailable",
        "704" => "request already processed or in progress",
        "800" => "Contract not found",
        "803" => "PaymentDetail not found",
        "901" => "Invalid Merchant Account",
        "903" => "Internal error",
        "905" => "Payment details are not supported",
        "905_2" => "Could not find an acquirer account for the provided currency",
        "00_500" => "Too many requests",
        "5_601" => "Unknown Amazon Pay error",
        "5_602" => "Amazon Pay token doesn't exist",
        "5_603" => "Amazon Pay signature is corrupt",
        "5_604" => "Invalid value supplied for Amazon Pay",
        "5_605" => "Amazon Pay merchant private key not found",
        "5_606" => "Amazon Pay token is not chargeable",
        "5_607" => "Invalid Amazon Pay account",
        "5_610" => "Amazon Pay is not available",
        "5_611" => "Rejected by Amazon Pay",
        "5_612" => "Amazon Pay internal error",
        "5_613" => "Amazon Pay timeout",
        "5_614" => "Invalid response from Amazon Pay",
        "5_616" => "Amazon Pay payment token key hash does not match",
        _ => "The request could not be processed",
    }
}
