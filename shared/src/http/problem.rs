//! HTTP errors: RFC 9457 problem details with a stable `code`.
//!
//! `detail` is for the developer who calls the API. It contains no internals; they are logged.

use http::{StatusCode, header};
use lambda_http::{Body, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::StoreError;

/// Generates [`Code`] from a table.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident $text:literal $status:ident,)+) => {
        /// The kind of error, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $doc])* $variant,)+
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The meaning of the code, which is the same in every response.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    InvalidJson "invalid_json" BAD_REQUEST,
    /// The notification cannot be read.
    InvalidNotification "invalid_notification" BAD_REQUEST,
    /// A request with an amount needs an idempotency key.
    IdempotencyKeyMissing "idempotency_key_missing" BAD_REQUEST,
    /// A valid token is needed.
    Unauthorized "unauthorized" UNAUTHORIZED,
    /// The token has expired; a fresh one is needed.
    TokenExpired "token_expired" UNAUTHORIZED,
    /// The signature or the credentials of the webhook are wrong.
    InvalidSignature "invalid_signature" UNAUTHORIZED,
    /// A merchant token must stay out of browsers.
    MerchantTokenInBrowser "merchant_token_in_browser" FORBIDDEN,
    /// Only a merchant token may do this.
    MerchantTokenRequired "merchant_token_required" FORBIDDEN,
    /// The token is for another order.
    WrongOrder "wrong_order" FORBIDDEN,
    /// The token is for another shopper.
    WrongShopper "wrong_shopper" FORBIDDEN,
    /// Only the merchant may set this field.
    FieldNotAllowed "field_not_allowed" FORBIDDEN,
    /// The merchant account is not this deployment's.
    WrongMerchantAccount "wrong_merchant_account" FORBIDDEN,
    /// There is no such route.
    NotFound "not_found" NOT_FOUND,
    /// There is no such order.
    OrderNotFound "order_not_found" NOT_FOUND,
    /// The order has no such payment.
    PaymentNotFound "payment_not_found" NOT_FOUND,
    /// The order has no such attempt.
    AttemptNotFound "attempt_not_found" NOT_FOUND,
    /// The order has no such reason for attention.
    AttentionNotFound "attention_not_found" NOT_FOUND,
    /// There is no such dead letter.
    DeadLetterNotFound "dead_letter_not_found" NOT_FOUND,
    /// There is no such checkout session.
    CheckoutSessionNotFound "checkout_session_not_found" NOT_FOUND,
    /// The order is paid.
    OrderAlreadyPaid "order_already_paid" CONFLICT,
    /// The order was paid and cancelled.
    OrderCancelled "order_cancelled" CONFLICT,
    /// Another payment of the order is in progress.
    PaymentInProgress "payment_in_progress" CONFLICT,
    /// The payment is not in a state that allows it.
    WrongState "wrong_state" CONFLICT,
    /// Several payments of the order stand.
    AmbiguousPayment "ambiguous_payment" CONFLICT,
    /// It is unknown whether Adyen received the first request.
    ModificationUnknown "modification_unknown" CONFLICT,
    /// The order has reached its limit of modifications.
    TooManyModifications "too_many_modifications" CONFLICT,
    /// The order has reached its limit of payment attempts.
    TooManyAttempts "too_many_attempts" CONFLICT,
    /// A later attempt has replaced this one.
    AttemptSuperseded "attempt_superseded" CONFLICT,
    /// The checkout session was cancelled.
    CheckoutSessionCanceled "checkout_session_canceled" CONFLICT,
    /// The checkout session has expired.
    CheckoutSessionExpired "checkout_session_expired" CONFLICT,
    /// The checkout session was completed without this order's payment.
    CheckoutSessionCompleted "checkout_session_completed" CONFLICT,
    /// The checkout session belongs to another order.
    CheckoutSessionWrongOrder "checkout_session_wrong_order" CONFLICT,
    /// The checkout session has no token for Adyen.
    AmazonPayTokenMissing "amazon_pay_token_missing" CONFLICT,
    /// The body is too large.
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE,
    /// The body must be JSON.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE,
    /// A field is missing.
    MissingField "missing_field" UNPROCESSABLE_ENTITY,
    /// A field is not known.
    UnknownField "unknown_field" UNPROCESSABLE_ENTITY,
    /// A field has an invalid value.
    InvalidField "invalid_field" UNPROCESSABLE_ENTITY,
    /// The amount is larger than the open amount.
    AmountExceedsOpen "amount_exceeds_open" UNPROCESSABLE_ENTITY,
    /// The amount is not the order's.
    AmountMismatch "amount_mismatch" UNPROCESSABLE_ENTITY,
    /// The country is not the token's.
    CountryMismatch "country_mismatch" UNPROCESSABLE_ENTITY,
    /// The shopper may not be sent to that URL.
    ReturnUrlNotAllowed "return_url_not_allowed" UNPROCESSABLE_ENTITY,
    /// The idempotency key was already used for a different request.
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY,
    /// This deployment does not accept the payment method.
    PaymentMethodNotAllowed "payment_method_not_allowed" UNPROCESSABLE_ENTITY,
    /// Raw card data is not accepted.
    RawCardData "raw_card_data" UNPROCESSABLE_ENTITY,
    /// The shopper has no such stored payment method.
    StoredPaymentMethodUnknown "stored_payment_method_unknown" UNPROCESSABLE_ENTITY,
    /// The stored payment method can no longer be charged.
    StoredPaymentMethodDisabled "stored_payment_method_disabled" UNPROCESSABLE_ENTITY,
    /// The stored payment method is another shopper's.
    StoredPaymentMethodWrongShopper "stored_payment_method_wrong_shopper" UNPROCESSABLE_ENTITY,
    /// Adyen did not accept the request.
    AdyenRejected "adyen_rejected" UNPROCESSABLE_ENTITY,
    /// This deployment accepts Amazon Pay payments in another currency only.
    CurrencyMismatch "currency_mismatch" UNPROCESSABLE_ENTITY,
    /// Amazon Pay did not accept the request.
    AmazonPayRejected "amazon_pay_rejected" UNPROCESSABLE_ENTITY,
    /// Internal error.
    Internal "internal" INTERNAL_SERVER_ERROR,
    /// This deployment has no Amazon Pay account of its own.
    AmazonPayNotConfigured "amazon_pay_not_configured" NOT_IMPLEMENTED,
    /// This deployment is not set up correctly at Amazon Pay.
    AmazonPayConfiguration "amazon_pay_configuration" BAD_GATEWAY,
    /// Amazon Pay cannot be reached, or its answer is unusable.
    AmazonPayUnavailable "amazon_pay_unavailable" BAD_GATEWAY,
    /// This deployment is not set up correctly at Adyen.
    AdyenConfiguration "adyen_configuration" BAD_GATEWAY,
    /// Adyen cannot be reached, or its answer is unusable.
    AdyenUnavailable "adyen_unavailable" BAD_GATEWAY,
    /// The order cannot be read or written at the moment; try again.
    StorageUnavailable "storage_unavailable" SERVICE_UNAVAILABLE,
}

#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after: Option<u64>,
    members: Map<String, Value>,
    cause: Option<String>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, members: Map::new(), cause: None }
    }

    /// Adds the name of the field that is invalid.
    pub fn at(self, field: impl Into<String>) -> Self {
        self.with("field", field.into())
    }

    /// Adds a member for programs to read.
    pub fn with(mut self, member: &str, value: impl Serialize) -> Self {
        // Callers pass only types of this project, which serialise.
        if let Ok(value) = serde_json::to_value(value) {
            self.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Adds the header `Retry-After`.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds the error to log, which the caller does not see.
    pub fn caused_by(mut self, error: impl std::fmt::Display) -> Self {
        self.cause = Some(error.to_string());
        self
    }

    /// Logs the cause, if there is one.
    pub fn log_cause(&self) {
        let Some(cause) = &self.cause else { return };
        match self.code.status().is_server_error() {
            true => tracing::error!(error = cause, code = self.code.as_str(), "request failed"),
            false => tracing::warn!(error = cause, code = self.code.as_str(), "request rejected"),
        }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn into_response(mut self) -> Response<Body> {
        let status = self.code.status();
        for (member, value) in [
            ("type", Value::from("about:blank")),
            ("title", self.code.title().into()),
            ("status", status.as_u16().into()),
            ("code", self.code.as_str().into()),
            ("detail", self.detail.into()),
        ] {
            self.members.insert(member.to_owned(), value);
        }
        let body = Value::Object(self.members).to_string();
        let mut response = Response::new(Body::Text(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = match self.code {
                Code::InvalidSignature => "Basic realm=\"webhooks\"",
                Code::TokenExpired => {
                    "Bearer error=\"invalid_token\", error_description=\"expired\""
                }
                _ => "Bearer",
            };
            headers.insert(header::WWW_AUTHENTICATE, http::HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(Code::StorageUnavailable, "Send the same request again in a moment.")
            .retry_after(1)
            .caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_code_is_unique() {
        let mut known = BTreeSet::new();
        for code in Code::ALL {
            let (text, status) = (code.as_str(), code.status().as_u16());
            assert!(known.insert(text), "{text} is there twice");
            let snake = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(text.chars().all(snake), "{text}");
            assert!(!text.starts_with('_') && !text.ends_with('_') && !text.contains("__"));
            assert!((400..=504).contains(&status), "{text}: {status}");
            let title = code.title();
            assert!(title.ends_with('.') && title.len() < 100, "{title}");

            let response = Problem::new(*code, "Because.").at("field").into_response();
            assert_eq!(response.status(), code.status());
            let challenged = response.headers().contains_key("www-authenticate");
            assert_eq!(challenged, status == 401, "{text}");
        }
    }
}
