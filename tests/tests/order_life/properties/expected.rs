//! What an order should come to: the rules once more, as slowly and plainly as they read.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::domain::order::{AdyenEvent, Attempt, Capture, Operation, Order, Outcome};

use super::any::DISPUTES;
use crate::facts::PRICE;

/// The statuses that an order may have: one, but where it is not clear which of its
/// payments was the last.
pub fn statuses(order: &Order) -> Vec<&'static str> {
    let payments = counting(order);
    let sum = |of: fn(&Payment) -> i64| payments.iter().map(of).sum::<i64>();
    let (refunded, taken) = (sum(|it| it.refunded), sum(|it| it.taken));
    let open = open(order);
    let ended: Vec<_> =
        payments.iter().filter(|it| it.authorised.is_some()).filter_map(|it| it.ended).collect();
    if payments.iter().any(|payment| payment.charged_back) {
        vec!["chargedBack"]
    } else if refunded > 0 {
        vec![if refunded >= taken { "refunded" } else { "partiallyRefunded" }]
    } else if payments.iter().any(|payment| payment.has_capture) {
        vec!["captured"]
    } else if payments.iter().any(|it| it.authorised.is_some() && it.ended.is_none()) {
        vec!["authorised"]
    } else if open.last() == Some(&"pending") {
        vec!["pending"]
    } else if !ended.is_empty() {
        ended
    } else {
        vec![open.last().copied().unwrap_or("created")]
    }
}

/// True if AUTHORISATIONs of payments that stand add up to the order's amount.
pub fn confirmed(order: &Order) -> bool {
    let mut confirming = counting(order);
    confirming.retain(|it| it.reported && (it.has_capture || it.ended.is_none()));
    confirming.iter().filter_map(|it| it.authorised).sum::<i64>() >= PRICE
}

/// Returns whether more of a payment was refunded than was taken of it.
pub fn beyond_what_was_taken(order: &Order) -> bool {
    payments(order).iter().any(|payment| payment.refunded > payment.taken)
}

/// All payments, without those that are over if another one stands.
fn counting(order: &Order) -> Vec<Payment> {
    let mut payments = payments(order);
    let returned = |it: &Payment| it.refunded > 0 && it.refunded >= it.taken;
    let stands = |it: &Payment| it.has_capture || it.ended.is_none();
    if payments.iter().any(|it| it.authorised.is_some() && stands(it) && !returned(it)) {
        payments.retain(|it| it.charged_back || (stands(it) && !returned(it)));
    }
    payments
}

struct Payment {
    authorised: Option<i64>,
    reported: bool,
    has_capture: bool,
    taken: i64,
    refunded: i64,
    ended: Option<&'static str>,
    charged_back: bool,
}

fn payments(order: &Order) -> Vec<Payment> {
    let reports = reports(order);
    let named = reports.iter().map(|event| payment_of(order, event));
    let made = names(order, &reports);
    // An authorisation without a name is a payment too.
    let nameless = order.attempts.iter().zip(&made);
    let nameless = nameless.filter(|(it, named)| named.is_none() && answer(it) == "authorised");
    let all: BTreeSet<&str> =
        named.chain(made.iter().flatten().copied()).chain(nameless.map(|_| "")).collect();
    all.into_iter().map(|named| payment(order, &reports, &made, named)).collect()
}

fn payment(order: &Order, reports: &[&AdyenEvent], made: &[Option<&str>], named: &str) -> Payment {
    let about = |code: &str| -> Vec<&AdyenEvent> {
        let mut about: Vec<&AdyenEvent> = reports.to_vec();
        about.retain(|it| it.event_code.as_str() == code && payment_of(order, it) == named);
        about
    };
    let worked = |code: &str| -> Vec<&AdyenEvent> {
        about(code).into_iter().filter(|event| event.success).collect()
    };
    let reversals = |action: &str| -> Vec<&AdyenEvent> {
        let mut reversals = worked("CANCEL_OR_REFUND");
        reversals.retain(|event| event.modification_action.as_deref() == Some(action));
        reversals
    };

    let authorised = match about("AUTHORISATION")[..] {
        [event] => event.success.then(|| euro(event)),
        _ => order
            .attempts
            .iter()
            .zip(made)
            .any(|(it, made)| made.unwrap_or_default() == named && answer(it) == "authorised")
            .then_some(PRICE),
    };
    let ours = |operation: Operation| {
        let ours = order.modifications.iter();
        let ours = ours.filter(move |it| it.operation == operation && it.payment == named);
        ours.filter_map(|it| it.psp_reference.as_deref())
    };
    let names = |events: Vec<&AdyenEvent>, operation: Operation| -> Vec<String> {
        let mut names: Vec<String> = ours(operation).map(str::to_owned).collect();
        names.extend(events.iter().map(|event| event.psp_reference.clone()));
        names
    };
    let captures = standing(
        worked("CAPTURE"),
        &names(about("CAPTURE"), Operation::Capture),
        &about("CAPTURE_FAILED"),
    );
    let refunds = standing(
        [worked("REFUND"), reversals("refund")].concat(),
        &names([about("REFUND"), about("CANCEL_OR_REFUND")].concat(), Operation::Refund),
        &[about("REFUND_FAILED"), about("REFUNDED_REVERSED")].concat(),
    );
    let cancels =
        [worked("CANCELLATION"), worked("TECHNICAL_CANCEL"), reversals("cancel")].concat();
    let last = |events: Vec<&AdyenEvent>| events.iter().map(|event| when(event)).max();
    let ended = match (last(cancels), last(worked("EXPIRE"))) {
        (None, None) => None,
        (cancelled, expired) => Some(if expired > cancelled { "expired" } else { "cancelled" }),
    };
    let captured = captures.iter().map(|event| euro(event)).sum();
    let automatically = match order.capture {
        Capture::Automatic if ended.is_none() => authorised.unwrap_or(0),
        _ => 0,
    };
    let names: BTreeSet<&str> = reports.iter().map(|it| it.psp_reference.as_str()).collect();
    let reached = |code: &str, dispute: &str| {
        worked(code).into_iter().find(|event| event.psp_reference == dispute).map(when)
    };
    let charged_back = |dispute: &&str| {
        let reached = |code: &str| reached(code, dispute);
        let decided = |by: &str| {
            let (won, lost) = (reached(&format!("{by}_WON")), reached(&format!("{by}_LOST")));
            (won.is_some() || lost.is_some()).then_some(lost >= won)
        };
        reached("SECOND_CHARGEBACK").is_some()
            || decided("SCHEME_ARBITRATION").or_else(|| decided("PREARBITRATION")).unwrap_or(
                reached("CHARGEBACK").is_some() && reached("CHARGEBACK_REVERSED").is_none(),
            )
    };
    Payment {
        authorised,
        reported: about("AUTHORISATION").iter().any(|event| event.success),
        has_capture: !captures.is_empty(),
        taken: automatically.max(captured),
        refunded: refunds.iter().map(|event| euro(event)).sum(),
        ended,
        charged_back: names.iter().any(charged_back),
    }
}

/// One report for each kind and reference: the later, then the one of success.
fn reports(order: &Order) -> Vec<&AdyenEvent> {
    let beats = |other: &AdyenEvent, event: &AdyenEvent| {
        (&other.event_code, &other.psp_reference) == (&event.event_code, &event.psp_reference)
            && (when(other), other.success) > (when(event), event.success)
    };
    let counts = |event: &&AdyenEvent| !order.events.iter().any(|other| beats(other, event));
    order.events.iter().filter(counts).collect()
}

/// The payment that an event names, else the one that another event of its dispute names.
fn payment_of<'a>(order: &'a Order, event: &'a AdyenEvent) -> &'a str {
    let of_dispute = |event: &AdyenEvent| DISPUTES.contains(&event.event_code.as_str());
    let tells = |other: &&AdyenEvent| {
        of_dispute(other)
            && other.psp_reference == event.psp_reference
            && other.original_reference.is_some()
    };
    let told = order.events.iter().find(tells).and_then(|it| it.original_reference.as_deref());
    match &event.original_reference {
        None if of_dispute(event) => told.unwrap_or(&event.psp_reference),
        _ => event.payment(),
    }
}

/// What is left of captures or refunds.
fn standing<'a>(
    mut worked: Vec<&'a AdyenEvent>,
    names: &[String],
    failures: &[&AdyenEvent],
) -> Vec<&'a AdyenEvent> {
    let known = |failure: &&&AdyenEvent| names.contains(&failure.psp_reference);
    for failure in failures.iter().filter(known) {
        worked.retain(|it| {
            it.psp_reference != failure.psp_reference
                || (it.reason.is_some() && when(it) > when(failure))
        });
    }
    for failure in failures.iter().filter(|failure| !known(failure)) {
        if let Some(at) = worked.iter().position(|it| it.amount == failure.amount) {
            worked.remove(at);
        }
    }
    worked
}

/// None is dated far ahead here.
fn when(event: &AdyenEvent) -> Timestamp {
    event.event_date.or(event.received_at).unwrap()
}

fn euro(event: &AdyenEvent) -> i64 {
    let amount = event.amount.as_ref().unwrap();
    if amount.currency == "EUR" { amount.value.max(0) } else { 0 }
}

/// As what each attempt ended, or `pending`.
fn open(order: &Order) -> Vec<&'static str> {
    let reports = reports(order);
    let mut verdicts: Vec<&AdyenEvent> = reports.clone();
    verdicts.retain(|event| event.event_code.as_str() == "AUTHORISATION");
    let named = names(order, &reports);

    let mut open: Vec<&str> = order
        .attempts
        .iter()
        .zip(&named)
        .map(|(attempt, named)| {
            let verdict = verdicts.iter().find(|event| Some(&*event.psp_reference) == *named);
            match (verdict.map(|event| event.success), answer(attempt)) {
                (Some(true), _) => "authorised",
                (Some(false), "pending" | "authorised") => "refused",
                (_, "pending") if abandoned(attempt) => "expired",
                (_, answer) => answer,
            }
        })
        .collect();

    let mut offers: Vec<&AdyenEvent> = reports;
    offers.retain(|event| event.event_code.as_str() == "OFFER_CLOSED" && event.success);
    offers.sort_by_key(|event| when(event));
    for offer in offers {
        let began = |at: usize| order.attempts[at].started_at;
        let meant = named.iter().position(|named| *named == Some(offer.payment())).or_else(|| {
            (0..open.len()).rev().find(|at| open[*at] == "pending" && began(*at) <= when(offer))
        });
        if let Some(at) = meant.filter(|at| open[*at] == "pending") {
            open[at] = "expired";
        }
    }
    open
}

/// The payment of each attempt: as answered, else as an AUTHORISATION brought it.
fn names<'a>(order: &'a Order, reports: &[&'a AdyenEvent]) -> Vec<Option<&'a str>> {
    let mut named: Vec<Option<&str>> =
        order.attempts.iter().map(|attempt| attempt.psp_reference.as_deref()).collect();
    let nameless = |wanted: &[&str]| -> Vec<usize> {
        let fits = |it: &Attempt| {
            let answered = it.details.iter().any(|details| details.outcome.is_some());
            let rejected = !answered && matches!(it.outcome, Some(Outcome::Rejected(_)));
            it.psp_reference.is_none() && !rejected && wanted.contains(&answer(it))
        };
        (0..order.attempts.len()).rev().filter(|at| fits(&order.attempts[*at])).collect()
    };
    let verdicts = || {
        let mut verdicts = reports.to_vec();
        verdicts.retain(|it| it.event_code.as_str() == "AUTHORISATION");
        verdicts.sort_by_key(|it| (it.success, it.event_date, &it.psp_reference));
        verdicts
    };
    let all = 0..order.attempts.len();
    for at in all.rev().filter(|at| order.attempts[*at].psp_reference.is_none()) {
        let details = order.attempts[at].details.iter();
        let unanswered: Vec<_> = details.filter(|details| details.outcome.is_none()).collect();
        let mut told = verdicts();
        told.retain(|it| !named.contains(&Some(&it.psp_reference)));
        told.retain(|it| {
            unanswered.iter().all(|details| details.claimed.as_ref() == Some(&it.psp_reference))
        });
        if !unanswered.is_empty() {
            named[at] = told.last().map(|event| event.psp_reference.as_str());
        }
    }
    let mut take = |at: &usize, successes: &[bool]| {
        let mut others = verdicts();
        others.retain(|it| !named.contains(&Some(&it.psp_reference)));
        others.retain(|it| successes.contains(&it.success));
        if named[*at].is_none() {
            named[*at] = others.last().map(|event| event.psp_reference.as_str());
        }
        named[*at]
    };
    nameless(&["authorised"]).iter().for_each(|at| _ = take(at, &[true]));
    nameless(&["refused", "cancelled", "error"]).iter().for_each(|at| _ = take(at, &[false]));
    let pending = nameless(&["pending"]).into_iter().filter(|at| take(at, &[]).is_none());
    match &pending.collect::<Vec<_>>()[..] {
        [only] => _ = take(only, &[true, false]),
        [] => nameless(&["authorised"]).iter().for_each(|at| _ = take(at, &[false])),
        _ => {}
    }
    named
}

/// Returns whether the shopper was asked to act, did nothing, and was given up after the last
/// request.
fn abandoned(attempt: &Attempt) -> bool {
    let answers = attempt.details.iter().map(|details| details.outcome.as_ref());
    let asks = |outcome: &Outcome| match outcome {
        Outcome::Answered { result_code, .. } => {
            ["RedirectShopper", "IdentifyShopper", "ChallengeShopper"]
                .contains(&result_code.as_str())
        }
        Outcome::Rejected(_) | Outcome::Unknown(_) => false,
    };
    let last = answers.clone().next_back().unwrap_or(attempt.outcome.as_ref());
    let sent = attempt.details.iter().map(|it| it.sent_at);
    let sent = sent.chain(attempt.submissions.iter().map(|it| it.sent_at)).max();
    answers.clone().all(|answer| answer.is_some())
        && last.is_some_and(asks)
        && attempt.abandoned_at >= sent
}

/// As what the attempt ended, by Adyen's answers alone.
fn answer(attempt: &Attempt) -> &'static str {
    let mut details = attempt.details.iter().filter_map(|details| details.outcome.as_ref());
    match details.next_back().or(attempt.outcome.as_ref()) {
        Some(Outcome::Rejected(_)) => "error",
        Some(Outcome::Answered { result_code, .. }) => match result_code.as_str() {
            "Authorised" => "authorised",
            "Refused" => "refused",
            "Cancelled" => "cancelled",
            "Error" => "error",
            _ => "pending",
        },
        Some(Outcome::Unknown(_)) | None => "pending",
    }
}
