//! Authenticates, repeats and routes calls of the API.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use shared::clock;
use simulator_http::{Answer, Request};

use crate::books::{Books, Call, Change, StoredAnswer};
use crate::context::{CallContext, CallResult, later};
use crate::options::Options;
use crate::simulator::{Inner, SimulatorState};
use crate::{errors, modifications, payment_methods, payments, recurring, three_ds};

pub(crate) struct Reply {
    pub answer: Answer,
    /// The time until it is sent.
    pub withheld: Duration,
    /// True if the connection is cut instead.
    pub cut: bool,
}

/// The key of a POST; other methods have none.
fn idempotency_key(request: &Request) -> Option<&str> {
    let key = request.headers.get("idempotency-key").filter(|_| request.method == "POST")?;
    Some(key).filter(|key| !key.is_empty()).map(String::as_str)
}

/// Processes a call and records it in the books. `delay` is the delay of a fault.
pub(crate) fn process(
    inner: &Inner,
    request: &Request,
    fault: Option<&str>,
    delay: Duration,
) -> Reply {
    let mut state = inner.state();
    let SimulatorState { journal, webhook_faults, .. } = &mut *state;
    let mut ctx = inner.context(&journal.books, webhook_faults);
    ctx.idempotency_key = idempotency_key(request);
    let now = ctx.now;
    let (answered, replayed) = match earlier(ctx.books, inner, request, now) {
        Some(answered) => (answered, true),
        None => (route(&mut ctx, request), false),
    };
    let withheld = if replayed { Duration::ZERO } else { ctx.withheld + delay };
    let cut = ctx.cut;
    let mut changes = if answered.is_ok() { ctx.changes } else { Vec::new() };
    let answer = match (answered, idempotency_key(request)) {
        (Ok(answer), Some(key)) => {
            if !replayed {
                changes.push(Change::Key(StoredAnswer {
                    key: key.into(),
                    ready_at: later(now, withheld),
                    status: answer.status,
                    body: answer.value(),
                }));
            }
            answer.header("idempotency-key", key)
        }
        (Ok(answer) | Err(answer), _) => answer,
    };
    changes.push(call(request, replayed, fault, Some(&answer), now));
    let written = journal.commit(changes);
    drop(state);
    inner.wake.notify_one();
    if let Err(error) = written {
        inner.log_unwritten(&error);
        return Reply { answer: errors::coded("903"), withheld: Duration::ZERO, cut: false };
    }
    log(inner, request, &answer, replayed);
    Reply { answer, withheld, cut }
}

/// Records a call that was not processed.
pub(crate) fn record(inner: &Inner, request: &Request, fault: &str, answer: Option<&Answer>) {
    let change = call(request, false, Some(fault), answer, clock::now());
    if let Err(error) = inner.state().journal.commit(vec![change]) {
        inner.log_unwritten(&error);
    }
    inner.log(&format!("{} {} ({fault})", request.method, request.path));
}

/// The answer to an earlier call with the same key, if this caller is authenticated.
fn earlier(books: &Books, inner: &Inner, request: &Request, now: Timestamp) -> Option<CallResult> {
    let known = books.keys.get(idempotency_key(request)?)?;
    authenticate(&inner.options, request).ok()?;
    if now < known.ready_at {
        return Some(Err(errors::coded("704")));
    }
    Some(Ok(Answer::json(known.status, &known.body)))
}

fn authenticate(options: &Options, request: &Request) -> Result<(), Answer> {
    match request.headers.get("x-api-key") {
        Some(key) if *key == options.api_key => Ok(()),
        _ => Err(errors::coded("000")),
    }
}

fn authorise(ctx: &CallContext, account: Option<&str>) -> Result<(), Answer> {
    match account == Some(&ctx.options.merchant_account) {
        true => Ok(()),
        false => Err(errors::coded("901")),
    }
}

fn route(ctx: &mut CallContext, request: &Request) -> CallResult {
    let not_found = || Err(errors::service_error(404, "000", "Not found"));
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let resource = match segments.as_slice() {
        ["v72", resource @ ..] | ["pal", "servlet", "Recurring", "v68", resource @ ..] => resource,
        _ => return not_found(),
    };
    let recurring_api = segments[0] == "pal";
    authenticate(ctx.options, request)?;
    if request.method != "POST" {
        let query = request.parameters();
        authorise(ctx, query.get("merchantAccount").map(String::as_str))?;
        return match (request.method.as_str(), recurring_api, resource) {
            ("GET", false, ["storedPaymentMethods"]) => recurring::list(ctx, &query),
            ("DELETE", false, ["storedPaymentMethods", id]) => recurring::remove(ctx, id, &query),
            _ => not_found(),
        };
    }
    if idempotency_key(request).is_some_and(|key| key.len() > 64) {
        return Err(errors::invalid("29_001", "Idempotency-Key is longer than 64 characters."));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| {
        errors::service_error(400, "702", &format!("Unexpected input: {error}"))
    })?;
    // The specification has no merchantAccount in /payments/details.
    if !matches!(resource, ["payments", "details"]) {
        authorise(ctx, body["merchantAccount"].as_str())?;
    }
    match (recurring_api, resource) {
        (false, ["paymentMethods"]) => payment_methods::list(ctx, &body),
        (false, ["payments"]) => payments::create(ctx, &body),
        (false, ["payments", "details"]) => three_ds::details(ctx, &body),
        (false, ["payments", id, kind @ ("captures" | "refunds" | "cancels" | "reversals")]) => {
            modifications::create(ctx, id, kind, &body)
        }
        (false, ["cancels"]) => modifications::technical_cancel(ctx, &body),
        (true, ["listRecurringDetails"]) => recurring::list_recurring_details(ctx, &body),
        _ => not_found(),
    }
}

fn call(
    request: &Request,
    replayed: bool,
    fault: Option<&str>,
    answer: Option<&Answer>,
    at: Timestamp,
) -> Change {
    let mut headers = request.headers.clone();
    for secret in ["x-api-key", "authorization"] {
        headers.entry(secret.into()).and_modify(|value| *value = "[redacted]".into());
    }
    Change::Call(Box::new(Call {
        at,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers,
        body: request.json(),
        idempotency_key: idempotency_key(request).map(Into::into),
        replayed,
        fault: fault.map(Into::into),
        status: answer.map(|answer| answer.status),
        answer: answer.map(Answer::value).unwrap_or_default(),
    }))
}

fn log(inner: &Inner, request: &Request, answer: &Answer, replayed: bool) {
    let sent = request.json();
    let answered = answer.value();
    let words = [
        &sent["reference"],
        &answered["resultCode"],
        &answered["errorCode"],
        &answered["pspReference"],
    ];
    let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
    let again = if replayed { " (again)" } else { "" };
    let (method, path, status) = (&request.method, &request.path, answer.status);
    inner.log(&format!("{method} {path} -> {status} {}{again}", words.join(" ")));
}
