//! Attempts without an outcome: run by a schedule.
//!
//! A shopper's payment is never sent again: the shopper may have left, and would be charged
//! for nothing. What stays unknown for too long is marked for a person to look at. A charge
//! of a stored payment method is the merchant's own: it is asked about again, with the same
//! key and the same content.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    adyen::{client::Client, payments::PaymentRequest},
    charge::{Charge, Till},
    config::{Env, Settings, StartError},
    order::{AttemptState, Derived, Move, Order, PaymentInstrument, Try},
    reference::Reference,
    store::{Orders, Start, StoreError, Tokens},
};
use tokio::time::Instant;

/// How long Adyen may take for one order.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the function holds between runs.
pub struct State {
    adyen: Client,
    orders: Orders,
    tokens: Tokens,
    /// Minutes after which an outcome counts as unknown.
    after: SignedDuration,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Orders whose outcome had been open for too long.
    pub open: usize,
    /// Of these, charges of stored payment methods whose outcome is known now.
    pub settled: usize,
    /// Of these, marked for a person to look at.
    pub unknown: usize,
    /// Of these, could not be looked at; the next run will.
    pub failed: usize,
}

impl State {
    /// Reads the configuration and prepares the clients.
    ///
    /// # Errors
    /// [`StartError`] naming everything that is missing or malformed.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let mut settings = Settings::load(env, Client::SECRETS).await?;
        let adyen = Client::read(&mut settings);
        let orders = Orders::read(&mut settings);
        let tokens = Tokens::read(&mut settings);
        let after = settings.or("SETTLE_AFTER_MINUTES", "15", |minutes| {
            match minutes.parse::<u32>() {
                Ok(minutes) if minutes > 0 => Ok(SignedDuration::from_mins(minutes.into())),
                _ => Err("expected a number of minutes"),
            }
        });
        settings.finish((|| {
            Some(Self {
                adyen: adyen?,
                orders: orders?,
                tokens: tokens?,
                after: after?,
            })
        })())
    }
}

/// Looks at every order whose outcome has been open for too long.
///
/// # Errors
/// [`StoreError`] where not even the list of them can be read.
pub async fn settle(state: &State) -> Result<Report, StoreError> {
    let mut report = Report::default();
    for reference in state
        .orders
        .unsettled(Timestamp::now() - state.after)
        .await?
    {
        report.open += 1;
        match look_at(state, &reference).await {
            Ok(Finding::Settled) => report.settled += 1,
            Ok(Finding::Unknown) => report.unknown += 1,
            Ok(Finding::Waits) => {}
            Err(error) => {
                report.failed += 1;
                tracing::error!(%reference, %error, "an order could not be looked at");
            }
        }
    }
    tracing::info!(?report, "settled");
    Ok(report)
}

/// What is to be said of an order.
enum Finding {
    /// Its outcome is known.
    Settled,
    /// It needs attention.
    Unknown,
    /// It waits for the shopper or for Adyen, as it may.
    Waits,
}

async fn look_at(state: &State, reference: &Reference) -> Result<Finding, StoreError> {
    let Some(order) = state.orders.get(reference).await? else {
        return Ok(Finding::Settled);
    };
    if let Some(sent) = charge_in_doubt(&order) {
        return ask_again(state, order, sent).await;
    }
    mark(state, order).await
}

/// Marks an order whose outcome is not known.
async fn mark(state: &State, order: Order) -> Result<Finding, StoreError> {
    let reference = order.reference.clone();
    let (_, finding) = state
        .orders
        .change(&reference, Start::At(Box::new(order)), |order| {
            Ok::<_, StoreError>(order.as_mut().map_or(Finding::Settled, give_up))
        })
        .await?;
    Ok(finding)
}

/// The charge of a stored payment method whose outcome is not known.
fn charge_in_doubt(order: &Order) -> Option<Try> {
    let attempt = order.attempts.last()?;
    let unknown = Derived::of(order).attempts.last()?.state == AttemptState::Unknown;
    let sent = attempt.tries.last().filter(|_| unknown)?;
    sent.request.is_some().then(|| sent.clone())
}

/// Asks Adyen about a charge again, unless its key is too old.
async fn ask_again(state: &State, order: Order, sent: Try) -> Result<Finding, StoreError> {
    let reference = order.reference.clone();
    let request = sent.request.as_deref().unwrap_or_default();
    let Ok(payment) = serde_json::from_str::<PaymentRequest>(request) else {
        return Err(StoreError::unreadable("a request to pay"));
    };
    let (order, next) = state
        .orders
        .change(&reference, Start::At(Box::new(order)), |order| {
            let order = order.as_mut().ok_or_else(StoreError::gone)?;
            Ok::<_, StoreError>(order.take(
                PaymentInstrument::StoredPaymentMethod,
                &sent,
                Timestamp::now(),
            ))
        })
        .await?;
    let order = order.ok_or_else(StoreError::gone)?;
    let attempt = match next {
        Move::Send { attempt } => attempt,
        Move::Unknown { .. } => return Ok(Finding::Unknown),
        _ => return Ok(Finding::Settled),
    };
    let till = Till {
        adyen: &state.adyen,
        orders: &state.orders,
        tokens: &state.tokens,
    };
    let until = Instant::now() + PATIENCE;
    match till.charge(order, attempt, &sent, payment, until).await? {
        Charge::Answered { .. } => Ok(Finding::Settled),
        // It is marked, and asked about again by the next run.
        Charge::Rejected { order, .. } | Charge::Unknown { order } => mark(state, order).await,
    }
}

/// What an order whose outcome has been open for too long comes to.
fn give_up(order: &mut Order) -> Finding {
    let state = Derived::of(order)
        .attempts
        .last()
        .map(|attempt| attempt.state);
    let Some(attempt) = order.attempts.last_mut() else {
        return Finding::Settled;
    };
    match state {
        Some(state) if !state.unresolved() => Finding::Settled,
        Some(AttemptState::Unknown) => {
            attempt.outcome_unknown = true;
            Finding::Unknown
        }
        _ if attempt.details_in_flight() => {
            attempt.outcome_unknown = true;
            Finding::Unknown
        }
        _ => Finding::Waits,
    }
}
