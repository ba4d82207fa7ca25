//! The token notification: what became of stored payment methods.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::{
    adyen::token_notification::{TokenEventType, TokenNotification},
    observe::{self, Metric},
    problem::Problem,
    reference::Reference,
    store::StoreError,
    token::{Token, TokenEvent, TokenKey},
};

use crate::{State, invalid_signature, unreadable};

/// The header with the signature of the body.
pub const SIGNATURE: &str = "hmacsignature";

/// Verifies the body, then stores what it tells.
pub async fn receive(
    state: &State,
    headers: &HeaderMap,
    body: &[u8],
    notification: Map<String, Value>,
) -> Result<(), Problem> {
    let signature = headers
        .get(SIGNATURE)
        .and_then(|signature| signature.to_str().ok())
        .ok_or_else(invalid_signature)?;
    let signer = state.keys.accepted(|keys| keys.verify(body, signature));
    let position = signer.await.ok_or_else(invalid_signature)?;
    observe::count(Metric::HmacKeyMatched(position + 1));
    let notification: TokenNotification = serde_json::from_value(Value::Object(notification))
        .map_err(|error| unreadable(format!("The body is no token notification: {error}.")))?;
    let kind = notification.kind.as_ref().map_or("", |kind| kind.as_str());
    let event_id = notification.event_id.as_deref().unwrap_or_default();
    observe::count(Metric::WebhookEvent(kind.to_owned()));
    match event(state, &notification) {
        Ok((key, event)) => store(state, &key, event).await,
        Err(why) => {
            observe::outcome("ignored");
            tracing::warn!(
                kind,
                eventId = event_id,
                "a notification that is applied to nothing: {why}"
            );
            Ok(())
        }
    }
}

/// The event to store, or why there is none.
fn event(
    state: &State,
    notification: &TokenNotification,
) -> Result<(TokenKey, TokenEvent), &'static str> {
    if matches!(&notification.kind, None | Some(TokenEventType::Unknown(_))) {
        return Err("of a kind not known here");
    }
    let environment = if state.live { "live" } else { "test" };
    let named = notification.environment.as_deref().unwrap_or_default();
    if !named.eq_ignore_ascii_case(environment) {
        return Err("another environment's");
    }
    let data = notification.data.as_ref();
    let merchant_account = data.and_then(|data| data.merchant_account.as_deref());
    if merchant_account != Some(state.merchant_account.as_str()) {
        return Err("another merchant account's");
    }
    let event = TokenEvent::from_notification(notification, Timestamp::now());
    event.ok_or("without what identifies it")
}

async fn store(state: &State, key: &TokenKey, mut event: TokenEvent) -> Result<(), Problem> {
    if event.names_payment() {
        event.reference = state.orders.of_payment(&event.event_id).await?;
        event.reference.iter().for_each(observe::reference);
        observe::payment(&event.event_id);
    }
    let changed = state
        .tokens
        .change(key, |token| {
            let known = token.clone();
            token
                .get_or_insert_with(|| Token::new(key.clone(), Timestamp::now()))
                .record(event.clone());
            Ok::<_, StoreError>(*token != known)
        })
        .await;
    let token = match changed {
        Ok((token, news)) => {
            observe::heard(news);
            token
        }
        // Adyen's list of what the shopper stored has it all the same.
        Err(error) if error.is_permanent() => {
            observe::set_aside();
            tracing::error!(
                %error,
                kind = event.kind.as_str(),
                eventId = event.event_id,
                "an event that its token cannot take"
            );
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    tracing::info!(
        kind = event.kind.as_str(),
        eventId = event.event_id,
        status = ?token.map(|token| token.status()),
        reference = event.reference.as_ref().map(Reference::as_str),
        "token event stored"
    );
    Ok(())
}
