//! The HTTP edge: from a Lambda request to typed values, and back.

use std::{net::IpAddr, time::Duration};

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    adyen::{client::CallError, sync::ReconcileError},
    domain::{
        amount::{Amount, requested},
        order::Rejection,
    },
    http::{
        jwt::Caller,
        ownership::{FIELDS, Field, Owner},
        problem::{Code, Problem},
        strict_json::{self, ParseError, Strict},
    },
    platform::{
        observe::{self, Completion},
        runtime,
    },
};

/// The largest body of a storefront's request, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// The largest response, in bytes.
const LONGEST_CALL: Duration = Duration::from_secs(25);

/// The JSON object in a request's body.
///
/// # Errors
/// `unsupported_media_type`, `body_too_large` or `invalid_json`; `invalid_field` for a
/// number that is out of range.
pub fn json_object(request: &Request) -> Result<Map<String, Value>, Problem> {
    let body: &[u8] = request.body();
    if body.len() > BODY_LIMIT {
        return Err(Problem::new(
            Code::BodyTooLarge,
            format!("The request body is larger than {BODY_LIMIT} bytes."),
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

/// As [`json_object`], but a request without a body counts as an empty object.
///
/// # Errors
/// As [`json_object`].
pub fn json_object_or_nothing(request: &Request) -> Result<Map<String, Value>, Problem> {
    if request.body().is_empty() { Ok(Map::new()) } else { json_object(request) }
}

/// Returns whether the caller names a field: one that is `null` counts as left out.
pub fn names(body: &Map<String, Value>, path: &str) -> bool {
    named(body, path).is_some()
}

/// The value of a field, whose path is as [`Field`] has it.
fn named<'a>(body: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (name, below) = path.split_once('.').map_or((path, None), |(name, it)| (name, Some(it)));
    let value = body.get(name).filter(|value| !value.is_null())?;
    match below {
        Some(below) => named(value.as_object()?, below),
        None => Some(value),
    }
}

/// Adds a field that the caller left out.
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
    // Anything but an object is reported as malformed when the body is read.
    if let Value::Object(parent) = parent {
        fill(parent, below, value);
    }
}

/// Adds what a browser's token fixes of the order where the browser left it out, and returns whether
/// the browser names anything else. Check the result after the body is read, because what is
/// malformed is reported first.
///
/// # Errors
/// `wrong_order`, `amount_mismatch`, `country_mismatch` or `wrong_shopper`.
pub fn complete(body: &mut Map<String, Value>, caller: &Caller) -> Result<(), Problem> {
    hold(body, caller, |owner| matches!(owner, Owner::Order(_)))
}

/// As [`complete`], for a payment: with what the merchant decides about it.
///
/// # Errors
/// Those of [`complete`], and `field_not_allowed`.
pub fn complete_payment(body: &mut Map<String, Value>, caller: &Caller) -> Result<(), Problem> {
    hold(body, caller, |_| true)
}

fn hold(
    body: &mut Map<String, Value>,
    caller: &Caller,
    concerns: fn(Owner) -> bool,
) -> Result<(), Problem> {
    let Caller::Checkout(token) = caller else {
        return Ok(());
    };
    // A token's claims are named and shaped as requests are.
    let Value::Object(claims) = json!(token) else {
        return Ok(());
    };
    let mut agreed = Ok(());
    for Field { path, owner } in FIELDS.into_iter().filter(|field| concerns(field.owner)) {
        let claim = named(&claims, path);
        if let Some(value) = claim {
            fill(body, path, value.clone());
        }
        let code = match owner {
            // A token may leave open where the shopper is, but not who.
            Owner::Order(_) if path == "countryCode" && claim.is_none() => continue,
            Owner::Order(code) => code,
            Owner::Merchant => Code::FieldNotAllowed,
            Owner::Shopper | Owner::Deployment | Owner::Nobody => continue,
        };
        if names(body, path) && named(body, path) != claim {
            agreed = agreed.and(Err(not_the_tokens(code, path)));
        }
    }
    agreed
}

/// For what the merchant's backend alone may do.
///
/// # Errors
/// `merchant_token_required`, with why.
pub fn merchant_only(caller: &Caller, why: &str) -> Result<(), Problem> {
    match caller {
        Caller::Merchant => Ok(()),
        Caller::Checkout(_) => Err(Problem::new(Code::MerchantTokenRequired, why)),
    }
}

/// Returns whether a browser names its token's order.
///
/// # Errors
/// `wrong_order`.
pub fn order_agrees(caller: &Caller, reference: &str) -> Result<(), Problem> {
    match caller {
        Caller::Checkout(token) if token.reference.as_str() != reference => {
            Err(not_the_tokens(Code::WrongOrder, "reference"))
        }
        _ => Ok(()),
    }
}

/// A browser asks for something else than its token says.
pub fn not_the_tokens(code: Code, field: &str) -> Problem {
    let detail = match code {
        Code::FieldNotAllowed => format!(
            "{field}: only the merchant sets it, with a claim of the checkout token or with a \
             merchant token."
        ),
        _ => format!("{field} is not the token's."),
    };
    Problem::new(code, detail).at(field)
}

/// Why Adyen did not process a request. The caller can mend what is wrong with the request;
/// the merchant, what is wrong with the deployment.
pub fn rejected(rejection: &Rejection) -> Problem {
    let (code, detail) = if rejection.is_ours() {
        (
            Code::AdyenConfiguration,
            "Adyen rejects this deployment's requests. See the function's log.",
        )
    } else if rejection.status >= 500 {
        (Code::AdyenUnavailable, "Adyen could not process the request.")
    } else {
        (Code::AdyenRejected, "Adyen did not accept the request; errorCode says why.")
    };
    Problem::new(code, detail).with("errorCode", &rejection.error_code)
}

/// Why Adyen did not answer a call that may simply be made again.
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

impl From<ReconcileError> for Problem {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Adyen(error) => unanswered(&error),
            ReconcileError::Store(error) => error.into(),
        }
    }
}

/// `application/json`, with any parameters, as media types are compared: without case.
fn is_json(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads a typed value, strictly.
///
/// # Errors
/// `unknown_field`, `missing_field` or `invalid_field`, with the path of the field.
pub fn typed<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    /// The types of amounts are lenient, because they are stored too.
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "amount", deserialize_with = "requested")]
        _amount: Amount,
    }

    let amount = named(&object, "amount").cloned();
    let value = read(object)?;
    if let Some(amount) = amount {
        read::<Named>(Map::from_iter([("amount".to_owned(), amount)]))?;
    }
    Ok(value)
}

fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Strict(Value::Object(object))).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        // serde names the field in its message alone.
        let named = |kind: &str| message.strip_prefix(kind)?.split('`').next().map(str::to_owned);
        let beside = |name: String| match path.rsplit_once('.') {
            _ if path == "." => name,
            _ if path == name || path.ends_with(&format!(".{name}")) => path.clone(),
            _ => format!("{path}.{name}"),
        };
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

/// A JSON response that nobody caches.
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
            tracing::error!(%error, "an answer does not serialise");
            Problem::new(Code::Internal, "The response could not be serialised.").into_response()
        }
    }
}

/// Answers one request, whichever way it goes, and writes down what it came to.
pub async fn respond(
    request: &Request,
    work: impl Future<Output = Result<Response<Body>, Problem>>,
) -> Response<Body> {
    let what = match route(request) {
        // A function URL has one route.
        "$default" => "webhook",
        route => route,
    };
    let context = request.lambda_context_ref();
    let work = async {
        let fault = |_| Err(Problem::new(Code::Internal, "See the function's log."));
        let result = runtime::caught(work).await.unwrap_or_else(fault);
        result.inspect_err(Problem::log_cause)
    };
    let said = |result: &Result<Response<Body>, Problem>| match result {
        Ok(response) => Completion::Answer(response.status().as_u16(), None),
        Err(problem) => {
            let code = problem.code();
            Completion::Answer(code.status().as_u16(), Some(code.as_str()))
        }
    };
    let result = observe::invocation(what, request.headers(), context, work, said).await;
    result.unwrap_or_else(Problem::into_response)
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

/// For a merchant account that is not this deployment's.
pub fn wrong_merchant_account() -> Problem {
    Problem::new(Code::WrongMerchantAccount, "merchantAccount is not this deployment's.")
        .at("merchantAccount")
}

/// A problem for a route that the function does not serve.
pub fn no_route(request: &Request) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("No such route: {} {}.", request.method(), request.uri().path()),
    )
}

/// The caller's address, as the gateway saw it.
pub fn source_ip(request: &Request) -> Option<IpAddr> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// The caller's own idempotency key.
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

/// Until when an invocation may work on its answer.
pub fn deadline(request: &Request) -> Instant {
    match request.lambda_context_ref() {
        Some(context) => runtime::deadline(context, LONGEST_CALL),
        None => Instant::now() + LONGEST_CALL,
    }
}
