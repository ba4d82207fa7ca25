//! The tokens table: one item for each stored payment method of a shopper.
//!
//! Tokens use optimistic locking as orders do: see [`Tokens::change`].

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use serde::Serialize;
use tokio::time::Instant;

use super::{Item, StoreError, patience::Patience, read};
use crate::{
    clock,
    domain::{
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
    /// effects. An unchanged token is not written.
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
                Written::Conflict(found) => {
                    before = found;
                    patience.pause().await?;
                }
            }
        }
    }

    async fn write(&self, before: Option<&Token>, after: &Token) -> Result<Written, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(projected(after)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match before {
            None => put
                .condition_expression("attribute_not_exists(#shopperReference)")
                .expression_attribute_names("#shopperReference", "shopperReference"),
            Some(before) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(
                    ":version",
                    AttributeValue::N(before.version.to_string()),
                ),
        };
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
}

enum Written {
    Done,
    /// Another writer was first; this is the token as it is now.
    Conflict(Option<Token>),
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
