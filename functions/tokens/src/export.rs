//! `GET /shoppers`.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue, value::to_raw_value};
use shared::{
    domain::{
        order::Order,
        shopper_reference::ShopperReference,
        token::{Token, TokenStatus},
    },
    http::{
        answer::{OrderAnswer, Viewer},
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    limits,
    store::{Class, Cursor, Handled, Letter, Listed, Listing, Range, StoreError},
};

use crate::State;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExportQuery {
    shopper_reference: ShopperReference,
    #[serde(default)]
    cursor: Option<Cursor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'a> {
    shopper_reference: &'a ShopperReference,
    /// All of them, on the first page.
    stored_payment_methods: Vec<TokenExport<'a>>,
    /// The latest first.
    orders: Vec<Box<RawValue>>,
    dead_letters: Vec<Box<RawValue>>,
    /// The references of orders and the ids of letters that cannot be read.
    unreadable: Vec<String>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct TokenExport<'a> {
    status: TokenStatus,
    #[serde(flatten)]
    token: &'a Token,
}

#[derive(Serialize)]
struct OrderExport<'a> {
    /// As `GET /orders/{reference}` shows it.
    order: OrderAnswer<'a>,
    stored: &'a Order,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterExport<'a> {
    id: String,
    received_at: Timestamp,
    why: &'a str,
    /// The event. A delivery may have others too, which may be about other shoppers.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Value>,
    /// The delivery, if it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handled: Option<&'a Handled>,
}

/// An item of a page.
enum Found {
    Order(Box<RawValue>),
    Letter(Box<RawValue>),
    Unreadable(String),
    /// The index is behind, and the item no longer names the shopper.
    Nothing,
}

/// Returns what is stored of a shopper. A page ends early if its items are large.
pub async fn export(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    edge::merchant(caller, "Only the merchant's backend may export a shopper's data.")?;
    let query: ExportQuery = edge::query(request)?;
    let shopper = &query.shopper_reference;
    let tokens = match query.cursor {
        Some(_) => Vec::new(),
        None => state.tokens.of_shopper(shopper).await?,
    };
    let range = Range { after: query.cursor, ..Range::default() };
    let page = state.orders.list(Listing::OfShopper(shopper), &range).await?;
    let mut export = Export {
        shopper_reference: shopper,
        stored_payment_methods: tokens
            .iter()
            .map(|token| TokenExport { status: token.status(), token })
            .collect(),
        orders: Vec::new(),
        dead_letters: Vec::new(),
        unreadable: Vec::new(),
        next_cursor: page.next.as_ref().map(Cursor::text),
    };
    let last = page.items.last().cloned();
    let mut size = 0;
    let mut read = stream::iter(page.items)
        .map(async |listed| {
            let found = find(state, shopper, &listed).await?;
            Ok::<_, Problem>((listed, found))
        })
        .buffered(limits::SHOPPER_AT_ONCE);
    while let Some((listed, found)) = read.try_next().await? {
        match found {
            Found::Order(order) => {
                size += order.get().len();
                export.orders.push(order);
            }
            Found::Letter(letter) => {
                size += letter.get().len();
                export.dead_letters.push(letter);
            }
            Found::Unreadable(item) => export.unreadable.push(item),
            Found::Nothing => {}
        }
        if size > limits::EXPORT {
            if last.as_ref() != Some(&listed) {
                export.next_cursor = Some(listed.cursor().text());
            }
            break;
        }
    }
    Ok(edge::json(StatusCode::OK, &export))
}

async fn find(
    state: &State,
    shopper: &ShopperReference,
    listed: &Listed,
) -> Result<Found, Problem> {
    let key = &listed.key;
    let is_letter = Class::of(key).is_some();
    let found = match is_letter {
        true => {
            let letter = state.orders.letter(key).await;
            letter.map(|letter| letter.map(|letter| export_letter(key, &letter)))
        }
        false => {
            let order = order(state, shopper, key).await;
            order.map(|order| order.map(|order| export_order(&order)))
        }
    };
    match found {
        Ok(found) => found.unwrap_or(Ok(Found::Nothing)),
        Err(error) if error.is_permanent() => {
            tracing::error!(reference = key, %error, "an item could not be exported");
            Ok(Found::Unreadable(if is_letter { Letter::id(key) } else { key.clone() }))
        }
        Err(error) => Err(error.into()),
    }
}

async fn order(
    state: &State,
    shopper: &ShopperReference,
    key: &str,
) -> Result<Option<Order>, StoreError> {
    let reference = key.parse().map_err(|_| StoreError::Unreadable("an order's key"))?;
    Ok(state.orders.get(&reference).await?.filter(|order| order.is_of(shopper)))
}

fn export_order(order: &Order) -> Result<Found, Problem> {
    let shown = OrderAnswer::new(order, Viewer::Merchant);
    raw(&OrderExport { order: shown, stored: order }).map(Found::Order)
}

fn export_letter(key: &str, letter: &Letter) -> Result<Found, Problem> {
    let body: Option<Value> = serde_json::from_slice(&letter.body).ok();
    let body_base64 = body.is_none().then(|| BASE64_STANDARD.encode(&letter.body));
    let event = body.map(|mut body| match body["notificationItems"].get_mut(letter.item) {
        Some(item) => item.take(),
        None => body,
    });
    raw(&LetterExport {
        id: Letter::id(key),
        received_at: letter.received_at,
        why: &letter.why,
        event,
        body_base64,
        handled: letter.handled.as_ref(),
    })
    .map(Found::Letter)
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    to_raw_value(value).map_err(|error| {
        Problem::new(Code::Internal, "The response could not be serialised.").caused_by(error)
    })
}
