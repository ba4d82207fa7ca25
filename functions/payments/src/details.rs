//! `POST /payments/details`: the result of an action, as the shopper's browser returned it.

use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::{
    adyen::{
        charge,
        client::CallError,
        payments::{PaymentDetailsRequest, PaymentResponse},
        shopper::CountryCode,
    },
    clock,
    domain::{
        amount::Amount,
        order::{AttemptStatus, DetailsDecision, Order, Outcome, RejectedDetails, sha256},
        reference::Reference,
        shopper_reference::ShopperReference,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    store::{Orders, Start, StoreError},
};

use crate::{State, accepted, already_paid, answer, in_progress, not_processed, too_many};

/// Members that PayPal's script returns beside those that Adyen takes. Adyen's library for the
/// browser passes all of them on.
const OF_PAYPAL: [&str; 2] = ["accelerated", "paymentSource"];

/// Sends the details to Adyen, once however often they are posted.
pub async fn submit(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    let viewer = caller.into();
    let target = &state.rules.target;
    let (reference, attempt, details) = read(state, caller, edge::json_object(request)?)?;
    // The same details have the same key whichever order they are posted for, so that Adyen
    // never takes a repetition for a second result.
    let content = sha256(&[json!(details).to_string().as_bytes()]);
    let key = sha256(&[b"details", target.merchant_account.as_bytes(), content.as_bytes()]);

    let (order, decision) = state
        .orders
        .change(&reference, Start::Read, |order| {
            let order = order
                .as_mut()
                .ok_or_else(|| Problem::new(Code::OrderNotFound, "There is no such order."))?;
            let now = clock::now();
            let decision = order.decide_details(target, attempt, &content, now);
            order.record_details_decision(decision, &content, now);
            Ok::<_, Problem>(decision)
        })
        .await?;
    let order = order.ok_or(StoreError::Gone)?;
    let (attempt, sent_first_at) = match decision {
        DetailsDecision::Send { attempt, sent_first_at } => (attempt, sent_first_at),
        DetailsDecision::Ended { attempt } => return answer(&order, attempt, None, viewer),
        DetailsDecision::Unknown { attempt } => return Ok(accepted(&order, attempt, viewer)),
        DetailsDecision::Superseded { by } => {
            return Err(Problem::new(
                Code::AttemptSuperseded,
                "A later attempt to pay this order has replaced this one.",
            )
            .with("attempt", by));
        }
        DetailsDecision::NoSuchAttempt => {
            return Err(Problem::new(
                Code::InvalidField,
                "attempt: the order has no such attempt.",
            )
            .at("attempt"));
        }
        DetailsDecision::Paid => return Err(already_paid(&order, viewer)),
        DetailsDecision::InProgress { retry_after } => return Err(in_progress(retry_after)),
        DetailsDecision::TooMany => return Err(too_many()),
    };

    let orders = state.orders.within(until);
    let answered =
        state.adyen.post::<PaymentResponse>("payments/details", &details, Some(&key), until).await;
    charge::observe(&answered);
    match answered {
        Ok(response) => {
            if let Some(other) = owner(&orders, &response, &order).await? {
                tracing::warn!(%reference, %other, "the details belong to another order");
                update(&orders, order, |order| order.withdraw_details(attempt, &content)).await?;
                record_with_other_order(&orders, &other, &content, &response).await?;
                return Err(Problem::new(Code::WrongOrder, "The result belongs to another order."));
            }
            let (order, bound) =
                update(&orders, order, |order| conclude(order, attempt, &content, &response))
                    .await?;
            match bound {
                Some(attempt) => {
                    answer(&order, attempt, response.required_action().as_ref(), viewer)
                }
                None => {
                    tracing::warn!(%reference, attempt, "the answer is bound to no attempt");
                    match order.attempt_status(attempt).is_none_or(AttemptStatus::is_pending) {
                        true => Ok(accepted(&order, attempt, viewer)),
                        false => answer(&order, attempt, None, viewer),
                    }
                }
            }
        }
        Err(CallError::Rejected { status, error }) => {
            tracing::warn!(%reference, attempt, status, errorCode = error.error_code, "details rejected");
            let rejection = error.rejection(status);
            let (order, rejected) = update(&orders, order, |order| {
                order.reject_details(attempt, &content, sent_first_at, &rejection)
            })
            .await?;
            match rejected {
                RejectedDetails::Ended => answer(&order, attempt, None, viewer),
                RejectedDetails::Paid => Err(already_paid(&order, viewer)),
                RejectedDetails::Unknown => Ok(accepted(&order, attempt, viewer)),
                RejectedDetails::Unusable => {
                    Err(not_processed(&order, attempt, &rejection, viewer))
                }
            }
        }
        Err(CallError::Unknown(reason)) => {
            tracing::warn!(%reference, attempt, reason, "outcome of details unknown");
            Ok(accepted(&order, attempt, viewer))
        }
    }
}

async fn update<T>(
    orders: &Orders,
    order: Order,
    change: impl Fn(&mut Order) -> T,
) -> Result<(Order, T), StoreError> {
    orders.update(order, |order| Ok(change(order))).await
}

fn conclude(
    order: &mut Order,
    posted_for: usize,
    content: &str,
    response: &PaymentResponse,
) -> Option<usize> {
    let outcome = Outcome::from(response);
    order.conclude_details(
        posted_for,
        content,
        outcome,
        &response.identity(),
        response.challenges(),
        clock::now(),
    )
}

/// The order, the attempt if named, and what goes to Adyen.
fn read(
    state: &State,
    caller: &Caller,
    mut body: Map<String, Value>,
) -> Result<(Reference, Option<usize>, PaymentDetailsRequest), Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct OrderFields {
        reference: Reference,
        attempt: Option<usize>,
        merchant_account: Option<String>,
        // The body may repeat the token's claims, which are checked for their format here.
        #[serde(rename = "amount")]
        _amount: Option<Amount>,
        #[serde(rename = "countryCode")]
        _country_code: Option<CountryCode>,
        #[serde(rename = "shopperReference")]
        _shopper_reference: Option<ShopperReference>,
    }

    let mut order_fields = Map::new();
    for field in
        ["reference", "amount", "countryCode", "shopperReference", "attempt", "merchantAccount"]
    {
        order_fields.extend(body.remove(field).map(|value| (field.to_owned(), value)));
    }
    let completed = edge::complete(&mut order_fields, caller);
    let order_fields: OrderFields = edge::typed(order_fields)?;
    if order_fields
        .merchant_account
        .is_some_and(|account| account != state.rules.target.merchant_account)
    {
        return Err(edge::wrong_merchant_account());
    }
    completed?;
    if let Some(Value::Object(details)) = body.get_mut("details") {
        details.retain(|name, _| !OF_PAYPAL.contains(&name.as_str()));
    }
    let details: PaymentDetailsRequest = edge::typed(body)?;
    if details.details == Default::default() {
        return Err(Problem::new(
            Code::MissingField,
            "details: expected redirectResult, threeDSResult, threeds2.fingerprint or threeds2.challengeResult.",
        )
        .at("details"));
    }
    Ok((order_fields.reference, order_fields.attempt, details))
}

/// Returns the other order that the result belongs to, if it does. Adyen names it, or the
/// payment's pointer leads to it.
async fn owner(
    orders: &Orders,
    response: &PaymentResponse,
    order: &Order,
) -> Result<Option<String>, Problem> {
    let owner = match (&response.merchant_reference, &response.psp_reference) {
        (Some(named), _) => Some(named.clone()),
        (None, Some(payment)) if !order.psp_references().contains(payment.as_str()) => {
            orders.of_payment(payment).await?.map(|reference| reference.to_string())
        }
        _ => None,
    };
    Ok(owner.filter(|owner| owner != order.reference.as_str()))
}

/// Records Adyen's answer with the order that it belongs to.
async fn record_with_other_order(
    orders: &Orders,
    reference: &str,
    content: &str,
    response: &PaymentResponse,
) -> Result<(), Problem> {
    // No order has a malformed reference.
    let Ok(reference) = reference.parse::<Reference>() else {
        return Ok(());
    };
    orders
        .change(&reference, Start::Read, |order| {
            if let Some(order) = order
                && let Some(attempt) = order.attempt_of(response.psp_reference.as_deref())
            {
                conclude(order, attempt, content, response);
            }
            Ok::<_, Problem>(())
        })
        .await?;
    Ok(())
}
