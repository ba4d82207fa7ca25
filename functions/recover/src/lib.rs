//! Recovers the outcomes of attempts and modifications that nobody reported, on a schedule. The
//! rules are those of [`shared::domain::order::Finding`].
//!
//! Invoked with `{"takeOver": "foreign"}` it instead applies events that were kept because they
//! were of another environment or merchant account than the deployment was configured for.

mod look;
mod take_over;

pub use take_over::{TakenOver, take_over};

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    adyen::{client::Client, inbox::Inbox},
    clock,
    domain::order::{Finding, Target},
    limits,
    platform::{
        config::{Env, Settings, StartError},
        observe::{self, Metric},
    },
    store::{Due, Orders, StoreError},
};
use tokio::time::Instant;

/// The function's state between runs.
pub struct State {
    adyen: Client,
    inbox: Inbox,
    target: Target,
    /// Minutes after which an outcome counts as unknown.
    after: SignedDuration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Invocation {
    take_over: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    Resolved(Report),
    TakenOver(TakenOver),
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("takeOver: expected \"foreign\"")]
    UnknownTakeOver,
}

/// The result of a run.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Orders whose outcome had been open for too long: the sum of those below, and those that
    /// stay open.
    pub open: usize,
    /// Orders with nothing open any more.
    pub resolved: usize,
    /// Orders marked for a person.
    pub unknown: usize,
    /// Orders whose shopper did not come back.
    pub abandoned: usize,
    /// Orders that could not be looked at. A later run will.
    pub failed: usize,
    /// Seconds for which the oldest order has been open, without those marked for a person in an
    /// earlier run.
    pub open_age: u64,
    /// True if the time was over before all orders were looked at. The next run continues.
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
        let target = Client::target(&mut settings, adyen.as_ref());
        let after =
            settings.or("RECOVER_AFTER_MINUTES", "15", |minutes| match minutes.parse::<u32>() {
                Ok(minutes) if minutes > 0 => Ok(SignedDuration::from_mins(minutes.into())),
                _ => Err("expected a number of minutes"),
            });
        settings.finish((|| {
            Some(Self { target: target?, adyen: adyen?, inbox: inbox?, after: after? })
        })())
    }
}

/// Runs one invocation until `until` at most. An event without `takeOver` is the schedule's.
///
/// # Errors
/// [`RunError`].
pub async fn run(state: &State, event: Value, until: Instant) -> Result<Done, RunError> {
    let invocation: Invocation = serde_json::from_value(event).unwrap_or_default();
    match invocation.take_over {
        None | Some(Value::Null) => Ok(Done::Resolved(recover(state, until).await?)),
        Some(Value::String(from)) if from == "foreign" => {
            Ok(Done::TakenOver(take_over(state, until).await?))
        }
        Some(_) => Err(RunError::UnknownTakeOver),
    }
}

/// Looks at every order whose outcome has been open for too long. The shards of the index take
/// turns, one page each, so that no shard waits for another. In each shard the orders that have
/// been due for longest come first. No order is begun shortly before `until`.
///
/// # Errors
/// [`StoreError`] if the index cannot be read.
pub async fn recover(state: &State, until: Instant) -> Result<Report, StoreError> {
    let now = clock::now();
    let stop_at = until - limits::RECOVER_RESERVE;
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
            .buffer_unordered(limits::RECOVER_AT_ONCE);
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

/// The result of looking at an order that was due.
enum LookResult {
    /// It became due only a moment ago, and may still get its answer.
    Early,
    Found(Finding),
    Failed,
}

async fn find(state: &State, due: &Due, now: Timestamp, stop_at: Instant) -> LookResult {
    // Boxed, because the compiler's queries are limited in how deep futures may be nested.
    let error = match Box::pin(look::look_at(state, due, now, stop_at)).await {
        Ok(None) => return LookResult::Early,
        Ok(Some(finding)) => return LookResult::Found(finding),
        Err(error) => error,
    };
    tracing::error!(reference = due.key, %error, "an order could not be looked at");
    let wait = if error.is_permanent() {
        limits::LOOK_AFTER_UNREADABLE
    } else {
        limits::LOOK_AFTER_FAILURE
    };
    if let Err(error) = state.inbox.orders.postpone(due, now + wait).await {
        tracing::error!(reference = due.key, %error, "an order could not be postponed");
    }
    LookResult::Failed
}

impl Report {
    fn count(&mut self, result: LookResult, since: Timestamp, oldest: &mut Timestamp) {
        match result {
            LookResult::Early => return,
            LookResult::Failed => self.failed += 1,
            LookResult::Found(Finding::Resolved) => self.resolved += 1,
            LookResult::Found(Finding::Abandoned) => self.abandoned += 1,
            LookResult::Found(Finding::Unknown | Finding::UnknownBefore) => self.unknown += 1,
            LookResult::Found(Finding::Waits) => {}
        }
        self.open += 1;
        let is_news = matches!(
            result,
            LookResult::Failed | LookResult::Found(Finding::Waits | Finding::Unknown)
        );
        if is_news {
            *oldest = since.min(*oldest);
        }
    }
}
