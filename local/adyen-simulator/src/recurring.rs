//! Stored payment methods: how they come to be, are listed and removed.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Books, Payment, Token, TokenState};
use crate::desk::{Answered, Desk, LETTERS, later, new_psp_reference};
use crate::errors;
use crate::members;
use crate::webhook::Event;

/// What is told about a payment's token.
pub(crate) struct Told {
    /// In the AUTHORISATION.
    pub additional_data: BTreeMap<String, String>,
    /// By its own webhook.
    pub event: Event,
}

/// Stores the token of an authorised payment that asked for it, once the payment has settled.
/// The same shopper with the same Amazon Pay token has it already.
pub(crate) fn store(desk: &mut Desk, payment: &Payment, resolved: Duration) -> Option<Told> {
    let models = payment.store_for.clone()?;
    let shopper = payment.shopper_reference.clone()?;
    let amazon_pay_token = payment.amazon_pay_token.clone()?;
    let known = tokens_of(desk.books, &shopper).find(|token| {
        token.amazon_pay_token == amazon_pay_token && token.state == TokenState::Active
    });
    let (id, operation) = match known {
        Some(token) => (token.id.clone(), "alreadyExisting"),
        None => {
            let earlier = tokens_of(desk.books, &shopper).count();
            (token_id(&shopper, &amazon_pay_token, earlier), "created")
        }
    };
    let at = later(desk.now, resolved);
    if operation == "created" {
        desk.save_token(Token {
            id: id.clone(),
            at,
            shopper_reference: shopper.clone(),
            first_psp_reference: payment.psp_reference.clone(),
            amazon_pay_token,
            recurring_processing_models: models,
            state: TokenState::Active,
        });
    }
    let told = [
        ("tokenization.shopperReference", &shopper),
        ("tokenization.storedPaymentMethodId", &id),
        ("tokenization.store.operationType", &operation.to_owned()),
    ];
    Some(Told {
        additional_data: told.map(|(name, value)| (name.to_owned(), value.clone())).into(),
        event: Event {
            event_date: at,
            ..token_event(desk, operation, &payment.psp_reference, &id, &shopper)
        },
    })
}

/// The id of a shopper's next token, after so many: always the same, so that `events/` can
/// name it.
pub fn token_id(shopper: &str, amazon_pay_token: &str, earlier: usize) -> String {
    let name = [shopper, amazon_pay_token, &earlier.to_string()].join("\n");
    digest(&SHA256, name.as_bytes()).as_ref()[..16]
        .iter()
        .map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()])
        .collect()
}

/// GET /storedPaymentMethods.
pub(crate) fn list(desk: &Desk, query: &BTreeMap<String, String>) -> Answered {
    let shopper = shopper(query)?;
    let stored: Vec<Value> = listed(desk, shopper).map(describe).collect();
    Ok(Answer::json(
        200,
        &json!({
            "merchantAccount": desk.options.merchant_account,
            "shopperReference": shopper,
            "storedPaymentMethods": stored,
        }),
    ))
}

/// DELETE /storedPaymentMethods/{id}.
pub(crate) fn remove(desk: &mut Desk, id: &str, query: &BTreeMap<String, String>) -> Answered {
    let shopper = shopper(query)?;
    match desk.books.tokens.get(id) {
        Some(token) if token.shopper_reference != shopper => Err(errors::coded("800")),
        Some(token) if token.state != TokenState::Disabled => {
            disable(desk, token.clone());
            Ok(Answer::text(204, "application/json", ""))
        }
        _ => Err(errors::coded("803")),
    }
}

/// The token is no more, and a webhook says so.
pub(crate) fn disable(desk: &mut Desk, token: Token) {
    let reference = new_psp_reference();
    let event = token_event(desk, "disabled", &reference, &token.id, &token.shopper_reference);
    desk.save_token(Token { state: TokenState::Disabled, ..token });
    desk.notify(&event, desk.options.token_webhook_delay);
}

/// POST /listRecurringDetails.
pub(crate) fn list_recurring_details(desk: &Desk, request: &Value) -> Answered {
    let fields = members::object(request, "RecurringDetailsRequest")?;
    members::known(
        fields,
        "RecurringDetailsRequest",
        "merchantAccount recurring shopperReference",
    )?;
    let shopper = members::filled(fields, "shopperReference", "121")?;
    let tokens: Vec<&Token> = listed(desk, shopper).collect();
    let Some(first) = tokens.first() else {
        return Ok(Answer::json(200, &json!({})));
    };
    let details: Vec<Value> = tokens
        .iter()
        .map(|token| {
            json!({"RecurringDetail": {
                "recurringDetailReference": token.id,
                "variant": "amazonpay",
                "paymentMethodVariant": "visa_amazonpay",
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

/// A token as Checkout lists it.
pub(crate) fn describe(token: &Token) -> Value {
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

/// Those that are there, now.
fn listed<'a>(desk: &Desk<'a>, shopper: &str) -> impl Iterator<Item = &'a Token> + use<'a> {
    let now = desk.now;
    tokens_of(desk.books, shopper)
        .filter(move |token| token.state != TokenState::Disabled && token.at <= now)
}

fn shopper(query: &BTreeMap<String, String>) -> Result<&str, Answer> {
    match query.get("shopperReference") {
        Some(shopper) if !shopper.is_empty() => Ok(shopper),
        _ => Err(errors::coded("121")),
    }
}

fn token_event(desk: &Desk, operation: &str, event_id: &str, id: &str, shopper: &str) -> Event {
    Event {
        event_date: desk.now,
        shopper_reference: shopper.into(),
        stored_payment_method_id: id.into(),
        ..Event::new(
            &format!("recurring.token.{operation}"),
            &desk.options.merchant_account,
            event_id,
            shopper,
        )
    }
}
