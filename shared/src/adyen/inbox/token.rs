//! Stores token notifications with their stored payment methods.

use jiff::Timestamp;

use super::{Delivery, Inbox, Unapplied, count_unapplied, readable};
use crate::{
    adyen::token_notification::TokenNotification,
    clock,
    domain::{
        order::sha256,
        reference::Reference,
        token::{Token, TokenEvent, TokenEventType, TokenId},
    },
    platform::observe::{self, Metric},
    store::{Class, Letter, StoreError},
};

impl Inbox {
    /// Stores the event: applies it, or keeps it.
    pub(super) async fn store_token(
        &self,
        notification: &TokenNotification,
        delivery: Delivery<'_>,
    ) -> Result<(), StoreError> {
        let Some(unapplied) = self.apply_token(notification, delivery.received_at).await? else {
            return Ok(());
        };
        let class = unapplied.class;
        let letter = self.keep(unapplied, letter(notification, delivery)).await?;
        let [kind, event_id] = names(&letter);
        count_unapplied(class, kind);
        let why = &letter.why;
        match class {
            None => tracing::warn!(kind, eventId = event_id, "token event ignored: {why}"),
            Some(Class::Dead) => {
                tracing::error!(kind, eventId = event_id, why, "token event kept as a dead letter");
            }
            Some(Class::Foreign) => tracing::error!(
                kind,
                eventId = event_id,
                environment = letter.environment,
                merchantAccount = letter.merchant_account,
                "token event of another environment or merchant account kept for 90 days"
            ),
        }
        Ok(())
    }

    /// Applies the event, or returns it unapplied.
    pub(super) async fn apply_token(
        &self,
        notification: &TokenNotification,
        received_at: Timestamp,
    ) -> Result<Option<Unapplied>, StoreError> {
        let (key, event) = match self.classify_token(notification, received_at) {
            Ok(event) => event,
            Err(unapplied) => return Ok(Some(unapplied)),
        };
        match self.record_token(&key, event).await {
            Ok(()) => Ok(None),
            Err(error) if error.is_permanent() => Ok(Some(Unapplied::dead(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    async fn record_token(&self, key: &TokenId, mut event: TokenEvent) -> Result<(), StoreError> {
        if event.names_payment() {
            event.reference = self.orders.of_payment(&event.event_id).await?;
            event.reference.iter().for_each(observe::reference);
            observe::payment(&event.event_id);
        }
        if let Some(reference) = &event.reference
            && let Some(order) = readable(self.orders.get(reference).await)?
            && order.is_erased()
        {
            // The token is new, and later events of it name no payment.
            self.tokens.mark_erased(key).await?;
        }
        let (token, news) = self
            .tokens
            .change(key, |token| {
                let known = token.clone();
                token
                    .get_or_insert_with(|| Token::new(key.clone(), clock::now()))
                    .record(event.clone());
                Ok::<_, StoreError>(*token != known)
            })
            .await?;
        observe::count(Metric::WebhookEvent(event.kind.to_string()));
        let (kind, event_id) = (event.kind.as_str(), &event.event_id);
        let Some(token) = token else {
            observe::outcome("ignored");
            tracing::info!(
                kind,
                eventId = event_id,
                "event of an erased stored payment method ignored"
            );
            return Ok(());
        };
        observe::webhook_stored(news);
        tracing::info!(
            kind,
            eventId = event_id,
            status = ?token.status(),
            reference = event.reference.as_ref().map(Reference::as_str),
            "token event stored"
        );
        Ok(())
    }

    /// The event to apply, or the reason not to.
    fn classify_token(
        &self,
        notification: &TokenNotification,
        received_at: Timestamp,
    ) -> Result<(TokenId, TokenEvent), Unapplied> {
        if notification.is_garbled {
            return Err(Unapplied::dead("an identifying field is unreadable"));
        }
        if matches!(&notification.kind, None | Some(TokenEventType::Unknown(_))) {
            return Err(Unapplied::ignored("its kind is unknown"));
        }
        let [environment, merchant_account] = owner(notification);
        if !self.is_ours(&environment, &merchant_account) {
            return Err(Unapplied::foreign());
        }
        notification
            .event(received_at)
            .ok_or(Unapplied::dead("an identifying field is missing or too long"))
    }
}

/// The environment and merchant account.
fn owner(notification: &TokenNotification) -> [String; 2] {
    let data = notification.data.as_ref();
    let account = data.and_then(|data| data.merchant_account.as_ref());
    let environment = notification.environment.as_ref();
    [
        environment.map_or_else(String::new, |environment| environment.to_ascii_lowercase()),
        account.cloned().unwrap_or_default(),
    ]
}

/// The letter in which an event that cannot be applied is kept.
fn letter(notification: &TokenNotification, delivery: Delivery<'_>) -> Letter {
    let text = |field: Option<&String>| field.cloned().unwrap_or_default();
    let [environment, merchant_account] = owner(notification);
    let shopper = notification.data.as_ref().and_then(|data| data.shopper_reference.clone());
    Letter {
        name: vec![
            notification.kind.as_ref().map_or("", TokenEventType::as_str).to_owned(),
            text(notification.event_id.as_ref()),
        ],
        environment,
        merchant_account,
        named: String::new(),
        body: delivery.body.to_vec(),
        item: 0,
        signature: delivery.signature.map(str::to_owned),
        signed: sha256(&[delivery.body]),
        received_at: delivery.received_at,
        why: String::new(),
        shopper_reference: shopper.and_then(|shopper| shopper.try_into().ok()),
        event: None,
        handled: None,
    }
}

/// The kind and the `eventId`.
fn names(letter: &Letter) -> [&str; 2] {
    [0, 1].map(|at| letter.name.get(at).map_or("", String::as_str))
}
