//! Sends webhooks when they are due, and again if they are not accepted.

use std::sync::Arc;
use std::time::Duration;

use shared::clock;
use tokio::task::JoinSet;

use crate::books::{Change, Delivery, Webhook};
use crate::context::later;
use crate::simulator::Inner;

/// The most webhooks that are sent at once.
const MAX_CONCURRENT: usize = 64;

enum Next {
    Send(u64),
    Wait(Duration),
    Sleep,
}

/// Sends webhooks until it is aborted, which also aborts the deliveries in progress.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut deliveries = JoinSet::new();
    loop {
        match next(&inner) {
            Next::Send(id) => {
                let inner = inner.clone();
                deliveries.spawn(async move { deliver(&inner, id).await });
            }
            Next::Wait(delay) => tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = inner.wake.notified() => {}
            },
            Next::Sleep => inner.wake.notified().await,
        }
        while deliveries.try_join_next().is_some() {}
    }
}

fn next(inner: &Inner) -> Next {
    let mut state = inner.state();
    if state.held || state.webhook_url.is_none() || state.delivering.len() >= MAX_CONCURRENT {
        return Next::Sleep;
    }
    let waiting = state.journal.books.agenda.iter().find(|(_, id)| !state.delivering.contains(id));
    let Some((due, id)) = waiting.copied() else {
        return Next::Sleep;
    };
    match Duration::try_from(due.duration_since(clock::now())) {
        Ok(delay) if !delay.is_zero() => Next::Wait(delay),
        _ => {
            state.delivering.insert(id);
            Next::Send(id)
        }
    }
}

/// Sends that webhook, records the answers and returns the status of the last one.
pub(crate) async fn deliver(inner: &Inner, id: u64) -> Option<u16> {
    let (webhook, url) = {
        let state = inner.state();
        (state.journal.books.webhooks.get(&id).cloned(), state.webhook_url.clone())
    };
    let mut attempts = Vec::new();
    if let (Some(webhook), Some(url)) = (&webhook, url) {
        let target = inner.target.at(webhook.to.as_deref().unwrap_or(&url));
        for _ in 0..webhook.copies {
            let at = clock::now();
            let watch = inner.options.watch.as_ref().filter(|_| webhook.to.is_some());
            let answered = match watch {
                Some(watch) => target.watched(&webhook.message, watch).await,
                None => target.post(&webhook.message).await,
            };
            let (status, error) = match answered {
                Ok(answer) => (Some(answer.status), None),
                Err(error) => (None, Some(error)),
            };
            attempts.push(Delivery { at, status, error });
        }
        inner.log(&line(webhook, attempts.last()));
    }
    let status = attempts.last().and_then(|attempt| attempt.status);
    record(inner, id, attempts);
    status
}

fn record(inner: &Inner, id: u64, attempts: Vec<Delivery>) {
    let mut state = inner.state();
    state.delivering.remove(&id);
    if let Some(mut webhook) = state.journal.books.webhooks.get(&id).cloned()
        && let Some(last) = attempts.last()
    {
        let wait = inner.options.redelivery.get(webhook.attempts.len() / webhook.copies as usize);
        webhook.due = match (last.accepted(), webhook.due, wait) {
            (false, Some(_), Some(wait)) => Some(later(clock::now(), *wait)),
            _ => None,
        };
        webhook.attempts.extend(attempts);
        if let Err(error) = state.journal.commit(vec![Change::Webhook(Box::new(webhook))]) {
            inner.log_unwritten(&error);
        }
    }
    drop(state);
    inner.wake.notify_one();
}

fn line(webhook: &Webhook, attempt: Option<&Delivery>) -> String {
    let item = webhook.body();
    let success = item["notificationItems"][0]["NotificationRequestItem"]["success"]
        .as_str()
        .map(|success| format!(" {success}"))
        .unwrap_or_default();
    let answered = match attempt {
        Some(Delivery { status: Some(status), .. }) => status.to_string(),
        Some(Delivery { error: Some(error), .. }) => error.clone(),
        _ => "nothing".into(),
    };
    let Webhook { event, reference, psp_reference, .. } = webhook;
    format!("webhook {event}{success} {reference} {psp_reference} -> {answered}")
}
