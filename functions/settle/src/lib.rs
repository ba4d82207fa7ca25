//! Attempts and modifications without an outcome: run by a schedule.
//!
//! A shopper's payment is never sent again: the shopper may have left, and would be charged
//! for nothing. What stays unknown for too long is marked for a person to look at. A charge
//! of a stored payment method is the merchant's own, as are captures, cancels, refunds and
//! reversals: Adyen is asked about them again, with the same key and the same content.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    adyen::{client::Client, payments::PaymentRequest},
    charge::Till,
    config::{Env, Settings, StartError, text},
    modify::Desk,
    observe::{self, Metric},
    order::{AttemptState, Derived, Move, Order, PaymentInstrument, Target, Try},
    reference::Reference,
    store::{Orders, StoreError, Tokens},
};
use tokio::time::Instant;

/// How long Adyen may take for one order.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is kept back of a run's time, for marking what Adyen could not be asked about.
const MARKING: Duration = Duration::from_secs(30);

/// So many orders are looked at at once.
const AT_ONCE: usize = 8;

/// What the function holds between runs.
pub struct State {
    adyen: Client,
    orders: Orders,
    tokens: Tokens,
    target: Target,
    /// Minutes after which an outcome counts as unknown.
    after: SignedDuration,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Orders whose outcome had been open for too long.
    pub open: usize,
    /// Of these, nothing is open any more.
    pub settled: usize,
    /// Of these, marked for a person to look at.
    pub unknown: usize,
    /// Of these, could not be looked at; the next run will.
    pub failed: usize,
    /// Seconds that the longest one has been open, of those that no person was told of before.
    pub unsettled_age: u64,
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
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text);
        let after =
            settings.or("SETTLE_AFTER_MINUTES", "15", |minutes| match minutes.parse::<u32>() {
                Ok(minutes) if minutes > 0 => Ok(SignedDuration::from_mins(minutes.into())),
                _ => Err("expected a number of minutes"),
            });
        settings.finish((|| {
            Some(Self {
                target: Target {
                    merchant_account: merchant_account?,
                    endpoint: adyen.as_ref()?.endpoint().to_owned(),
                },
                adyen: adyen?,
                orders: orders?,
                tokens: tokens?,
                after: after?,
            })
        })())
    }
}

/// Looks at every order whose outcome has been open for too long, the longest first. Adyen
/// is asked until shortly before `until`.
///
/// # Errors
/// [`StoreError`] where not even the list of them can be read.
pub async fn settle(state: &State, until: Instant) -> Result<Report, StoreError> {
    let now = Timestamp::now();
    let then = now - state.after;
    let open = state.orders.unsettled(then).await?;
    let findings = stream::iter(open)
        .map(async |(since, reference)| {
            let found = look_at(state, &reference, then, until - MARKING).await;
            if let Err(error) = &found {
                tracing::error!(%reference, %error, "an order could not be looked at");
            }
            (since, found)
        })
        .buffer_unordered(AT_ONCE);
    let nothing = (Report::default(), now);
    let (mut report, oldest) = findings
        .fold(nothing, async |(mut report, oldest), (since, found)| {
            report.open += 1;
            let is_open = !matches!(found, Ok(Finding::Settled | Finding::Told));
            match found {
                Ok(Finding::Settled) => report.settled += 1,
                Ok(Finding::Unknown | Finding::Told) => report.unknown += 1,
                Ok(Finding::Waits) => {}
                Err(_) => report.failed += 1,
            }
            (report, if is_open { oldest.min(since) } else { oldest })
        })
        .await;
    let age = now.duration_since(oldest).unsigned_abs();
    report.unsettled_age = age.as_secs();
    observe::count(Metric::UnsettledAge(age));
    tracing::info!(?report, "settled");
    Ok(report)
}

/// What is to be said of an order.
enum Finding {
    /// Its outcome is known.
    Settled,
    /// It needs attention.
    Unknown,
    /// It needs attention, and did before.
    Told,
    /// It waits for the shopper or for Adyen, as it may.
    Waits,
}

async fn look_at(
    state: &State,
    reference: &Reference,
    then: Timestamp,
    until: Instant,
) -> Result<Finding, StoreError> {
    let Some(mut order) = state.orders.get(reference).await? else {
        return Ok(Finding::Settled);
    };
    if let Some(sent) = charge_in_doubt(&order)
        && Instant::now() < until
    {
        order = ask_about_charge(state, order, sent, until).await?;
    }
    for at in modifications_in_doubt(&order, then) {
        if Instant::now() < until {
            order = ask_about_modification(state, order, at, until).await?;
        }
    }
    let (_, finding) = state
        .orders
        .update(order, |order| {
            let before = order.clone();
            Ok::<_, StoreError>(match give_up(order, then) {
                Finding::Unknown if *order == before => Finding::Told,
                finding => finding,
            })
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
    sent: Try,
    until: Instant,
) -> Result<Order, StoreError> {
    let request = sent.request.as_deref().unwrap_or_default();
    let Ok(payment) = serde_json::from_str::<PaymentRequest>(request) else {
        return Err(StoreError::unreadable("a request to pay"));
    };
    let (order, next) = state
        .orders
        .update(order, |order| {
            Ok::<_, StoreError>(order.take(
                &state.target,
                PaymentInstrument::StoredPaymentMethod,
                &sent,
                Timestamp::now(),
            ))
        })
        .await?;
    let Move::Send { attempt } = next else {
        return Ok(order);
    };
    let till = Till { adyen: &state.adyen, orders: &state.orders, tokens: &state.tokens };
    let until = until.min(Instant::now() + PATIENCE);
    let (order, _) = till.charge(order, attempt, &sent, payment, until).await?;
    Ok(order)
}

/// Asks Adyen about a modification again, unless its key is too old. The order is as it is
/// now.
async fn ask_about_modification(
    state: &State,
    order: Order,
    at: usize,
    until: Instant,
) -> Result<Order, StoreError> {
    let (order, recorded) = state
        .orders
        .update(order, |order| {
            Ok::<_, StoreError>(order.send_modification_again(&state.target, at, Timestamp::now()))
        })
        .await?;
    if recorded.sent_at.is_none() {
        return Ok(order);
    }
    let desk = Desk { adyen: &state.adyen, orders: &state.orders, target: &state.target };
    let until = until.min(Instant::now() + PATIENCE);
    let (order, _) = desk.ask(order, recorded, until).await?;
    Ok(order)
}

/// What an order whose outcome has been open for too long comes to.
fn give_up(order: &mut Order, then: Timestamp) -> Finding {
    let in_doubt = modifications_in_doubt(order, then);
    for at in &in_doubt {
        order.modifications[*at].outcome_unknown = true;
    }
    let state = Derived::of(order).attempts.last().map(|attempt| attempt.state);
    let waits = match (state, order.attempts.last_mut()) {
        (Some(state), Some(attempt)) if state.unresolved() => {
            let in_doubt = match state {
                AttemptState::Unknown => attempt.started_at < then,
                _ => attempt.details_in_doubt(then),
            };
            if in_doubt {
                attempt.outcome_unknown = true;
                return Finding::Unknown;
            }
            true
        }
        _ => false,
    };
    match (in_doubt.is_empty(), waits) {
        (false, _) => Finding::Unknown,
        (true, true) => Finding::Waits,
        (true, false) => Finding::Settled,
    }
}
