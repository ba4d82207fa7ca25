//! The steps that are possible in a world, and the world after each.

use shared::adyen::client::Failure;
use shared::domain::order::Attention;

use crate::{
    adyen::{Event, FOREIGN, PaymentAt, Reply},
    change::{Change, Decided, Instrument, Sent},
    orders::{OrderId, Orders},
    rules::Broken,
    scenario::Scenario,
    step::{Lost, Step},
    world::{
        At, Content, DELIVERIES, Payment, Process, Refund, RefundOutcome, Standing, Task, World,
    },
};

/// The explored system: a scenario and the product's rules.
pub struct System {
    pub scenario: Scenario,
    pub orders: Orders,
}

type Steps = Vec<(Step, World)>;

impl System {
    pub fn new(scenario: Scenario) -> Self {
        let orders = Orders::new(
            &scenario.moments,
            scenario.attempts.into(),
            scenario.named,
            scenario.broken,
        );
        Self { scenario, orders }
    }

    /// Every step that is possible, and the world after it.
    pub fn steps(&mut self, world: &World, steps: &mut Steps) {
        steps.clear();
        let is_last = usize::from(world.now) + 1 == self.orders.moments();
        let is_room = world.processes.len() < usize::from(self.scenario.processes);
        if is_room && !is_last {
            self.requests(world, steps);
        }
        if is_room {
            self.looks(world, steps);
        }
        for at in 0..world.processes.len() {
            self.advances(world, at, steps);
        }
        self.deliveries(world, steps);
        self.at_adyen(world, steps);
        self.closings(world, steps);
        if !is_last && world.processes.iter().all(|it| self.orders.may_run(it.began, world.now + 1))
        {
            steps.push((Step::TimePasses, World { now: world.now + 1, ..world.clone() }));
        }
        for (_, world) in steps.iter_mut() {
            for process in &mut world.processes {
                if let At::Answer(reply) = process.at
                    && process.held != world.order
                    && let Some(change) = conclusion(*process, reply)
                    && self.orders.change(process.held, change, world.now, &[]).0 != process.held
                {
                    // It would write, fail, and decide again about the stored order.
                    process.held = world.order;
                }
            }
            world.canonicalise();
        }
    }

    /// The requests of shoppers, the merchant and the recurring job.
    fn requests(&mut self, world: &World, steps: &mut Steps) {
        for instrument in Instrument::ALL {
            if world.tries[instrument as usize] == 0 {
                continue;
            }
            let mut next = world.clone();
            next.tries[instrument as usize] -= 1;
            let sent_at = Sent(world.now, 0);
            let task = Task::Pay { instrument, sent_at, attempt: 0, of_schedule: false };
            self.begins(world, next, Step::Pay(instrument), task, steps);
        }
        for (at, payment) in (0..).zip(&world.payments) {
            // A payment at the bank has its result from there.
            let is_back = payment.instrument != Instrument::Bank
                || matches!(payment.standing, Standing::Authorised | Standing::Refused);
            if payment.shown && payment.posts > 0 && is_back {
                let mut next = world.clone();
                next.payments[usize::from(at)].posts -= 1;
                let attempt = if self.scenario.numbered { payment.attempt } else { 0 };
                let task = Task::Details { result: at, attempt, first: None };
                self.begins(world, next, Step::Details(at), task, steps);
            }
        }
        if world.foreign_results > 0 {
            let mut next = world.clone();
            next.foreign_results -= 1;
            let task = Task::Details { result: FOREIGN, attempt: 0, first: None };
            self.begins(world, next, Step::Details(FOREIGN), task, steps);
        }
        if world.refund_tries > 0 {
            let mut next = world.clone();
            next.refund_tries -= 1;
            let task = Task::Refund { at: 0, sent_at: Sent(0, 0), first: true, of_schedule: false };
            self.begins(world, next, Step::Refund, task, steps);
        }
    }

    /// Begins a process, which decides at once. A request that changes nothing is no step, because
    /// everything that can happen after it can also happen without it.
    fn begins(&mut self, world: &World, next: World, step: Step, task: Task, steps: &mut Steps) {
        let process = Process { task, began: world.now, at: At::Decide, held: None, doubt: false };
        self.decides(next, process, step, steps, world.order);
    }

    fn decides(
        &mut self,
        world: World,
        process: Process,
        step: Step,
        steps: &mut Steps,
        unchanged: Option<OrderId>,
    ) {
        let change = match process.task {
            Task::Pay { of_schedule: true, .. } => Change::ResendCharge,
            Task::Pay { instrument, sent_at, .. } => Change::Pay { instrument, sent_at },
            Task::Details { result, attempt, .. } => {
                Change::Details { attempt: (attempt > 0).then_some(attempt), result }
            }
            Task::Refund { of_schedule: true, at, .. } => Change::ResendRefund { at },
            Task::Refund { .. } => Change::Refund,
            Task::Store { .. } => return,
        };
        let mut next = world.clone();
        let decided = next.change(&mut self.orders, change);
        let is_written = next.order != world.order;
        let task = match decided {
            Decided::BeyondBound => return,
            Decided::Pay { attempt, instrument, sent_at } => {
                let of_schedule = process.task.is_of_schedule();
                Task::Pay { instrument, sent_at, attempt, of_schedule }
            }
            Decided::Details { attempt, first } => {
                let Task::Details { result, .. } = process.task else { return };
                Task::Details { result, attempt, first }
            }
            Decided::Refund { at, sent_at, first } => {
                let of_schedule = process.task.is_of_schedule();
                Task::Refund { at, sent_at, first, of_schedule }
            }
            _ => {
                if process.task.is_of_schedule() {
                    let process = Process { at: At::ConcludeLook, held: next.order, ..process };
                    next.processes.push(process);
                    steps.push((step, next));
                } else if next.order != unchanged || process.held.is_some() {
                    steps.push((step, next));
                }
                return;
            }
        };
        if is_written && world.faults > 0 && process.held.is_none() {
            // The write is stored, but its answer is lost. The process sees the order that it wrote
            // as a conflict, and decides again.
            let mut lost = next.clone();
            lost.faults -= 1;
            lost.processes.push(Process { held: lost.order, ..process });
            steps.push((Step::WriteLost, lost));
        }
        let process = Process { task, at: At::Call, held: next.order, ..process };
        next.processes.push(process);
        steps.push((step, next));
    }

    /// The schedule's look at the order.
    fn looks(&mut self, world: &World, steps: &mut Steps) {
        let Some(order) = world.order else { return };
        if world.processes.iter().any(|it| it.task.is_of_schedule())
            || !self.orders.is_due(order, world.now)
        {
            return;
        }
        let began = world.now;
        let process = |task| Process { task, began, at: At::Decide, held: None, doubt: false };
        if self.orders.get(order).order.charge_in_doubt().is_some() {
            let task = Task::Pay {
                instrument: Instrument::Stored,
                sent_at: Sent(0, 0),
                attempt: 0,
                of_schedule: true,
            };
            self.decides(world.clone(), process(task), Step::Look, steps, None);
        } else if let Some(at) = self.orders.refunds_in_doubt(order, world.now).first() {
            let task =
                Task::Refund { at: *at, sent_at: Sent(0, 0), first: false, of_schedule: true };
            self.decides(world.clone(), process(task), Step::Look, steps, None);
        } else {
            let mut next = world.clone();
            next.change(&mut self.orders, Change::ConcludeLook { began });
            if next.order != world.order {
                steps.push((Step::Look, next));
            }
        }
    }

    fn advances(&mut self, world: &World, at: usize, steps: &mut Steps) {
        let process = world.processes[at];
        let mut without = world.clone();
        without.processes.remove(at);
        match process.at {
            At::Decide => match process.task {
                Task::Store { event } => {
                    let mut next = without.clone();
                    deliver(&mut next, &mut self.orders, event);
                    steps.push((Step::StoreLate(event), next));
                }
                _ => self.decides(without.clone(), process, Step::DecideAgain, steps, None),
            },
            At::Call => self.calls(world, &without, process, steps),
            At::Answer(reply) => {
                self.arrives(&without, process, reply, Step::Answer(process.task, reply), steps);
                if world.faults > 0 {
                    let mut lost = without.clone();
                    lost.faults -= 1;
                    self.unanswered(&lost, process, Lost::Answer, steps);
                    if !matches!(
                        reply,
                        Reply::Internal | Reply::KeysUnavailable | Reply::InProgress
                    ) {
                        // Adyen processed the request and answers 500 all the same.
                        let step = Step::Answer(process.task, Reply::Internal);
                        self.arrives(&lost, process, Reply::Internal, step, steps);
                    }
                }
            }
            At::ConcludeLook => {
                let mut next = without.clone();
                let change = Change::ConcludeLook { began: process.began };
                next.update(&mut self.orders, process.held, change);
                steps.push((Step::ConcludeLook, next));
            }
        }
        if world.crashes > 0 {
            steps
                .push((Step::Crash(process.task), World { crashes: world.crashes - 1, ..without }));
        }
    }

    /// Ends a process. The schedule's goes on.
    fn ends(process: Process, world: &mut World) {
        if process.task.is_of_schedule() {
            world.processes.push(Process { at: At::ConcludeLook, ..process });
        }
    }

    /// A try without an answer. The client retries it, unless its time is over.
    fn unanswered(&mut self, without: &World, process: Process, lost: Lost, steps: &mut Steps) {
        let failure = Failure::unanswered();
        let mut ended = without.clone();
        Self::ends(process, &mut ended);
        steps.push((Step::TimeOut(process.task, lost), ended));
        if failure.again {
            let doubt = process.doubt | failure.in_doubt;
            let mut again = without.clone();
            again.processes.push(Process { at: At::Call, doubt, ..process });
            steps.push((Step::Retry(process.task, lost), again));
        }
    }

    /// Adyen's answer arrives, and is stored.
    fn arrives(
        &mut self,
        without: &World,
        process: Process,
        reply: Reply,
        step: Step,
        steps: &mut Steps,
    ) {
        if let Some(in_doubt) = self.orders.retried(reply) {
            let mut again = without.clone();
            let doubt = process.doubt | in_doubt;
            again.processes.push(Process { at: At::Call, doubt, ..process });
            steps.push((step, again));
            let mut ended = without.clone();
            Self::ends(process, &mut ended);
            steps.push((Step::TimeOut(process.task, Lost::Patience), ended));
            return;
        }
        let Some(change) = conclusion(process, reply) else { return };
        let mut next = without.clone();
        let decided = next.update(&mut self.orders, process.held, change);
        let held = if next.order == without.order { process.held } else { next.order };
        if next.order != without.order {
            if without.faults > 0 {
                let mut lost = next.clone();
                lost.faults -= 1;
                lost.processes.push(Process { held, at: At::Answer(reply), ..process });
                steps.push((Step::WriteLost, lost));
            }
            if without.crashes > 0 {
                let crashes = without.crashes - 1;
                let step = Step::CrashAfter(process.task, reply);
                steps.push((step, World { crashes, ..next.clone() }));
            }
        }
        match (decided, reply) {
            (Decided::Promised, Reply::Authorised(payment)) if payment != FOREIGN => {
                let known = next.order.is_some_and(|it| orders_know(&self.orders, it, payment));
                next.lost |= !known;
            }
            (Decided::Asked, Reply::Action(payment)) => {
                next.payments[usize::from(payment)].shown = true;
            }
            _ => {}
        }
        Self::ends(Process { held, ..process }, &mut next);
        steps.push((step, next));
    }

    /// A process calls Adyen, which answers in every way that it may.
    fn calls(&mut self, world: &World, without: &World, process: Process, steps: &mut Steps) {
        let Some(order) = process.held else { return };
        let key = match process.task {
            Task::Pay { attempt, instrument, .. } => {
                self.orders.payment_key(order, attempt, instrument)
            }
            Task::Details { result, .. } => self.orders.details_key(result),
            Task::Refund { at, .. } => self.orders.refund_key(order, at),
            Task::Store { .. } => return,
        };
        let mut answer = |mut next: World, reply: Reply| {
            next.processes.push(Process { at: At::Answer(reply), ..process });
            steps.push((Step::Call(process.task, reply), next));
        };
        let known = world.answers.iter().find(|(known, ..)| *known == key).copied();
        let known = known.filter(|(_, _, used)| !self.orders.is_forgotten(*used, world.now));
        let mut fresh = without.clone();
        fresh.answers.retain(|(known, ..)| *known != key);
        let store = |next: &mut World, reply: Reply| next.answers.push((key, reply, world.now));
        if let Some((_, reply, _)) = known {
            answer(without.clone(), reply);
        }
        let was_rejected = matches!(
            known,
            Some((_, Reply::FieldRejected | Reply::TokenRejected | Reply::AccountRejected, _))
        );
        // A field is rejected whenever it is sent, and no other time.
        let content = match process.task {
            Task::Pay { instrument, .. } => Some(Content::Payment(instrument)),
            Task::Details { result, .. } => Some(Content::Details(result)),
            Task::Refund { .. } | Task::Store { .. } => None,
        };
        let is_unreadable = content.is_some_and(|it| world.unreadable.contains(&it));
        let was_read = match content {
            Some(Content::Payment(with)) => world.payments.iter().any(|it| it.instrument == with),
            Some(Content::Details(FOREIGN)) => known.is_some(),
            Some(Content::Details(payment)) => {
                world.payments[usize::from(payment)].standing != Standing::Waits
            }
            None => false,
        };
        if is_unreadable && (known.is_none() || was_rejected) {
            let mut next = fresh.clone();
            store(&mut next, Reply::FieldRejected);
            answer(next, Reply::FieldRejected);
        } else if known.is_none() || was_rejected {
            for (mut next, reply) in processed(&fresh, process.task, self.scenario.posts) {
                store(&mut next, reply);
                answer(next, reply);
            }
        }
        if world.faults == 0 {
            return;
        }
        let mut faulty = without.clone();
        faulty.faults -= 1;
        let mut errors = vec![Reply::Internal, Reply::KeysUnavailable];
        if known.is_none() {
            for reply in [Reply::FieldRejected, Reply::TokenRejected, Reply::AccountRejected] {
                let mut next = World { faults: world.faults - 1, ..fresh.clone() };
                if reply == Reply::FieldRejected {
                    if was_read || is_unreadable {
                        continue;
                    }
                    next.unreadable.extend(content);
                }
                store(&mut next, reply);
                answer(next, reply);
            }
        } else {
            errors.push(Reply::InProgress);
            if !was_rejected && self.scenario.rejects_repeated {
                // The token was charged, so that the same request is no longer acceptable.
                errors.push(Reply::TokenRejected);
            }
        }
        for reply in errors {
            answer(faulty.clone(), reply);
        }
        self.unanswered(&faulty, process, Lost::Request, steps);
    }

    fn deliveries(&mut self, world: &World, steps: &mut Steps) {
        for (at, (event, left)) in world.events.iter().enumerate() {
            if *left == 0 {
                continue;
            }
            let mut next = world.clone();
            next.events[at].1 -= 1;
            let is_repeated = *left < DELIVERIES;
            if self.scenario.broken == Some(Broken::AcknowledgedFirst) {
                let task = Task::Store { event: *event };
                let began = world.now;
                let at = At::Decide;
                next.processes.push(Process { task, began, at, held: None, doubt: false });
            } else {
                deliver(&mut next, &mut self.orders, *event);
                // A repetition that changes nothing is no step: it can still come later.
                if is_repeated && (next.order, &next.parked) == (world.order, &world.parked) {
                    continue;
                }
            }
            steps.push((Step::Deliver(*event), next));
        }
    }

    /// Events at Adyen without a request of ours.
    fn at_adyen(&mut self, world: &World, steps: &mut Steps) {
        let now = world.now;
        for (at, payment) in (0..).zip(&world.payments) {
            let is_at_bank = payment.standing == Standing::Waits
                && payment.instrument == Instrument::Bank
                && payment.shown;
            if payment.standing == Standing::Pending || is_at_bank {
                for success in [true, false] {
                    let mut next = world.clone();
                    next.payments[usize::from(at)].standing = standing(success);
                    next.report(Event::Authorisation { payment: at, success, at: now });
                    steps.push((Step::Resolve { payment: at, success }, next));
                }
            }
            if payment.standing == Standing::Authorised
                && self.scenario.area_refunds
                && world.refunds.iter().all(|refund| refund.payment != at)
            {
                let mut next = world.clone();
                let outcome = RefundOutcome::Received;
                next.refunds.push(Refund { payment: at, ours: false, outcome });
                steps.push((Step::AreaRefund(at), next));
            }
        }
        for (at, refund) in (0..).zip(&world.refunds) {
            let payment = refund.payment;
            let mut outcome = |outcome, event, step| {
                let mut next = world.clone();
                next.refunds[usize::from(at)].outcome = outcome;
                next.report(event);
                steps.push((step, next));
            };
            match refund.outcome {
                RefundOutcome::Received => {
                    for success in [true, false] {
                        let result = match success {
                            true => RefundOutcome::Succeeded,
                            false => RefundOutcome::Failed,
                        };
                        let event = Event::Refund { payment, refund: at, success, at: now };
                        outcome(result, event, Step::ResolveRefund { refund: at, success });
                    }
                }
                RefundOutcome::Succeeded if self.scenario.refunds_fail_later => {
                    let event = Event::RefundFailed { payment, refund: at, at: now };
                    outcome(RefundOutcome::Failed, event, Step::UndoRefund(at));
                }
                _ => {}
            }
        }
    }

    /// A person finds no payment of an attempt at Adyen, and closes it.
    fn closings(&mut self, world: &World, steps: &mut Steps) {
        let Some(order) = world.order else { return };
        let known = self.orders.get(order);
        let Ok(attempt) = u8::try_from(known.order.attempts.len()) else { return };
        let is_made = |payment: &Payment| {
            payment.attempt == attempt
                && matches!(payment.standing, Standing::Authorised | Standing::Pending)
        };
        if !known.derived.needs_attention.contains(&Attention::OutcomeUnknown)
            || world.payments.iter().any(is_made)
        {
            return;
        }
        let mut next = world.clone();
        next.change(&mut self.orders, Change::Close { attempt });
        if next.order != world.order {
            steps.push((Step::Close(attempt), next));
        }
    }
}

fn orders_know(orders: &Orders, order: OrderId, payment: PaymentAt) -> bool {
    orders.get(order).payments.contains(&payment)
}

/// The change that stores an answer.
fn conclusion(process: Process, reply: Reply) -> Option<Change> {
    let doubt = process.doubt;
    match process.task {
        Task::Pay { instrument, sent_at, attempt, .. } => {
            Some(Change::ConcludePayment { attempt, instrument, sent_at, reply, doubt })
        }
        Task::Details { result, attempt, first } => {
            Some(Change::ConcludeDetails { attempt, result, first, reply, doubt })
        }
        Task::Refund { at, sent_at, first, .. } => {
            Some(Change::ConcludeRefund { at, sent_at, first, reply, doubt })
        }
        Task::Store { .. } => None,
    }
}

/// Stores an event with its order, or parks it.
fn deliver(world: &mut World, orders: &mut Orders, event: Event) {
    if world.change(orders, Change::Deliver { event }) == Decided::Unclaimed
        && world.parked.iter().all(|(parked, _)| *parked != event)
    {
        world.parked.push((event, world.now));
    }
}

fn standing(success: bool) -> Standing {
    if success { Standing::Authorised } else { Standing::Refused }
}

/// The ways in which Adyen may process a request.
fn processed(world: &World, task: Task, posts: u8) -> Vec<(World, Reply)> {
    let now = world.now;
    match task {
        Task::Pay { attempt, instrument, .. } => {
            let results: &[Standing] = match instrument {
                Instrument::Token | Instrument::OtherToken => {
                    &[Standing::Authorised, Standing::Refused, Standing::Pending]
                }
                Instrument::Card => &[Standing::Waits, Standing::Authorised, Standing::Refused],
                Instrument::Bank => &[Standing::Waits],
                Instrument::Stored => &[Standing::Authorised, Standing::Refused],
            };
            let pay = |standing: &Standing| {
                let mut next = world.clone();
                let at = PaymentAt::try_from(next.payments.len()).unwrap_or(FOREIGN);
                let standing = *standing;
                next.payments.push(Payment { attempt, instrument, standing, shown: false, posts });
                let reply = match standing {
                    Standing::Waits => Reply::Action(at),
                    Standing::Pending => Reply::Pending(at),
                    Standing::Authorised => Reply::Authorised(at),
                    Standing::Refused => Reply::Refused(at),
                };
                if matches!(standing, Standing::Authorised | Standing::Refused) {
                    let success = standing == Standing::Authorised;
                    next.report(Event::Authorisation { payment: at, success, at: now });
                }
                (next, reply)
            };
            results.iter().map(pay).collect()
        }
        Task::Details { result: FOREIGN, .. } => {
            vec![(world.clone(), Reply::Authorised(FOREIGN))]
        }
        Task::Details { result, .. } => match world.payments[usize::from(result)].standing {
            Standing::Waits => [true, false]
                .map(|success| {
                    let mut next = world.clone();
                    next.payments[usize::from(result)].standing = standing(success);
                    next.report(Event::Authorisation { payment: result, success, at: now });
                    let reply =
                        if success { Reply::Authorised(result) } else { Reply::Refused(result) };
                    (next, reply)
                })
                .into(),
            Standing::Authorised => vec![(world.clone(), Reply::Authorised(result))],
            Standing::Refused => vec![(world.clone(), Reply::Refused(result))],
            Standing::Pending => vec![(world.clone(), Reply::Pending(result))],
        },
        Task::Refund { .. } => {
            let authorised = |payment: &Payment| payment.standing == Standing::Authorised;
            let paid = world.payments.iter().position(authorised);
            let Some(payment) = paid.and_then(|at| PaymentAt::try_from(at).ok()) else {
                return vec![(world.clone(), Reply::FieldRejected)];
            };
            let mut next = world.clone();
            let at = u8::try_from(next.refunds.len()).unwrap_or(u8::MAX);
            let outcome = RefundOutcome::Received;
            next.refunds.push(Refund { payment, ours: true, outcome });
            vec![(next, Reply::Received(at))]
        }
        Task::Store { .. } => Vec::new(),
    }
}
