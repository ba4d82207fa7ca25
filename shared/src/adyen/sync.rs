//! Updates tokens from sources other than token webhooks.
//!
//! Adyen's list adds tokens whose webhook was lost, and marks those that it lacks. The answer to
//! a charge, or the AUTHORISATION webhook if that answer was lost, disables a token that was
//! revoked or no longer exists.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    adyen::{
        client::{CallError, Client},
        payments::PaymentResponse,
        recurring::RecurringDetail,
    },
    clock,
    domain::{
        date,
        event_code::EventCode,
        order::{AdyenEvent, Derived, Order},
        reference::Reference,
        shopper_reference::ShopperReference,
        text::Text,
        token::{Token, TokenEvent, TokenEventType, TokenId},
    },
    limits,
    store::{StoreError, Tokens},
};

/// `refusalReasonCode`.
const REVOKED: &str = "50";
/// `refusalReason`, or `reason` of a webhook.
const TOKEN_REVOKED: &str = "Token Revoked";

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Adyen(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Updates a shopper's tokens from Adyen's list, and returns them, including disabled ones.
///
/// # Errors
/// [`SyncError`].
pub async fn sync_tokens(
    adyen: &Client,
    tokens: &Tokens,
    merchant_account: &str,
    shopper_reference: &ShopperReference,
    until: Instant,
) -> Result<Vec<Token>, SyncError> {
    let asked_at = clock::now();
    let listed = adyen.list_recurring_details(merchant_account, shopper_reference, until).await?;
    let complete = listed.complete;
    let mut listed: BTreeMap<String, RecurringDetail> = listed
        .details
        .into_iter()
        .map(|detail| (detail.recurring_detail_reference.clone(), detail))
        .collect();
    let mut synced = Vec::new();
    for known in tokens.of_shopper(shopper_reference).await? {
        let is_listed = listed.remove(&*known.key.stored_payment_method_id).is_some();
        // The list was incomplete, so absence proves nothing; leave this one unchanged.
        let undecided = !is_listed && !complete;
        if undecided || with_listing(&known, is_listed, asked_at) == known {
            synced.push(known);
            continue;
        }
        let act = |token: &mut Option<Token>| {
            if let Some(token) = token {
                *token = with_listing(token, is_listed, asked_at);
            }
            Ok::<_, StoreError>(())
        };
        synced.extend(tokens.change(&known.key, act).await?.0);
    }
    for (id, detail) in listed {
        let Ok(stored_payment_method_id) = Text::try_from(id) else {
            continue;
        };
        let key =
            TokenId { shopper_reference: shopper_reference.clone(), stored_payment_method_id };
        // Its webhook and later ones may have arrived since the table was read, so keep a
        // token that exists.
        let act = |token: &mut Option<Token>| {
            token.get_or_insert_with(|| from_listing(key.clone(), &detail, asked_at));
            Ok::<_, StoreError>(())
        };
        synced.extend(tokens.change(&key, act).await?.0);
    }
    Ok(synced)
}

/// Sets `unlisted_since` if the list lacks the token, and clears it if the list has the token. A
/// newer list prevails, and a token with recent events is not marked because the list may lag.
fn with_listing(token: &Token, listed: bool, asked_at: Timestamp) -> Token {
    let is_young =
        token.last_seen_at().is_some_and(|at| asked_at.duration_since(at) < limits::TOKEN_LIST_LAG);
    let unlisted_since = match token.unlisted_since() {
        // A disabled token does not need the mark.
        _ if token.disabled_at().is_some() => token.unlisted_since,
        since if listed => since.filter(|since| *since > asked_at),
        None if !is_young => Some(asked_at),
        since => since,
    };
    Token { unlisted_since, ..token.clone() }
}

/// A token that is in Adyen's list but not in the table.
fn from_listing(key: TokenId, detail: &RecurringDetail, asked_at: Timestamp) -> Token {
    let variant = detail.payment_method_variant.as_ref();
    let mut token = Token::new(key, asked_at);
    // The same event as its webhook has, so that a late webhook is a duplicate.
    token.record(TokenEvent {
        created_at: detail.creation_date.as_deref().and_then(date::read),
        kind: TokenEventType::Created,
        event_id: detail.first_psp_reference.clone().unwrap_or_default(),
        payment_method: variant.or(detail.variant.as_ref()).cloned(),
        reference: None,
        unknown: Default::default(),
        received_at: asked_at,
    });
    token
}

/// Disables a stored payment method if Adyen answered a charge that it was revoked or does not
/// exist.
///
/// Call it before the answer is stored with the order: if it fails, a retry of the same charge
/// has the same answer and disables the method then.
///
/// # Errors
/// [`StoreError`] if the token could not be stored.
pub async fn after_charge(
    tokens: &Tokens,
    key: &TokenId,
    answered: &Result<PaymentResponse, CallError>,
    reference: &Reference,
) -> Result<(), StoreError> {
    let (psp_reference, why) = match answered {
        Ok(response) if was_revoked(response) => (&response.psp_reference, "revoked"),
        Err(CallError::Rejected { error, .. }) if error.is_gone() => {
            (&error.psp_reference, "gone at Adyen")
        }
        _ => return Ok(()),
    };
    let cause = psp_reference.as_deref().unwrap_or(why);
    disable(tokens, key, cause, reference).await
}

/// Disables the stored payment method that an order charged if an AUTHORISATION webhook reports
/// it as revoked. The answer to the charge may have been lost.
///
/// # Errors
/// [`StoreError`] if the token could not be stored.
pub async fn after_event(
    tokens: &Tokens,
    order: &Order,
    event: &AdyenEvent,
) -> Result<(), StoreError> {
    let refused = event.event_code == EventCode::Authorisation && !event.success;
    if refused
        && event.reason.as_deref().is_some_and(means_revoked)
        && let Some(key) = charged(order, &event.psp_reference)
    {
        disable(tokens, &key, &event.psp_reference, &order.reference).await?;
    }
    Ok(())
}

/// The stored payment method that a payment of an order charged, or `None` if the attempt's
/// submissions charge different ones.
fn charged(order: &Order, psp_reference: &str) -> Option<TokenId> {
    let resolutions = Derived::of(order).attempts;
    let at = resolutions
        .iter()
        .position(|attempt| attempt.psp_reference.as_deref() == Some(psp_reference))?;
    // Adyen processed one of the submissions, but its webhook does not name it.
    let mut keys = order.submissions(at + 1).iter().map(|sent| {
        Some(TokenId {
            stored_payment_method_id: sent.stored_payment_method_id.clone()?.try_into().ok()?,
            shopper_reference: sent.shopper_reference.clone()?.try_into().ok()?,
        })
    });
    let first = keys.next()??;
    keys.all(|key| key.as_ref() == Some(&first)).then_some(first)
}

fn was_revoked(response: &PaymentResponse) -> bool {
    response.refusal_reason_code.as_deref() == Some(REVOKED)
        || response.refusal_reason.as_deref().is_some_and(means_revoked)
}

fn means_revoked(reason: &str) -> bool {
    reason.trim().eq_ignore_ascii_case(TOKEN_REVOKED)
}

async fn disable(
    tokens: &Tokens,
    key: &TokenId,
    cause: &str,
    reference: &Reference,
) -> Result<(), StoreError> {
    let end = TokenEvent::disabled(cause, Some(reference.clone()), clock::now());
    tokens
        .change(key, |token| {
            if let Some(token) = token {
                token.disable(end.clone());
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    tracing::warn!(
        %reference,
        cause,
        "stored payment method disabled"
    );
    Ok(())
}
