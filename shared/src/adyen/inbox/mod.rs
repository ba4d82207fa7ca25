//! Stores verified notifications.
//!
//! Every event is stored before it is acknowledged: with its order or token, in the pointer of a
//! payment that no order knows yet, or unchanged. It is kept unchanged as a *dead letter*, without
//! expiry, if it can never be applied, so that a person can look at it. It is kept as *foreign*
//! for 90 days if it belongs to another environment or merchant account, so that it can be taken
//! over after the deployment's configuration was corrected. Only events that concern neither a
//! payment nor a token are ignored.

mod standard;
mod token;

use std::borrow::Cow;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    adyen::webhook::{self, Webhook},
    domain::{order::AdyenEvent, reference::Reference, shopper_reference::ShopperReference},
    platform::{
        config::{Environment, Settings, text},
        observe::{self, Metric},
    },
    store::{Class, Letter, Orders, StoreError, Tokens},
};

pub struct Inbox {
    /// Also has the pointers of payments, dead letters and foreign events.
    pub orders: Orders,
    pub tokens: Tokens,
    merchant_account: String,
    environment: Environment,
}

#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The bytes exactly as received.
    pub body: &'a [u8],
    /// The header `hmacsignature`, which only token webhooks have.
    pub signature: Option<&'a str>,
    pub received_at: Timestamp,
}

/// An event that is not applied.
struct Unapplied {
    /// The class of the letter in which it is kept. None if it concerns neither a payment nor a
    /// token, because then it is ignored.
    class: Option<Class>,
    why: Cow<'static, str>,
    /// The event if it could be read.
    event: Option<Box<AdyenEvent>>,
}

impl Unapplied {
    fn ignored(why: &'static str) -> Self {
        Self { class: None, why: why.into(), event: None }
    }

    fn dead(why: impl Into<Cow<'static, str>>) -> Self {
        Self { class: Some(Class::Dead), why: why.into(), event: None }
    }

    fn foreign() -> Self {
        let why = "it belongs to another environment or merchant account";
        Self { class: Some(Class::Foreign), why: why.into(), event: None }
    }
}

impl Inbox {
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text);
        let environment = Environment::read(settings);
        let orders = Orders::read(settings);
        let tokens = Tokens::read(settings);
        Some(Self {
            orders: orders?,
            tokens: tokens?,
            merchant_account: merchant_account?,
            environment: environment?,
        })
    }

    /// The same inbox, with writes that are retried until `deadline`.
    pub fn within(&self, deadline: Instant) -> Self {
        Self {
            orders: self.orders.within(deadline),
            tokens: self.tokens.within(deadline),
            merchant_account: self.merchant_account.clone(),
            environment: self.environment,
        }
    }

    /// Stores every event of a delivery whose signatures were all verified.
    ///
    /// # Errors
    /// [`StoreError`] if an event was not stored. The same delivery can then be stored again.
    pub async fn store(&self, webhook: &Webhook, delivery: Delivery<'_>) -> Result<(), StoreError> {
        let events = match webhook {
            Webhook::Standard(notification) => notification.notification_items.len(),
            Webhook::Token(_) => 1,
        };
        for at in 0..events {
            // Adyen sends the whole delivery again, and the events that were stored are duplicates.
            if self.orders.is_late() {
                return Err(StoreError::Unavailable("the delivery has too many events".to_owned()));
            }
            self.store_event(webhook, at, delivery).await?;
        }
        Ok(())
    }

    /// Stores the event of a letter as if it was delivered now, so that it is kept in another
    /// letter if it is not applied.
    ///
    /// # Errors
    /// [`StoreError`] if it was not stored.
    pub async fn store_again(&self, letter: &Letter) -> Result<(), StoreError> {
        let delivery = Delivery {
            body: &letter.body,
            signature: letter.signature.as_deref(),
            received_at: letter.received_at,
        };
        self.store_event(&delivered(letter)?, letter.item, delivery).await
    }

    /// Applies the event of a letter that was delivered with `webhook`, as if it was delivered now.
    /// Returns the reason if it still cannot be applied. The letter stays as it is in either case.
    ///
    /// # Errors
    /// [`StoreError`] if it was not applied, but may be later.
    pub async fn apply(
        &self,
        webhook: &Webhook,
        letter: &Letter,
    ) -> Result<Option<String>, StoreError> {
        let unapplied = match webhook {
            Webhook::Standard(notification) => {
                self.apply_item(notification, letter.item, letter.received_at).await?
            }
            Webhook::Token(notification) => {
                self.apply_token(notification, letter.received_at).await?
            }
        };
        Ok(unapplied.map(|unapplied| unapplied.why.into_owned()))
    }

    async fn store_event(
        &self,
        webhook: &Webhook,
        at: usize,
        delivery: Delivery<'_>,
    ) -> Result<(), StoreError> {
        match webhook {
            Webhook::Standard(notification) => self.store_item(notification, at, delivery).await,
            Webhook::Token(notification) => self.store_token(notification, delivery).await,
        }
    }

    /// True if this deployment has that environment and merchant account.
    pub fn is_ours(&self, environment: &str, merchant_account: &str) -> bool {
        environment == self.environment.as_str() && merchant_account == self.merchant_account
    }

    /// The environment and merchant account of this deployment, for the keys of foreign events.
    pub fn owner(&self) -> [&str; 2] {
        [self.environment.as_str(), &self.merchant_account]
    }

    /// The shopper of the order that a letter names, or whose payment it names. None if the order
    /// can never be read, because the letter must be kept all the same.
    async fn shopper_of(&self, letter: &Letter) -> Result<Option<ShopperReference>, StoreError> {
        if let Ok(named) = letter.named.parse()
            && let Some(shopper) = self.shopper_of_order(&named).await?
        {
            return Ok(Some(shopper));
        }
        let payments = letter.event.iter().map(AdyenEvent::payment);
        // One of the first two names is a pspReference.
        for payment in payments.chain(letter.name.iter().take(2).map(String::as_str)) {
            if let Some(reference) = readable(self.orders.of_payment(payment).await)?
                && let Some(shopper) = self.shopper_of_order(&reference).await?
            {
                return Ok(Some(shopper));
            }
        }
        Ok(None)
    }

    async fn shopper_of_order(
        &self,
        reference: &Reference,
    ) -> Result<Option<ShopperReference>, StoreError> {
        let order = readable(self.orders.get(reference).await)?;
        Ok(order.and_then(|order| order.shopper_reference?.try_into().ok()))
    }

    /// Keeps an event that is not applied, unless it is ignored. Returns its letter.
    async fn keep(&self, unapplied: Unapplied, letter: Letter) -> Result<Letter, StoreError> {
        let Unapplied { class, why, event } = unapplied;
        let event = event.map(|event| *event);
        let mut letter = Letter { why: why.into_owned(), event, ..letter };
        if class == Some(Class::Dead) && letter.shopper_reference.is_none() {
            letter.shopper_reference = self.shopper_of(&letter).await?;
        }
        if let Some(class) = class {
            self.orders.keep(class, &letter).await?;
        }
        match class {
            Some(Class::Dead) => observe::dead_letter(),
            Some(Class::Foreign) => observe::foreign(),
            None => observe::outcome("ignored"),
        }
        Ok(letter)
    }
}

/// None if the item can never be read.
fn readable<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(error) if error.is_permanent() => Ok(None),
        read => read,
    }
}

/// Counts an event that is not applied, unless it is of another deployment.
fn count_unapplied(class: Option<Class>, event_code: &str) {
    if class != Some(Class::Foreign) {
        observe::count(Metric::WebhookEvent(event_code.to_owned()));
    }
}

/// The webhook with which the event of a letter was delivered.
///
/// # Errors
/// [`StoreError::Unreadable`] if this version cannot read it.
pub fn delivered(letter: &Letter) -> Result<Webhook, StoreError> {
    webhook::read(&letter.body).map_err(|_| StoreError::Unreadable("a kept notification"))
}
