//! Arbitrary orders. References, dates and amounts are few, so that facts contradict each other.

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};
use shared::domain::order::{
    AdyenEvent, Attempt, Capture, Look, Modification, Operation, Order, Outcome, Rejection,
};
use shared::domain::unknown::Unknown;

use crate::facts::{self, AttemptBuilder, OrderBuilder, at};

/// The codes of no dispute.
const CODES: [&str; 12] = [
    "AUTHORISATION",
    "OFFER_CLOSED",
    "CAPTURE",
    "CAPTURE_FAILED",
    "CANCELLATION",
    "TECHNICAL_CANCEL",
    "CANCEL_OR_REFUND",
    "REFUND",
    "REFUND_FAILED",
    "REFUNDED_REVERSED",
    "EXPIRE",
    "SOMETHING_NEW",
];

/// The codes of disputes.
pub const DISPUTES: [&str; 9] = [
    "CHARGEBACK",
    "CHARGEBACK_REVERSED",
    "SECOND_CHARGEBACK",
    "PREARBITRATION_WON",
    "PREARBITRATION_LOST",
    "SCHEME_ARBITRATION_WON",
    "SCHEME_ARBITRATION_LOST",
    "NOTIFICATION_OF_CHARGEBACK",
    "REQUEST_FOR_INFORMATION",
];

const RESULT_CODES: [&str; 15] = [
    "AuthenticationFinished",
    "AuthenticationNotRequired",
    "Authorised",
    "Cancelled",
    "ChallengeShopper",
    "Error",
    "IdentifyShopper",
    "PartiallyAuthorised",
    "Pending",
    "PresentToShopper",
    "Received",
    "RedirectShopper",
    "Refused",
    "Success",
    "SomethingNew",
];

/// The payments of most attempts and events.
pub const PAYMENTS: [&str; 3] = ["P1", "P2", "P3"];
const MODIFICATIONS: [&str; 4] = ["M1", "M2", "M3", "M4"];

/// An order that Adyen's webhooks and answers could produce.
pub fn order() -> impl Strategy<Value = Order> {
    (order_without_events(), events()).prop_map(|(order, events)| order.with_events(events))
}

/// An order with attempts of different payments and acknowledged modifications, but without
/// webhooks.
pub fn order_without_events() -> impl Strategy<Value = Order> {
    let capture = select(vec![Capture::Automatic, Capture::Manual]);
    let received = vec(received_modification(), 0..3);
    (capture, vec(attempt(), 0..=PAYMENTS.len()), received).prop_map(
        |(capture, attempts, received)| {
            let named = attempts.into_iter().zip(PAYMENTS).map(|(attempt, payment)| {
                let psp_reference = attempt.psp_reference.as_ref().map(|_| payment.to_owned());
                Attempt { psp_reference, ..attempt }
            });
            let order = named.fold(facts::order(capture), OrderBuilder::with_attempt);
            Order { modifications: received, ..order }
        },
    )
}

/// An acknowledged capture or refund of one of the payments.
fn received_modification() -> impl Strategy<Value = Modification> {
    let operation = select(vec![Operation::Capture, Operation::Refund]);
    let about = (operation, select(&PAYMENTS[..]), select(vec![400, 600, 1000]));
    (about, select(&MODIFICATIONS[..])).prop_map(|((operation, payment, value), named)| {
        let mut modification = modification(operation, payment.to_owned(), value, at(0));
        modification.answer(Ok(named.to_owned()));
        modification
    })
}

/// Webhooks in the sequence of their arrival.
pub fn events() -> impl Strategy<Value = Vec<AdyenEvent>> {
    vec(event(), 0..16)
}

/// A webhook about one of the payments.
fn event() -> impl Strategy<Value = AdyenEvent> {
    let code = prop_oneof![
        2 => Just("AUTHORISATION"),
        1 => Just("CAPTURE"),
        1 => Just("REFUND"),
        6 => select([&CODES[..], &DISPUTES].concat()),
    ];
    let amount = prop_oneof![
        8 => select(vec![400, 600, 1000]).prop_map(|value| ("EUR", value)),
        1 => select(vec![0, 1500, -400]).prop_map(|value| ("EUR", value)),
        1 => Just(("USD", 1000)),
    ];
    let action = select(vec![Some("cancel"), Some("refund"), Some("refund"), None]);
    let recaptured = any::<bool>();
    let subject = (code, select(&PAYMENTS[..]), select(&MODIFICATIONS[..]));
    let success = prop::bool::weighted(0.75);
    let dates = (0..500i64, 0..500i64);
    (subject, success, dates, amount, action, recaptured).prop_map(
        |(
            (code, payment, own),
            success,
            (second, received),
            (currency, value),
            action,
            recaptured,
        )| {
            let of_payment = match code {
                "AUTHORISATION" | "EXPIRE" => true,
                "OFFER_CLOSED" => second % 2 == 0,
                _ => false,
            };
            // The later events of a dispute do not all name the payment.
            let unnamed = DISPUTES.contains(&code) && second % 3 > 0;
            let (named, original) = match (of_payment, unnamed) {
                (true, _) => (payment, None),
                (false, true) => (own, None),
                (false, false) => (own, Some(payment)),
            };
            AdyenEvent {
                event_date: (second % 10 > 0).then(|| at(second)),
                event_code: code.to_owned().into(),
                psp_reference: named.to_owned(),
                success,
                original_reference: original.map(str::to_owned),
                amount: facts::amount(currency, value),
                reason: (recaptured && code == "CAPTURE").then(|| "Auto-recaptured".to_owned()),
                modification_action: action.map(str::to_owned),
                received_at: at(received),
                unknown: Default::default(),
            }
        },
    )
}

/// An attempt with a possible answer. A final answer usually has a pspReference.
fn attempt() -> impl Strategy<Value = Attempt> {
    let result_code = prop_oneof![
        select(vec!["Authorised", "Refused", "RedirectShopper", "Pending"]),
        select(&RESULT_CODES[..]),
    ];
    let waits = select(vec!["RedirectShopper", "IdentifyShopper"]);
    let named = || option::of(Just("named"));
    let answered = prop_oneof![
        2 => Just(facts::unknown()),
        4 => result_code.prop_map(|result_code| facts::answered(result_code, "named")),
        1 => select(vec!["Authorised", "Refused"])
            .prop_map(|result_code| facts::answered(result_code, None)),
        2 => (waits, named()).prop_map(|(waits, named)| facts::answered(waits, named)),
        1 => named().prop_map(|named| facts::rejected("702", named)),
    ];
    let details = vec(option::of(select(vec!["ChallengeShopper", "Refused", "Pending"])), 0..2);
    let claimed = option::of(select(&PAYMENTS[..]));
    // Requests are sent in second 0. An earlier `abandoned_at` means that the shopper returned
    // after it.
    let abandoned_at = select(vec![None, None, None, None, Some(90_000), Some(-1)]);
    let marks = (prop::bool::weighted(0.1), abandoned_at, prop::bool::weighted(0.1));
    (answered, details, claimed, marks).prop_map(
        |(attempt, details, claimed, (outcome_unknown, abandoned_at, closed))| {
            let attempt = details.into_iter().fold(attempt, AttemptBuilder::with_details);
            let abandoned_at = abandoned_at.map(at);
            let closed = closed.then(|| facts::statement(60));
            let mut attempt = Attempt { outcome_unknown, abandoned_at, closed, ..attempt };
            if let Some(unanswered) = attempt.details.iter_mut().find(|it| it.outcome.is_none()) {
                unanswered.claimed = claimed.map(str::to_owned);
            }
            attempt
        },
    )
}

/// An order with arbitrary texts, numbers and times.
pub fn absurd_order() -> impl Strategy<Value = Order> {
    let attempts = vec((absurd_attempt(), moment()), 0..3);
    let modifications = vec(absurd_modification(), 0..3);
    let events = vec(absurd_event(), 0..10);
    let look = option::of((moment(), any::<u32>()).prop_map(|(at, times)| Look {
        at,
        times,
        unknown: Unknown::default(),
    }));
    (order_without_events(), attempts, modifications, events, amount(), any::<bool>(), look)
        .prop_map(|(order, attempts, modifications, events, price, dropped, look)| {
            let mut order = order.with_events(events);
            for (attempt, started_at) in attempts {
                order.attempts.push(Attempt { started_at, ..attempt });
            }
            order.modifications = modifications;
            order.amount.value = price.max(1);
            order.events_dropped |= dropped;
            order.look = look;
            order
        })
}

fn absurd_event() -> impl Strategy<Value = AdyenEvent> {
    let code = prop_oneof![4 => select([&CODES[..], &DISPUTES].concat()).prop_map(str::to_owned), 1 => text()];
    let amount = option::of((prop_oneof![3 => Just("EUR".to_owned()), 1 => text()], amount()));
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    let dates = (option::of(dated()), moment());
    (code, text(), any::<bool>(), dates, amount, texts).prop_map(
        |(code, named, success, (dated, received), amount, (original, reason, action))| {
            AdyenEvent {
                event_date: dated,
                event_code: code.into(),
                psp_reference: named,
                success,
                original_reference: original,
                amount: amount.and_then(|(currency, value)| facts::amount(&currency, value)),
                reason,
                modification_action: action,
                received_at: received,
                unknown: Default::default(),
            }
        },
    )
}

fn absurd_attempt() -> impl Strategy<Value = Attempt> {
    let outcome = || {
        prop_oneof![
            3 => select(&RESULT_CODES[..]).prop_map(facts::outcome),
            1 => text().prop_map(|code| facts::outcome(&code)),
            1 => (any::<u16>(), text(), option::of(text())).prop_map(|(status, code, kind)| {
                Outcome::Rejected(Rejection { status, error_code: code, error_type: kind, message: None, unknown: Default::default() })
            }),
        ]
    };
    let details = vec(option::of(outcome()), 0..3);
    let abandoned_at = option::of(moment());
    (option::of(text()), option::of(outcome()), details, any::<bool>(), abandoned_at).prop_map(
        |(psp_reference, outcome, details, outcome_unknown, abandoned_at)| {
            let mut attempt = facts::unknown();
            for outcome in details {
                attempt = attempt.with_details(None);
                attempt.details.last_mut().unwrap().outcome = outcome;
            }
            Attempt { psp_reference, outcome, outcome_unknown, abandoned_at, ..attempt }
        },
    )
}

fn absurd_modification() -> impl Strategy<Value = Modification> {
    use Operation::*;
    let answer = prop_oneof![
        Just(None),
        text().prop_map(|named| Some(Ok(named))),
        text().prop_map(|error_code| {
            Some(Err(Rejection {
                status: 422,
                message: Some(error_code.clone()),
                error_code,
                error_type: None,
                unknown: Default::default(),
            }))
        }),
    ];
    // The API accepts no modification above the open amount, so keep the sums small enough to add.
    let value = (1..=i64::MAX).prop_map(|value| value / 8);
    (select(vec![Capture, Cancel, Refund, Reversal]), text(), value, moment(), answer).prop_map(
        |(operation, payment, value, requested_at, answer)| {
            let mut modification = modification(operation, payment, value, requested_at);
            if let Some(answer) = answer {
                modification.answer(answer);
            }
            modification
        },
    )
}

fn modification(
    operation: Operation,
    payment: String,
    value: i64,
    requested_at: Timestamp,
) -> Modification {
    Modification {
        operation,
        payment,
        value,
        merchant_refund_reason: None,
        key: String::new(),
        target: facts::target(),
        idempotency_key: None,
        content: String::new(),
        requested_at,
        sent_at: requested_at,
        decide_by: requested_at,
        psp_reference: None,
        rejection: None,
        outcome_unknown: false,
        unknown: Default::default(),
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&PAYMENTS[..]).prop_map(str::to_owned),
        2 => select(&MODIFICATIONS[..]).prop_map(str::to_owned),
        1 => select(vec!["", " ", "#", ":", "null", "psp#P1", "\0", "\u{202e}", "🧾"])
            .prop_map(str::to_owned),
        1 => vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, 1000, i64::MAX - 1, i64::MAX]),
        any::<i64>(),
    ]
}

/// A date that is not taken for a missing one, as 1970 is.
fn dated() -> impl Strategy<Value = Timestamp> {
    moment().prop_filter("no date", |date| *date != Timestamp::UNIX_EPOCH)
}

pub fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        3 => (0..500i64).prop_map(at),
        1 => select(vec![Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX]),
    ]
}
