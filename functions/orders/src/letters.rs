//! Dead letters and foreign events: `GET /deadLetters`, `GET /deadLetters/{id}`,
//! `POST /deadLetters/{id}/apply|discard`.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::{Deserialize, Serialize};
use shared::{
    adyen::inbox,
    clock,
    domain::order::{Note, shortened},
    http::{
        edge,
        jwt::{Caller, Merchant},
        problem::{Code, Problem},
    },
    platform::observe,
    store::{Class, Cursor, Handled, Handling, Letter, Listed, Listing, Orders, Range},
};

use crate::State;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    class: Option<Class>,
    cursor: Option<Cursor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer {
    dead_letters: Vec<ListedAnswer>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedAnswer {
    id: String,
    key: String,
    received_at: Timestamp,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterAnswer<'a> {
    id: String,
    key: &'a str,
    received_at: Timestamp,
    why: &'a str,
    environment: &'a str,
    merchant_account: &'a str,
    merchant_reference: &'a str,
    /// The index of the event in the items of the body.
    item: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    /// The body if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handled: Option<&'a Handled>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscardBody {
    note: Note,
}

/// Lists those that nobody has handled, the latest first.
pub async fn list(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    merchant(caller)?;
    let query: ListQuery = edge::query(request)?;
    let class = query.class.unwrap_or(Class::Dead);
    let range = Range { after: query.cursor, ..Range::default() };
    let page = state.inbox.orders.list(Listing::Letters(class), &range).await?;
    let listed = ListAnswer {
        dead_letters: page.items.into_iter().map(ListedAnswer::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::text),
    };
    Ok(edge::json(StatusCode::OK, &listed))
}

pub async fn show(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    merchant(caller)?;
    let (key, letter) = letter(state, request).await?;
    Ok(answer(&key, &letter))
}

/// Applies the event as if it was delivered now: with the same check of its signature, and the same
/// code. If it still cannot be applied, the letter stays as it is.
pub async fn apply(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let merchant = merchant(caller)?;
    let (key, mut letter) = letter(state, request).await?;
    if letter.handled.as_ref().is_some_and(|handled| handled.how == Handling::Applied) {
        return Ok(answer(&key, &letter));
    }
    let webhook = inbox::delivered(&letter)?;
    let signature = letter.signature.as_deref();
    if !state.verifier.accepts(&webhook, &letter.body, signature).await {
        return Err(wrong_state(
            "No HMAC key of this deployment matches the event's signature any more. Add the key again, \
             or resend the webhook in the Customer Area.",
        ));
    }
    let inbox = state.inbox.within(edge::deadline(request));
    if let Some(why) = inbox.apply(&webhook, &letter).await? {
        return Err(wrong_state(format!("The event still cannot be applied: {why}.")));
    }
    handle(&inbox.orders, &key, &mut letter, Handling::Applied, None, merchant).await
}

/// Records that nobody needs to apply the event.
pub async fn discard(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let merchant = merchant(caller)?;
    let body: DiscardBody = edge::typed(edge::json_object(request)?)?;
    let (key, mut letter) = letter(state, request).await?;
    if letter.handled.is_some() {
        return Ok(answer(&key, &letter));
    }
    let note = Some(body.note.into());
    let orders = state.inbox.orders.within(edge::deadline(request));
    handle(&orders, &key, &mut letter, Handling::Discarded, note, merchant).await
}

async fn handle(
    orders: &Orders,
    key: &str,
    letter: &mut Letter,
    how: Handling,
    note: Option<String>,
    merchant: &Merchant,
) -> Result<Response<Body>, Problem> {
    let by = merchant.sub.clone().map(shortened);
    let handled = letter.handled.insert(Handled { how, note, by, at: clock::now() });
    if !orders.handled(key, handled).await? {
        let letter = orders.letter(key).await?.ok_or_else(not_found)?;
        return Ok(answer(key, &letter));
    }
    observe::outcome(handled.how.as_str());
    Ok(answer(key, letter))
}

fn merchant(caller: &Caller) -> Result<&Merchant, Problem> {
    edge::merchant(caller, "Only the merchant's backend may handle dead letters.")
}

/// The letter in the path, and its key.
async fn letter(state: &State, request: &Request) -> Result<(String, Letter), Problem> {
    let parameters = request.path_parameters();
    let id = parameters.first("id").unwrap_or_default();
    let key = Letter::key_of(id).ok_or_else(not_found)?;
    let letter = state.inbox.orders.letter(&key).await?.ok_or_else(not_found)?;
    Ok((key, letter))
}

fn answer(key: &str, letter: &Letter) -> Response<Body> {
    let body = std::str::from_utf8(&letter.body).ok();
    edge::json(
        StatusCode::OK,
        &LetterAnswer {
            id: Letter::id(key),
            key,
            received_at: letter.received_at,
            why: &letter.why,
            environment: &letter.environment,
            merchant_account: &letter.merchant_account,
            merchant_reference: &letter.named,
            item: letter.item,
            body,
            body_base64: body.is_none().then(|| BASE64_STANDARD.encode(&letter.body)),
            handled: letter.handled.as_ref(),
        },
    )
}

fn not_found() -> Problem {
    Problem::new(Code::DeadLetterNotFound, "There is no such dead letter.")
}

fn wrong_state(detail: impl Into<String>) -> Problem {
    Problem::new(Code::WrongState, detail)
}

impl From<Listed> for ListedAnswer {
    fn from(listed: Listed) -> Self {
        Self {
            id: Letter::id(&listed.key),
            key: listed.key,
            received_at: listed.updated_at,
            why: listed.why,
        }
    }
}
