//! Maps payments to their orders, and parks events until an order claims their payment.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use jiff::Timestamp;

use super::{Item, Orders, text_value};
use crate::{
    clock,
    domain::{
        order::{AdyenEvent, test_reference},
        reference::Reference,
    },
    limits,
    store::{StoreError, patience::Patience},
};

pub(super) enum Pointer {
    Order(Reference),
    /// No order has claimed the payment yet.
    Parked(Parked),
}

pub(super) struct Parked {
    pub events: Vec<AdyenEvent>,
    /// The number of deliveries, by which a write notices another one.
    pub count: String,
    /// The attributes that stay once an order has taken the events over.
    rest: Item,
}

const EVENT: &str = "event:";

impl Orders {
    /// Returns the order that has claimed a payment.
    pub async fn of_payment(&self, psp_reference: &str) -> Result<Option<Reference>, StoreError> {
        let read = async || {
            let read = self.client.get_item().table_name(&self.table);
            let read = read.key("reference", text_value(&pointer_key(psp_reference)));
            read.consistent_read(true).send().await.map_err(StoreError::sdk)
        };
        let output = Patience::new(self.deadline).call(read).await?;
        match output.item.as_ref().map(pointer).transpose() {
            Ok(Some(Pointer::Order(reference))) => Ok(Some(reference)),
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::error!(pspReference = psp_reference, %error, "pointer unreadable");
                Ok(None)
            }
        }
    }

    /// Parks an event with its payment, or returns the order that has claimed the payment.
    pub(super) async fn park(&self, event: &AdyenEvent) -> Result<Option<Reference>, StoreError> {
        Patience::new(self.deadline).call(|| self.park_once(event)).await
    }

    async fn park_once(&self, event: &AdyenEvent) -> Result<Option<Reference>, StoreError> {
        // The name contains the event's key and date, so that of repeated deliveries only the first
        // is stored.
        let (code, psp_reference, success) = event.key();
        let date = event.event_date.unwrap_or(Timestamp::UNIX_EPOCH);
        let name = format!("{EVENT}{code}:{psp_reference}:{success}:{date}");
        // An order must not claim a test event, so do not park it with a real payment.
        let payment = test_reference(event).unwrap_or(event.payment());
        let expires_at = (clock::now().as_second() + limits::EVENT_KEPT.as_secs()).to_string();
        let parked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("reference", text_value(&pointer_key(payment)))
            .update_expression("SET #event = if_not_exists(#event, :event), expiresAt = :expiresAt ADD parked :one")
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
                Pointer::Parked(_) => Err(StoreError::Unreadable("a payment's pointer")),
            },
            Err(Ok(None)) => Err(StoreError::Unavailable("no pointer was returned".to_owned())),
            Err(Err(error)) => Err(error),
        }
    }

    /// Builds the write that points a payment to its order. It removes the events in `seen`, which
    /// the order has taken over, and fails if others were parked in the meantime.
    pub(super) fn point(
        &self,
        payment: &str,
        order: &Reference,
        seen: Option<&Pointer>,
    ) -> Result<TransactWriteItem, StoreError> {
        let order = text_value(order.as_str());
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        let write = TransactWriteItem::builder();
        let Some(Pointer::Parked(Parked { count, rest, .. })) = seen else {
            let update = Update::builder()
                .table_name(&self.table)
                .key("reference", text_value(&pointer_key(payment)))
                .update_expression("SET #order = :order")
                .condition_expression("#order = :order OR attribute_not_exists(#reference)")
                .expression_attribute_names("#order", "order")
                .expression_attribute_names("#reference", "reference")
                .expression_attribute_values(":order", order)
                .return_values_on_condition_check_failure(old);
            return Ok(write.update(update.build()?).build());
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(rest.clone()))
            .item("order", order)
            .condition_expression("attribute_not_exists(#order) AND parked = :parked")
            .expression_attribute_names("#order", "order")
            .expression_attribute_values(":parked", AttributeValue::N(count.clone()))
            .return_values_on_condition_check_failure(old);
        Ok(write.put(put.build()?).build())
    }
}

pub(super) fn pointer(item: &Item) -> Result<Pointer, StoreError> {
    if let Some(AttributeValue::S(order)) = item.get("order") {
        return order
            .parse()
            .map(Pointer::Order)
            .map_err(|_| StoreError::Unreadable("a payment's pointer"));
    }
    let (mut events, mut rest) = (Vec::new(), item.clone());
    for (name, value) in item.iter().filter(|(name, _)| name.starts_with(EVENT)) {
        match serde_dynamo::from_attribute_value(value.clone()) {
            Ok(event) => {
                events.push(event);
                rest.remove(name);
            }
            // Leave it, so that the other events can be claimed.
            Err(_) => tracing::error!(name, "parked event unreadable"),
        }
    }
    rest.remove("expiresAt");
    let count = rest.remove("parked").and_then(|value| value.as_n().ok().cloned());
    Ok(Pointer::Parked(Parked { events, count: count.unwrap_or_default(), rest }))
}

fn pointer_key(payment: &str) -> String {
    format!("psp#{payment}")
}
