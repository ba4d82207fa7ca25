//! The orders table: one item for each order, and one pointer for each payment.
//!
//! An order is changed in one way only, [`Orders::change`]: a pure function on what was
//! read, written on the condition that nobody wrote in between, again with what somebody
//! did write where it fails.
//!
//! A pointer item, key `psp#<pspReference>`, leads from a payment to its order. It is
//! written in one transaction with the order that learns of the payment, so that neither
//! is ever there without the other. Until an order does, it keeps what Adyen says of the
//! payment, for 90 days.
//!
//! What neither of them can take is set aside, key `parked#<pspReference>#<eventCode>#<success>`.
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

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::{
        put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update,
    },
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::StoreError;
use crate::{
    config::{Settings, text},
    observe::{self, Metric},
    order::{Derived, Event, Order, Status, test_reference},
    reference::Reference,
};

type Item = HashMap<String, AttributeValue>;

/// How long a change is tried while others change the same order: less than Adyen waits for
/// the answer to a webhook.
const CONTENTION: Duration = Duration::from_secs(8);

/// How long an event waits for an order that claims its payment, in seconds.
const PARKED: i64 = 90 * 24 * 60 * 60;

/// The orders table.
#[derive(Debug, Clone)]
pub struct Orders {
    client: Client,
    table: String,
}

/// Where a change starts.
#[derive(Debug)]
pub enum Start {
    /// Read the order first.
    Read,
    /// The order is probably new: no read, but for the write that finds it is not.
    New,
    /// The order was read or written just now.
    At(Box<Order>),
}

/// What changed an item of ours in between.
enum Conflict {
    /// The order as it is now.
    Order(Option<Order>),
    /// The payment's pointer keeps events, or leads to another order.
    Pointer(String, Pointer),
    /// Not told what.
    Unseen,
}

/// Where a payment leads.
enum Pointer {
    /// To an order.
    Order(Reference),
    /// To none yet; it keeps these events, and counts how many came.
    Parked(Vec<Event>, String),
}

impl Orders {
    /// Reads what the table needs.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let table = settings.or("ORDERS_TABLE", "orders", text);
        let sdk = settings.sdk("AWS_ENDPOINT_URL_DYNAMODB");
        Some(Self {
            client: super::client(&sdk?),
            table: table?,
        })
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

    /// The order that a payment leads to, if one has learned of it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB cannot be read.
    pub async fn of_payment(&self, psp_reference: &str) -> Result<Option<Reference>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("reference", text_value(&pointer_key(psp_reference)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        match output.item.as_ref().map(pointer).transpose() {
            Ok(Some(Pointer::Order(reference))) => Ok(Some(reference)),
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::error!(psp_reference, %error, "a payment that leads to no order");
                Ok(None)
            }
        }
    }

    /// The orders whose outcome has been open since before `then`, the longest first. Read from an index that
    /// may be a moment behind.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB cannot be read.
    pub async fn unsettled(
        &self,
        then: Timestamp,
    ) -> Result<Vec<(Timestamp, Reference)>, StoreError> {
        let items = self
            .client
            .scan()
            .table_name(&self.table)
            .index_name("unsettled")
            .filter_expression("#unsettledSince < :then")
            .expression_attribute_names("#unsettledSince", "unsettledSince")
            .expression_attribute_values(":then", text_value(&then.to_string()))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>()
            .await
            .map_err(StoreError::sdk)?;
        let text = |item: &Item, name: &str| item.get(name)?.as_s().ok().cloned();
        let read = |item: &Item| {
            let since = text(item, "unsettledSince")?.parse().ok()?;
            Some((since, text(item, "reference")?.parse().ok()?))
        };
        let mut open: Vec<_> = items.iter().filter_map(read).collect();
        open.sort();
        Ok(open)
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
        mut act: impl FnMut(&mut Option<Order>) -> Result<T, E>,
    ) -> Result<(Option<Order>, T), E> {
        let until = Instant::now() + CONTENTION;
        let mut before = match start {
            Start::Read => self.get(reference).await?,
            Start::New => None,
            Start::At(order) => Some(*order),
        };
        // What pointers had to say when they were written.
        let mut pointers: HashMap<String, Pointer> = HashMap::new();
        let mut contended = false;
        let mut wait = Duration::from_millis(10);
        loop {
            let mut after = before.clone();
            let value = act(&mut after)?;
            let Some(order) = &mut after else {
                return Ok((None, value));
            };
            for pointer in pointers.values() {
                if let Pointer::Parked(events, _) = pointer {
                    events.iter().for_each(|event| order.record(event.clone()));
                }
            }
            observe::order(order);
            if before.as_ref() == Some(&*order) {
                return Ok((after, value));
            }
            order.version += 1;
            order.updated_at = Timestamp::now();
            let conflict = self.write(before.as_ref(), order, &pointers).await?;
            if conflict.is_some() {
                observe::count(Metric::WriteConflict);
            }
            match conflict {
                None => {
                    let before = before.as_ref().map(Derived::of);
                    observe::attention(before.as_ref(), &Derived::of(order));
                    return Ok((after, value));
                }
                Some(_) if Instant::now() >= until => {
                    return Err(StoreError::passing("too many changes of one order at once").into());
                }
                // Somebody was first, but what they wrote is in hand.
                Some(Conflict::Order(order)) if !contended => {
                    before = order;
                    contended = true;
                }
                Some(Conflict::Pointer(payment, pointer)) => {
                    pointers.insert(payment, pointer);
                }
                // Several are at it. After a pause what was in hand is out of date.
                Some(_) => {
                    sleep(wait.mul_f64(fastrand::f64())).await;
                    wait = Duration::from_millis(250).min(wait * 2);
                    before = self.get(reference).await?;
                }
            }
        }
    }

    /// Delivers an event to its order, or parks it until an order claims its payment.
    /// `reference` is the order that the event names, if it names one that can be ours.
    /// Returns the order, where there is one.
    ///
    /// # Errors
    /// [`StoreError`] when the event is not stored.
    pub async fn deliver(
        &self,
        event: &Event,
        reference: Option<&Reference>,
    ) -> Result<Option<Order>, StoreError> {
        let now = Timestamp::now();
        if let Some(reference) = reference {
            let (order, claimed) = self
                .change(reference, Start::Read, |order| {
                    let claimed = order.as_mut().filter(|order| order.claims(event));
                    Ok::<_, StoreError>(claimed.map(|order| order.receive(event, now)))
                })
                .await?;
            if let Some(news) = claimed {
                heard(news);
                return Ok(order);
            }
        }
        let Some(owner) = self.park(event).await? else {
            observe::count(Metric::ParkedEvent);
            return Ok(None);
        };
        let (order, news) = self
            .change(&owner, Start::Read, |order| {
                let order = order.as_mut();
                Ok::<_, StoreError>(order.map(|order| order.receive(event, now)))
            })
            .await?;
        heard(news.unwrap_or(true));
        Ok(order)
    }

    /// Keeps an event with its payment's pointer, unless that leads to an order.
    async fn park(&self, event: &Event) -> Result<Option<Reference>, StoreError> {
        // Named by all that identifies it and its date: what comes twice is kept once.
        let (code, psp_reference, success) = event.key();
        let name = format!(
            "event:{code}:{psp_reference}:{success}:{}",
            event.event_date
        );
        // No order may claim what is only a test, so it is not kept with a real payment.
        let payment = test_reference(event).unwrap_or(event.payment());
        let expires_at = (Timestamp::now().as_second() + PARKED).to_string();
        let parked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("reference", text_value(&pointer_key(payment)))
            .update_expression("SET #event = :event, expiresAt = :expiresAt ADD parked :one")
            .condition_expression("attribute_not_exists(#order)")
            .expression_attribute_names("#event", name)
            .expression_attribute_names("#order", "order")
            .expression_attribute_values(":event", serde_dynamo::to_attribute_value(event)?)
            .expression_attribute_values(":expiresAt", AttributeValue::N(expires_at))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match parked.map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(failed.item.clone())
            }
            _ => Err(StoreError::sdk(error)),
        }) {
            Ok(_) => Ok(None),
            Err(Ok(Some(item))) => match pointer(&item)? {
                Pointer::Order(reference) => Ok(Some(reference)),
                Pointer::Parked(..) => Err(StoreError::unreadable("where a pointer leads")),
            },
            Err(Ok(None)) => Err(StoreError::passing("a pointer that was not shown")),
            Err(Err(error)) => Err(error),
        }
    }

    /// Sets an event aside, in an item of its own, that the item where it belongs cannot take.
    /// A person must look at it: it may have moved money, and is kept for good.
    ///
    /// # Errors
    /// [`StoreError`] when it is not stored.
    pub async fn set_aside(
        &self,
        event: &Event,
        reference: Option<&Reference>,
    ) -> Result<(), StoreError> {
        let (code, psp_reference, success) = event.key();
        let key = format!("parked#{psp_reference}#{code}#{success}");
        self.client
            .put_item()
            .table_name(&self.table)
            .item("reference", text_value(&key))
            .item("named", text_value(reference.map_or("", Reference::as_str)))
            .item("event", serde_dynamo::to_attribute_value(event)?)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        Ok(())
    }

    /// Writes an order, and with it the pointers of payments that are new to it.
    async fn write(
        &self,
        before: Option<&Order>,
        after: &Order,
        pointers: &HashMap<String, Pointer>,
    ) -> Result<Option<Conflict>, StoreError> {
        let known = before.map(Order::psp_references).unwrap_or_default();
        let learned: Vec<&str> = after.psp_references().difference(&known).copied().collect();
        let updates = learned
            .iter()
            // A pointer that leads to another order stays as it is.
            .filter(|payment| !matches!(pointers.get(**payment), Some(Pointer::Order(_))))
            .map(|payment| self.point(payment, &after.reference, pointers.get(*payment)))
            .collect::<Result<Vec<_>, _>>()?;
        let put = self.put(before, after)?;
        if updates.is_empty() {
            self.write_alone(put).await
        } else {
            self.write_together(put, updates).await
        }
    }

    async fn write_alone(&self, put: Put) -> Result<Option<Conflict>, StoreError> {
        let written = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(Some(
                    Conflict::Order(failed.item.clone().map(order).transpose()?),
                )),
                Some(PutItemError::TransactionConflictException(_)) => Ok(Some(Conflict::Unseen)),
                _ => Err(StoreError::sdk(error)),
            },
        }
    }

    async fn write_together(
        &self,
        put: Put,
        updates: Vec<Update>,
    ) -> Result<Option<Conflict>, StoreError> {
        let keys: Vec<Option<String>> = updates
            .iter()
            .map(|update| {
                update
                    .key
                    .get("reference")?
                    .as_s()
                    .ok()?
                    .strip_prefix("psp#")
                    .map(str::to_owned)
            })
            .collect();
        let items = std::iter::once(TransactWriteItem::builder().put(put).build())
            .chain(
                updates
                    .into_iter()
                    .map(|update| TransactWriteItem::builder().update(update).build()),
            )
            .collect();
        let written = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let error = match written {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(StoreError::sdk(error));
        };
        let reasons = cancelled.cancellation_reasons();
        let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        if let Some(reason) = reasons.first().filter(|reason| failed(reason)) {
            return Ok(Some(Conflict::Order(
                reason.item.clone().map(order).transpose()?,
            )));
        }
        for (payment, reason) in keys.into_iter().zip(reasons.iter().skip(1)) {
            if let (Some(payment), true, Some(item)) = (payment, failed(reason), &reason.item) {
                return Ok(Some(Conflict::Pointer(payment, pointer(item)?)));
            }
        }
        if reasons
            .iter()
            .any(|reason| reason.code() == Some("TransactionConflict"))
        {
            return Ok(Some(Conflict::Unseen));
        }
        Err(StoreError::sdk(error))
    }

    /// The order as a write on the condition that nobody wrote since `before`.
    fn put(&self, before: Option<&Order>, after: &Order) -> Result<Put, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(projected(before, after)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match before {
            None => put
                .condition_expression("attribute_not_exists(#reference)")
                .expression_attribute_names("#reference", "reference"),
            Some(before) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(
                    ":version",
                    AttributeValue::N(before.version.to_string()),
                ),
        };
        put.build()
            .map_err(|error| StoreError::passing(error.to_string()))
    }

    /// Leads a payment to its order, on the condition that nothing was parked with it but
    /// what the order has just taken over.
    fn point(
        &self,
        payment: &str,
        order: &Reference,
        seen: Option<&Pointer>,
    ) -> Result<Update, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("reference", text_value(&pointer_key(payment)))
            .expression_attribute_names("#order", "order")
            .expression_attribute_values(":order", text_value(order.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = match seen {
            Some(Pointer::Parked(_, count)) => update
                .update_expression("SET #order = :order REMOVE expiresAt, parked")
                .condition_expression("attribute_not_exists(#order) AND parked = :parked")
                .expression_attribute_values(":parked", AttributeValue::N(count.clone())),
            _ => update
                .update_expression("SET #order = :order")
                .condition_expression("#order = :order OR attribute_not_exists(#reference)")
                .expression_attribute_names("#reference", "reference"),
        };
        update
            .build()
            .map_err(|error| StoreError::passing(error.to_string()))
    }
}

/// Counts an event that was no news.
fn heard(news: bool) {
    if !news {
        observe::count(Metric::WebhookDuplicate);
    }
}

/// An order's facts with what they add up to, for others to read.
fn projected(before: Option<&Order>, after: &Order) -> Result<Item, StoreError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Projected<'a> {
        #[serde(flatten)]
        facts: &'a Order,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        status_change: Option<StatusChange>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unsettled_since: Option<Timestamp>,
    }

    #[derive(Serialize)]
    struct StatusChange {
        from: Status,
        to: Status,
        at: Timestamp,
        seq: u64,
    }

    let derived = Derived::of(after);
    let from = before.map_or(Status::Created, |before| Derived::of(before).status);
    let projected = Projected {
        facts: after,
        status: derived.status,
        status_change: (from != derived.status).then_some(StatusChange {
            from,
            to: derived.status,
            at: after.updated_at,
            seq: after.version,
        }),
        unsettled_since: derived.unsettled_since,
    };
    Ok(serde_dynamo::to_item(projected)?)
}

fn order(item: Item) -> Result<Order, StoreError> {
    Ok(serde_dynamo::from_item(item)?)
}

fn pointer(item: &Item) -> Result<Pointer, StoreError> {
    if let Some(AttributeValue::S(order)) = item.get("order") {
        return order
            .parse()
            .map(Pointer::Order)
            .map_err(|_| StoreError::unreadable("where a pointer leads"));
    }
    let events = item
        .iter()
        .filter(|(name, _)| name.starts_with("event:"))
        .filter_map(|(name, value)| {
            serde_dynamo::from_attribute_value(value.clone())
                // It stays there; the others must not wait for it.
                .inspect_err(
                    |error| tracing::error!(name, %error, "a parked event that cannot be read"),
                )
                .ok()
        })
        .collect();
    let count = item
        .get("parked")
        .and_then(|value| value.as_n().ok())
        .cloned()
        .unwrap_or_default();
    Ok(Pointer::Parked(events, count))
}

fn pointer_key(payment: &str) -> String {
    format!("psp#{payment}")
}

fn text_value(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
