//! Brings tokens in line with what Adyen says of them beside its webhooks.
//!
//! In its list: a token whose webhook was lost appears, and the merchant is told of one that is
//! no longer listed. In its answer to a charge, or in what a payment's webhook says should that
//! answer be lost: a token that was revoked or is gone becomes disabled.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    adyen::{
        client::{CallError, Client},
        payments::PaymentResponse,
        recurring::RecurringDetail,
    },
    domain::{
        date,
        event_code::EventCode,
        order::{AdyenEvent, Derived, Order},
        reference::Reference,
        shopper_reference::ShopperReference,
        text::Text,
        token::{Token, TokenEvent, TokenEventType, TokenId},
    },
    store::{StoreError, Tokens},
};

/// A `refusalReasonCode`, and the reason in words.
const REVOKED: &str = "50";
const TOKEN_REVOKED: &str = "Token Revoked";

/// For how long Adyen's list may lag behind what Adyen told of a token.
const LAG: SignedDuration = SignedDuration::from_hours(1);

/// Why tokens were not brought in line.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Adyen did not list them.
    #[error(transparent)]
    Adyen(#[from] CallError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks Adyen what is stored for a shopper, and gives the shopper's tokens as they are then,
/// disabled ones too.
///
/// # Errors
/// [`ReconcileError`].
pub async fn reconcile(
    adyen: &Client,
    tokens: &Tokens,
    merchant_account: &str,
    shopper_reference: &ShopperReference,
    until: Instant,
) -> Result<Vec<Token>, ReconcileError> {
    let asked_at = Timestamp::now();
    let listed = adyen.list_recurring_details(merchant_account, shopper_reference, until).await?;
    let complete = listed.complete;
    let mut listed: BTreeMap<String, RecurringDetail> = listed
        .details
        .into_iter()
        .map(|detail| (detail.recurring_detail_reference.clone(), detail))
        .collect();
    let mut reconciled = Vec::new();
    for known in tokens.of_shopper(shopper_reference).await? {
        let is_listed = listed.remove(&*known.key.stored_payment_method_id).is_some();
        // The list was incomplete, so absence says nothing; leave this one unchanged.
        let undecided = !is_listed && !complete;
        if undecided || with_listing(&known, is_listed, asked_at) == known {
            reconciled.push(known);
            continue;
        }
        let act = |token: &mut Option<Token>| {
            if let Some(token) = token {
                *token = with_listing(token, is_listed, asked_at);
            }
            Ok::<_, StoreError>(())
        };
        reconciled.extend(tokens.change(&known.key, act).await?.0);
    }
    for (id, detail) in listed {
        let Ok(stored_payment_method_id) = Text::try_from(id) else {
            continue;
        };
        let key =
            TokenId { shopper_reference: shopper_reference.clone(), stored_payment_method_id };
        // Its webhook may have come in the meantime, and others after it.
        let act = |token: &mut Option<Token>| {
            token.get_or_insert_with(|| appeared(key.clone(), &detail, asked_at));
            Ok::<_, StoreError>(())
        };
        reconciled.extend(tokens.change(&key, act).await?.0);
    }
    Ok(reconciled)
}

/// A token with the hint that the list lacks it, or without. A newer list, or news of the token
/// that the list may not have yet, say otherwise.
fn with_listing(token: &Token, listed: bool, asked_at: Timestamp) -> Token {
    let is_young = token.last_seen_at().is_some_and(|at| asked_at.duration_since(at) < LAG);
    let unlisted_since = match token.unlisted_since() {
        // A method that has ended needs no hint.
        _ if token.disabled_at().is_some() => token.unlisted_since,
        since if listed => since.filter(|since| *since > asked_at),
        None if !is_young => Some(asked_at),
        since => since,
    };
    Token { unlisted_since, ..token.clone() }
}

/// A token that only the list tells of.
fn appeared(key: TokenId, detail: &RecurringDetail, asked_at: Timestamp) -> Token {
    let variant = detail.payment_method_variant.as_ref();
    let mut token = Token::new(key, asked_at);
    // As its webhook will tell, should it come after all.
    token.record(TokenEvent {
        created_at: detail.creation_date.as_deref().and_then(date::read),
        kind: TokenEventType::Created,
        event_id: detail.first_psp_reference.clone().unwrap_or_default(),
        payment_method: variant.or(detail.variant.as_ref()).cloned(),
        reference: None,
        unknown: Default::default(),
        received_at: Some(asked_at),
    });
    token
}

/// Disables a stored payment method of which Adyen's answer to a charge says that it was
/// revoked or is gone.
///
/// It comes before the answer is kept with the order: should it fail, the same charge sent
/// again gets the same answer and does it then.
///
/// # Errors
/// [`StoreError`] where it could not be disabled.
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

/// Disables the stored payment method that an order charged, where a webhook says that it was
/// revoked. Whether the charge's own answer came does not matter.
///
/// # Errors
/// [`StoreError`] where it could not be disabled.
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

/// The stored payment method that a payment of an order charged, if it is certain which.
fn charged(order: &Order, psp_reference: &str) -> Option<TokenId> {
    let resolutions = Derived::of(order).attempts;
    let at = resolutions
        .iter()
        .position(|attempt| attempt.psp_reference.as_deref() == Some(psp_reference))?;
    // Adyen processed one of the requests; which, it did not say.
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

/// Disables a token for what became of a charge.
async fn disable(
    tokens: &Tokens,
    key: &TokenId,
    cause: &str,
    reference: &Reference,
) -> Result<(), StoreError> {
    let end = TokenEvent::disabled(cause, Some(reference.clone()), Timestamp::now());
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
