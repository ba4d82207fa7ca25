//! The properties that hold in every world.

use shared::domain::order::{AttemptStatus, Attention, ModificationState, PendingOn, Status};

use crate::{
    adyen::{PaymentAt, VALUE},
    change::Instrument,
    orders::Known,
    system::System,
    world::{DELIVERIES, Payment, Refund, RefundOutcome, Standing, Task, World},
};

pub const NEVER_TWICE: &str = "never two authorisations that the shopper did not ask for";
pub const REFUNDED_ONCE: &str = "never two refunds that the merchant did not ask for";
pub const SAYS_THE_BOOKS: &str = "an order at rest says what Adyen's books say";
pub const NOTHING_MISSING: &str = "nothing acknowledged is missing";
pub const MONEY: &str = "confirmed implies the money";
pub const WAY_OUT: &str = "no state without a way out";

impl System {
    /// The property that does not hold in this world.
    pub fn violated(&self, world: &World) -> Option<&'static str> {
        if authorised_unasked(world) > 1 {
            return Some(NEVER_TWICE);
        }
        if world.refunds.iter().filter(|it| it.ours && it.outcome != RefundOutcome::Failed).count()
            > 1
        {
            return Some(REFUNDED_ONCE);
        }
        let known = world.order.map(|order| self.orders.get(order));
        if !self.is_stored(world, known) {
            return Some(NOTHING_MISSING);
        }
        let known = known?;
        let authorised = world.payments.iter().filter(|it| it.standing == Standing::Authorised);
        if known.derived.confirmed && authorised.count() == 0 {
            return Some(MONEY);
        }
        if is_at_rest(world) && !says_the_books(world, known) {
            return Some(SAYS_THE_BOOKS);
        }
        None
    }

    /// True if every acknowledged webhook is stored, and every payment that a shopper was told of.
    fn is_stored(&self, world: &World, known: Option<&Known>) -> bool {
        let mut acknowledged = world.events.iter().filter(|(_, left)| *left < DELIVERIES);
        !world.lost
            && acknowledged.all(|(event, _)| {
                let stored = event.stored(self.orders.moment(0), |at| self.orders.moment(at));
                let is_stored =
                    |it: &Known| it.order.events.iter().any(|known| known.key() == stored.key());
                // A process that still runs may store it.
                world.processes.iter().any(|it| it.task == Task::Store { event: *event })
                    || world.parked.iter().any(|(parked, _)| parked == event)
                    || known.is_some_and(is_stored)
            })
    }

    /// True if nobody needs to do anything about the order, or the shopper and Adyen can.
    pub fn is_settled(&self, world: &World) -> bool {
        let Some(order) = world.order else { return true };
        if !is_at_rest(world) {
            return false;
        }
        let Known { derived, .. } = self.orders.get(order);
        let modifications = derived.modifications.iter().all(|state| match state {
            ModificationState::Requested => false,
            ModificationState::Unknown => {
                derived.needs_attention.contains(&Attention::ModificationUnknown)
            }
            _ => true,
        });
        let payment =
            |standing: Standing| world.payments.iter().any(|payment| payment.standing == standing);
        let last = derived.attempts.last().map(|attempt| attempt.status);
        modifications
            && (derived.status != Status::Pending
                || match last {
                    Some(AttemptStatus::Pending(PendingOn::Shopper)) => payment(Standing::Waits),
                    Some(AttemptStatus::Pending(PendingOn::FinalResult)) => {
                        payment(Standing::Pending)
                    }
                    _ => false,
                })
    }
}

/// The authorisations that the shopper did not make at a bank, outside of our reach.
fn authorised_unasked(world: &World) -> usize {
    let is_unasked = |payment: &&Payment| {
        payment.standing == Standing::Authorised && payment.instrument != Instrument::Bank
    };
    world.payments.iter().filter(is_unasked).count()
}

/// True if no process runs and every webhook has arrived.
fn is_at_rest(world: &World) -> bool {
    world.processes.is_empty() && world.events.iter().all(|(_, left)| *left < DELIVERIES)
}

fn says_the_books(world: &World, Known { derived, standing, .. }: &Known) -> bool {
    let is_paid = |payment: &Payment| payment.standing == Standing::Authorised;
    let paid = (0..).zip(&world.payments).filter(|(_, payment)| is_paid(payment));
    let paid: Vec<PaymentAt> = paid.map(|(at, _)| at).collect();
    let is_returned = |at: &&PaymentAt| {
        let of = |it: &Refund| it.payment == **at && it.outcome == RefundOutcome::Succeeded;
        world.refunds.iter().any(of)
    };
    let returned = paid.iter().filter(is_returned).count();
    // A payment that was returned does not count while another stands.
    let counting = if returned == paid.len() { returned } else { 0 };
    paid.len() == standing.len()
        && paid.iter().all(|payment| standing.contains(payment))
        && derived.status.was_paid() != paid.is_empty()
        && derived.refunded == VALUE * i64::try_from(counting).unwrap_or(i64::MAX)
}
