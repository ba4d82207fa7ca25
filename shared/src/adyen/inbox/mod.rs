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

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    adyen::webhook::{self, Webhook},
    platform::{
        config::{Environment, Settings, text},
        observe,
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

/// The reason for which an event is not applied.
enum Unapplied {
    /// It concerns neither a payment nor a token.
    Ignored(&'static str),
    /// It can never be applied as it is.
    Dead(&'static str),
    /// It belongs to another environment or merchant account.
    Foreign,
}

impl Unapplied {
    fn why(&self) -> &'static str {
        match self {
            Self::Ignored(why) | Self::Dead(why) => why,
            Self::Foreign => "it belongs to another environment or merchant account",
        }
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
        match webhook {
            Webhook::Standard(notification) => {
                for at in 0..notification.notification_items.len() {
                    self.store_item(notification, at, delivery).await?;
                }
                Ok(())
            }
            Webhook::Token(notification) => {
                self.store_token(notification, delivery).await.map(drop)
            }
        }
    }

    /// Stores the event of a letter as if it was delivered now. Returns the reason if it is still not
    /// applied; it is kept again then, unless it concerns neither a payment nor a token.
    ///
    /// # Errors
    /// [`StoreError`] if it was not stored.
    pub async fn store_again(&self, letter: &Letter) -> Result<Option<String>, StoreError> {
        let delivery = Delivery {
            body: &letter.body,
            signature: letter.signature.as_deref(),
            received_at: letter.received_at,
        };
        let webhook = webhook::read(&letter.body);
        match webhook.map_err(|_| StoreError::Unreadable("a kept notification"))? {
            Webhook::Standard(notification) => {
                self.store_item(&notification, letter.item, delivery).await
            }
            Webhook::Token(notification) => self.store_token(&notification, delivery).await,
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

    async fn keep(&self, class: Class, letter: &Letter) -> Result<(), StoreError> {
        self.orders.keep(class, letter).await?;
        match class {
            Class::Dead => observe::dead_letter(),
            Class::Foreign => observe::foreign(),
        }
        Ok(())
    }
}
