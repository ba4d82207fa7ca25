//! What a call is answered with.

use serde_json::{Value, json};

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside `content-type`.
    pub headers: Vec<(String, String)>,
    /// The `content-type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// JSON with that status.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json;charset=UTF-8", body.to_string())
    }

    /// Any text, such as a load balancer's page.
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content_type: content_type.into(), body: body.into() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// An error as Adyen explains it.
    pub fn service_error(status: u16, code: &str, message: &str) -> Self {
        let kind = match (status, code) {
            (401 | 403, _) => "security",
            (_, "010" | "901") => "security",
            (_, code) if code.starts_with("905") || code == "5_605" || code == "5_616" => {
                "configuration"
            }
            (500.., _) => "internal",
            _ => "validation",
        };
        Self::json(
            status,
            &json!({"status": status, "errorCode": code, "message": message, "errorType": kind}),
        )
    }

    /// The error of that code with the status and headers that Adyen gives it.
    pub fn error(code: &str) -> Self {
        let status = match code {
            "000" => 401,
            "010" | "901" => 403,
            "703" => 503,
            "701" | "903" | "905" | "905_2" | "5_616" => 500,
            "00_500" => 429,
            _ => 422,
        };
        let answer = Self::service_error(status, code, message(code));
        match code {
            "703" => answer.header("transient-error", "true"),
            _ => answer,
        }
    }

    /// 422: the request is not valid.
    pub(super) fn invalid(code: &str, message: &str) -> Self {
        Self::service_error(422, code, message)
    }

    /// The body as JSON, or as a string.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }
}

/// What the codes mean, for those that come without a message of their own.
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
