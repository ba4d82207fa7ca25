//! The orders table: one item for each order, and one pointer for each payment.
//!
//! Orders use optimistic locking. [`Orders::change`] reads an order, applies a pure function and
//! writes the result if `version` is unchanged; on a conflict it retries with the newer order.
//! [`Orders::update`] does the same for an order already loaded. [`Orders::postpone`] changes only
//! the order's place in the index.
//!
//! A pointer item, key `psp#<pspReference>`, leads from a payment, or from a dispute about
//! one, to its order. It is written in one transaction with the order that learns of it, so
//! that neither is ever there without the other. Until an order does, it keeps what Adyen says
//! of the payment or the dispute, for 90 days. A pointer never changes its order: if a
//! second order learns of the payment, both orders keep it as contested and need attention.
//!
//! A notification that cannot be applied is kept as it came: a dead letter for good, key
//! `dead#<pspReference>#<eventCode>#<success>`; one of another environment or merchant account for
//! 90 days, key `foreign#<environment>#<merchantAccount>#` and the same. Those of stored payment
//! methods have `<type>#<eventId>` instead.
//!
//! What that costs, where nobody else writes the same order at the same moment:
//!
//! | | calls |
//! |---|---|
//! | a payment | put (attempt); transaction of two writes (answer, pointer) |
//! | one that needs 3-D Secure | put (attempt); put (answer) |
//! | its details | get; put (in flight); transaction of two writes (answer, pointer) |
//! | a payment after a refusal | put, which finds the order; put (attempt); transaction of two writes |
//! | the same payment again | put, which finds the order |
//! | a webhook | get; put |
//! | one whose pspReference is new to the order | get; transaction of two writes |
//! | a question about an order | get |

mod letters;
mod open;
mod pointers;
mod write;

pub use self::{
    letters::{Class, Letter},
    open::{Due, Page, Place},
};

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use jiff::Timestamp;
use tokio::time::Instant;

use self::{
    pointers::Pointer,
    write::{Change, Conflict},
};
use super::{Item, StoreError, patience::Patience, read};
use crate::{
    domain::{
        order::{AdyenEvent, Order},
        reference::Reference,
        unknown::SCHEMA,
    },
    platform::{
        config::{Settings, text},
        observe::{self, Metric},
    },
};

/// The orders table.
#[derive(Debug, Clone)]
pub struct Orders {
    client: Client,
    table: String,
    /// Until when changes are tried, where somebody waits for them.
    deadline: Option<Instant>,
}

/// Where a change starts.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// Read the order first.
    Read,
    /// The order is probably new: no read, but for the write that finds it is not.
    New,
}

impl Orders {
    /// Reads what the table needs.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let table = settings.or("ORDERS_TABLE", "orders", text);
        let sdk = settings.sdk("AWS_ENDPOINT_URL_DYNAMODB");
        Some(Self { client: super::client(&sdk?), table: table?, deadline: None })
    }

    /// The same table, for work that has until `deadline`: so long changes are tried while
    /// DynamoDB turns them away or others change the same order. Without one that is 8 seconds.
    pub fn within(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The order of a reference, as of now.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB cannot be read.
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

    /// Changes an order. `act` sees the order as it is, changes it in place (or puts one
    /// where there was none) and may be called again with what others wrote since; it must
    /// not count on being called once. An order that it leaves as it was is not written.
    ///
    /// # Errors
    /// What `act` returns, or a [`StoreError`].
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

    /// Changes an order that was read or written just now, as [`Orders::change`] does.
    ///
    /// # Errors
    /// What `act` returns, or a [`StoreError`].
    pub async fn update<T, E: From<StoreError>>(
        &self,
        order: Order,
        mut act: impl FnMut(&mut Order) -> Result<T, E>,
    ) -> Result<(Order, T), E> {
        let reference = order.reference.clone();
        let (order, value) = self
            .change_from(&reference, Some(order), |order| match order {
                Some(order) => act(order),
                None => Err(StoreError::gone().into()),
            })
            .await?;
        Ok((order.ok_or_else(StoreError::gone)?, value))
    }

    async fn change_from<T, E: From<StoreError>>(
        &self,
        reference: &Reference,
        mut before: Option<Order>,
        mut act: impl FnMut(&mut Option<Order>) -> Result<T, E>,
    ) -> Result<(Option<Order>, T), E> {
        let mut patience = Patience::new(self.deadline);
        // What pointers had to say when they were written.
        let mut pointers: HashMap<String, Pointer> = HashMap::new();
        let mut contended = false;
        loop {
            let mut after = before.clone();
            let value = act(&mut after)?;
            let Some(order) = &mut after else {
                return Ok((None, value));
            };
            for pointer in pointers.values() {
                if let Pointer::Parked(events, _) = pointer {
                    for event in events {
                        order.record(event.clone());
                    }
                }
            }
            contest(order, &pointers);
            order.drop_requests(Timestamp::now());
            observe::order(order);
            if before.as_ref() == Some(&*order) {
                return Ok((after, value));
            }
            StoreError::unless_known(order.schema)?;
            order.schema = SCHEMA;
            order.version += 1;
            order.updated_at = Timestamp::now();
            let change = Change::new(before.as_ref(), order);
            let conflict = patience.call(|| self.write(&change, &pointers)).await?;
            if conflict.is_some() {
                observe::count(Metric::WriteConflict);
            }
            match conflict {
                None => {
                    observe::attention(reference, change.was.as_ref(), &change.is);
                    for pointer in pointers.values() {
                        if let Pointer::Parked(_, count) = pointer {
                            let count = count.parse().unwrap_or_default();
                            observe::count(Metric::ClaimedEvents(count));
                        }
                    }
                    return Ok((after, value));
                }
                Some(_) if patience.is_over() => {
                    return Err(StoreError::passing("too many changes of one order at once").into());
                }
                // Somebody was first, but what they wrote is in hand.
                Some(Conflict::Order(order)) if !contended => {
                    before = *order;
                    contended = true;
                }
                Some(Conflict::Pointer(payment, pointer)) => {
                    let is_dispute = change.after.disputes().contains(payment.as_str());
                    if let Pointer::Order(other) = &pointer
                        && other != reference
                        && !is_dispute
                    {
                        // Write the other order first: if this process ends in between, this
                        // order does not know the payment yet, so a repeated delivery gets here
                        // again.
                        self.contest_elsewhere(other, &payment).await?;
                    }
                    pointers.insert(payment, pointer);
                }
                // Several are at it. After a pause what was in hand is out of date.
                Some(Conflict::Order(_)) => {
                    patience.pause().await;
                    before = patience.call(|| self.get(reference)).await?;
                }
            }
        }
    }

    /// Notes with an order that another one knows of its payment too.
    ///
    /// Boxed, because it is a change of an order within the change of another. It goes no
    /// deeper: what it writes brings no order a new payment.
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

    /// Delivers an event to its order, or parks it until an order claims its payment.
    /// `reference` is the order that the event names, if it names one that can be ours.
    /// Returns the order, where there is one.
    ///
    /// # Errors
    /// [`StoreError`] when the event is not stored.
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
            if let Some(news) = claimed {
                observe::webhook_stored(news);
                return Ok(order);
            }
        }
        let Some(owner) = self.park(event).await? else {
            observe::outcome("parked");
            observe::count(Metric::ParkedEvent);
            return Ok(None);
        };
        let (order, news) = self
            .change(&owner, Start::Read, |order| match order {
                Some(order) => Ok(order.record(event.clone())),
                // None is ever deleted, so it does not come back by itself.
                None => Err(StoreError::unreadable("the order that a payment leads to")),
            })
            .await?;
        observe::webhook_stored(news);
        Ok(order)
    }
}

/// Notes with an order which of its payments lead to another one.
fn contest(order: &mut Order, pointers: &HashMap<String, Pointer>) {
    let (known, disputes) = (order.psp_references(), order.disputes());
    let payments: BTreeSet<&str> = known.difference(&disputes).copied().collect();
    let elsewhere = pointers.iter().filter(|(payment, pointer)| {
        matches!(pointer, Pointer::Order(other) if *other != order.reference)
            && payments.contains(payment.as_str())
    });
    let contested: Vec<String> = elsewhere.map(|(payment, _)| payment.clone()).collect();
    order.contested.extend(contested);
}

fn order(item: Item) -> Result<Order, StoreError> {
    read(item, &write::DERIVED)
}

fn text_value(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
