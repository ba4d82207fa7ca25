//! Everything that decides what can happen next: the stored order, Adyen's books, the running
//! processes and the undelivered webhooks.

use crate::{
    adyen::{Event, PaymentAt, Reply},
    change::{Change, Decided, Instrument, KeyAt, Sent},
    orders::{OrderId, Orders},
    scenario::Scenario,
};

/// How often each webhook is delivered.
pub const DELIVERIES: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: u8,
    pub order: Option<OrderId>,
    /// Events whose payment no order has claimed, and the moments of their receipt.
    pub parked: Vec<(Event, u8)>,
    pub processes: Vec<Process>,
    /// Adyen's first answer to each key, and the moment at which the key was first used.
    pub answers: Vec<(KeyAt, Reply, u8)>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    /// Adyen's reports, and how many deliveries of each are left.
    pub events: Vec<(Event, u8)>,
    /// Requests that Adyen cannot read, whenever they are sent.
    pub unreadable: Vec<Content>,
    /// The requests that are left of each instrument.
    pub tries: [u8; Instrument::ALL.len()],
    pub refund_tries: u8,
    pub foreign_results: u8,
    pub faults: u8,
    pub crashes: u8,
    /// True if the order has lost a payment or an event, or lacks a payment of which a shopper was
    /// told.
    pub lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// For the shopper's action.
    Waits,
    /// For Adyen's decision.
    Pending,
    Authorised,
    Refused,
}

/// The content of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    Payment(Instrument),
    Details(PaymentAt),
}

/// A payment in Adyen's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payment {
    pub attempt: u8,
    pub instrument: Instrument,
    pub standing: Standing,
    /// True if the shopper's browser has the action.
    pub shown: bool,
    /// How often the browser can still post the result.
    pub posts: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refund {
    pub payment: PaymentAt,
    /// True if it was requested through this project, and not in Adyen's Customer Area.
    pub ours: bool,
    pub outcome: RefundOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundOutcome {
    Received,
    Succeeded,
    Failed,
}

/// A running function, between two of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pub task: Task,
    pub began: u8,
    pub at: At,
    /// The order as the process last read or wrote it.
    pub held: Option<OrderId>,
    /// True if an earlier try of the call may have been processed.
    pub doubt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    Pay {
        instrument: Instrument,
        sent_at: Sent,
        attempt: u8,
        of_schedule: bool,
    },
    Details {
        result: PaymentAt,
        attempt: u8,
        first: Option<Sent>,
    },
    Refund {
        at: u8,
        sent_at: Sent,
        first: bool,
        of_schedule: bool,
    },
    /// Only if webhooks are acknowledged before they are stored.
    Store {
        event: Event,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// Decides, and writes the decision.
    Decide,
    /// Calls Adyen.
    Call,
    /// Adyen has the request, and the answer is on its way.
    Answer(Reply),
    /// Concludes the schedule's look.
    ConcludeLook,
}

impl Task {
    pub fn is_of_schedule(self) -> bool {
        matches!(self, Self::Pay { of_schedule: true, .. } | Self::Refund { of_schedule: true, .. })
    }
}

impl World {
    pub fn first(scenario: &Scenario) -> Self {
        let mut tries = [0; Instrument::ALL.len()];
        for instrument in &scenario.instruments {
            tries[*instrument as usize] = scenario.tries;
        }
        Self {
            now: 0,
            order: None,
            parked: Vec::new(),
            processes: Vec::new(),
            answers: Vec::new(),
            payments: Vec::new(),
            refunds: Vec::new(),
            events: Vec::new(),
            unreadable: Vec::new(),
            tries,
            refund_tries: scenario.refunds,
            foreign_results: scenario.foreign_results,
            faults: scenario.faults,
            crashes: scenario.crashes,
            lost: false,
        }
    }

    /// Sorts what has no sequence.
    pub(crate) fn canonicalise(&mut self) {
        self.processes.sort_unstable();
        self.answers.sort_unstable();
        self.events.sort_unstable();
        self.parked.sort_unstable();
    }

    pub(crate) fn report(&mut self, event: Event) {
        self.events.push((event, DELIVERIES));
    }

    /// Writes a change of the stored order, and claims the events that were parked for its payments.
    pub(crate) fn change(&mut self, orders: &mut Orders, change: Change) -> Decided {
        let (before, now) = (self.order, self.now);
        let mut claimed: Vec<(Event, u8)> = Vec::new();
        loop {
            let (after, decided) = orders.change(before, change, now, &claimed);
            let newly: Vec<(Event, u8)> = match after {
                Some(after) if !self.parked.is_empty() => {
                    let known = &orders.get(after).payments;
                    let is_known = |event: &Event| known.contains(&event.payment());
                    self.parked.iter().filter(|(event, _)| is_known(event)).copied().collect()
                }
                _ => Vec::new(),
            };
            if newly == claimed {
                self.parked.retain(|parked| !claimed.contains(parked));
                self.lost |= !orders.is_kept(before, after);
                self.order = after;
                return decided;
            }
            claimed = newly;
        }
    }

    /// As [`World::change`], but decided first about the order that the process holds. Nothing is
    /// written if that decision changes nothing.
    pub(crate) fn update(
        &mut self,
        orders: &mut Orders,
        held: Option<OrderId>,
        change: Change,
    ) -> Decided {
        let (after, decided) = orders.change(held, change, self.now, &[]);
        if after == held { decided } else { self.change(orders, change) }
    }
}
