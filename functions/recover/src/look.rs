//! One look at an order that is open.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    adyen::{charge::PaymentSender, modify::ModificationSender, payments::PaymentRequest},
    domain::order::{
        Attempt, AttemptStatus, Derived, Order, PaymentInstrument, Status, Submission,
    },
    store::{Due, StoreError},
};
use tokio::time::Instant;

use crate::State;

/// How long Adyen may take for one order.
const PATIENCE: Duration = Duration::from_secs(20);

/// The result of looking at an order.
pub enum Finding {
    /// It has not been open for long enough to be looked at.
    Early,
    /// Something of it is open still, and not for long enough.
    Waits,
    /// Its outcome is known.
    Resolved,
    /// Its shopper did not come back, and it is given up.
    Abandoned,
    /// It needs attention.
    Unknown,
    /// It needs attention, and did before.
    Told,
}

/// Looks at an order. Adyen is not asked after `stop_at`.
///
/// # Errors
/// [`StoreError`] where the order cannot be read or written.
pub async fn look_at(
    state: &State,
    due: &Due,
    now: Timestamp,
    stop_at: Instant,
) -> Result<Finding, StoreError> {
    let then = now - state.after;
    let orders = &state.inbox.orders;
    let reference =
        due.key.parse().map_err(|_| StoreError::unreadable("the reference of an order"))?;
    let Some(mut order) = orders.get(&reference).await? else {
        return Ok(Finding::Resolved);
    };
    match Derived::of(&order).open {
        // The index was behind.
        None => return Ok(Finding::Resolved),
        Some(open) if open.due_at > now => return Ok(Finding::Early),
        Some(open) if open.since >= then && open.overdue_at.is_none_or(|at| at > now) => {
            return Ok(Finding::Early);
        }
        Some(_) => {}
    }
    if let Some((sent, payment)) = charge_in_doubt(&order)
        && Instant::now() < stop_at
    {
        order = ask_about_charge(state, order, sent, payment).await?;
    }
    for at in modifications_in_doubt(&order, then) {
        if Instant::now() < stop_at {
            order = ask_about_modification(state, order, at).await?;
        }
    }
    let (_, finding) =
        orders.update(order, |order| Ok::<_, StoreError>(conclude(order, then))).await?;
    Ok(finding)
}

/// The charge of a stored payment method whose outcome is not known.
fn charge_in_doubt(order: &Order) -> Option<(Submission, PaymentRequest)> {
    let attempt = order.attempts.last()?;
    let unknown = Derived::of(order).attempts.last()?.state == AttemptStatus::Unknown;
    let sent = attempt.submissions.last().filter(|_| unknown)?;
    let payment = serde_json::from_str(sent.request.as_deref()?);
    // The attempt is then marked as unknown, because Adyen cannot be asked.
    let unreadable = |_: &_| tracing::error!(reference = %order.reference, "a request to pay that cannot be read");
    Some((sent.clone(), payment.inspect_err(unreadable).ok()?))
}

/// The modifications from before `then` of which it is not known whether Adyen received them.
fn modifications_in_doubt(order: &Order, then: Timestamp) -> Vec<usize> {
    let states = Derived::of(order).modifications;
    let modifications = order.modifications.iter().zip(states).enumerate();
    modifications
        .filter(|(_, (it, state))| state.in_doubt() && it.requested_at < then)
        .map(|(at, _)| at)
        .collect()
}

/// Asks Adyen about a charge again, unless its key is too old. The order is as it is now.
async fn ask_about_charge(
    state: &State,
    order: Order,
    sent: Submission,
    payment: PaymentRequest,
) -> Result<Order, StoreError> {
    let orders = &state.inbox.orders;
    let (order, decision) = orders
        .update(order, |order| {
            let now = Timestamp::now();
            let decision = order.decide(&state.target, &sent, now);
            let method = PaymentInstrument::StoredPaymentMethod;
            order.record_decision(decision, &state.target, method, &sent, now);
            Ok::<_, StoreError>(decision)
        })
        .await?;
    let Some(attempt) = decision.sends() else {
        return Ok(order);
    };
    let till = PaymentSender { adyen: &state.adyen, orders, tokens: &state.inbox.tokens };
    let until = Instant::now() + PATIENCE;
    let (order, _) = till.charge(order, attempt, &sent, payment, until).await?;
    Ok(order)
}

/// Asks Adyen about a modification again, unless its key is too old. The order is as it is
/// now.
async fn ask_about_modification(
    state: &State,
    order: Order,
    at: usize,
) -> Result<Order, StoreError> {
    let orders = &state.inbox.orders;
    let (order, recorded) = orders
        .update(order, |order| {
            Ok::<_, StoreError>(order.send_modification_again(&state.target, at, Timestamp::now()))
        })
        .await?;
    if recorded.sent_at.is_none() {
        return Ok(order);
    }
    let desk = ModificationSender { adyen: &state.adyen, orders, target: &state.target };
    let (order, _) = desk.ask(order, recorded, Instant::now() + PATIENCE).await?;
    Ok(order)
}

/// Concludes a look at an order that has been open for too long. An order that stays open is
/// written, so that its clock moves on and the next look comes later.
fn conclude(order: &mut Order, then: Timestamp) -> Finding {
    let now = Timestamp::now();
    let before = order.clone();
    order.abandon(now);
    let unknown = mark_unknown(order, then);
    let news = *order != before;
    let derived = Derived::of(order);
    let unresolved = derived.open.is_some_and(|open| open.unresolved);
    // If DynamoDB's answer to this very write was lost, it is abandoned already.
    let abandoned = derived.status == Status::Expired
        && order.attempts.last().is_some_and(Attempt::is_abandoned);
    if derived.open.is_some_and(|open| open.due_at <= now) {
        order.looked(now);
    }
    match (unknown, abandoned, unresolved) {
        (true, ..) if news => Finding::Unknown,
        (true, ..) => Finding::Told,
        (_, true, _) => Finding::Abandoned,
        (_, _, true) => Finding::Waits,
        _ => Finding::Resolved,
    }
}

/// Marks what has been in doubt since before `then`. Returns whether something is.
fn mark_unknown(order: &mut Order, then: Timestamp) -> bool {
    let modifications = modifications_in_doubt(order, then);
    for at in &modifications {
        order.modifications[*at].outcome_unknown = true;
    }
    let state = Derived::of(order).attempts.last().map(|attempt| attempt.state);
    let attempt = order.attempts.last_mut().zip(state).filter(|(attempt, state)| match state {
        AttemptStatus::Unknown => attempt.started_at < then,
        state => state.unresolved() && attempt.details_in_doubt(then),
    });
    let attempt = attempt.map(|(attempt, _)| attempt.outcome_unknown = true);
    attempt.is_some() || !modifications.is_empty()
}
