//! An order as the workbench shows it: its status, the rule and the facts that gave it, and what
//! a write changed.

use serde_json::{Value, json};
use shared::domain::order::{Attempt, AttemptStatus, Cause, Order, Outcome};

/// The status with its reasons.
pub fn explanation(order: &Order) -> Value {
    let explained = order.explain();
    let derived = &explained.derived;
    let attempts = order.attempts.iter().zip(&derived.attempts).zip(&explained.attempts);
    let attempts = attempts.enumerate().map(|(at, ((attempt, resolved), (status, cause)))| {
        json!({
            "number": at + 1,
            "status": attempt_status(*status),
            "because": because(*cause, attempt),
            "answer": answer(attempt),
            "pspReference": resolved.psp_reference,
            "startedAt": attempt.started_at,
            "paymentMethod": attempt.payment_method,
        })
    });
    let events = explained.events.iter().map(|(event, effect)| {
        json!({
            "eventCode": event.event_code,
            "success": event.success,
            "pspReference": event.psp_reference,
            "originalReference": event.original_reference,
            "amount": event.amount,
            "eventDate": event.event_date,
            "receivedAt": event.received_at,
            "effect": effect.text(),
        })
    });
    let modifications = order.modifications.iter().zip(&derived.modifications);
    let modifications = modifications.map(|(modification, state)| {
        json!({
            "operation": modification.operation,
            "value": modification.value,
            "payment": modification.payment,
            "pspReference": modification.psp_reference,
            "state": state,
            "requestedAt": modification.requested_at,
        })
    });
    json!({
        "reference": order.reference,
        "version": order.version,
        "amount": {"currency": order.amount.currency.code(), "value": order.amount.value},
        "status": explained.status(),
        "confirmed": derived.confirmed,
        "rule": {"number": explained.rule.number(), "text": explained.rule.text()},
        "attempt": derived.attempt,
        "pspReference": derived.psp_reference,
        "resultCode": derived.result_code,
        "nextStep": derived.next_step,
        "needsAttention": derived.needs_attention,
        "authorised": derived.authorised,
        "captured": derived.captured,
        "refunded": derived.refunded,
        "openToCapture": derived.open_to_capture(),
        "openToRefund": derived.open_to_refund(),
        "dueAt": derived.open.map(|open| open.due_at),
        "createdAt": order.created_at,
        "updatedAt": order.updated_at,
        "attempts": attempts.collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "modifications": modifications.collect::<Vec<_>>(),
    })
}

/// The changes of a write, in words.
pub fn changes(before: Option<&Order>, after: &Order) -> Vec<String> {
    let mut changes = Vec::new();
    for (at, attempt) in after.attempts.iter().enumerate() {
        let number = at + 1;
        let known = before.and_then(|before| before.attempts.get(at));
        if known.is_none() {
            changes.push(format!("attempt {number} begins"));
        }
        if known.map(answer) != Some(answer(attempt))
            && let Some(answer) = answer(attempt)
        {
            changes.push(format!("attempt {number}: {answer}"));
        }
        let details = |attempt: &Attempt| attempt.details.len();
        if known.map_or(0, details) < details(attempt) {
            changes.push(format!("attempt {number}: details are sent"));
        }
        if known.is_some_and(|known| !known.outcome_unknown) && attempt.outcome_unknown {
            changes.push(format!("attempt {number}: left to a person"));
        }
        if known.is_some_and(|known| known.abandoned_at.is_none()) && attempt.abandoned_at.is_some()
        {
            changes.push(format!("attempt {number}: abandoned"));
        }
    }
    for event in &after.events {
        let known = |before: &Order| before.events.iter().any(|it| it.key() == event.key());
        if !before.is_some_and(known) {
            changes.push(format!("{} {} is stored", event.event_code, event.success));
        }
    }
    for (at, modification) in after.modifications.iter().enumerate() {
        let known = before.and_then(|before| before.modifications.get(at));
        let what = format!("{} of {}", json!(modification.operation), modification.value);
        let what = what.replace('"', "");
        match known {
            None => changes.push(format!("{what} is requested")),
            Some(known) if known.psp_reference != modification.psp_reference => {
                changes.push(format!("{what} is acknowledged"));
            }
            Some(known) if known.rejection != modification.rejection => {
                changes.push(format!("{what} is rejected"));
            }
            Some(_) => {}
        }
    }
    if changes.is_empty() {
        changes.push("no fact is new".to_owned());
    }
    changes
}

/// Every name by which Adyen may call a payment, a modification or a dispute of the order.
pub fn psp_references(order: &Order) -> Vec<String> {
    let attempts = order.attempts.iter().filter_map(|attempt| attempt.psp_reference.clone());
    let modifications = order.modifications.iter().filter_map(|it| it.psp_reference.clone());
    let events = order
        .events
        .iter()
        .flat_map(|event| [Some(event.psp_reference.clone()), event.original_reference.clone()]);
    let mut all: Vec<String> =
        attempts.chain(modifications).chain(events.flatten()).filter(|it| !it.is_empty()).collect();
    all.sort();
    all.dedup();
    all
}

fn because(cause: Cause, attempt: &Attempt) -> &'static str {
    match (cause, &attempt.outcome) {
        (Cause::Answer, None) => "Adyen has not answered yet",
        (Cause::Answer, Some(_)) => "Adyen's answer, because no webhook decides",
        (cause, _) => cause.text(),
    }
}

fn answer(attempt: &Attempt) -> Option<String> {
    let last = attempt.details.iter().rev().find_map(|details| details.outcome.as_ref());
    Some(match last.or(attempt.outcome.as_ref())? {
        Outcome::Answered { result_code, refusal_reason, .. } => match refusal_reason {
            Some(reason) => format!("Adyen answered {result_code}: {reason}"),
            None => format!("Adyen answered {result_code}"),
        },
        Outcome::Rejected(rejection) => {
            format!("Adyen rejected it with {} and {}", rejection.status, rejection.error_code)
        }
        Outcome::Unknown(_) => "a newer version stored its answer".to_owned(),
    })
}

fn attempt_status(status: AttemptStatus) -> String {
    match status {
        AttemptStatus::Pending(on) => format!("pending on {}", words(&format!("{on:?}"))),
        AttemptStatus::MaybeExpired(on) => {
            format!("expired, maybe pending on {}", words(&format!("{on:?}")))
        }
        other => words(&format!("{other:?}")),
    }
}

/// `DetailsAnswer` as `details answer`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
