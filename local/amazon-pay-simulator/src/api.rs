//! Checkout v2: Create, Get, Update and Complete Checkout Session.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::clock;
use shared::domain::amount::Currency;
use simulator_http::{Answer, Request};

use crate::books::{Books, Call};
use crate::hosted;
use crate::options::Options;
use crate::session::{Price, Session, SessionState};
use crate::signature::{self, error};
use crate::simulator::Inner;

/// The members of Update Checkout Session.
const UPDATED: &str = "chargePermissionType merchantMetadata paymentDetails platformId \
    recurringMetadata supplementaryData webCheckoutDetails";

/// The members of Create Checkout Session.
const CREATED: &str = "addressDetails chargePermissionType deliverySpecifications merchantMetadata \
    paymentDetails platformId recurringMetadata scopes storeId supplementaryData webCheckoutDetails";

/// Processes a call and records it in the books.
pub(crate) fn process(inner: &Inner, request: &Request) -> Answer {
    let now = clock::now();
    let mut state = inner.state();
    let signed = signature::request(&inner.key, &inner.options, request, now);
    let verified = signed.is_ok();
    let answer = signed
        .and_then(|()| route(inner, &mut state.books, request, now))
        .unwrap_or_else(|rejection| rejection);
    record(&mut state.books, request, verified, Some(&answer));
    drop(state);
    inner.log(&format!(
        "{} {} -> {} {}",
        request.method,
        request.path,
        answer.status,
        answer.value()["reasonCode"].as_str().unwrap_or_default()
    ));
    answer
}

pub(crate) fn record(
    books: &mut Books,
    request: &Request,
    verified: bool,
    answer: Option<&Answer>,
) {
    let mut headers = request.headers.clone();
    headers.remove("authorization");
    books.calls.push(Call {
        at: clock::now(),
        method: request.method.clone(),
        path: request.path.clone(),
        headers,
        body: request.json(),
        verified,
        status: answer.map(|answer| answer.status),
        answer: answer.map(Answer::value).unwrap_or_default(),
    });
}

fn route(
    inner: &Inner,
    books: &mut Books,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Answer> {
    let not_found = || error(404, "ResourceNotFound", "There is no such resource");
    let path = request.path.strip_prefix(inner.options.version_path());
    let segments: Vec<&str> = path.ok_or_else(not_found)?.split('/').skip(1).collect();
    let (id, rest) = match segments.as_slice() {
        ["checkoutSessions"] if request.method == "POST" => return create(inner, books, request),
        ["checkoutSessions", id, rest @ ..] => (*id, rest),
        _ => return Err(not_found()),
    };
    let Books { sessions, keys, .. } = books;
    let session = sessions.get_mut(id).ok_or_else(not_found)?;
    if session.state == SessionState::Open && session.expires <= now {
        session.cancel("Expired");
    }
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::json(200, &session.answer(&inner.base))),
        ("PATCH", []) => {
            let key = request.headers.get("x-amz-pay-idempotency-key");
            if let Some(answer) = key.map_or(Ok(None), |key| first_answer(keys, key, request))? {
                return Ok(answer);
            }
            if session.state != SessionState::Open {
                let why = format!("The checkout session is {:?}", session.state);
                return Err(error(422, "InvalidCheckoutSessionStatus", &why));
            }
            update(session, &inner.options, &body(request)?, UPDATED)?;
            let answer = Answer::json(200, &session.answer(&inner.base));
            if let Some(key) = key {
                keys.insert(key.clone(), (content(request), answer.clone()));
            }
            Ok(answer)
        }
        ("POST", ["complete"]) => {
            let why = "A session that is paid through an acquirer cannot be completed here";
            Err(error(405, "UnsupportedOperation", why))
        }
        _ => Err(error(405, "UnsupportedOperation", "This operation is not supported")),
    }
}

/// The first answer to this request. An idempotency key belongs to one request, which is
/// processed once.
fn first_answer(
    keys: &BTreeMap<String, (String, Answer)>,
    key: &str,
    request: &Request,
) -> Result<Option<Answer>, Answer> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if key.is_empty() || key.len() > 32 || !key.bytes().all(allowed) {
        let why = "x-amz-pay-idempotency-key is not valid";
        return Err(error(400, "InvalidHeaderValue", why));
    }
    match keys.get(key) {
        None => Ok(None),
        Some((first, answer)) if *first == content(request) => Ok(Some(answer.clone())),
        Some(_) => {
            let why = "The idempotency key was used for another request";
            Err(error(400, "DuplicateIdempotencyKey", why))
        }
    }
}

fn content(request: &Request) -> String {
    let Request { method, path, body, .. } = request;
    format!("{method} {path} {}", String::from_utf8_lossy(body))
}

/// Create Checkout Session, with which a shop begins a session without a button.
fn create(inner: &Inner, books: &mut Books, request: &Request) -> Result<Answer, Answer> {
    let key = request.headers.get("x-amz-pay-idempotency-key");
    let key = key.ok_or_else(|| signature::missing("x-amz-pay-idempotency-key"))?;
    if let Some(answer) = first_answer(&books.keys, key, request)? {
        return Ok(answer);
    }
    let payload = body(request)?;
    hosted::check(inner, &payload).map_err(|why| error(400, "InvalidParameterValue", why))?;
    let id = hosted::uuid();
    let mut session = inner.session(id.clone(), payload.clone());
    update(&mut session, &inner.options, &payload, CREATED)?;
    let answer = Answer::json(201, &session.answer(&inner.base));
    books.keys.insert(key.clone(), (content(request), answer.clone()));
    books.sessions.insert(id, session);
    Ok(answer)
}

fn body(request: &Request) -> Result<Value, Answer> {
    serde_json::from_slice(&request.body)
        .map_err(|why| error(400, "InvalidRequestFormat", &why.to_string()))
}

/// Applies a body without members other than the `known` ones.
fn update(
    session: &mut Session,
    options: &Options,
    body: &Value,
    known: &str,
) -> Result<(), Answer> {
    let body = object(body, "the body", known)?;
    let mut updated = session.clone();
    if let Some(details) = body.get("paymentDetails") {
        let known = "allowOvercharge canHandlePendingAuthorization chargeAmount extendExpiration \
                     paymentIntent presentmentCurrency softDescriptor totalOrderAmount";
        let details = object(details, "paymentDetails", known)?;
        if let Some(intent) = details.get("paymentIntent") {
            let intents = ["Confirm", "Authorize", "AuthorizeWithCapture"];
            let intent = intent.as_str().filter(|intent| intents.contains(intent));
            let intent = intent.ok_or_else(|| invalid("paymentIntent"))?;
            updated.payment_intent = Some(intent.to_owned());
        }
        if let Some(price) = details.get("chargeAmount") {
            updated.charge_amount = Some(charge_amount(price, options)?);
        }
    }
    if let Some(metadata) = body.get("merchantMetadata") {
        let known = "customInformation merchantReferenceId merchantStoreName noteToBuyer";
        let metadata = object(metadata, "merchantMetadata", known)?;
        if let Some(reference) = metadata.get("merchantReferenceId") {
            let reference = reference.as_str().filter(|text| text.len() <= 256);
            let reference = reference.ok_or_else(|| invalid("merchantReferenceId"))?;
            updated.merchant_reference_id = Some(reference.to_owned());
        }
    }
    // The shopper confirmed the values before the update.
    updated.confirmed = false;
    *session = updated;
    Ok(())
}

/// Reads an amount, which has at most as many decimals as its currency.
fn charge_amount(value: &Value, options: &Options) -> Result<Price, Answer> {
    let price = object(value, "chargeAmount", "amount currencyCode")?;
    let text = |name: &str| price.get(name).and_then(Value::as_str);
    let code = text("currencyCode").filter(|code| *code == options.ledger_currency);
    let code = code.ok_or_else(|| invalid("chargeAmount.currencyCode"))?;
    let amount = text("amount").ok_or_else(|| invalid("chargeAmount.amount"))?;
    let max_decimals = Currency::from_str(code).map_or(0, |currency| currency.decimals());
    let (units, decimals) = match amount.split_once('.') {
        Some((_, "")) => return Err(invalid("chargeAmount.amount")),
        Some(parts) => parts,
        None => (amount, ""),
    };
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let is_zero = amount.bytes().all(|c| matches!(c, b'0' | b'.'));
    if units.is_empty()
        || !digits(units)
        || !digits(decimals)
        || decimals.len() > max_decimals
        || is_zero
    {
        return Err(invalid("chargeAmount.amount"));
    }
    Ok(Price { amount: amount.to_owned(), currency_code: code.to_owned() })
}

/// An object without members other than these, which are separated by spaces.
fn object<'a>(value: &'a Value, name: &str, known: &str) -> Result<&'a Map<String, Value>, Answer> {
    let members = value.as_object().ok_or_else(|| invalid(name))?;
    for member in members.keys() {
        if !known.split_whitespace().any(|known| known == member) {
            let why = format!("{name} has the unknown member {member}");
            return Err(error(400, "UnrecognizedField", &why));
        }
    }
    Ok(members)
}

fn invalid(name: &str) -> Answer {
    let why = format!("The value provided for {name} is invalid.");
    error(400, "InvalidParameterValue", &why)
}
