//! Stored payment methods: creating, listing and removing them.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Books, Payment, Token, TokenState};
use crate::context::{CallContext, CallResult, LETTERS, later, new_psp_reference};
use crate::errors;
use crate::members;
use crate::webhook::Event;

/// The token of a payment, as webhooks report it.
pub(crate) struct Tokenization {
    /// Part of the AUTHORISATION.
    pub additional_data: BTreeMap<String, String>,
    /// The recurring.token event.
    pub event: Event,
}

/// Stores the token of an authorised payment that requested it. `delay` is the time until it
/// exists. The same shopper and Amazon Pay token share one stored token.
pub(crate) fn store(
    ctx: &mut CallContext,
    payment: &Payment,
    delay: Duration,
) -> Option<Tokenization> {
    let models = payment.store_for.clone()?;
    let shopper = payment.shopper_reference.clone()?;
    let amazon_pay_token = payment.amazon_pay_token.clone().or(payment.card.clone())?;
    let existing = tokens_of(ctx.books, &shopper).find(|token| {
        token.amazon_pay_token == amazon_pay_token && token.state == TokenState::Active
    });
    let (id, operation) = match existing {
        Some(token) => (token.id.clone(), "alreadyExisting"),
        None => {
            let earlier = tokens_of(ctx.books, &shopper).count();
            (token_id(&shopper, &amazon_pay_token, earlier), "created")
        }
    };
    let at = later(ctx.now, delay);
    if operation == "created" {
        ctx.save_token(Token {
            id: id.clone(),
            at,
            shopper_reference: shopper.clone(),
            first_psp_reference: payment.psp_reference.clone(),
            amazon_pay_token,
            recurring_processing_models: models,
            state: TokenState::Active,
        });
    }
    let additional_data = [
        ("tokenization.shopperReference", &shopper),
        ("tokenization.storedPaymentMethodId", &id),
        ("tokenization.store.operationType", &operation.to_owned()),
    ];
    Some(Tokenization {
        additional_data: additional_data
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into(),
        event: Event {
            event_date: at,
            payment_method: payment.variant().to_owned(),
            ..token_event(ctx, operation, &payment.psp_reference, &id, &shopper)
        },
    })
}

/// The id of a shopper's token after `earlier` others. It is deterministic, so that the files in
/// `events/` can contain it.
pub fn token_id(shopper: &str, amazon_pay_token: &str, earlier: usize) -> String {
    let name = [shopper, amazon_pay_token, &earlier.to_string()].join("\n");
    digest(&SHA256, name.as_bytes()).as_ref()[..16]
        .iter()
        .map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()])
        .collect()
}

/// GET /storedPaymentMethods.
pub(crate) fn list(ctx: &CallContext, query: &BTreeMap<String, String>) -> CallResult {
    let shopper = shopper(query)?;
    let stored: Vec<Value> = listed(ctx, shopper).map(describe).collect();
    Ok(Answer::json(
        200,
        &json!({
            "merchantAccount": ctx.options.merchant_account,
            "shopperReference": shopper,
            "storedPaymentMethods": stored,
        }),
    ))
}

/// DELETE /storedPaymentMethods/{id}.
pub(crate) fn remove(
    ctx: &mut CallContext,
    id: &str,
    query: &BTreeMap<String, String>,
) -> CallResult {
    let shopper = shopper(query)?;
    match ctx.books.tokens.get(id) {
        Some(token) if token.shopper_reference != shopper => Err(errors::coded("800")),
        Some(token) if token.state != TokenState::Disabled => {
            disable(ctx, token.clone());
            Ok(Answer::text(204, "application/json", ""))
        }
        _ => Err(errors::coded("803")),
    }
}

/// Disables a token and sends the webhook about it.
pub(crate) fn disable(ctx: &mut CallContext, token: Token) {
    let reference = new_psp_reference();
    let event = token_event(ctx, "disabled", &reference, &token.id, &token.shopper_reference);
    ctx.save_token(Token { state: TokenState::Disabled, ..token });
    ctx.notify(&event, ctx.options.token_webhook_delay);
}

/// POST /listRecurringDetails.
pub(crate) fn list_recurring_details(ctx: &CallContext, request: &Value) -> CallResult {
    let fields = members::object(request, "RecurringDetailsRequest")?;
    members::known(
        fields,
        "RecurringDetailsRequest",
        "merchantAccount recurring shopperReference",
    )?;
    let shopper = members::filled(fields, "shopperReference", "121")?;
    let tokens: Vec<&Token> = listed(ctx, shopper).collect();
    let Some(first) = tokens.first() else {
        return Ok(Answer::json(200, &json!({})));
    };
    let details: Vec<Value> = tokens
        .iter()
        .map(|token| {
            json!({"RecurringDetail": {
                "recurringDetailReference": token.id,
                "variant": if token.is_card() { "visa" } else { "amazonpay" },
                "paymentMethodVariant": if token.is_card() { "visa" } else { "visa_amazonpay" },
                "contractTypes": ["RECURRING"],
                "creationDate": token.at,
                "firstPspReference": token.first_psp_reference,
            }})
        })
        .collect();
    Ok(Answer::json(
        200,
        &json!({"creationDate": first.at, "shopperReference": shopper, "details": details}),
    ))
}

/// A token in Checkout's format.
pub(crate) fn describe(token: &Token) -> Value {
    if token.is_card() {
        let last_four = token.amazon_pay_token.len().saturating_sub(4);
        return json!({
            "id": token.id,
            "type": "scheme",
            "name": "Card",
            "brand": "visa",
            "lastFour": token.amazon_pay_token[last_four..],
            "expiryMonth": "03",
            "expiryYear": "30",
            "supportedRecurringProcessingModels": token.recurring_processing_models,
            // Adyen's library offers only those with Ecommerce.
            "supportedShopperInteractions": ["Ecommerce", "ContAuth"],
        });
    }
    json!({
        "id": token.id,
        "type": "amazonpay",
        "name": "Amazon Pay",
        "brand": "visa_amazonpay",
        "lastFour": "1111",
        "expiryMonth": "03",
        "expiryYear": "30",
        "supportedRecurringProcessingModels": token.recurring_processing_models,
    })
}

/// The tokens of that shopper, the oldest first.
pub(crate) fn tokens_of<'a>(
    books: &'a Books,
    shopper: &str,
) -> impl Iterator<Item = &'a Token> + use<'a> {
    let mut tokens: Vec<&Token> =
        books.tokens.values().filter(|token| token.shopper_reference == shopper).collect();
    tokens.sort_by_key(|token| token.at);
    tokens.into_iter()
}

/// The tokens of that shopper that exist now and are not disabled.
fn listed<'a>(ctx: &CallContext<'a>, shopper: &str) -> impl Iterator<Item = &'a Token> + use<'a> {
    let now = ctx.now;
    tokens_of(ctx.books, shopper)
        .filter(move |token| token.state != TokenState::Disabled && token.at <= now)
}

fn shopper(query: &BTreeMap<String, String>) -> Result<&str, Answer> {
    match query.get("shopperReference") {
        Some(shopper) if !shopper.is_empty() => Ok(shopper),
        _ => Err(errors::coded("121")),
    }
}

fn token_event(
    ctx: &CallContext,
    operation: &str,
    event_id: &str,
    id: &str,
    shopper: &str,
) -> Event {
    Event {
        event_date: ctx.now,
        shopper_reference: shopper.into(),
        stored_payment_method_id: id.into(),
        ..Event::new(
            &format!("recurring.token.{operation}"),
            &ctx.options.merchant_account,
            event_id,
            shopper,
        )
    }
}
