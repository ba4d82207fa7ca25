//! The product's own rules, applied to numbered orders.
//!
//! Every order that occurs has a number, and each rule is applied once to each order. A rule is a
//! pure function, so its result can be looked up afterwards; this is what makes exploring fast.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::{
    adyen::{
        charge,
        client::{CallError, Failure},
        payments::PaymentRequest,
    },
    domain::{
        amount::Amount,
        order::{
            AnswerDecision, AnswerIdentity, AttemptStatus, Capture, DecidedWithin, Derived,
            DetailsDecision, ModificationRequest, Operation, Order, Outcome, PayDecision,
            PendingOn, RecordedModification, RejectedDetails, SentModification, Statement,
            Submission, Target, sha256,
        },
        reference::Reference,
    },
    limits,
};

use crate::{
    adyen::{self, Event, FOREIGN, PaymentAt, REFERENCE, Reply},
    change::{Change, Decided, Instrument, KeyAt, Sent},
    rules::Broken,
};

/// The number of an order. Two orders that differ in nothing but their version have the same
/// number: a write whose version was overtaken by an equal order is repeated with the same result.
pub type OrderId = u32;

/// Minutes after which an outcome counts as unknown.
const RECOVER_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// An order with what is derived from it.
pub struct Known {
    pub order: Order,
    pub derived: Derived,
    /// The payments that the order knows.
    pub payments: Vec<PaymentAt>,
    /// Those of them that stand.
    pub standing: Vec<PaymentAt>,
}

impl Known {
    fn of(order: Order) -> Self {
        let derived = Derived::of(&order);
        let payments = order.psp_references().into_iter().filter_map(adyen::payment_of).collect();
        let standing = derived.payments.iter().filter(|payment| payment.stands);
        let standing =
            standing.map(|it| adyen::payment_of(&it.psp_reference).unwrap_or(FOREIGN)).collect();
        Self { derived, payments, standing, order }
    }
}

/// An order, a change of it, its moment, and the events that were parked for its payments.
type Question = (Option<OrderId>, Change, u8, Vec<(Event, u8)>);

pub struct Orders {
    moments: Vec<Timestamp>,
    attempts: usize,
    named: bool,
    broken: Option<Broken>,
    known: Vec<Known>,
    /// By a digest of the order's JSON.
    numbers: HashMap<[u64; 2], OrderId>,
    results: HashMap<Question, (Option<OrderId>, Decided)>,
    keys: Vec<String>,
    submissions: HashMap<Instrument, (Submission, PaymentRequest)>,
    target: Target,
    reference: Reference,
    amount: Amount,
}

impl Orders {
    pub fn new(
        moments: &[SignedDuration],
        attempts: usize,
        named: bool,
        broken: Option<Broken>,
    ) -> Self {
        let begin = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
        let submission = |instrument: Instrument| {
            let (request, body) = instrument.request();
            let key = (instrument == Instrument::Stored).then(|| "JOB-1".to_owned());
            (instrument, (request.submission(&body, key, begin), request))
        };
        let submissions: HashMap<_, _> = Instrument::ALL.into_iter().map(submission).collect();
        let request = submissions[&Instrument::Token].1.clone();
        Self {
            moments: moments.iter().map(|moment| begin + *moment).collect(),
            attempts,
            named,
            broken,
            known: Vec::new(),
            numbers: HashMap::new(),
            results: HashMap::new(),
            keys: Vec::new(),
            target: Target { merchant_account: "Shop".to_owned(), endpoint: "adyen".to_owned() },
            reference: request.reference.clone(),
            amount: request.amount,
            submissions,
        }
    }

    pub fn get(&self, order: OrderId) -> &Known {
        &self.known[order as usize]
    }

    /// True if no payment and no event of an order is missing after a change.
    pub fn is_kept(&self, before: Option<OrderId>, after: Option<OrderId>) -> bool {
        let Some(before) = before.filter(|_| before != after) else { return true };
        let Some(after) = after.map(|after| self.get(after)) else { return false };
        let before = self.get(before);
        let mut events = before.order.events.iter();
        before.payments.iter().all(|payment| after.payments.contains(payment))
            && events.all(|event| after.order.events.iter().any(|it| it.key() == event.key()))
    }

    /// The number of distinct orders.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// The number of times that a rule of the product was applied.
    pub fn applied(&self) -> usize {
        self.results.len()
    }

    pub fn moments(&self) -> usize {
        self.moments.len()
    }

    pub fn moment(&self, at: u8) -> Timestamp {
        self.moments[usize::from(at)]
    }

    fn time(&self, sent: Sent) -> Timestamp {
        self.moment(sent.0) + SignedDuration::from_nanos(sent.1.into())
    }

    fn sent(&self, time: Timestamp) -> Sent {
        let before = self.moments.partition_point(|moment| *moment <= time).saturating_sub(1);
        let after = time.duration_since(self.moments[before]).as_nanos();
        Sent(u8::try_from(before).unwrap_or_default(), u8::try_from(after).unwrap_or(u8::MAX))
    }

    fn key(&mut self, key: String) -> KeyAt {
        let at = self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The key with which a payment is sent, which is stored with its attempt.
    pub fn payment_key(&mut self, order: OrderId, attempt: u8, instrument: Instrument) -> KeyAt {
        let mut key = match self.get(order).order.attempt(attempt.into()) {
            Some(attempt) => attempt.key.clone(),
            None => String::new(),
        };
        if self.broken == Some(Broken::KeyOfToken) {
            key = sha256(&[key.as_bytes(), format!("{instrument:?}").as_bytes()]);
        }
        self.key(key)
    }

    pub fn refund_key(&mut self, order: OrderId, at: u8) -> KeyAt {
        let modification = self.get(order).order.modifications.get(usize::from(at));
        let key = modification.map(|it| it.key.clone()).unwrap_or_default();
        self.key(key)
    }

    /// Details have a key of their content.
    pub fn details_key(&mut self, result: PaymentAt) -> KeyAt {
        self.key(content(result))
    }

    /// Applies a change to an order, with the events that were parked for its payments.
    ///
    /// A change is written only if nobody has written the order since it was read, and is decided
    /// again otherwise. So a change that is written was always decided about the stored order, and
    /// one step may stand for reading, deciding and writing.
    pub fn change(
        &mut self,
        before: Option<OrderId>,
        change: Change,
        now: u8,
        parked: &[(Event, u8)],
    ) -> (Option<OrderId>, Decided) {
        let question = (before, change, now, parked.to_vec());
        if let Some(known) = self.results.get(&question) {
            return *known;
        }
        let answer = self.apply(before, change, now, parked);
        self.results.insert(question, answer);
        answer
    }

    fn apply(
        &mut self,
        number: Option<OrderId>,
        change: Change,
        at: u8,
        parked: &[(Event, u8)],
    ) -> (Option<OrderId>, Decided) {
        let now = self.moment(at);
        let before = number.map(|number| self.get(number).order.clone());
        let mut after = before.clone();
        if after.is_none() && matches!(change, Change::Pay { .. }) {
            let reference = self.reference.clone();
            after = Some(Order::new(reference, self.amount, Capture::Automatic, None, now));
        }
        let Some(mut order) = after else { return (None, Decided::Unclaimed) };
        let decided = self.act(&mut order, change, now);
        for (event, received) in parked {
            order.record(event.stored(self.moment(*received), |at| self.moment(at)));
        }
        order.drop_outdated(now);
        if matches!(decided, Decided::BeyondBound | Decided::Unclaimed)
            || before.as_ref() == Some(&order)
        {
            return (number, decided);
        }
        order.begin_version(now);
        order.version = 0;
        (Some(self.number(order)), decided)
    }

    fn number(&mut self, order: Order) -> OrderId {
        let json = json!(order).to_string();
        let written = [0, 1].map(|part| {
            let mut hasher = DefaultHasher::new();
            (part, &json).hash(&mut hasher);
            hasher.finish()
        });
        if let Some(known) = self.numbers.get(&written) {
            return *known;
        }
        let number = OrderId::try_from(self.known.len()).unwrap_or(OrderId::MAX);
        self.known.push(Known::of(order));
        self.numbers.insert(written, number);
        number
    }

    fn submission(&self, instrument: Instrument, sent_at: Sent) -> Submission {
        let (submission, _) = &self.submissions[&instrument];
        Submission { sent_at: self.time(sent_at), ..submission.clone() }
    }

    fn act(&self, order: &mut Order, change: Change, now: Timestamp) -> Decided {
        match change {
            Change::Pay { instrument, sent_at } => {
                let sent = self.submission(instrument, sent_at);
                self.pay(order, instrument, &sent, sent_at, now)
            }
            Change::ResendCharge => {
                let Some(sent) = order.charge_in_doubt().cloned() else { return Decided::Nothing };
                let sent_at = self.sent(sent.sent_at);
                self.pay(order, Instrument::Stored, &sent, sent_at, now)
            }
            Change::ConcludePayment { attempt, instrument, sent_at, reply, doubt } => {
                let sent = self.submission(instrument, sent_at);
                self.conclude_payment(order, attempt.into(), &sent, self.call(reply, doubt))
            }
            Change::Details { attempt, result } => {
                let (attempt, content) = (attempt.map(usize::from), content(result));
                let decision = order.decide_details(&self.target, attempt, &content, now);
                order.record_details_decision(decision, &content, now);
                match decision {
                    DetailsDecision::Send { attempt, sent_first_at } => Decided::Details {
                        attempt: u8::try_from(attempt).unwrap_or(u8::MAX),
                        first: sent_first_at.map(|first| self.sent(first)),
                    },
                    _ => Decided::Nothing,
                }
            }
            Change::ConcludeDetails { attempt, result, first, reply, doubt } => {
                let first = first.map(|first| self.time(first));
                let call = self.call(reply, doubt);
                self.conclude_details(order, attempt.into(), &content(result), first, call, now)
            }
            Change::Refund => {
                let request = ModificationRequest {
                    operation: Operation::Refund,
                    payment: None,
                    amount: None,
                    merchant_refund_reason: None,
                    idempotency_key: None,
                    content: "refund".to_owned(),
                    decided_within: DecidedWithin {
                        refunds: SignedDuration::from_hours(24 * 10),
                        others: SignedDuration::from_hours(24 * 3),
                    },
                };
                match order.decide_modification(&self.target, &request, now) {
                    Ok(decision) => self.refund(order.record_modification(decision, now)),
                    Err(_) => Decided::Nothing,
                }
            }
            Change::ResendRefund { at } => {
                let decision = order.decide_resend(&self.target, at.into(), now);
                self.refund(order.record_modification(decision, now))
            }
            Change::ConcludeRefund { at, sent_at, first, reply, doubt } => {
                let sent = SentModification { at: at.into(), sent_at: self.time(sent_at), first };
                let answer = match self.call(reply, doubt) {
                    Ok(body) => match adyen::modification(&body) {
                        Some(psp_reference) => Ok(psp_reference),
                        None => return Decided::Nothing,
                    },
                    Err(CallError::Rejected { status, error }) => Err(error.rejection(status)),
                    Err(CallError::Unknown(_)) => return Decided::Nothing,
                };
                order.conclude_modification(&sent, answer);
                Decided::Nothing
            }
            Change::Deliver { event } => {
                let event = event.stored(now, |at| self.moment(at));
                match order.claims(&event) {
                    true => order.record(event),
                    false => return Decided::Unclaimed,
                };
                Decided::Nothing
            }
            Change::ConcludeLook { began } => {
                order.conclude_look(self.moment(began) - RECOVER_AFTER, now);
                Decided::Nothing
            }
            Change::Close { attempt } => {
                let reason = Statement::new("no payment".to_owned(), None, now);
                match order.close(attempt.into(), reason) {
                    Ok(()) | Err(_) => Decided::Nothing,
                }
            }
        }
    }

    /// The decision of `POST /payments`, and of the schedule about a charge.
    fn pay(
        &self,
        order: &mut Order,
        instrument: Instrument,
        sent: &Submission,
        sent_at: Sent,
        now: Timestamp,
    ) -> Decided {
        let mut decision = order.decide(&self.target, self.amount, sent, now);
        let last = order.attempt_status(order.attempts.len());
        if self.broken == Some(Broken::SupersedesInFlight)
            && last == Some(AttemptStatus::Pending(PendingOn::DetailsAnswer))
        {
            decision = PayDecision::Begin { attempt: order.attempts.len() + 1 };
        }
        if matches!(decision, PayDecision::Begin { attempt } if attempt > self.attempts) {
            return Decided::BeyondBound;
        }
        let (_, request) = &self.submissions[&instrument];
        order.record_decision(decision, &self.target, request.instrument(), sent, now);
        match decision.sends() {
            Some(attempt) => {
                let attempt = u8::try_from(attempt).unwrap_or(u8::MAX);
                Decided::Pay { attempt, instrument, sent_at }
            }
            None => Decided::Nothing,
        }
    }

    /// Stores the answer as `PaymentSender::charge` does.
    fn conclude_payment(
        &self,
        order: &mut Order,
        attempt: usize,
        sent: &Submission,
        call: Result<Vec<u8>, CallError>,
    ) -> Decided {
        let answered = call.and_then(|body| adyen::response(&body));
        let Some((outcome, psp_reference)) = charge::outcome(&answered) else {
            return Decided::Nothing;
        };
        let decision = order.conclude_payment(attempt, sent, &outcome, psp_reference);
        match (decision, answered) {
            (Some(AnswerDecision::Recorded), Ok(response)) => {
                match (response.required_action(), order.attempt_status(attempt)) {
                    (Some(_), _) => Decided::Asked,
                    (None, Some(AttemptStatus::Authorised)) => Decided::Promised,
                    _ => Decided::Nothing,
                }
            }
            _ => Decided::Nothing,
        }
    }

    /// Stores the answer as `POST /payments/details` does.
    fn conclude_details(
        &self,
        order: &mut Order,
        attempt: usize,
        content: &str,
        first: Option<Timestamp>,
        call: Result<Vec<u8>, CallError>,
        now: Timestamp,
    ) -> Decided {
        match call.and_then(|body| adyen::response(&body)) {
            Ok(response) => {
                let identity = match self.broken {
                    Some(Broken::ResultOfAnyPayment) => AnswerIdentity {
                        merchant_reference: Some(REFERENCE),
                        ..response.identity()
                    },
                    _ => response.identity(),
                };
                let outcome = Outcome::from(&response);
                let challenges = response.challenges();
                let bound =
                    order.conclude_details(attempt, content, outcome, &identity, challenges, now);
                match bound.and_then(|bound| order.attempt_status(bound)) {
                    Some(AttemptStatus::Authorised) => Decided::Promised,
                    _ => Decided::Nothing,
                }
            }
            Err(CallError::Rejected { status, error }) => {
                let rejection = error.rejection(status);
                match order.reject_details(attempt, content, first, &rejection) {
                    // The page shows the action again.
                    RejectedDetails::Unusable => Decided::Asked,
                    _ => Decided::Nothing,
                }
            }
            Err(CallError::Unknown(_)) => Decided::Nothing,
        }
    }

    fn refund(&self, recorded: RecordedModification) -> Decided {
        match recorded {
            RecordedModification::Sent(sent) => Decided::Refund {
                at: u8::try_from(sent.at).unwrap_or(u8::MAX),
                sent_at: self.sent(sent.sent_at),
                first: sent.first,
            },
            RecordedModification::Kept { .. } => Decided::Nothing,
        }
    }

    /// The meaning of the last try, as Adyen's client reads it. `doubt` is true if an earlier try
    /// may have been processed.
    fn call(&self, reply: Reply, doubt: bool) -> Result<Vec<u8>, CallError> {
        let read = reply.read(self.named, self.broken);
        read.map_err(|failure| Failure { in_doubt: doubt, ..failure }.of_all())
    }

    /// A failure of this try that the client retries, and if it leaves doubt.
    pub fn retried(&self, reply: Reply) -> Option<bool> {
        let failure = reply.read(self.named, self.broken).err()?;
        failure.again.then_some(failure.in_doubt)
    }

    /// True if the schedule has something to do with the order.
    pub fn is_due(&self, order: OrderId, now: u8) -> bool {
        let now = self.moment(now);
        let open = self.get(order).derived.open;
        open.is_some_and(|open| !open.is_early(now - RECOVER_AFTER, now))
    }

    /// The refunds that the schedule sends again.
    pub fn refunds_in_doubt(&self, order: OrderId, now: u8) -> Vec<u8> {
        let overdue = self.moment(now) - RECOVER_AFTER;
        let found = self.get(order).order.modifications_in_doubt(overdue);
        found.into_iter().filter_map(|at| u8::try_from(at).ok()).collect()
    }

    /// True if Adyen may have forgotten a key that was first used at `used`.
    pub fn is_forgotten(&self, used: u8, now: u8) -> bool {
        self.moment(now).duration_since(self.moment(used)) >= limits::ADYEN_KEY_LIFE
    }

    /// True if a function that began then may still run.
    pub fn may_run(&self, began: u8, now: u8) -> bool {
        self.moment(now).duration_since(self.moment(began)).as_secs() * 1000
            < i64::try_from(limits::API_FUNCTION.as_millis()).unwrap_or_default()
    }
}

/// The digest of the details that lead to a payment.
fn content(result: PaymentAt) -> String {
    sha256(&[b"details", adyen::psp_reference(result).as_bytes()])
}
