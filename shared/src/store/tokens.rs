//! The tokens table: one item for each stored payment method of a shopper.
//!
//! Tokens use optimistic locking as orders do: see [`Tokens::change`].
//!
//! An erased token leaves a mark, so that a late webhook or Adyen's list does not store it again. The
//! mark's key is a digest of the token's key, from which neither can be found out because Adyen's ids
//! are random. Its partition key has two characters, which no shopper's reference has.

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Put,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};
use serde::Serialize;
use tokio::time::Instant;

use super::{Item, StoreError, patience::Patience, read};
use crate::{
    clock,
    domain::{
        order::sha256,
        reference::Reference,
        shopper_reference::ShopperReference,
        token::{Token, TokenId, TokenStatus},
        unknown::SCHEMA,
    },
    platform::{
        config::{Settings, text},
        observe::{self, Metric},
    },
};

/// The index that maps a token's id to its shopper.
const SHOPPERS: &str = "shoppers";

#[derive(Debug, Clone)]
pub struct Tokens {
    client: Client,
    table: String,
    /// The time until which changes are retried, if a caller waits for them.
    deadline: Option<Instant>,
}

impl Tokens {
    /// Reads the table's configuration.
    pub fn read(settings: &mut Settings) -> Option<Self> {
        let table = settings.or("TOKENS_TABLE", "tokens", text);
        let sdk = settings.sdk("AWS_ENDPOINT_URL_DYNAMODB");
        Some(Self { client: super::client(&sdk?), table: table?, deadline: None })
    }

    /// Returns the same table for work that must end at `deadline`, as [`super::Orders::within`].
    pub fn within(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Reads a token with a consistent read.
    pub async fn get(&self, key: &TokenId) -> Result<Option<Token>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(serde_dynamo::to_item(key)?))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        output.item.map(token).transpose()
    }

    /// Reads a shopper's tokens, including disabled ones, with consistent reads.
    pub async fn of_shopper(&self, shopper: &ShopperReference) -> Result<Vec<Token>, StoreError> {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#shopperReference = :shopperReference")
            .expression_attribute_names("#shopperReference", "shopperReference")
            .expression_attribute_values(
                ":shopperReference",
                AttributeValue::S(shopper.as_str().to_owned()),
            )
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>()
            .await
            .map_err(StoreError::sdk)?
            .into_iter()
            .map(token)
            .collect()
    }

    /// Returns true if another shopper has a token with the same id.
    pub async fn is_of_another(&self, key: &TokenId) -> Result<bool, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(SHOPPERS)
            .key_condition_expression("#id = :id")
            .expression_attribute_names("#id", "storedPaymentMethodId")
            .expression_attribute_values(
                ":id",
                AttributeValue::S(key.stored_payment_method_id.to_string()),
            )
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let theirs = |item: &Item| {
            item.get("shopperReference")
                .and_then(|shopper| shopper.as_s().ok())
                .is_some_and(|shopper| shopper != key.shopper_reference.as_str())
        };
        Ok(output.items().iter().any(theirs))
    }

    /// Changes a token. `act` changes the current token in place, or creates it if there is none.
    /// After a conflict `act` is called again with the newer token, so it must not have side
    /// effects. An unchanged token is not written, and neither is a new one that was erased before:
    /// the returned token is None then.
    ///
    /// # Errors
    /// Returns the error of `act`, or a [`StoreError`].
    pub async fn change<T, E: From<StoreError>>(
        &self,
        key: &TokenId,
        mut act: impl FnMut(&mut Option<Token>) -> Result<T, E>,
    ) -> Result<(Option<Token>, T), E> {
        let mut before = Patience::new(self.deadline).call(|| self.get(key)).await?;
        let mut patience = Patience::new(self.deadline);
        loop {
            let mut after = before.clone();
            let value = act(&mut after)?;
            let Some(token) = after.as_mut().filter(|token| before.as_ref() != Some(token)) else {
                return Ok((after, value));
            };
            StoreError::unless_known(token.schema)?;
            token.schema = SCHEMA;
            token.version += 1;
            token.updated_at = clock::now();
            let written = patience.call(|| self.write(before.as_ref(), token)).await?;
            if let Written::Conflict(_) = written {
                observe::count(Metric::WriteConflict);
            }
            match written {
                Written::Done => return Ok((after, value)),
                Written::Erased => return Ok((None, value)),
                Written::Conflict(found) => {
                    before = found;
                    patience.pause().await?;
                }
            }
        }
    }

    /// Marks a token as erased, so that it is not stored again once it is deleted.
    pub async fn mark_erased(&self, key: &TokenId) -> Result<(), StoreError> {
        let put = async || {
            let put = self.client.put_item().table_name(&self.table);
            put.set_item(Some(mark_of(key))).send().await.map_err(StoreError::sdk)
        };
        Patience::new(self.deadline).call(put).await.map(drop)
    }

    pub async fn delete(&self, key: &TokenId) -> Result<(), StoreError> {
        let key = serde_dynamo::to_item::<_, Item>(key)?;
        let delete = async || {
            let delete = self.client.delete_item().table_name(&self.table);
            delete.set_key(Some(key.clone())).send().await.map_err(StoreError::sdk)
        };
        Patience::new(self.deadline).call(delete).await.map(drop)
    }

    async fn write(&self, before: Option<&Token>, after: &Token) -> Result<Written, StoreError> {
        let Some(before) = before else {
            return self.create(after).await;
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(projected(after)?))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N(before.version.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(Written::Done);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Written::Conflict(failed.item.clone().map(token).transpose()?))
            }
            _ => Err(StoreError::sdk(error)),
        }
    }

    /// Stores a new token unless it was erased, in one transaction with the check of its mark.
    async fn create(&self, token: &Token) -> Result<Written, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(projected(token)?))
            .condition_expression("attribute_not_exists(#shopperReference)")
            .expression_attribute_names("#shopperReference", "shopperReference")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let unmarked = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(mark_of(&token.key)))
            .condition_expression("attribute_not_exists(#shopperReference)")
            .expression_attribute_names("#shopperReference", "shopperReference");
        let items = [
            TransactWriteItem::builder().put(put.build()?).build(),
            TransactWriteItem::builder().condition_check(unmarked.build()?).build(),
        ];
        let transaction = self.client.transact_write_items().set_transact_items(Some(items.into()));
        let Err(error) = transaction.send().await else {
            return Ok(Written::Done);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(StoreError::sdk(error));
        };
        let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        match cancelled.cancellation_reasons() {
            [_, mark] if failed(mark) => Ok(Written::Erased),
            [put, _] if failed(put) => {
                Ok(Written::Conflict(put.item.clone().map(self::token).transpose()?))
            }
            _ => Err(StoreError::cancelled(&error, cancelled)),
        }
    }
}

enum Written {
    Done,
    /// It is new, and was erased before.
    Erased,
    /// Another writer was first; this is the token as it is now.
    Conflict(Option<Token>),
}

/// The mark of an erased token, which has no attributes but its key.
fn mark_of(key: &TokenId) -> Item {
    let TokenId { shopper_reference, stored_payment_method_id: id } = key;
    let digest = sha256(&[shopper_reference.as_str().as_bytes(), id.as_bytes()]);
    let partition = digest.chars().take(2).collect();
    Item::from([
        ("shopperReference".to_owned(), AttributeValue::S(partition)),
        ("storedPaymentMethodId".to_owned(), AttributeValue::S(digest)),
    ])
}

/// The attributes of a token's item that are derived from the others.
const DERIVED: [&str; 4] = ["status", "paymentMethod", "pspReference", "reference"];

/// Returns the item of a token with its derived attributes, which other readers use.
fn projected(token: &Token) -> Result<Item, StoreError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Projected<'a> {
        #[serde(flatten)]
        facts: &'a Token,
        status: TokenStatus,
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_method: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        psp_reference: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reference: Option<&'a Reference>,
    }

    Ok(serde_dynamo::to_item(Projected {
        facts: token,
        status: token.status(),
        payment_method: token.payment_method(),
        psp_reference: token.psp_reference(),
        reference: token.reference(),
    })?)
}

fn token(item: Item) -> Result<Token, StoreError> {
    read(item, &DERIVED)
}
