//! The orders table: one item for each order, and one pointer for each payment.
//!
//! Orders use optimistic locking. [`Orders::change`] reads an order, applies a pure function and
//! writes the result if `version` is unchanged; on a conflict it retries with the newer order.
//! [`Orders::update`] does the same for an order already loaded. [`Orders::postpone`] is the only
//! other write, and changes only the order's place in the index.
//!
//! A pointer item, key `psp#<pspReference>`, maps a payment or a dispute to its order. It is
//! written in one transaction with the order, so that neither exists without the other. Until an
//! order claims the payment, the item parks Adyen's events about it for 90 days. A pointer never
//! changes its order: if a second order names the payment, both orders record it as contested and
//! need attention.
//!
//! A notification that cannot be applied is stored byte for byte. A dead letter never expires; its
//! key is `dead#<pspReference>#<eventCode>#<success>`. A notification of another environment or
//! merchant account expires after 90 days; its key is `foreign#<environment>#<merchantAccount>#`
//! and the same. Notifications about stored payment methods have `<type>#<eventId>` instead.
//!
//! The calls to DynamoDB, if no other process writes the same order at the same time:
//!
//! | | calls |
//! |---|---|
//! | a payment | put (attempt); transaction of two writes (answer, pointer) |
//! | a payment that needs 3-D Secure | put (attempt); put (answer) |
//! | its details | get; put (in flight); transaction of two writes (answer, pointer) |
//! | a payment after a refusal | put, which returns the order; put (attempt); transaction of two writes |
//! | a repeated payment | put, which returns the order |
//! | a webhook | get; put |
//! | a webhook with a new pspReference | get; transaction of two writes |
//! | a status query | get |
//! | a page of a list | a query for each of four shards, or of four for each status |

mod letters;
mod list;
mod open;
mod pointers;
mod write;

pub use self::{
    letters::{Class, Handled, Handling, Letter},
    list::{Cursor, ListPage, Listed, Listing, Range},
    open::{Due, Page, Place},
};

use std::collections::HashMap;
use std::pin::Pin;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use tokio::time::Instant;

use self::{
    pointers::{Parked, Pointer},
    write::{Conflict, Write},
};
use super::{Item, StoreError, patience::Patience, read};
use crate::{
    clock,
    domain::{
        order::{AdyenEvent, Order},
        reference::Reference,
    },
    platform::{
        config::{Settings, text},
        observe::{self, Metric},
    },
};

#[derive(Debug, Clone)]
pub struct Orders {
    client: Client,
    table: String,
    /// The time until which changes are retried, if a caller waits for them.
    deadline: Option<Instant>,
}

/// The first step of a change.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// Read the order first.
    Read,
    /// Skip the read, because the order is probably new. If it is not, the failed write returns it.
    New,
}

impl Orders {
    /// Reads the table's configuration.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let table = settings.or("ORDERS_TABLE", "orders", text);
        let sdk = settings.sdk("AWS_ENDPOINT_URL_DYNAMODB");
        Some(Self { client: super::client(&sdk?), table: table?, deadline: None })
    }

    /// Returns the same table for work that must end at `deadline`. Changes are retried until then
    /// if DynamoDB throttles them or others change the same order; without a deadline, for 8
    /// seconds.
    pub fn within(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// True if the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Reads an order with a consistent read.
    pub async fn get(&self, reference: &Reference) -> Result<Option<Order>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("reference", text_value(reference.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let order = output.item.map(order).transpose()?;
        order.iter().for_each(observe::order);
        Ok(order)
    }

    /// Changes an order. `act` changes the current order in place, or creates it if there is none.
    /// After a conflict `act` is called again with the newer order, so it must not have side
    /// effects. An unchanged order is not written.
    ///
    /// # Errors
    /// Returns the error of `act`, or a [`StoreError`].
    pub async fn change<T, E: From<StoreError>>(
        &self,
        reference: &Reference,
        start: Start,
        act: impl FnMut(&mut Option<Order>) -> Result<T, E>,
    ) -> Result<(Option<Order>, T), E> {
        let before = match start {
            Start::Read => Patience::new(self.deadline).call(|| self.get(reference)).await?,
            Start::New => None,
        };
        self.change_from(reference, before, act).await
    }

    /// Changes an order that was just read or written, as [`Orders::change`] does.
    ///
    /// # Errors
    /// Returns the error of `act`, or a [`StoreError`].
    pub async fn update<T, E: From<StoreError>>(
        &self,
        order: Order,
        mut act: impl FnMut(&mut Order) -> Result<T, E>,
    ) -> Result<(Order, T), E> {
        let reference = order.reference.clone();
        let (order, value) = self
            .change_from(&reference, Some(order), |order| match order {
                Some(order) => act(order),
                None => Err(StoreError::Gone.into()),
            })
            .await?;
        Ok((order.ok_or(StoreError::Gone)?, value))
    }

    async fn change_from<T, E: From<StoreError>>(
        &self,
        reference: &Reference,
        mut before: Option<Order>,
        mut act: impl FnMut(&mut Option<Order>) -> Result<T, E>,
    ) -> Result<(Option<Order>, T), E> {
        let mut patience = Patience::new(self.deadline);
        // The pointers that caused a conflict.
        let mut pointers: HashMap<String, Pointer> = HashMap::new();
        let mut contended = false;
        loop {
            let mut after = before.clone();
            let value = act(&mut after)?;
            let Some(order) = &mut after else {
                return Ok((None, value));
            };
            for pointer in pointers.values() {
                if let Pointer::Parked(Parked { events, .. }) = pointer {
                    for event in events {
                        order.record(event.clone());
                    }
                }
            }
            contest(order, &pointers);
            order.drop_outdated(clock::now());
            observe::order(order);
            if before.as_ref() == Some(&*order) {
                return Ok((after, value));
            }
            StoreError::unless_known(order.schema)?;
            order.begin_version(clock::now());
            let write = Write::new(before.as_ref(), order);
            let conflict = patience.call(|| self.write(&write, &pointers)).await?;
            if conflict.is_some() {
                observe::count(Metric::WriteConflict);
            }
            match conflict {
                None => {
                    observe::attention(reference, &write.changes);
                    for pointer in pointers.values() {
                        if let Pointer::Parked(Parked { count, .. }) = pointer {
                            let count = count.parse().unwrap_or_default();
                            observe::count(Metric::ClaimedEvents(count));
                        }
                    }
                    return Ok((after, value));
                }
                Some(_) if patience.is_over() => {
                    return Err(StoreError::Contended.into());
                }
                // The conflict returned the newer order, so no read is needed.
                Some(Conflict::Order(order)) if !contended => {
                    before = *order;
                    contended = true;
                }
                Some(Conflict::Pointer(payment, pointer)) => {
                    if let Pointer::Order(other) = &pointer
                        && other != reference
                        && write.after.contestable().contains(payment.as_str())
                    {
                        // Write the other order first: if this process ends in between, this
                        // order does not know the payment yet, so a repeated delivery does the
                        // rest.
                        self.contest_elsewhere(other, &payment).await?;
                    }
                    pointers.insert(payment, pointer);
                }
                // Several writers compete. Read the order again, because it is out of date after
                // the pause.
                Some(Conflict::Order(_)) => {
                    patience.pause().await?;
                    before = patience.call(|| self.get(reference)).await?;
                }
            }
        }
    }

    /// Records with an order that another order claims its payment too.
    ///
    /// Boxed, because it changes an order within the change of another. It does not recurse
    /// further, because it does not add a payment to an order.
    fn contest_elsewhere<'a>(
        &'a self,
        reference: &'a Reference,
        payment: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>> {
        Box::pin(async move {
            let act = |order: &mut Option<Order>| {
                if let Some(order) = order {
                    order.contested.insert(payment.to_owned());
                }
                Ok::<_, StoreError>(())
            };
            self.change(reference, Start::Read, act).await.map(|_| ())
        })
    }

    /// Delivers an event to its order and returns the order, or parks the event until an order
    /// claims its payment. `reference` is the order that the event names, if the reference is
    /// well-formed.
    pub async fn deliver(
        &self,
        event: &AdyenEvent,
        reference: Option<&Reference>,
    ) -> Result<Option<Order>, StoreError> {
        if let Some(reference) = reference {
            let (order, claimed) = self
                .change(reference, Start::Read, |order| {
                    let claimed = order.as_mut().filter(|order| order.claims(event));
                    Ok::<_, StoreError>(claimed.map(|order| order.record(event.clone())))
                })
                .await?;
            if let Some(is_new) = claimed {
                observe::webhook_stored(is_new);
                return Ok(order);
            }
        }
        let Some(owner) = self.park(event).await? else {
            observe::outcome("parked");
            observe::count(Metric::ParkedEvent);
            return Ok(None);
        };
        let (order, is_new) = self
            .change(&owner, Start::Read, |order| match order {
                Some(order) => Ok(order.record(event.clone())),
                // Orders are never deleted, so a retry cannot help.
                None => Err(StoreError::Unreadable("the order of a payment's pointer")),
            })
            .await?;
        observe::webhook_stored(is_new);
        Ok(order)
    }
}

/// Records with an order which of its payments point to another order.
fn contest(order: &mut Order, pointers: &HashMap<String, Pointer>) {
    let payments = order.contestable();
    let elsewhere = pointers.iter().filter(|(payment, pointer)| {
        matches!(pointer, Pointer::Order(other) if *other != order.reference)
            && payments.contains(payment.as_str())
    });
    let contested: Vec<String> = elsewhere.map(|(payment, _)| payment.clone()).collect();
    order.contested.extend(contested);
}

fn order(item: Item) -> Result<Order, StoreError> {
    read(item, &[&write::DERIVED[..], &list::ATTRIBUTES].concat())
}

fn text_value(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
