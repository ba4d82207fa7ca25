//! Sends webhooks when they are due, and again when they were not accepted.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::books::{Attempt, Change, Webhook};
use crate::desk::later;
use crate::simulator::Inner;

/// How many are on their way at once.
const MOST: usize = 64;

/// What to do next.
enum Next {
    Send(u64),
    Wait(Duration),
    Sleep,
}

/// Sends until it is aborted, and with it every delivery on its way.
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
    let mut shared = inner.shared();
    if shared.held || shared.webhook_url.is_none() || shared.delivering.len() >= MOST {
        return Next::Sleep;
    }
    let waiting = shared.ledger.books.agenda.iter().find(|(_, id)| !shared.delivering.contains(id));
    let Some((due, id)) = waiting.copied() else {
        return Next::Sleep;
    };
    match Duration::try_from(due.duration_since(Timestamp::now())) {
        Ok(delay) if !delay.is_zero() => Next::Wait(delay),
        _ => {
            shared.delivering.insert(id);
            Next::Send(id)
        }
    }
}

/// Sends that webhook and notes what came back.
pub(crate) async fn deliver(inner: &Inner, id: u64) -> Option<u16> {
    let (webhook, url) = {
        let shared = inner.shared();
        (shared.ledger.books.webhooks.get(&id).cloned(), shared.webhook_url.clone())
    };
    let mut attempts = Vec::new();
    if let (Some(webhook), Some(url)) = (&webhook, url) {
        let target = inner.target.at(&url);
        for _ in 0..webhook.copies {
            let at = Timestamp::now();
            let (status, error) = match target.post(&webhook.message).await {
                Ok(answer) => (Some(answer.status), None),
                Err(error) => (None, Some(error)),
            };
            attempts.push(Attempt { at, status, error });
        }
        inner.log(&line(webhook, attempts.last()));
    }
    let status = attempts.last().and_then(|attempt| attempt.status);
    note(inner, id, attempts);
    status
}

fn note(inner: &Inner, id: u64, attempts: Vec<Attempt>) {
    let mut shared = inner.shared();
    shared.delivering.remove(&id);
    if let Some(mut webhook) = shared.ledger.books.webhooks.get(&id).cloned()
        && let Some(last) = attempts.last()
    {
        let wait = inner.options.redelivery.get(webhook.attempts.len() / webhook.copies as usize);
        webhook.due = match (last.accepted(), webhook.due, wait) {
            (false, Some(_), Some(wait)) => Some(later(Timestamp::now(), *wait)),
            _ => None,
        };
        webhook.attempts.extend(attempts);
        if let Err(error) = shared.ledger.commit(vec![Change::Webhook(Box::new(webhook))]) {
            inner.log(&format!("The books can't be written: {error}"));
        }
    }
    drop(shared);
    inner.wake.notify_one();
}

fn line(webhook: &Webhook, attempt: Option<&Attempt>) -> String {
    let item = webhook.body();
    let success = item["notificationItems"][0]["NotificationRequestItem"]["success"]
        .as_str()
        .map(|success| format!(" {success}"))
        .unwrap_or_default();
    let answered = match attempt {
        Some(Attempt { status: Some(status), .. }) => status.to_string(),
        Some(Attempt { error: Some(error), .. }) => error.clone(),
        _ => "nothing".into(),
    };
    let Webhook { event, reference, psp_reference, .. } = webhook;
    format!("webhook {event}{success} {reference} {psp_reference} -> {answered}")
}
