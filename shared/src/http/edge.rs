//! Converts Lambda requests to typed values, and answers to Lambda responses.

use std::net::IpAddr;

use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    adyen::{client::CallError, sync::SyncError},
    domain::{
        amount::{Amount, requested},
        order::Rejection,
    },
    http::{
        jwt::{Caller, Merchant},
        ownership::{FIELDS, Field, Owner},
        problem::{Code, Problem},
    },
    limits,
    platform::{
        observe::{self, Completion},
        runtime,
    },
    strict_json::{self, ParseError, Strict},
};

/// # Errors
/// `unsupported_media_type`, `body_too_large` or `invalid_json`; `invalid_field` for a
/// number that is out of range.
pub fn json_object(request: &Request) -> Result<Map<String, Value>, Problem> {
    let body: &[u8] = request.body();
    if body.len() > limits::BODY {
        return Err(Problem::new(
            Code::BodyTooLarge,
            format!("The request body is larger than {} bytes.", limits::BODY),
        ));
    }
    if !is_json(request.headers().get(header::CONTENT_TYPE)) {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "Send `Content-Type: application/json`.",
        ));
    }
    match strict_json::parse(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::new(Code::InvalidJson, "The body must be a JSON object.")),
        Err(ParseError::NotJson(error)) => {
            Err(Problem::new(Code::InvalidJson, format!("The body is not JSON: {error}.")))
        }
        Err(ParseError::OutOfRange(field)) => {
            Err(Problem::new(Code::InvalidField, format!("{field}: the number is out of range."))
                .at(field))
        }
    }
}

/// An empty body counts as an empty object.
///
/// # Errors
/// Those of [`json_object`].
pub fn optional_json_object(request: &Request) -> Result<Map<String, Value>, Problem> {
    if request.body().is_empty() { Ok(Map::new()) } else { json_object(request) }
}

/// True if the body has a field. A field that is `null` counts as absent.
pub fn names(body: &Map<String, Value>, path: &str) -> bool {
    named(body, path).is_some()
}

/// The value of a field. `path` has the form of [`Field::path`].
fn named<'a>(body: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (name, below) = path.split_once('.').map_or((path, None), |(name, it)| (name, Some(it)));
    let value = body.get(name).filter(|value| !value.is_null())?;
    match below {
        Some(below) => named(value.as_object()?, below),
        None => Some(value),
    }
}

/// Adds a field if it is absent.
pub fn fill(body: &mut Map<String, Value>, path: &str, value: Value) {
    if names(body, path) {
        return;
    }
    let Some((name, below)) = path.split_once('.') else {
        body.insert(path.to_owned(), value);
        return;
    };
    let parent = body.entry(name).or_insert(Value::Null);
    if parent.is_null() {
        *parent = json!({});
    }
    // A parent of another type is rejected as malformed when the body is read.
    if let Value::Object(parent) = parent {
        fill(parent, below, value);
    }
}

/// Adds the order's fields from a checkout token to a browser's request, and rejects other
/// values. Return the error only after the body was read, because malformed fields are reported
/// first.
///
/// # Errors
/// `wrong_order`, `amount_mismatch`, `country_mismatch` or `wrong_shopper`.
pub fn complete(body: &mut Map<String, Value>, caller: &Caller) -> Result<(), Problem> {
    enforce_ownership(body, caller, |owner| matches!(owner, Owner::Order(_)))
}

/// Like [`complete`], and also for the fields that the merchant sets by claims of the token.
///
/// # Errors
/// Those of [`complete`], and `field_not_allowed`.
pub fn complete_payment(body: &mut Map<String, Value>, caller: &Caller) -> Result<(), Problem> {
    enforce_ownership(body, caller, |_| true)
}

fn enforce_ownership(
    body: &mut Map<String, Value>,
    caller: &Caller,
    concerns: fn(Owner) -> bool,
) -> Result<(), Problem> {
    let Caller::Checkout(token) = caller else {
        return Ok(());
    };
    // The token's claims have the names and the structure of a request's fields.
    let Value::Object(claims) = json!(token) else {
        return Ok(());
    };
    let mut result = Ok(());
    for Field { path, owner } in FIELDS.into_iter().filter(|field| concerns(field.owner)) {
        let claim = named(&claims, path);
        if let Some(value) = claim {
            fill(body, path, value.clone());
        }
        let code = match owner {
            // A token without a country accepts any country. One without a shopperReference
            // accepts no shopperReference.
            Owner::Order(_) if path == "countryCode" && claim.is_none() => continue,
            Owner::Order(code) => code,
            Owner::Merchant => Code::FieldNotAllowed,
            Owner::Shopper | Owner::Deployment | Owner::Nobody => continue,
        };
        if names(body, path) && named(body, path) != claim {
            result = result.and(Err(token_mismatch(code, path)));
        }
    }
    result
}

/// The merchant's backend, which alone may do something.
///
/// # Errors
/// `merchant_token_required`, with `why` as its detail.
pub fn merchant<'a>(caller: &'a Caller, why: &str) -> Result<&'a Merchant, Problem> {
    match caller {
        Caller::Merchant(merchant) => Ok(merchant),
        Caller::Checkout(_) => Err(Problem::new(Code::MerchantTokenRequired, why)),
    }
}

/// # Errors
/// `wrong_order` if a browser's token is for another order.
pub fn require_own_order(caller: &Caller, reference: &str) -> Result<(), Problem> {
    match caller {
        Caller::Checkout(token) if token.reference.as_str() != reference => {
            Err(token_mismatch(Code::WrongOrder, "reference"))
        }
        _ => Ok(()),
    }
}

/// The problem of a field that differs from the claim in the browser's token.
pub fn token_mismatch(code: Code, field: &str) -> Problem {
    let detail = match code {
        Code::FieldNotAllowed => format!(
            "{field}: only the merchant may set this field, with a claim of the checkout token \
             or with a merchant token."
        ),
        _ => format!("{field} differs from the token's."),
    };
    Problem::new(code, detail).at(field)
}

/// The problem for a rejection by Adyen. The code distinguishes errors of the request, which the
/// caller can correct, from errors of the deployment, which the merchant must correct.
pub fn rejected(rejection: &Rejection) -> Problem {
    let field = missing_at_adyen(&rejection.error_code);
    let (code, detail) = if rejection.is_deployment_error() {
        let detail = "Adyen rejects this deployment's requests. See the function's log.";
        (Code::AdyenConfiguration, detail.to_owned())
    } else if rejection.status >= 500 {
        (Code::AdyenUnavailable, "Adyen could not process the request.".to_owned())
    } else if let Some(message) = &rejection.message {
        (Code::AdyenRejected, format!("Adyen rejected the request: {message}"))
    } else if let Some(field) = field {
        let detail =
            format!("{field}: Adyen needs this field for this payment, complete and valid.");
        (Code::AdyenRejected, detail)
    } else {
        let detail = "Adyen rejected the request; `errorCode` has the reason.";
        (Code::AdyenRejected, detail.to_owned())
    };
    let problem = Problem::new(code, detail).with("errorCode", &rejection.error_code);
    match field {
        Some(field) => problem.at(field),
        None => problem,
    }
}

/// The field that is missing, by Adyen's error code. Which fields a payment needs depends on the
/// method and on 3-D Secure, so Adyen decides.
///
/// Source: Adyen, Error codes and messages.
fn missing_at_adyen(error_code: &str) -> Option<&'static str> {
    Some(match error_code {
        "121" => "shopperReference",
        "14_004" | "14_006" => "paymentMethod",
        "14_030" => "returnUrl",
        "14_035" => "origin",
        "14_036" => "channel",
        "15_015" | "15_018" => "browserInfo",
        _ => return None,
    })
}

/// The problem for a failed call that the caller can repeat without risk.
pub fn unanswered(error: &CallError) -> Problem {
    match error {
        CallError::Rejected { status, error } => rejected(&error.rejection(*status)),
        CallError::Unknown(_) => {
            Problem::new(Code::AdyenUnavailable, "Adyen did not answer. Try again in a moment.")
                .retry_after(1)
        }
    }
    .caused_by(error)
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Adyen(error) => unanswered(&error),
            SyncError::Store(error) => error.into(),
        }
    }
}

/// Media types are case-insensitive, and parameters are allowed.
fn is_json(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// The problem of raw card data in a request.
pub fn raw_card_data(field: &str) -> Problem {
    Problem::new(
        Code::RawCardData,
        format!(
            "{field}: raw card data is not accepted. Send the fields that Adyen's library for the \
             browser has encrypted."
        ),
    )
    .at(field)
}

/// Reads a typed value strictly.
///
/// # Errors
/// `unknown_field`, `missing_field` or `invalid_field`, with the path of the field.
pub fn typed<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    /// Checks the amount strictly, because [`Amount`] also reads stored amounts leniently.
    #[derive(Deserialize)]
    struct AmountOnly {
        #[serde(rename = "amount", deserialize_with = "requested")]
        _amount: Amount,
    }

    let amount = named(&object, "amount").cloned();
    let value = read(object)?;
    if let Some(amount) = amount {
        read::<AmountOnly>(Map::from_iter([("amount".to_owned(), amount)]))?;
    }
    Ok(value)
}

fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Strict(Value::Object(object))).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        // serde names an unknown or missing field only in its message.
        let named = |kind: &str| message.strip_prefix(kind)?.split('`').next().map(str::to_owned);
        let beside = |name: String| match path.rsplit_once('.') {
            _ if path == "." => name,
            _ if path == name || path.ends_with(&format!(".{name}")) => path.clone(),
            _ => format!("{path}.{name}"),
        };
        if let Some(name) = named("raw card data `") {
            return raw_card_data(&beside(name));
        }
        let (code, field) = if let Some(name) = named("unknown field `") {
            (Code::UnknownField, beside(name))
        } else if let Some(name) = named("missing field `") {
            (Code::MissingField, beside(name))
        } else if let Some(name) = named("invalid field `") {
            (Code::InvalidField, beside(name))
        } else {
            (Code::InvalidField, path.clone())
        };
        Problem::new(code, format!("{field}: {message}.")).at(field)
    })
}

/// A JSON response with `Cache-Control: no-store`.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(body) {
        Ok(text) => {
            let mut response = Response::new(Body::Text(text));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "answer not serialised");
            Problem::new(Code::Internal, "The response could not be serialised.").into_response()
        }
    }
}

/// Runs `work` for one request, converts a problem or a panic to a response, and logs the outcome.
pub fn respond(
    request: &Request,
    work: impl Future<Output = Result<Response<Body>, Problem>>,
) -> impl Future<Output = Response<Body>> {
    let work = runtime::catch_panic(work);
    let what = match route(request) {
        // The route of the webhooks' function URL.
        "$default" => "webhook",
        route => route,
    };
    let work = async {
        let fault = |_| Err(Problem::new(Code::Internal, "See the function's log."));
        work.await.unwrap_or_else(fault).inspect_err(Problem::log_cause)
    };
    let completion = |result: &Result<Response<Body>, Problem>| match result {
        Ok(response) => Completion::Answer(response.status().as_u16(), None),
        Err(problem) => {
            let code = problem.code();
            Completion::Answer(code.status().as_u16(), Some(code.as_str()))
        }
    };
    let context = request.lambda_context_ref();
    observe::invocation(what, request.headers(), context, work, completion)
        .map(|result| result.unwrap_or_else(Problem::into_response))
}

/// The route that the gateway matched, such as `POST /payments`.
pub fn route(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.route_key.as_deref().unwrap_or_default()
        }
        _ => "",
    }
}

pub fn wrong_merchant_account() -> Problem {
    Problem::new(Code::WrongMerchantAccount, "This deployment has another merchantAccount.")
        .at("merchantAccount")
}

pub fn no_route(request: &Request) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("No such route: {} {}.", request.method(), request.uri().path()),
    )
}

/// Reads the parameters of the URL strictly.
///
/// # Errors
/// `unknown_field` or `invalid_field`, with the name of the parameter.
pub fn query<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let mut query = Map::new();
    for (name, value) in request.query_string_parameters().iter() {
        if query.insert(name.to_owned(), value.into()).is_some() {
            let detail = format!("{name}: the URL has the parameter more than once.");
            return Err(Problem::new(Code::InvalidField, detail).at(name));
        }
    }
    typed(query)
}

/// The caller's address as API Gateway recorded it.
pub fn source_ip(request: &Request) -> Option<IpAddr> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// The caller's `Idempotency-Key`.
///
/// # Errors
/// `invalid_field` unless it has 1 to 255 visible ASCII characters.
pub fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("Idempotency-Key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(
            Code::InvalidField,
            "Idempotency-Key: expected 1 to 255 visible ASCII characters.",
        )
        .at("Idempotency-Key")),
    }
}

/// The time by which the response must be ready.
pub fn deadline(request: &Request) -> Instant {
    match request.lambda_context_ref() {
        Some(context) => runtime::deadline(context, limits::ANSWER),
        None => Instant::now() + limits::ANSWER,
    }
}
