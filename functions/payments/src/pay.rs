//! `POST /payments`.

use lambda_http::{Body, Request, Response};
use shared::{
    adyen::{
        charge::{Charge, PaymentSender},
        payments::PaymentRequest,
        shopper::ShopperIp,
    },
    clock,
    domain::order::{Order, PayDecision, Submission},
    http::{
        answer::OrderAnswer,
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    limits,
    store::{Start, StoreError},
};

use crate::{
    State, accepted, already_paid, answer, in_progress, not_processed, request, session, stored,
    too_many,
};

/// Takes a payment once: stores the attempt, calls Adyen, stores the answer.
pub async fn pay(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    let viewer = caller.into();
    let caller_key = edge::idempotency_key(request)?;
    let (mut payment, caller_body) =
        request::payment(&state.rules, caller, edge::json_object(request)?)?;
    let submission = payment.submission(&caller_body, caller_key, clock::now());

    let refusal = match &payment.stored_payment_method() {
        Some(key) => stored::refusal(state, key, &payment.instrument(), until).await?,
        None => session::redeem(state.amazon_pay.as_ref(), caller, &mut payment, until).await?,
    };
    let start = match refusal {
        Some(_) => Start::Read,
        None => Start::New,
    };
    let (order, next) = state
        .orders
        .change(&payment.reference, start, |order| {
            decide(state, order, &payment, &submission, refusal.as_ref())
        })
        .await?;
    let order = order.ok_or(StoreError::Gone)?;
    let attempt = match next {
        PayDecision::Begin { attempt }
        | PayDecision::Repeat { attempt }
        | PayDecision::Replace { attempt } => attempt,
        PayDecision::Ended { attempt } => return answer(&order, attempt, None, viewer),
        PayDecision::Unknown { attempt } => return Ok(accepted(&order, attempt, viewer)),
        PayDecision::InProgress { retry_after } => return Err(in_progress(retry_after)),
        PayDecision::Paid => {
            return Err(already_paid(&order, viewer));
        }
        PayDecision::Cancelled => {
            return Err(Problem::new(
                Code::OrderCancelled,
                "The order was paid and then cancelled.",
            )
            .with("order", OrderAnswer::new(&order, viewer)));
        }
        PayDecision::TooMany => {
            return Err(too_many());
        }
        PayDecision::AmountDiffers => {
            return Err(Problem::new(
                Code::AmountMismatch,
                "This reference already belongs to an order with a different amount.",
            )
            .at("amount"));
        }
        PayDecision::KeyReused => {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was already used for a different request.",
            )
            .at("Idempotency-Key"));
        }
    };
    if !payment.is_complete() {
        // The session was sent before and no longer returns its token, so the webhook decides.
        return Ok(accepted(&order, attempt, viewer));
    }
    if matches!(caller, Caller::Checkout(_)) {
        payment.shopper_ip =
            edge::source_ip(request).and_then(|ip| ShopperIp::try_from(ip.to_string()).ok());
    }
    let sender =
        PaymentSender { adyen: &state.adyen, orders: &state.orders, tokens: &state.tokens };
    let (order, charge) = sender.charge(order, attempt, &submission, payment, until).await?;
    match charge {
        Charge::Answered(asked) => answer(&order, attempt, asked.as_ref(), viewer),
        Charge::Rejected(rejection) => Err(not_processed(&order, attempt, &rejection, viewer)),
        Charge::InProgress => Err(in_progress(limits::IN_FLIGHT.unsigned_abs())),
        Charge::Unknown => Ok(accepted(&order, attempt, viewer)),
    }
}

/// Decides whether this request starts an attempt or repeats one, and records it if it will be
/// sent. `refusal` applies to new requests only; the outcome of a repeated one is still looked up.
fn decide(
    state: &State,
    order: &mut Option<Order>,
    payment: &PaymentRequest,
    submission: &Submission,
    refusal: Option<&Problem>,
) -> Result<PayDecision, Problem> {
    let shopper_reference =
        payment.shopper_reference.as_ref().map(|shopper| shopper.as_str().to_owned());
    let order = order.get_or_insert_with(|| {
        let now = submission.sent_at;
        Order::new(
            payment.reference.clone(),
            payment.amount,
            state.rules.capture.clone(),
            shopper_reference.clone(),
            now,
        )
    });
    let target = &state.rules.target;
    let now = clock::now();
    let decision = order.decide(target, payment.amount, submission, now);
    match refusal {
        Some(refusal) if decision.is_new() => Err(refusal.clone()),
        // Nothing is recorded, because without the session's token nothing is sent.
        Some(_) if !payment.is_complete() => Ok(decision),
        _ => {
            if decision.is_new() {
                order.assign(shopper_reference);
            }
            order.record_decision(decision, target, payment.instrument(), submission, now);
            Ok(decision)
        }
    }
}
