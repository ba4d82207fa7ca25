//! The shopper of a schedule, who repeats, reloads, changes between methods and pays vouchers late.

use std::collections::{BTreeMap, BTreeSet};

use adyen_simulator::Release;
use fastrand::Rng;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, Stack, with};

use super::course::Course;
use super::{TwoProcesses, post};
use crate::shop::in_browser;
use crate::shopper::{Next, pause, result};

/// The time in which Adyen keeps an idempotency key is 7 days, so less passes in a schedule. After
/// that the outcome of an unanswered request stays unknown.
const DAYS: i64 = 5;

/// A schedule's state.
pub struct Run<'a> {
    pub processes: &'a TwoProcesses,
    pub reference: String,
    pub course: Course,
    pub rng: Rng,
    pub session: u32,
    /// The method of each attempt.
    pub methods: BTreeMap<u64, &'static str>,
    /// The payments of attempts that the shopper completes outside of the page, such as vouchers.
    pub vouchers: BTreeMap<u64, String>,
    /// The vouchers that the shopper has paid.
    pub paid_vouchers: BTreeSet<String>,
    /// The payments that an answer called authorised.
    pub acknowledged: BTreeSet<String>,
    /// The days that have passed.
    pub days: i64,
    pub covered: Vec<String>,
    /// The requests and answers, printed if the schedule fails.
    pub story: Vec<String>,
}

impl<'a> Run<'a> {
    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn stack(&mut self) -> &'a Stack {
        let TwoProcesses { shop, other, .. } = self.processes;
        if self.rng.bool() { &shop.stack } else { other }
    }

    /// Sends the request, sometimes twice at once; the later answer counts.
    async fn send(&mut self, path: &str, body: &Value) -> Answer {
        let reference = self.reference.clone();
        let twice = self.chance(20);
        let one = post(self.stack(), &reference, path, body);
        let answer = if twice {
            let two = post(self.stack(), &reference, path, body);
            let (one, two) = tokio::join!(one, two);
            self.log(path, body, &one);
            if self.rng.bool() { one } else { two }
        } else {
            one.await
        };
        self.log(path, body, &answer);
        answer
    }

    fn log(&mut self, path: &str, body: &Value, answer: &Answer) {
        let response = &answer.body;
        let method = self.methods_name(body);
        self.note(method, response);
        self.story.push(format!(
            "{path} {method} {} -> {} {} {} {} attempt {} error {}",
            body["attempt"],
            answer.status,
            response["status"],
            response["nextStep"],
            response["code"],
            response["attempt"],
            response["errorCode"],
        ));
    }

    /// The name of the method that a request to pay names.
    fn methods_name(&self, body: &Value) -> &'static str {
        let sessions = (self.session..=self.session + 1).map(|session| self.method(session));
        let mut named = sessions.filter(|(_, method)| *method == body["paymentMethod"]);
        named.next().map_or("", |(name, _)| name)
    }

    fn method(&self, session: u32) -> (&'static str, Value) {
        self.course.method(session, &self.processes.stored)
    }

    fn body(&self, session: u32) -> Value {
        let (_, method) = self.method(session);
        with(in_browser(&self.reference, ""), json!({"paymentMethod": method}))
    }

    /// Remembers what an answer says.
    fn note(&mut self, method: &'static str, answer: &Value) {
        let payment = answer["pspReference"].as_str().map(str::to_owned);
        // `nextStep` is the order's: while this payment waits, an older voucher may be paid.
        if answer["resultCode"] == "Authorised" {
            self.acknowledged.extend(payment.clone());
        }
        let Some(attempt) = answer["attempt"].as_u64().filter(|_| !method.is_empty()) else {
            return;
        };
        if self.methods.insert(attempt, method).is_none() {
            self.covered.push(format!("attempt with {method}"));
            if let Some(earlier) = self.methods.get(&(attempt - 1)) {
                self.covered.push(format!("{earlier}, then {method}"));
            }
        }
        if is_paid_elsewhere(&answer["action"]) {
            self.vouchers.extend(payment.map(|payment| (attempt, payment)));
        }
    }

    /// The shopper pays a voucher, or lets it expire, after days. Adyen reports it by webhook.
    async fn resolve_voucher(&mut self, attempt: u64, approved: bool) {
        let Some(payment) = self.vouchers.remove(&attempt) else { return };
        let days = self.rng.i64(0..=(DAYS - self.days).min(3));
        self.days += days;
        self.processes.shop.dynamodb.arrived().await;
        self.processes.shop.pass(&self.reference, SignedDuration::from_hours(24 * days)).await;
        if !self.processes.shop.simulator().resolve_pending(&payment, approved).unwrap() {
            // It was resolved before, and an answer from before that showed it again.
            return;
        }
        let outcome = if approved { "paid" } else { "not paid" };
        let method = self.methods[&attempt];
        self.story.push(format!("{method} of attempt {attempt} is {outcome} after {days} days"));
        self.covered.push(format!("{method} {outcome}"));
        if approved {
            self.paid_vouchers.insert(payment);
        }
    }

    /// Pays some of the vouchers of an order that was paid otherwise.
    pub async fn pay_old_vouchers(&mut self) {
        for attempt in self.vouchers.keys().copied().collect::<Vec<_>>() {
            if self.chance(40) {
                self.resolve_voucher(attempt, true).await;
            }
        }
    }

    pub async fn pay(&mut self) {
        for _ in 0..200 {
            let answer = self.try_session().await;
            let mut next = Next::after(&answer);
            while let Next::Act { attempt, action } = next {
                next = self.act(attempt, action).await;
            }
            match next {
                Next::Done => return,
                Next::StartOver => self.session += 1,
                _ => pause().await,
            }
            // After a long wait the shopper uses a new session.
            if self.chance(10) {
                self.time_passes().await;
                self.session += 1;
            }
        }
        panic!("{} is not paid:\n{}", self.reference, self.story.join("\n"));
    }

    /// Pays with the session, sometimes in a second tab with another session too.
    async fn try_session(&mut self) -> Answer {
        let body = self.body(self.session);
        if !self.chance(15) {
            return self.send("/payments", &body).await;
        }
        let other_session = self.session + 1;
        let other_body = self.body(other_session);
        let reference = self.reference.clone();
        let (stack, other) = (&self.processes.shop.stack, &self.processes.other);
        let (here, there) = tokio::join!(
            post(stack, &reference, "/payments", &body),
            post(other, &reference, "/payments", &other_body),
        );
        self.log("/payments", &body, &here);
        self.log("/payments", &other_body, &there);
        let attempt = |answer: &Answer| match answer.status {
            200 => answer.body["attempt"].as_u64(),
            _ => None,
        };
        // The shopper continues in the tab with the higher attempt.
        if attempt(&there) > attempt(&here) {
            self.session = other_session;
            there
        } else {
            here
        }
    }

    async fn act(&mut self, attempt: u64, action: Value) -> Next {
        if is_paid_elsewhere(&action) {
            return self.wait_or_pay_otherwise(attempt).await;
        }
        if matches!(self.course, Course::AnyMethod { .. }) && self.chance(25) {
            // Leaves the bank's page, and pays otherwise.
            self.session += 1;
            return Next::Reload;
        }
        let approved = !self.chance(10);
        if self.chance(10) {
            // Reloads the page, or pays in another tab.
            self.session += u32::from(self.chance(30));
            return Next::Reload;
        }
        let body = result(Some(attempt), &action, approved);
        loop {
            let answer = self.send("/payments/details", &body).await;
            match Next::after(&answer) {
                // The page is closed without an answer.
                Next::Again if self.chance(5) => return Next::Reload,
                Next::Again => pause().await,
                next => return next,
            }
        }
    }

    /// The shopper has a voucher.
    async fn wait_or_pay_otherwise(&mut self, attempt: u64) -> Next {
        match self.rng.u8(..100) {
            0..40 => {
                self.session += 1;
                // A voucher that was superseded may be paid meanwhile.
                if self.chance(20) {
                    self.resolve_voucher(attempt, true).await;
                }
            }
            choice => {
                self.resolve_voucher(attempt, choice < 85).await;
                // The shopper sees the outcome only after the webhook.
                let order = Release::Shuffled(self.rng.u64(..));
                self.processes.shop.simulator().release_webhooks(order).await;
                pause().await;
            }
        }
        Next::Reload
    }

    async fn time_passes(&mut self) {
        self.processes.shop.dynamodb.arrived().await;
        self.processes.shop.pass(&self.reference, SignedDuration::from_secs(31)).await;
        self.story.push("31 seconds pass".to_owned());
    }
}

/// True if the shopper completes the payment outside of the page.
fn is_paid_elsewhere(action: &Value) -> bool {
    matches!(action["type"].as_str(), Some("voucher" | "bankTransfer" | "await"))
}
