//! `POST /orders/{reference}/captures|cancels|refunds|reversals`.

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    adyen::client::CallError,
    amount::Amount,
    auth::Caller,
    edge,
    order::{self, Derived, Modification, Operation, Order, Recorded, Refusal, Rejection, Status},
    problem::{Code, Problem},
    reference::Reference,
    store::Start,
};

use crate::{State, named, not_found};

/// What the merchant asks for; an absent body asks for all that is open.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_refund_reason: Option<RefundReason>,
    #[serde(skip_serializing)]
    merchant_account: Option<String>,
    /// The payment, where several stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_psp_reference: Option<String>,
}

/// Why money is given back. Source: Checkout API, `merchantRefundReason`.
#[derive(Clone, Copy, Deserialize, Serialize)]
enum RefundReason {
    #[serde(rename = "FRAUD")]
    Fraud,
    #[serde(rename = "CUSTOMER REQUEST")]
    CustomerRequest,
    #[serde(rename = "RETURN")]
    Return,
    #[serde(rename = "DUPLICATE")]
    Duplicate,
    #[serde(rename = "OTHER")]
    Other,
}

/// What Adyen is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModificationRequest<'a> {
    merchant_account: &'a str,
    reference: &'a Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_refund_reason: Option<RefundReason>,
}

/// What Adyen answers: it has received the request; a webhook tells what became of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationResponse {
    psp_reference: String,
}

/// What the merchant is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    reference: &'a Reference,
    status: Status,
    operation: Operation,
    payment_psp_reference: &'a str,
    /// Absent while it is not known whether Adyen received the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    amount: Amount,
}

/// Asks Adyen to modify a payment, once.
pub async fn modify(
    state: &State,
    caller: &Caller,
    operation: Operation,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    if *caller != Caller::Merchant {
        return Err(Problem::new(
            Code::MerchantTokenRequired,
            "Only the merchant's backend modifies payments.",
        ));
    }
    let idempotency_key = edge::idempotency_key(request)?;
    let asked: Asked = edge::typed(edge::json_object_or_nothing(request)?)?;
    if asked
        .merchant_account
        .as_ref()
        .is_some_and(|account| *account != state.merchant_account)
    {
        return Err(edge::wrong_merchant_account());
    }
    fits(operation, &asked)?;
    let reference: Reference = named(request).parse().map_err(|_| not_found())?;
    let wanted = order::Request {
        operation,
        payment: asked.payment_psp_reference.clone(),
        value: asked.amount.map(|amount| amount.value),
        idempotency_key,
        content: order::sha256(&[
            operation.path().as_bytes(),
            json!(asked).to_string().as_bytes(),
        ]),
    };

    let (order, Recorded { at, again }) = state
        .orders
        .change(&reference, Start::Read, |order| {
            let order = order.as_mut().ok_or_else(not_found)?;
            if asked
                .amount
                .is_some_and(|amount| amount.currency != order.amount.currency)
            {
                return Err(Problem::new(
                    Code::AmountMismatch,
                    format!("The order is in {}.", order.amount.currency),
                )
                .at("amount.currency"));
            }
            order
                .modify(&state.merchant_account, &wanted, Timestamp::now())
                .map_err(|refusal| refused(refusal, order))
        })
        .await?;
    let order = order.ok_or_else(not_found)?;
    let modification = order.modifications.get(at).ok_or_else(not_found)?;
    let answered = modification.psp_reference.is_some() || modification.rejection.is_some();
    if answered || modification.key_expired(Timestamp::now()) {
        return answer(&order, modification);
    }

    let path = format!("payments/{}/{}", modification.payment, operation.path());
    let body = ModificationRequest {
        merchant_account: &state.merchant_account,
        reference: &order.reference,
        amount: operation.has_amount().then_some(Amount {
            currency: order.amount.currency,
            value: modification.value,
        }),
        merchant_refund_reason: asked.merchant_refund_reason,
    };
    let key = Some(modification.key.as_str());
    let received = match state
        .adyen
        .post::<ModificationResponse>(&path, &body, key, until)
        .await
    {
        Ok(response) => Ok(response.psp_reference),
        Err(CallError::Rejected { status, error }) => {
            tracing::warn!(%reference, path, status, error = error.error_code, "rejected");
            let rejection = Rejection::new(status, &error);
            // It speaks for this request; one before may have been received.
            if again && !matches!(status, 400 | 422) {
                return Err(edge::rejected(&rejection));
            }
            Err(rejection)
        }
        Err(CallError::Unknown(reason)) => {
            tracing::warn!(%reference, path, reason, "outcome unknown");
            return answer(&order, modification);
        }
    };
    let (order, ()) = state
        .orders
        .change(&reference, Start::At(Box::new(order)), |order| {
            if let Some(modification) = order
                .as_mut()
                .and_then(|order| order.modifications.get_mut(at))
            {
                modification.answer(received.clone());
            }
            Ok::<_, Problem>(())
        })
        .await?;
    let order = order.ok_or_else(not_found)?;
    answer(&order, order.modifications.get(at).ok_or_else(not_found)?)
}

/// What an operation does not take.
fn fits(operation: Operation, asked: &Asked) -> Result<(), Problem> {
    let unknown = |field: &str| {
        let detail = format!("{field}: {} do not take it.", operation.path());
        Err(Problem::new(Code::UnknownField, detail).at(field))
    };
    if asked.amount.is_some() && !operation.has_amount() {
        return unknown("amount");
    }
    if asked.merchant_refund_reason.is_some() && operation != Operation::Refund {
        return unknown("merchantRefundReason");
    }
    Ok(())
}

fn refused(refusal: Refusal, order: &Order) -> Problem {
    let status = Derived::of(order).status;
    match refusal {
        Refusal::NoSuchPayment => {
            Problem::new(Code::PaymentNotFound, "The order has no such payment.")
                .at("paymentPspReference")
        }
        Refusal::Ambiguous => Problem::new(
            Code::AmbiguousPayment,
            "Several payments of this order stand; name one as paymentPspReference.",
        )
        .at("paymentPspReference"),
        Refusal::WrongState => Problem::new(
            Code::WrongState,
            format!(
                "Nothing of the payment is open to it; the order is {}.",
                status.as_str()
            ),
        ),
        Refusal::Exceeds { open } => Problem::new(
            Code::AmountExceedsOpen,
            format!("{} {open} is open.", order.amount.currency),
        )
        .at("amount.value"),
        Refusal::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "The Idempotency-Key came with another request before.",
        )
        .at("Idempotency-Key"),
        Refusal::TooMany => Problem::new(
            Code::TooManyModifications,
            "The order was modified too often.",
        ),
    }
}

fn answer(order: &Order, modification: &Modification) -> Result<Response<Body>, Problem> {
    if let Some(rejection) = &modification.rejection {
        return Err(edge::rejected(rejection));
    }
    let answer = Answer {
        reference: &order.reference,
        status: Derived::of(order).status,
        operation: modification.operation,
        payment_psp_reference: &modification.payment,
        psp_reference: modification.psp_reference.as_deref(),
        amount: Amount {
            currency: order.amount.currency,
            value: modification.value,
        },
    };
    Ok(edge::json(StatusCode::ACCEPTED, &answer))
}
