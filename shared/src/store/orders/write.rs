//! Writes an order if nobody else has written it in between.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use serde::Serialize;

use super::{
    Item, Orders, list, open, order,
    pointers::{Pointer, pointer},
};
use crate::{
    domain::order::{Change, Derived, Order, Status},
    limits,
    store::StoreError,
};

/// An order before and after a change, with its derived values.
pub(super) struct Write<'a> {
    pub before: Option<&'a Order>,
    was: Option<Derived>,
    pub after: &'a Order,
    is: Derived,
    pub changes: Vec<Change>,
}

impl<'a> Write<'a> {
    pub(super) fn new(before: Option<&'a Order>, after: &'a Order) -> Self {
        let (was, is) = (before.map(Derived::of), Derived::of(after));
        let changes = is.changes_since(was.as_ref());
        Self { before, was, after, is, changes }
    }
}

/// The item that another writer has changed in between, as it is now.
pub(super) enum Conflict {
    Order(Box<Option<Order>>),
    /// A payment's pointer, which has parked events or points to another order.
    Pointer(String, Pointer),
}

impl Orders {
    /// Writes an order together with the pointers of its new payments, disputes and modifications.
    pub(super) async fn write(
        &self,
        write: &Write<'_>,
        pointers: &HashMap<String, Pointer>,
    ) -> Result<Option<Conflict>, StoreError> {
        let Write { before, after, .. } = write;
        let known = before.map(Order::pointed).unwrap_or_default();
        let mut added: Vec<&str> = after.pointed().difference(&known).copied().collect();
        // Only parked disputes can exceed the limit, so the payment must come first.
        let disputes = after.disputes();
        added.sort_by_key(|named| disputes.contains(named));
        added.truncate(limits::POINTERS);
        // A pointer to another order stays as it is; the payment is contested.
        added.retain(|payment| !matches!(pointers.get(*payment), Some(Pointer::Order(_))));
        let put = self.put(write)?;
        if added.is_empty() {
            return self.write_alone(put).await;
        }
        let point = |payment: &&str| self.point(payment, &after.reference, pointers.get(*payment));
        let points = added.iter().map(point).collect::<Result<Vec<_>, _>>()?;
        self.write_together(put, &added, points).await
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
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Some(Conflict::Order(Box::new(failed.item.clone().map(order).transpose()?))))
                }
                _ => Err(StoreError::sdk(error)),
            },
        }
    }

    async fn write_together(
        &self,
        put: Put,
        payments: &[&str],
        points: Vec<TransactWriteItem>,
    ) -> Result<Option<Conflict>, StoreError> {
        let put = TransactWriteItem::builder().put(put).build();
        let items = std::iter::once(put).chain(points).collect();
        let written =
            self.client.transact_write_items().set_transact_items(Some(items)).send().await;
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
            return Ok(Some(Conflict::Order(Box::new(
                reason.item.clone().map(order).transpose()?,
            ))));
        }
        for (payment, reason) in payments.iter().zip(reasons.iter().skip(1)) {
            if let (true, Some(item)) = (failed(reason), &reason.item) {
                return Ok(Some(Conflict::Pointer((*payment).to_owned(), pointer(item)?)));
            }
        }
        Err(StoreError::cancelled(&error, cancelled))
    }

    /// Builds the write of an order, conditional on the version of `before`.
    fn put(&self, write: &Write) -> Result<Put, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(projected(write)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match write.before {
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
        Ok(put.build()?)
    }
}

/// The attributes of an order's item that are derived from the others.
pub(super) const DERIVED: [&str; 5] = ["status", "change", "openShard", "openSince", "recoverAt"];

/// Returns the item of an order with its derived attributes, which other readers use.
fn projected(write: &Write) -> Result<Item, StoreError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Projected<'a> {
        #[serde(flatten)]
        facts: &'a Order,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<OrderEvent>,
    }

    // The pipe in template.yaml sends it to the merchant's systems.
    #[derive(Serialize)]
    struct OrderEvent {
        #[serde(serialize_with = "serde_dynamo::string_set::serialize")]
        changes: BTreeSet<String>,
        from: Status,
        confirmed: bool,
        authorised: i64,
        captured: i64,
        refunded: i64,
    }

    let Write { was, is, after, changes, .. } = write;
    let event = || OrderEvent {
        changes: changes.iter().map(Change::to_string).collect(),
        from: was.as_ref().map_or(Status::Created, |was| was.status),
        confirmed: is.confirmed,
        authorised: is.authorised,
        captured: is.captured,
        refunded: is.refunded,
    };
    let projected =
        Projected { facts: after, status: is.status, change: (!changes.is_empty()).then(event) };
    let mut item: Item = serde_dynamo::to_item(projected)?;
    item.extend(list::of_order(after, is));
    if let Some(open) = is.open {
        let shard = open::shard_of(&after.reference);
        item.extend(open::attributes(shard, open.since, open.due_at));
    }
    Ok(item)
}
