//! Attempts and modifications without an outcome: run by a schedule.
//!
//! A shopper's payment is never sent again: the shopper may have left, and would be charged
//! for nothing. An outcome that stays unknown for too long is marked for a person to look at, and
//! an attempt that waited for its shopper for too long is abandoned. A charge of a stored payment method is the
//! merchant's own, as are captures, cancels, refunds and reversals: Adyen is asked about them
//! again, with the same key and the same content.
//!
//! Invoked with `{"takeOver": "foreign"}` it applies events instead that were kept because they
//! were of another environment or merchant account than the deployment was configured for.

mod look;
mod take_over;

pub use take_over::{TakenOver, take_over};

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    adyen::{client::Client, inbox::Inbox},
    domain::order::Target,
    platform::{
        config::{Env, Settings, StartError, text},
        observe::{self, Metric},
    },
    store::{Due, Orders, StoreError},
};
use tokio::time::Instant;

use look::Finding;

/// Time kept back at the end of a run, so that an order that was begun is seen through.
const SEEING_THROUGH: Duration = Duration::from_secs(30);

/// So many orders are looked at at once.
const AT_ONCE: usize = 8;

/// When to come back to an order that cannot be read.
const UNREADABLE: SignedDuration = SignedDuration::from_hours(1);

/// When to come back to an order that could not be looked at for another reason.
const UNAVAILABLE: SignedDuration = SignedDuration::from_mins(5);

/// The function's state between runs.
pub struct State {
    adyen: Client,
    inbox: Inbox,
    target: Target,
    /// Minutes after which an outcome counts as unknown.
    after: SignedDuration,
}

/// The part of an invocation's event that matters.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Invocation {
    take_over: Option<Value>,
}

/// The result of an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// A run of the schedule.
    Resolved(Report),
    /// Foreign events were taken over.
    TakenOver(TakenOver),
}

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It asks for something that is not known.
    #[error("takeOver: expected \"foreign\"")]
    Invocation,
}

/// The result of a run.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Orders whose outcome had been open for too long.
    pub open: usize,
    /// Those of them that have nothing open any more.
    pub resolved: usize,
    /// Those of them that are marked for a person to look at.
    pub unknown: usize,
    /// Those of them that were given up because the shopper did not come back.
    pub abandoned: usize,
    /// Those of them that could not be looked at; a later run will.
    pub failed: usize,
    /// Seconds that the longest one has been open, of those that no person was told of before.
    pub open_age: u64,
    /// True if the time was over before all were looked at; the next run goes on.
    pub stopped: bool,
}

impl State {
    /// Reads the configuration and prepares the clients.
    ///
    /// # Errors
    /// [`StartError`] naming everything that is missing or malformed.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let mut settings = Settings::load(env, Client::SECRETS).await?;
        let adyen = Client::read(&mut settings);
        let inbox = Inbox::read(&mut settings);
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text);
        let after =
            settings.or("RECOVER_AFTER_MINUTES", "15", |minutes| match minutes.parse::<u32>() {
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
                inbox: inbox?,
                after: after?,
            })
        })())
    }
}

/// Does what an invocation asks for, until `until` at most. An event without `takeOver` is the
/// schedule's.
///
/// # Errors
/// [`RunError`].
pub async fn run(state: &State, event: Value, until: Instant) -> Result<Done, RunError> {
    let asked: Invocation = serde_json::from_value(event).unwrap_or_default();
    match asked.take_over {
        None | Some(Value::Null) => Ok(Done::Resolved(recover(state, until).await?)),
        Some(Value::String(what)) if what == "foreign" => {
            Ok(Done::TakenOver(take_over(state, until).await?))
        }
        Some(_) => Err(RunError::Invocation),
    }
}

/// Looks at every order whose outcome has been open for too long. The shards of the index take
/// turns, a page each, so that none waits for another; in each the longest due come first. No
/// order is begun shortly before `until`.
///
/// # Errors
/// [`StoreError`] where not even the index can be read.
pub async fn recover(state: &State, until: Instant) -> Result<Report, StoreError> {
    let now = Timestamp::now();
    let stop_at = until - SEEING_THROUGH;
    let mut report = Report::default();
    let mut oldest = now;
    let mut places = Orders::open_orders();
    fastrand::shuffle(&mut places);
    let mut places = VecDeque::from(places);
    while let Some(place) = places.pop_front() {
        if Instant::now() >= stop_at {
            report.stopped = true;
            break;
        }
        let page = state.inbox.orders.due(place, now).await?;
        places.extend(page.next);
        let mut found = stream::iter(page.due)
            .map(async |due| {
                let in_time = Instant::now() < stop_at;
                let found =
                    if in_time { Some(find(state, &due, now, stop_at).await) } else { None };
                (due.since, found)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((since, found)) = found.next().await {
            match found {
                None => report.stopped = true,
                Some(found) => report.count(found, since, &mut oldest),
            }
        }
    }
    let age = now.duration_since(oldest).unsigned_abs();
    report.open_age = age.as_secs();
    observe::count(Metric::OpenAge(age));
    tracing::info!(?report, "recovered");
    Ok(report)
}

/// Looks at an order; None where it could not be looked at.
async fn find(state: &State, due: &Due, now: Timestamp, stop_at: Instant) -> Option<Finding> {
    // Boxed, because the compiler's queries are limited in how deep futures may be nested.
    let error = match Box::pin(look::look_at(state, due, now, stop_at)).await {
        Ok(finding) => return Some(finding),
        Err(error) => error,
    };
    tracing::error!(reference = due.key, %error, "an order could not be looked at");
    let wait = if error.is_permanent() { UNREADABLE } else { UNAVAILABLE };
    if let Err(error) = state.inbox.orders.postpone(due, now + wait).await {
        tracing::error!(reference = due.key, %error, "an order could not be postponed");
    }
    None
}

impl Report {
    fn count(&mut self, found: Option<Finding>, since: Timestamp, oldest: &mut Timestamp) {
        let untold = match found {
            // An order that became due a moment ago may still get its answer.
            Some(Finding::Early) => return,
            Some(Finding::Waits) => true,
            Some(Finding::Resolved) => {
                self.resolved += 1;
                false
            }
            Some(Finding::Abandoned) => {
                self.abandoned += 1;
                false
            }
            Some(Finding::Unknown) => {
                self.unknown += 1;
                true
            }
            Some(Finding::Told) => {
                self.unknown += 1;
                false
            }
            None => {
                self.failed += 1;
                true
            }
        };
        self.open += 1;
        if untold {
            *oldest = since.min(*oldest);
        }
    }
}
