//! `POST /payments/details`: what the shopper's browser brought back.

use jiff::{SignedDuration, Timestamp};
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
    domain::{
        amount::Amount,
        error_code::rejects_content,
        order::{
            Attempt, AttemptStatus, Derived, Details, IN_FLIGHT, Order, Outcome, Rejection, Target,
            sha256,
        },
        reference::Reference,
        shopper_reference::ShopperReference,
    },
    http::{
        answer::Viewer,
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    store::{Orders, Start, StoreError},
};

use crate::{State, accepted, already_paid, answer, in_progress, not_processed, too_many};

/// The decision about a result that the browser returned.
enum Next {
    /// Send it, as a part of this attempt. `first` is when, unless it was sent before.
    Send { attempt: usize, first: Option<Timestamp> },
    /// It changes nothing any more: show this attempt.
    Show { attempt: usize },
    /// It cannot be sent from here: the attempt was made for another account or another Adyen.
    Unknown { attempt: usize },
}

/// Passes on what the browser brought back, once however often it is posted.
pub async fn submit(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    let viewer = caller.into();
    let (reference, attempt, details) = read(state, caller, edge::json_object(request)?)?;
    // The same result has the same key whichever order it is posted for, so that Adyen
    // never takes a repetition for a second result.
    let content = sha256(&[json!(details).to_string().as_bytes()]);
    let key =
        sha256(&[b"details", state.rules.target.merchant_account.as_bytes(), content.as_bytes()]);

    let (order, next) = state
        .orders
        .change(&reference, Start::Read, |order| {
            let order = order
                .as_mut()
                .ok_or_else(|| Problem::new(Code::OrderNotFound, "There is no such order."))?;
            begin(order, &state.rules.target, attempt, &content, viewer)
        })
        .await?;
    let order = order.ok_or_else(StoreError::gone)?;
    let (attempt, first) = match next {
        Next::Send { attempt, first } => (attempt, first),
        Next::Show { attempt } => return answer(&order, attempt, None, viewer),
        Next::Unknown { attempt } => return Ok(accepted(&order, attempt, viewer)),
    };

    let orders = state.orders.within(until);
    let answered =
        state.adyen.post::<PaymentResponse>("payments/details", &details, Some(&key), until).await;
    charge::observe(&answered);
    match answered {
        Ok(response) => {
            if let Some(other) = owner(&orders, &response, &order).await? {
                tracing::warn!(%reference, %other, "a result of another order");
                forget(&orders, order, attempt, |it| it.content == content).await?;
                record_elsewhere(&orders, &other, &content, &response).await?;
                return Err(Problem::new(Code::WrongOrder, "The result belongs to another order."));
            }
            let (order, bound) = orders
                .update(order, |order| {
                    Ok::<_, Problem>(conclude(order, attempt, &content, &response))
                })
                .await?;
            match bound {
                Some(attempt) => {
                    answer(&order, attempt, response.required_action().as_ref(), viewer)
                }
                None => {
                    tracing::warn!(%reference, attempt, "an answer that is bound to no attempt");
                    as_it_stands(&order, attempt, viewer)
                }
            }
        }
        Err(CallError::Rejected { status, error }) => {
            tracing::warn!(%reference, attempt, status, errorCode = error.error_code, "details rejected");
            // Drop the rejected details so that the attempt waits for the shopper again. Keep
            // them if the same was sent earlier or later and may have been processed, which
            // only the rejection of a field rules out.
            let of_field = rejects_content(&error.error_code);
            let decides = |it: &Details| Some(it.sent_at) == first || of_field;
            let not_taken = |it: &Details| it.content == content && decides(it);
            let order = forget(&orders, order, attempt, not_taken).await?;
            rejected(&order, attempt, &error.rejection(status), viewer)
        }
        Err(CallError::Unknown(reason)) => {
            tracing::warn!(%reference, attempt, reason, "outcome of details unknown");
            Ok(accepted(&order, attempt, viewer))
        }
    }
}

/// The order, the attempt if named, and what goes to Adyen.
fn read(
    state: &State,
    caller: &Caller,
    mut body: Map<String, Value>,
) -> Result<(Reference, Option<usize>, PaymentDetailsRequest), Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct About {
        reference: Reference,
        #[expect(dead_code, reason = "held to what the token says")]
        amount: Option<Amount>,
        #[expect(dead_code, reason = "held to what the token says")]
        country_code: Option<CountryCode>,
        #[expect(dead_code, reason = "held to what the token says")]
        shopper_reference: Option<ShopperReference>,
        attempt: Option<usize>,
        merchant_account: Option<String>,
    }

    let mut about = Map::new();
    for field in
        ["reference", "amount", "countryCode", "shopperReference", "attempt", "merchantAccount"]
    {
        about.extend(body.remove(field).map(|value| (field.to_owned(), value)));
    }
    let agreed = edge::complete(&mut about, caller);
    let about: About = edge::typed(about)?;
    if about.merchant_account.is_some_and(|account| account != state.rules.target.merchant_account)
    {
        return Err(edge::wrong_merchant_account());
    }
    agreed?;
    let details: PaymentDetailsRequest = edge::typed(body)?;
    if details.details == Default::default() {
        return Err(Problem::new(
            Code::MissingField,
            "details: expected redirectResult, threeDSResult, threeds2.fingerprint or threeds2.challengeResult.",
        )
        .at("details"));
    }
    Ok((about.reference, about.attempt, details))
}

/// Decides what to do, and marks the attempt as in flight where something is sent.
fn begin(
    order: &mut Order,
    target: &Target,
    attempt: Option<usize>,
    content: &str,
    viewer: Viewer,
) -> Result<Next, Problem> {
    let derived = Derived::of(order);
    let highest = order.attempts.len();
    let number = attempt.unwrap_or(highest);
    let at = number.checked_sub(1);
    let Some((facts, stands)) =
        at.and_then(|at| Some((order.attempts.get(at)?, derived.attempts.get(at)?.state)))
    else {
        return Err(Problem::new(Code::InvalidField, "attempt: the order has no such attempt.")
            .at("attempt"));
    };
    let known = facts.details.iter().find(|it| it.content == content);
    // Only Adyen knows whether an offer is closed for good.
    let open = stands.unresolved() || stands == AttemptStatus::Expired;
    if !open || known.is_some_and(|known| !known.may_be_asked_again()) {
        return Ok(Next::Show { attempt: number });
    }
    if number < highest {
        return Err(Problem::new(
            Code::AttemptSuperseded,
            "A later attempt to pay this order has replaced this one.",
        )
        .with("attempt", highest));
    }
    if derived.status.was_paid() {
        return Err(already_paid(order, viewer));
    }
    // An action is handed out only once the answer with it is stored.
    if facts.outcome.is_none() {
        return Err(in_progress(IN_FLIGHT.unsigned_abs()));
    }
    if !facts.was_made_for(target) {
        if let Some(attempt) = order.attempt_mut(number) {
            attempt.outcome_unknown = true;
        }
        return Ok(Next::Unknown { attempt: number });
    }
    let now = Timestamp::now();
    let first = known.is_none().then_some(now);
    if let (Some(_), Some(left)) = (first, in_flight(facts, now)) {
        return Err(in_progress(left.unsigned_abs()));
    }
    if first.is_some() && order.is_full_of_details(number) {
        return Err(too_many());
    }
    if let Some(facts) = order.attempt_mut(number) {
        match facts.details.iter_mut().find(|it| it.content == content) {
            None => facts.details.push(Details::new(content.to_owned(), now)),
            // The earlier request learns by this that it was not the last one, if it is rejected.
            Some(known) if known.outcome.is_none() => known.sent_at = now,
            Some(_) => {}
        }
    }
    Ok(Next::Send { attempt: number, first })
}

/// For how long another result may yet be at Adyen: from a page of a superseded attempt that
/// does not say so, both could be paid.
fn in_flight(attempt: &Attempt, now: Timestamp) -> Option<SignedDuration> {
    attempt
        .details
        .iter()
        .filter(|other| other.outcome.is_none())
        .map(|other| IN_FLIGHT - now.duration_since(other.sent_at))
        .filter(|left| left.is_positive())
        .max()
}

/// Adyen did not take the details: the attempt is as it was before.
async fn forget(
    orders: &Orders,
    order: Order,
    attempt: usize,
    not_taken: impl Fn(&Details) -> bool,
) -> Result<Order, Problem> {
    let (order, ()) = orders
        .update(order, |order| {
            if let Some(attempt) = order.attempt_mut(attempt) {
                attempt.forget(&not_taken);
            }
            Ok::<_, Problem>(())
        })
        .await?;
    Ok(order)
}

/// Keeps Adyen's answer with the attempt that it is bound to, and returns that attempt. An
/// answer that is bound to none may still challenge the shopper once more, but ends nothing: the
/// details stay unanswered until the webhook says whose payment it is.
fn conclude(
    order: &mut Order,
    posted_for: usize,
    content: &str,
    response: &PaymentResponse,
) -> Option<usize> {
    let outcome = Outcome::from(response);
    if let Some(bound) = order.bound_attempt(&response.named(), posted_for) {
        if bound != posted_for
            && let Some(attempt) = order.attempt_mut(posted_for)
        {
            attempt.forget(|it| it.content == content);
        }
        order.attempt_mut(bound)?.answer_details(content, outcome, response.psp_reference.clone());
        return Some(bound);
    }
    let attempt = order.attempt_mut(posted_for)?;
    if response.challenges() {
        attempt.answer_details(content, outcome, None);
        return Some(posted_for);
    }
    attempt.claim(content, response.psp_reference.clone());
    None
}

/// The attempt as it stands after an answer that is bound to nothing.
fn as_it_stands(order: &Order, attempt: usize, viewer: Viewer) -> Result<Response<Body>, Problem> {
    match stands(order, attempt) {
        Some(state) if !state.unresolved() => answer(order, attempt, None, viewer),
        _ => Ok(accepted(order, attempt, viewer)),
    }
}

/// Adyen rejected what the browser brought back.
fn rejected(
    order: &Order,
    attempt: usize,
    rejection: &Rejection,
    viewer: Viewer,
) -> Result<Response<Body>, Problem> {
    let waits = match stands(order, attempt) {
        Some(AttemptStatus::Expired) => true,
        state => state.is_some_and(AttemptStatus::unresolved),
    };
    if !waits {
        // A webhook was quicker.
        return answer(order, attempt, None, viewer);
    }
    if Derived::of(order).status.was_paid() {
        return Err(already_paid(order, viewer));
    }
    let facts = attempt.checked_sub(1).and_then(|at| order.attempts.get(at));
    if facts.is_some_and(Attempt::details_in_flight) && !rejection.is_ours() {
        // The rejection may be the consequence of the same request, sent before.
        return Ok(accepted(order, attempt, viewer));
    }
    Err(not_processed(order, attempt, rejection, viewer))
}

/// Where an attempt, from 1, stands.
fn stands(order: &Order, attempt: usize) -> Option<AttemptStatus> {
    let at = attempt.checked_sub(1)?;
    Derived::of(order).attempts.get(at).map(|attempt| attempt.state)
}

/// The other order to which a result belongs, if it does: as Adyen names it, else by what is
/// known of the payment.
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

/// Keeps Adyen's answer with the order to which it belongs.
async fn record_elsewhere(
    orders: &Orders,
    reference: &str,
    content: &str,
    response: &PaymentResponse,
) -> Result<(), Problem> {
    // A malformed reference cannot exist here.
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
