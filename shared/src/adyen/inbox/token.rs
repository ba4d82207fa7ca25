//! Stores token notifications with their stored payment methods.

use super::{Delivery, Inbox, Unapplied};
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
    /// Returns the reason if the event is not applied.
    pub(super) async fn store_token(
        &self,
        notification: &TokenNotification,
        delivery: Delivery<'_>,
    ) -> Result<Option<String>, StoreError> {
        let letter = letter(notification, delivery);
        let (key, event) = match self.classify_token(notification, &letter) {
            Ok(event) => event,
            Err(unapplied) => return self.handle_unapplied_token(unapplied, letter).await,
        };
        observe::count(Metric::WebhookEvent(event.kind.to_string()));
        match self.apply_token(&key, event).await {
            Err(error) if error.is_permanent() => {
                self.dead_token(Letter { why: error.to_string(), ..letter }).await
            }
            applied => applied.map(|()| None),
        }
    }

    async fn apply_token(&self, key: &TokenId, mut event: TokenEvent) -> Result<(), StoreError> {
        if event.names_payment() {
            event.reference = self.orders.of_payment(&event.event_id).await?;
            event.reference.iter().for_each(observe::reference);
            observe::payment(&event.event_id);
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
        observe::webhook_stored(news);
        tracing::info!(
            kind = event.kind.as_str(),
            eventId = event.event_id,
            status = ?token.map(|token| token.status()),
            reference = event.reference.as_ref().map(Reference::as_str),
            "token event stored"
        );
        Ok(())
    }

    /// The event to apply, or the reason not to.
    fn classify_token(
        &self,
        notification: &TokenNotification,
        letter: &Letter,
    ) -> Result<(TokenId, TokenEvent), Unapplied> {
        if notification.is_garbled {
            return Err(Unapplied::Dead("an identifying field is unreadable"));
        }
        if matches!(&notification.kind, None | Some(TokenEventType::Unknown(_))) {
            return Err(Unapplied::Ignored("its kind is unknown"));
        }
        if !self.is_ours(&letter.environment, &letter.merchant_account) {
            return Err(Unapplied::Foreign);
        }
        notification
            .event(letter.received_at)
            .ok_or(Unapplied::Dead("an identifying field is missing or too long"))
    }

    async fn handle_unapplied_token(
        &self,
        unapplied: Unapplied,
        letter: Letter,
    ) -> Result<Option<String>, StoreError> {
        let why = unapplied.why();
        let letter = Letter { why: why.to_owned(), ..letter };
        let [kind, event_id] = names(&letter);
        match unapplied {
            Unapplied::Ignored(why) => {
                observe::count(Metric::WebhookEvent(kind.to_owned()));
                observe::outcome("ignored");
                tracing::warn!(kind, eventId = event_id, "token event ignored: {why}");
            }
            Unapplied::Dead(_) => {
                observe::count(Metric::WebhookEvent(kind.to_owned()));
                return self.dead_token(letter).await;
            }
            Unapplied::Foreign => {
                self.keep(Class::Foreign, &letter).await?;
                tracing::error!(
                    kind,
                    eventId = event_id,
                    environment = letter.environment,
                    merchantAccount = letter.merchant_account,
                    "token event of another environment or merchant account kept for 90 days"
                );
            }
        }
        Ok(Some(why.to_owned()))
    }

    async fn dead_token(&self, letter: Letter) -> Result<Option<String>, StoreError> {
        self.keep(Class::Dead, &letter).await?;
        let [kind, event_id] = names(&letter);
        let why = &letter.why;
        tracing::error!(kind, eventId = event_id, why, "token event kept as a dead letter");
        Ok(Some(letter.why))
    }
}

/// The letter in which an event that cannot be applied is kept.
fn letter(notification: &TokenNotification, delivery: Delivery<'_>) -> Letter {
    let text = |field: Option<&String>| field.cloned().unwrap_or_default();
    let data = notification.data.as_ref();
    let account = data.and_then(|data| data.merchant_account.as_ref());
    Letter {
        name: vec![
            notification.kind.as_ref().map_or("", TokenEventType::as_str).to_owned(),
            text(notification.event_id.as_ref()),
        ],
        environment: text(notification.environment.as_ref()).to_ascii_lowercase(),
        merchant_account: text(account),
        named: String::new(),
        body: delivery.body.to_vec(),
        item: 0,
        signature: delivery.signature.map(str::to_owned),
        signed: sha256(&[delivery.body]),
        received_at: delivery.received_at,
        why: String::new(),
        event: None,
        handled: None,
    }
}

/// The kind and the `eventId`.
fn names(letter: &Letter) -> [&str; 2] {
    [0, 1].map(|at| letter.name.get(at).map_or("", String::as_str))
}
