//! `DELETE /shoppers`.
//!
//! The orders come first, because a charge whose outcome is unknown may be sent again and needs its
//! stored payment method until then. Each step can be repeated, so an erasure that stopped anywhere
//! is continued by the same request.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use shared::{
    adyen::recurring::Removal,
    clock,
    domain::{
        order::Order,
        shopper_reference::ShopperReference,
        text::Text,
        token::{TokenId, TokenStatus},
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    limits,
    platform::observe,
    store::{Class, Letter, Listed, Listing, Range, Start, StoreError},
};
use tokio::time::Instant;

use crate::{State, remove::remove_at_adyen};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EraseQuery {
    shopper_reference: ShopperReference,
}

#[derive(Default, Serialize)]
struct Erasure {
    erased: Erased,
    /// True if nothing is left.
    finished: bool,
    remaining: Remaining,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Erased {
    orders: usize,
    stored_payment_methods: usize,
    dead_letters: usize,
}

/// The items that must be concluded first, as far as they were found.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remaining {
    /// The references of orders that Adyen has not answered, and of those that cannot be read.
    orders: Vec<String>,
    stored_payment_methods: Vec<String>,
    /// The ids of those that nobody has applied or discarded.
    dead_letters: Vec<String>,
}

impl Remaining {
    fn is_empty(&self) -> bool {
        self.orders.is_empty()
            && self.stored_payment_methods.is_empty()
            && self.dead_letters.is_empty()
    }
}

/// The result for one order or letter.
enum Done {
    Erased,
    /// The index is behind, and the item no longer names the shopper.
    Nothing,
    /// It must be concluded first. Has the stored payment method that may still be charged.
    Open(Option<String>),
}

/// Erases a shopper's personal data, as far as the time of the request allows.
pub async fn erase(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    edge::merchant(caller, "Only the merchant's backend may erase a shopper's data.")?;
    let EraseQuery { shopper_reference: shopper } = edge::query(request)?;
    let stop_at = until - limits::ERASE_RESERVE;
    let mut erasure = Erasure::default();
    let mut charged = BTreeSet::new();
    let in_time = match erase_orders(state, &shopper, stop_at, &mut erasure, &mut charged).await {
        Ok(true) => erase_tokens(state, &shopper, until, &mut erasure, &charged).await,
        unfinished => unfinished,
    };
    let in_time = in_time.map_err(|problem| problem.with("erasure", &erasure))?;
    erasure.finished = in_time && erasure.remaining.is_empty();
    let Erased { orders, stored_payment_methods, dead_letters } = erasure.erased;
    let finished = erasure.finished;
    tracing::info!(
        orders,
        storedPaymentMethods = stored_payment_methods,
        deadLetters = dead_letters,
        finished,
        "personal data erased"
    );
    observe::outcome(if finished { "erased" } else { "unfinished" });
    let status = if finished { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(edge::json(status, &erasure))
}

/// Erases the shopper's data in orders and letters. Returns false if the time was over before.
/// `charged` receives the stored payment methods that may still be charged.
async fn erase_orders(
    state: &State,
    shopper: &ShopperReference,
    stop_at: Instant,
    erasure: &mut Erasure,
    charged: &mut BTreeSet<String>,
) -> Result<bool, Problem> {
    let mut range = Range::default();
    loop {
        if Instant::now() >= stop_at {
            return Ok(false);
        }
        let page = state.orders.list(Listing::OfShopper(shopper), &range).await?;
        let mut done = stream::iter(page.items)
            .map(async |listed| {
                let done = erase_item(state, shopper, &listed, stop_at).await?;
                Ok::<_, StoreError>((listed.key, done))
            })
            .buffer_unordered(limits::SHOPPER_AT_ONCE);
        while let Some((key, done)) = done.try_next().await? {
            let is_letter = Class::of(&key).is_some();
            let Erasure { erased, remaining, .. } = &mut *erasure;
            match done {
                Done::Erased if is_letter => erased.dead_letters += 1,
                Done::Erased => erased.orders += 1,
                Done::Nothing => {}
                Done::Open(_) if is_letter => remaining.dead_letters.push(Letter::id(&key)),
                Done::Open(method) => {
                    charged.extend(method);
                    remaining.orders.push(key);
                }
            }
        }
        if page.next.is_none() {
            return Ok(true);
        }
        range.after = page.next;
    }
}

async fn erase_item(
    state: &State,
    shopper: &ShopperReference,
    listed: &Listed,
    until: Instant,
) -> Result<Done, StoreError> {
    let erased = match Class::of(&listed.key) {
        Some(_) => erase_letter(state, &listed.key, until).await,
        None => erase_order(state, shopper, listed, until).await,
    };
    match erased {
        Err(error) if error.is_permanent() => {
            tracing::error!(reference = listed.key, %error, "an item could not be erased");
            Ok(Done::Open(None))
        }
        erased => erased,
    }
}

async fn erase_order(
    state: &State,
    shopper: &ShopperReference,
    listed: &Listed,
    until: Instant,
) -> Result<Done, StoreError> {
    let reference = listed.key.parse().map_err(|_| StoreError::Unreadable("an order's key"))?;
    let act = |order: &mut Option<Order>| {
        let Some(order) = order.as_mut().filter(|order| order.is_of(shopper)) else {
            return Ok(Done::Nothing);
        };
        if order.erase(clock::now()) {
            return Ok(Done::Erased);
        }
        let sent = order.charge_in_doubt();
        Ok::<_, StoreError>(Done::Open(sent.and_then(|it| it.stored_payment_method_id.clone())))
    };
    let (_, done) = state.orders.within(until).change(&reference, Start::Read, act).await?;
    Ok(done)
}

/// Deletes a letter that was applied or discarded. Any other may report a movement of money.
async fn erase_letter(state: &State, key: &str, until: Instant) -> Result<Done, StoreError> {
    match state.orders.letter(key).await? {
        None => Ok(Done::Nothing),
        Some(letter) if letter.handled.is_none() => Ok(Done::Open(None)),
        Some(_) => {
            state.orders.within(until).discard(key).await?;
            Ok(Done::Erased)
        }
    }
}

/// Removes the shopper's stored payment methods at Adyen and in the table, except those that may
/// still be charged. Returns false if the time was over before.
async fn erase_tokens(
    state: &State,
    shopper: &ShopperReference,
    until: Instant,
    erasure: &mut Erasure,
    charged: &BTreeSet<String>,
) -> Result<bool, Problem> {
    let known = state.tokens.of_shopper(shopper).await?;
    let mut found: BTreeMap<String, Option<TokenStatus>> = known
        .iter()
        .map(|token| (token.key.stored_payment_method_id.to_string(), Some(token.status())))
        .collect();
    // Everything is left until it was removed.
    let left = |found: &BTreeMap<String, _>| found.keys().cloned().collect();
    erasure.remaining.stored_payment_methods = left(&found);
    let listed = state
        .adyen
        .list_recurring_details(&state.merchant_account, shopper, until)
        .await
        .map_err(|error| edge::unanswered(&error))?;
    for detail in listed.details {
        found.entry(detail.recurring_detail_reference).or_default();
    }
    erasure.remaining.stored_payment_methods = left(&found);
    for (id, status) in found {
        if charged.contains(&id) {
            continue;
        }
        if Instant::now() >= until - limits::ERASE_RESERVE {
            return Ok(false);
        }
        let stored_payment_method_id = Text::try_from(id.clone())
            .map_err(|error| Problem::new(Code::AdyenUnavailable, UNUSABLE).caused_by(error))?;
        let key = TokenId { shopper_reference: shopper.clone(), stored_payment_method_id };
        erase_token(state, &key, status, until).await?;
        erasure.erased.stored_payment_methods += 1;
        erasure.remaining.stored_payment_methods.retain(|left| *left != id);
    }
    match listed.complete {
        true => Ok(true),
        false => Err(Problem::new(Code::AdyenUnavailable, UNUSABLE)),
    }
}

const UNUSABLE: &str = "Adyen's list of the shopper's stored payment methods has an entry that cannot \
                        be read. Remove it in the Customer Area, and repeat the request.";

/// Marks the token first, so that neither Adyen's webhook about the removal nor a late one stores it
/// again.
async fn erase_token(
    state: &State,
    key: &TokenId,
    status: Option<TokenStatus>,
    until: Instant,
) -> Result<(), Problem> {
    let tokens = state.tokens.within(until);
    tokens.mark_erased(key).await?;
    match remove_at_adyen(state, key, until).await? {
        Removal::NotFound(error) if status != Some(TokenStatus::Disabled) => {
            return Err(edge::unanswered(&error));
        }
        _ => {}
    }
    Ok(tokens.delete(key).await?)
}
