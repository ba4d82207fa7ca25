//! `POST /orders/{reference}/captures|cancels|refunds|reversals`.

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::json;
use shared::{
    adyen::modify::{ModificationAnswer, ModificationSender},
    clock,
    domain::{
        amount::Amount,
        order::{
            self, Derived, ModificationState, Operation, Order, RecordedModification, RefundReason,
            Refusal, Status,
        },
        reference::Reference,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    platform::observe,
    store::Start,
};

use crate::{State, not_found, reference_in_path};

/// The merchant's request. Without an amount it applies to the whole open amount.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ModificationBody {
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(default, deserialize_with = "known_reason", skip_serializing_if = "Option::is_none")]
    merchant_refund_reason: Option<RefundReason>,
    #[serde(skip_serializing)]
    merchant_account: Option<String>,
    /// Required if several payments stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_psp_reference: Option<String>,
}

/// Rejects `null`, because an absent amount means the whole open amount and `null` may be an error.
fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    Amount::deserialize(deserializer).map(Some)
}

/// Rejects reasons that Adyen does not define.
fn known_reason<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<RefundReason>, D::Error> {
    match Option::deserialize(deserializer)? {
        Some(RefundReason::Unknown(_)) => {
            Err(de::Error::custom("expected FRAUD, CUSTOMER REQUEST, RETURN, DUPLICATE or OTHER"))
        }
        reason => Ok(reason),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    reference: &'a Reference,
    status: Status,
    operation: Operation,
    payment_psp_reference: &'a str,
    /// Absent until Adyen has confirmed that it received the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    amount: Amount,
    state: ModificationState,
}

/// Records a modification and sends it to Adyen, unless the same request was answered before.
pub async fn modify(
    state: &State,
    caller: &Caller,
    operation: Operation,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    edge::merchant(caller, "Only the merchant's backend may modify payments.")?;
    let idempotency_key = edge::idempotency_key(request)?;
    let body: ModificationBody = edge::typed(edge::optional_json_object(request)?)?;
    if body
        .merchant_account
        .as_ref()
        .is_some_and(|account| *account != state.target.merchant_account)
    {
        return Err(edge::wrong_merchant_account());
    }
    check_fields(&operation, &body)?;
    if body.amount.is_some() && idempotency_key.is_none() {
        return Err(Problem::new(
            Code::IdempotencyKeyMissing,
            "Send an Idempotency-Key with an amount: without one, a repeated request is \
             another capture or refund.",
        )
        .at("Idempotency-Key"));
    }
    let reference: Reference = reference_in_path(request).parse().map_err(|_| not_found())?;
    let modification_request = order::ModificationRequest {
        operation: operation.clone(),
        payment: body.payment_psp_reference.clone(),
        amount: body.amount,
        merchant_refund_reason: body.merchant_refund_reason.clone(),
        idempotency_key,
        content: order::sha256(&[operation.path().as_bytes(), json!(body).to_string().as_bytes()]),
        decided_within: state.decided_within,
    };

    let (order, recorded) = state
        .inbox
        .orders
        .change(&reference, Start::Read, |order| {
            let order = order.as_mut().ok_or_else(not_found)?;
            let now = clock::now();
            let decision = order
                .decide_modification(&state.target, &modification_request, now)
                .map_err(|refusal| refused(refusal, order))?;
            Ok::<_, Problem>(order.record_modification(decision, now))
        })
        .await?;
    let order = order.ok_or_else(not_found)?;
    let sent = match recorded {
        RecordedModification::Sent(sent) => sent,
        RecordedModification::Kept { at } => return answer(&order, at),
    };
    let sender = ModificationSender {
        adyen: &state.adyen,
        orders: &state.inbox.orders,
        target: &state.target,
    };
    let (order, adyen_answer) = sender.send(order, sent, until).await?;
    match adyen_answer {
        ModificationAnswer::Stored | ModificationAnswer::Unknown => answer(&order, sent.at),
        ModificationAnswer::Rejected(rejection) => Err(edge::rejected(&rejection)),
    }
}

/// Rejects fields that the operation does not have.
fn check_fields(operation: &Operation, body: &ModificationBody) -> Result<(), Problem> {
    let unknown = |field: &str| {
        let detail = format!("{field}: not allowed for {}.", operation.path());
        Err(Problem::new(Code::UnknownField, detail).at(field))
    };
    if body.amount.is_some() && !operation.has_amount() {
        return unknown("amount");
    }
    if body.merchant_refund_reason.is_some() && *operation != Operation::Refund {
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
                "This operation is not possible now: the order's status is `{}`.",
                status.as_str()
            ),
        ),
        Refusal::Currency => Problem::new(
            Code::AmountMismatch,
            format!("The order's currency is {}.", order.amount.currency),
        )
        .at("amount.currency"),
        Refusal::Exceeds { open } => Problem::new(
            Code::AmountExceedsOpen,
            format!(
                "At most {} {open} (minor units) can be captured or refunded.",
                order.amount.currency
            ),
        )
        .at("amount.value"),
        Refusal::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was already used for a different request.",
        )
        .at("Idempotency-Key"),
        Refusal::TooMany => Problem::new(
            Code::TooManyModifications,
            "The order has reached the limit of 200 modifications, or of its size.",
        ),
    }
}

fn answer(order: &Order, at: usize) -> Result<Response<Body>, Problem> {
    let derived = Derived::of(order);
    let mut modifications = order.modifications.iter().zip(&derived.modifications);
    let (modification, state) = modifications.nth(at).ok_or_else(not_found)?;
    if let Some(rejection) = &modification.rejection {
        return Err(edge::rejected(rejection));
    }
    if *state == ModificationState::Unknown {
        return Err(Problem::new(
            Code::ModificationUnknown,
            "The outcome is unknown. Check the payment in Adyen's Customer Area; to try again, use a new \
             Idempotency-Key.",
        ));
    }
    observe::outcome(state.as_str());
    observe::payment(&modification.payment);
    let answer = Answer {
        reference: &order.reference,
        status: derived.status,
        operation: modification.operation.clone(),
        payment_psp_reference: &modification.payment,
        psp_reference: modification.psp_reference.as_deref(),
        amount: Amount { currency: order.amount.currency, value: modification.value },
        state: *state,
    };
    Ok(edge::json(StatusCode::ACCEPTED, &answer))
}
