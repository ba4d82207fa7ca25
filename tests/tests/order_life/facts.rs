//! Short constructors for orders, attempts and events.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::adyen::payments::PaymentRequest;
use shared::domain::amount::Amount;
use shared::domain::order::{
    AdyenEvent, Attempt, Attention, Capture, DecidedWithin, Derived, Details, EventAmount,
    ModificationRequest, Order, Outcome, PayDecision, PaymentInstrument, RecordedModification,
    Refusal, Rejection, Statement, Submission, Target,
};
use shared::limits;

/// The amount of every order here, in EUR.
pub const PRICE: i64 = 1000;

/// A moment of the order's life, in seconds after its creation.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_700_000_000 + seconds)
}

/// An order of EUR 10.00 without attempts. It was written last in second 3000: after most that
/// happens here, and less than an hour after the first attempt.
pub fn order(capture: Capture) -> Order {
    let price = Amount { currency: "EUR".parse().unwrap(), value: PRICE };
    Order::new("ORDER-1".parse().unwrap(), price, capture, None, at(0)).written_at(3000)
}

pub fn automatic() -> Order {
    order(Capture::Automatic)
}

pub fn manual() -> Order {
    order(Capture::Manual)
}

/// Adds attempts and webhooks to an order in one expression.
pub trait OrderBuilder: Sized {
    /// Adds an attempt. The n-th begins in second 100 n.
    fn with_attempt(self, attempt: Attempt) -> Self;
    /// Adds a webhook.
    fn with_event(self, event: AdyenEvent) -> Self;
    /// Adds several webhooks.
    fn with_events(self, events: impl IntoIterator<Item = AdyenEvent>) -> Self;
    /// Sets the second in which the order was last written.
    fn written_at(self, second: i64) -> Self;
}

impl OrderBuilder for Order {
    fn with_attempt(mut self, attempt: Attempt) -> Self {
        let started_at = at(100 * (self.attempts.len() as i64 + 1));
        self.attempts.push(Attempt { started_at, ..attempt });
        self
    }

    fn with_event(mut self, event: AdyenEvent) -> Self {
        self.record(event);
        self
    }

    fn with_events(self, events: impl IntoIterator<Item = AdyenEvent>) -> Self {
        events.into_iter().fold(self, Self::with_event)
    }

    fn written_at(self, second: i64) -> Self {
        Self { updated_at: at(second), ..self }
    }
}

/// A request to pay with an amazonPayToken, sent in that second.
pub fn request<'a>(token: &str, key: impl Into<Option<&'a str>>, second: i64) -> Submission {
    request_with(json!({"type": "amazonpay", "amazonPayToken": token}), key, second)
}

/// A request to pay with any method, sent in that second.
pub fn request_with<'a>(method: Value, key: impl Into<Option<&'a str>>, second: i64) -> Submission {
    let body = json!({
        "amount": {"currency": "EUR", "value": PRICE},
        "paymentMethod": method,
        "reference": "ORDER-1",
        "returnUrl": "https://your-company.example.com/",
        "shopperReference": "shopper-1",
    });
    let Value::Object(body) = body else { unreachable!("an object") };
    let mut completed = body.clone();
    completed.insert("merchantAccount".to_owned(), json!(target().merchant_account));
    let payment: PaymentRequest = serde_json::from_value(Value::Object(completed)).unwrap();
    payment.submission(&body, key.into().map(str::to_owned), at(second))
}

/// The merchant account and host of every request here.
pub fn target() -> Target {
    Target { merchant_account: "ACCOUNT".to_owned(), endpoint: "adyen.example.com".to_owned() }
}

/// How long Adyen may take by default.
pub fn decided_within() -> DecidedWithin {
    let days = |days: u16| SignedDuration::from_hours(24 * i64::from(days));
    DecidedWithin { refunds: days(limits::REFUND_DAYS), others: days(limits::CAPTURE_DAYS) }
}

/// Decides about a modification, and records it.
pub fn modify(
    order: &mut Order,
    request: &ModificationRequest,
    now: Timestamp,
) -> Result<RecordedModification, Refusal> {
    let decision = order.decide_modification(&target(), request, now)?;
    Ok(order.record_modification(decision, now))
}

/// The index of a recorded modification.
pub fn index(recorded: RecordedModification) -> usize {
    match recorded {
        RecordedModification::Sent(sent) => sent.at,
        RecordedModification::Kept { at } => at,
    }
}

/// Decides what a request to pay is, and records it.
pub fn take(
    order: &mut Order,
    method: PaymentInstrument,
    request: &Submission,
    now: Timestamp,
) -> PayDecision {
    let decision = order.decide(&target(), *order.amount, request, now);
    order.record_decision(decision, &target(), method, request, now);
    decision
}

/// An attempt without an answer of Adyen's.
pub fn unknown() -> Attempt {
    let mut order = automatic();
    take(&mut order, PaymentInstrument::AmazonPay, &request("T", None, 0), at(0));
    order.attempts.remove(0)
}

/// An attempt to which Adyen answered a resultCode, with or without a pspReference.
pub fn answered<'a>(result_code: &str, psp_reference: impl Into<Option<&'a str>>) -> Attempt {
    let mut attempt = unknown();
    let psp_reference = psp_reference.into().map(str::to_owned);
    attempt.answer(outcome(result_code), psp_reference);
    attempt
}

/// An attempt that Adyen rejected.
pub fn rejected<'a>(error_code: &str, psp_reference: impl Into<Option<&'a str>>) -> Attempt {
    let mut attempt = unknown();
    let rejection = Rejection {
        status: 422,
        error_code: error_code.to_owned(),
        error_type: Some("validation".to_owned()),
        message: None,
        unknown: Default::default(),
    };
    let psp_reference = psp_reference.into().map(str::to_owned);
    attempt.answer(Outcome::Rejected(rejection), psp_reference);
    attempt
}

/// Adyen's answer.
pub fn outcome(result_code: &str) -> Outcome {
    Outcome::Answered {
        result_code: result_code.to_owned().into(),
        refusal_reason: None,
        refusal_reason_code: None,
        has_action: false,
        unknown: Default::default(),
    }
}

/// Adds details to an attempt, answered or not.
pub trait AttemptBuilder {
    fn with_details<'a>(self, result_code: impl Into<Option<&'a str>>) -> Self;
}

impl AttemptBuilder for Attempt {
    fn with_details<'a>(mut self, result_code: impl Into<Option<&'a str>>) -> Self {
        let content = format!("result {}", self.details.len());
        let outcome = result_code.into().map(outcome);
        self.details.push(Details { outcome, ..Details::new(content, at(0)) });
        self
    }
}

/// A person's statement in that second.
pub fn statement(second: i64) -> Statement {
    Statement::new("looked it up".to_owned(), None, at(second))
}

pub fn amount(currency: &str, value: i64) -> Option<EventAmount> {
    Some(EventAmount { currency: currency.to_owned(), value, unknown: Default::default() })
}

/// A webhook of success about EUR 10.00 in second 1000, long after the attempts began.
fn event(event_code: &str, psp_reference: &str) -> AdyenEvent {
    AdyenEvent {
        event_date: Some(at(1000)),
        event_code: event_code.to_owned().into(),
        psp_reference: psp_reference.to_owned(),
        success: true,
        original_reference: None,
        amount: amount("EUR", PRICE),
        reason: None,
        modification_action: None,
        received_at: at(1000),
        unknown: Default::default(),
    }
}

pub fn authorisation(payment: &str) -> AdyenEvent {
    event("AUTHORISATION", payment)
}

/// An OFFER_CLOSED with a reference of its own, which no attempt knows.
pub fn offer_closed() -> AdyenEvent {
    event("OFFER_CLOSED", "AN OFFER")
}

/// An OFFER_CLOSED with an attempt's reference.
pub fn offer_closed_of(payment: &str) -> AdyenEvent {
    event("OFFER_CLOSED", payment)
}

pub fn expire(payment: &str) -> AdyenEvent {
    event("EXPIRE", payment)
}

/// A webhook about the payment `P`, such as `modification("CAPTURE", "C1")`.
pub fn modification(event_code: &str, psp_reference: &str) -> AdyenEvent {
    event(event_code, psp_reference).of("P")
}

/// A CANCEL_OR_REFUND of the payment `P`.
pub fn reversal(action: &str, psp_reference: &str) -> AdyenEvent {
    let event = modification("CANCEL_OR_REFUND", psp_reference);
    AdyenEvent { modification_action: Some(action.to_owned()), ..event }
}

/// Changes members of an event.
pub trait EventBuilder {
    fn failed(self) -> Self;
    fn of(self, payment: &str) -> Self;
    /// Removes the reference of the payment.
    fn without_payment(self) -> Self;
    fn at(self, second: i64) -> Self;
    fn eur(self, value: i64) -> Self;
    fn usd(self, value: i64) -> Self;
    fn with_reason(self, reason: &str) -> Self;
}

impl EventBuilder for AdyenEvent {
    fn failed(self) -> Self {
        Self { success: false, ..self }
    }

    fn of(self, payment: &str) -> Self {
        Self { original_reference: Some(payment.to_owned()), ..self }
    }

    fn without_payment(self) -> Self {
        Self { original_reference: None, ..self }
    }

    fn at(self, second: i64) -> Self {
        Self { event_date: Some(at(second)), received_at: at(second), ..self }
    }

    fn eur(self, value: i64) -> Self {
        Self { amount: amount("EUR", value), ..self }
    }

    fn usd(self, value: i64) -> Self {
        Self { amount: amount("USD", value), ..self }
    }

    fn with_reason(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// An order's derived values in one line: the status, whether it is confirmed, the sums authorised,
/// captured and refunded, the next step, and after each `!` a reason for attention.
pub fn summary(order: &Order) -> String {
    let derived = Derived::of(order);
    let confirmed = if derived.confirmed { "confirmed" } else { "unconfirmed" };
    let sums = format!("{}/{}/{}", derived.authorised, derived.captured, derived.refunded);
    let next_step = serde_json::to_value(derived.next_step).unwrap();
    let status = derived.status.as_str();
    let mut line = format!("{status} {confirmed} {sums} {}", next_step.as_str().unwrap());
    for reason in &derived.needs_attention {
        line += &format!(" !{reason}");
    }
    line
}

pub fn attention(order: &Order) -> Vec<String> {
    Derived::of(order).needs_attention.iter().map(Attention::to_string).collect()
}

/// Panics unless the order has this summary, in any sequence of its webhooks.
#[track_caller]
pub fn assert_summary(order: &Order, expected: &str) {
    assert_eq!(summary(order), expected, "{order:#?}");
    let events = order.events.iter().rev().chain(&order.events).cloned();
    let again = Order { events: Vec::new(), ..order.clone() }.with_events(events);
    assert_eq!(&again, order);
}
