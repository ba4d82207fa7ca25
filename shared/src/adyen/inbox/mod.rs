//! Notifications whose signature was verified, on their way to the orders and tokens.
//!
//! Every event ends up in a table before it is acknowledged: with its order or token, with the
//! pointer of a payment that no order has learned of, or kept as it came. It is kept as a *dead
//! letter*, for good, where it cannot be applied: a person must look at it. It is kept as
//! *foreign*, for 90 days, where it is of another environment or merchant account: a deployment
//! whose configuration was mended takes it over. Only what is about no payment and no token is
//! ignored.

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

/// Where notifications go.
pub struct Inbox {
    /// The orders, their payments' pointers, and what is kept.
    pub orders: Orders,
    /// The stored payment methods.
    pub tokens: Tokens,
    merchant_account: String,
    environment: Environment,
}

/// A notification as it was delivered.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The body, byte by byte.
    pub body: &'a [u8],
    /// The signature that came in a header.
    pub signature: Option<&'a str>,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// Why an event is not applied.
enum Unapplied {
    /// It is about no payment and no token, so that nothing is lost without it.
    Ignored(&'static str),
    /// It can never be applied as it is.
    Dead(&'static str),
    /// It is another environment's or merchant account's.
    Foreign,
}

impl Inbox {
    /// Reads what the inbox needs.
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

    /// The same inbox, for work that has until `deadline`.
    pub fn within(&self, deadline: Instant) -> Self {
        Self {
            orders: self.orders.within(deadline),
            tokens: self.tokens.within(deadline),
            merchant_account: self.merchant_account.clone(),
            environment: self.environment,
        }
    }

    /// Stores every event of a delivery. All of it must have been verified.
    ///
    /// # Errors
    /// [`StoreError`] if not every event is stored. The same delivery may be stored again.
    pub async fn store(&self, webhook: &Webhook, delivery: Delivery<'_>) -> Result<(), StoreError> {
        match webhook {
            Webhook::Standard(notification) => {
                for at in 0..notification.notification_items.len() {
                    self.store_item(notification, at, delivery).await?;
                }
                Ok(())
            }
            Webhook::Token(notification) => self.store_token(notification, delivery).await,
        }
    }

    /// Applies a foreign event that is this deployment's now.
    ///
    /// # Errors
    /// [`StoreError`] where it is not stored elsewhere now.
    pub async fn take_over(&self, letter: &Letter) -> Result<(), StoreError> {
        let delivery = Delivery {
            body: &letter.body,
            signature: letter.signature.as_deref(),
            received_at: letter.received_at,
        };
        let webhook = webhook::read(&letter.body);
        match webhook.map_err(|_| StoreError::Unreadable("a foreign event"))? {
            Webhook::Standard(notification) => {
                self.store_item(&notification, letter.item, delivery).await
            }
            Webhook::Token(notification) => self.store_token(&notification, delivery).await,
        }
    }

    /// Returns whether an event of that environment and merchant account is this deployment's.
    pub fn is_ours(&self, environment: &str, merchant_account: &str) -> bool {
        environment == self.environment.as_str() && merchant_account == self.merchant_account
    }

    /// The environment and merchant account of this deployment, as keys of kept events have them.
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
