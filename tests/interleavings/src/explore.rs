//! Explores every reachable world, breadth first, so that a counterexample is as short as possible.
//!
//! `stateright` would do this too, but it cannot express that a way out is reachable from every
//! state: its `eventually` is wrong where paths join.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::{properties::WAY_OUT, step::Step, system::System, world::World};

/// The result of an exploration.
pub struct Report {
    pub states: usize,
    pub steps: usize,
    pub depth: u32,
    pub orders: usize,
    pub rules_applied: usize,
    pub time: Duration,
    /// True if the limit of states was reached before every state was.
    pub stopped: bool,
    pub counterexample: Option<Counterexample>,
}

pub struct Counterexample {
    pub property: &'static str,
    pub steps: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, depth, orders, rules_applied, time, .. } = self;
        let reached = if self.stopped { "stopped at" } else { "all" };
        write!(
            f,
            "{reached} {states} states, {steps} steps, depth {depth}, {orders} distinct orders, "
        )?;
        write!(f, "{rules_applied} applications of rules, {:.1} s", time.as_secs_f64())?;
        if let Some(found) = &self.counterexample {
            write!(f, "\nviolated: {}", found.property)?;
            for (at, step) in found.steps.iter().enumerate() {
                write!(f, "\n  {:2}. {step}", at + 1)?;
            }
        }
        Ok(())
    }
}

/// Identifies a world. Two worlds of a hundred million have the same with a chance of 1 in 3,700.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// The states found so far, by their numbers.
#[derive(Default)]
struct Found {
    numbers: HashMap<u64, u32>,
    fingerprints: Vec<u64>,
    parents: Vec<u32>,
    settled: Vec<bool>,
    /// From which state a step led to which.
    edges: Vec<(u32, u32)>,
}

impl Found {
    /// Returns the number of a world, and true if it is new.
    fn add(&mut self, world: &World, parent: u32) -> (u32, bool) {
        let fingerprint = fingerprint(world);
        let next = u32::try_from(self.fingerprints.len()).unwrap_or(u32::MAX);
        match self.numbers.entry(fingerprint) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => {
                vacant.insert(next);
                self.fingerprints.push(fingerprint);
                self.parents.push(parent);
                (next, true)
            }
        }
    }

    /// A state from which no settled one can be reached.
    fn stuck(&self) -> Option<u32> {
        let mut begins = vec![0_u32; self.settled.len() + 1];
        for (_, to) in &self.edges {
            begins[*to as usize + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut froms = vec![0_u32; self.edges.len()];
        let mut filled = begins.clone();
        for (from, to) in &self.edges {
            froms[filled[*to as usize] as usize] = *from;
            filled[*to as usize] += 1;
        }
        let mut leads_out = self.settled.clone();
        let settled = self.settled.iter().enumerate().filter(|(_, it)| **it);
        let mut left: Vec<usize> = settled.map(|(at, _)| at).collect();
        while let Some(to) = left.pop() {
            for from in &froms[begins[to] as usize..begins[to + 1] as usize] {
                if !std::mem::replace(&mut leads_out[*from as usize], true) {
                    left.push(*from as usize);
                }
            }
        }
        leads_out.iter().position(|it| !it).and_then(|at| u32::try_from(at).ok())
    }
}

impl System {
    /// Explores until a property is violated, every state was seen, or `limit` states were.
    pub fn explore(&mut self, limit: usize) -> Report {
        let begun = Instant::now();
        let mut found = Found::default();
        let first = World::first(&self.scenario);
        found.add(&first, 0);
        found.settled.push(self.is_settled(&first));
        let mut frontier = VecDeque::from([(0_u32, first, 0_u32)]);
        let mut steps = Vec::new();
        let mut violated = None;
        let (mut depth, mut count, mut stopped) = (0, 0, false);
        'exploring: while let Some((at, world, distance)) = frontier.pop_front() {
            depth = distance;
            self.steps(&world, &mut steps);
            count += steps.len();
            for (_, next) in steps.drain(..) {
                let (number, is_new) = found.add(&next, at);
                found.edges.push((at, number));
                if is_new {
                    found.settled.push(self.is_settled(&next));
                    if let Some(property) = self.violated(&next) {
                        violated = Some((property, number));
                        break 'exploring;
                    }
                    frontier.push_back((number, next, distance + 1));
                }
            }
            if found.fingerprints.len() >= limit {
                stopped = !frontier.is_empty();
                break;
            }
        }
        if violated.is_none() && !stopped {
            violated = found.stuck().map(|at| (WAY_OUT, at));
        }
        let (orders, rules_applied) = (self.orders.count(), self.orders.applied());
        Report {
            states: found.fingerprints.len(),
            steps: count,
            depth,
            orders,
            rules_applied,
            time: begun.elapsed(),
            stopped,
            counterexample: violated
                .map(|(property, at)| Counterexample { property, steps: self.path(&found, at) }),
        }
    }

    /// The steps that lead to a state.
    fn path(&mut self, found: &Found, to: u32) -> Vec<String> {
        let mut numbers = vec![to];
        while let Some(at) = numbers.last().copied().filter(|at| *at != 0) {
            numbers.push(found.parents[at as usize]);
        }
        numbers.reverse();
        let mut world = World::first(&self.scenario);
        let mut told = Vec::new();
        let mut steps: Vec<(Step, World)> = Vec::new();
        for number in &numbers[1..] {
            let wanted = found.fingerprints[*number as usize];
            self.steps(&world, &mut steps);
            let Some((step, next)) = steps.drain(..).find(|(_, next)| fingerprint(next) == wanted)
            else {
                return told;
            };
            let is = next
                .order
                .map_or("no order", |order| self.orders.get(order).derived.status.as_str());
            told.push(format!("{step} [{is}]"));
            world = next;
        }
        if let Some(order) = world.order {
            let order = serde_json::json!(self.orders.get(order).order);
            told.push(format!("the order is stored as {order}"));
        }
        told
    }
}
