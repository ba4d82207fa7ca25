//! One look at an order that is open.

use jiff::Timestamp;
use shared::{
    adyen::{charge::PaymentSender, modify::ModificationSender, payments::PaymentRequest},
    clock,
    domain::order::{Derived, Finding, Order, PaymentInstrument, RecordedModification, Submission},
    limits,
    store::{Due, StoreError},
};
use tokio::time::Instant;

use crate::State;

/// Looks at an order. Returns None if it has not been open for long enough. Sends nothing to
/// Adyen after `stop_at`.
///
/// # Errors
/// [`StoreError`] if the order cannot be read or written.
pub async fn look_at(
    state: &State,
    due: &Due,
    now: Timestamp,
    stop_at: Instant,
) -> Result<Option<Finding>, StoreError> {
    let overdue = now - state.after;
    let orders = &state.inbox.orders;
    let reference =
        due.key.parse().map_err(|_| StoreError::Unreadable("the reference of an order"))?;
    let Some(mut order) = orders.get(&reference).await? else {
        return Ok(Some(Finding::Resolved));
    };
    match Derived::of(&order).open {
        // The index is eventually consistent and still listed a resolved order.
        None => return Ok(Some(Finding::Resolved)),
        Some(open) if open.is_early(overdue, now) => return Ok(None),
        Some(_) => {}
    }
    if let Some((sent, payment)) = charge_in_doubt(&order)
        && Instant::now() < stop_at
    {
        order = resend_charge(state, order, sent, payment).await?;
    }
    for at in order.modifications_in_doubt(overdue) {
        if Instant::now() < stop_at {
            order = resend_modification(state, order, at).await?;
        }
    }
    let (_, finding) = orders
        .update(order, |order| Ok::<_, StoreError>(order.conclude_look(overdue, clock::now())))
        .await?;
    Ok(Some(finding))
}

/// Returns the charge in doubt with its request. A request that cannot be read cannot be sent
/// again, so that the attempt is marked as unknown.
fn charge_in_doubt(order: &Order) -> Option<(Submission, PaymentRequest)> {
    let sent = order.charge_in_doubt()?;
    match serde_json::from_str(sent.request.as_deref()?) {
        Ok(payment) => Some((sent.clone(), payment)),
        Err(_) => {
            tracing::error!(reference = %order.reference, "the stored request of a charge is unreadable");
            None
        }
    }
}

/// Sends a charge again, unless its key has expired. Returns the order as it is then.
async fn resend_charge(
    state: &State,
    order: Order,
    sent: Submission,
    payment: PaymentRequest,
) -> Result<Order, StoreError> {
    let orders = &state.inbox.orders;
    let (order, decision) = orders
        .update(order, |order| {
            let now = clock::now();
            let decision = order.decide(&state.target, *order.amount, &sent, now);
            let method = PaymentInstrument::StoredPaymentMethod;
            order.record_decision(decision, &state.target, method, &sent, now);
            Ok::<_, StoreError>(decision)
        })
        .await?;
    let Some(attempt) = decision.sends() else {
        return Ok(order);
    };
    let sender = PaymentSender { adyen: &state.adyen, orders, tokens: &state.inbox.tokens };
    let until = Instant::now() + limits::RECOVER_CALL;
    let (order, _) = sender.charge(order, attempt, &sent, payment, until).await?;
    Ok(order)
}

/// Sends a modification again, unless its key has expired. Returns the order as it is then.
async fn resend_modification(state: &State, order: Order, at: usize) -> Result<Order, StoreError> {
    let orders = &state.inbox.orders;
    let (order, recorded) = orders
        .update(order, |order| {
            let now = clock::now();
            let decision = order.decide_resend(&state.target, at, now);
            Ok::<_, StoreError>(order.record_modification(decision, now))
        })
        .await?;
    let RecordedModification::Sent(sent) = recorded else {
        return Ok(order);
    };
    let sender = ModificationSender { adyen: &state.adyen, orders, target: &state.target };
    let (order, _) = sender.send(order, sent, Instant::now() + limits::RECOVER_CALL).await?;
    Ok(order)
}
