//! The budget: numbers that a busy machine does not change.

use std::collections::BTreeMap;
use std::path::Path;

use crate::BenchError;
use crate::measure::Laboratory;
use crate::ratios::archive;
use crate::requests::Kind;

const FILE: &str = "tests/bench/budget.json";

const FUNCTIONS: [&str; 8] = [
    "floor",
    "payment-methods",
    "payments",
    "checkout-sessions",
    "orders",
    "tokens",
    "webhooks",
    "recover",
];

/// The warm requests over which instructions are averaged.
const WARM: usize = 10;

/// What a number may grow by, in percent.
const TOLERANCE: u64 = 3;

type Budget = BTreeMap<String, u64>;

/// # Errors
/// If a number is over its budget, is missing in it, or is no longer measured.
pub async fn check(binaries: &Path, write: bool) -> Result<(), BenchError> {
    let measured = measure(binaries).await?;
    if write {
        std::fs::write(FILE, serde_json::to_string_pretty(&measured)? + "\n")?;
        return Ok(());
    }
    let budget: Budget = serde_json::from_str(&std::fs::read_to_string(FILE)?)?;
    for (name, value) in &measured {
        let lower = budget.get(name).is_some_and(|budget| is_over(*budget, *value));
        let note =
            if lower { ", lower than the budget: `bench budget --write` keeps it" } else { "" };
        println!("{name}: {value}{note}");
    }
    match over(&measured, &budget) {
        over if over.is_empty() => Ok(()),
        over => Err(BenchError::OverBudget(over)),
    }
}

/// What is not as in the budget.
fn over(measured: &Budget, budget: &Budget) -> Vec<String> {
    let judge = |(name, value): (&String, &u64)| match budget.get(name) {
        None => Some(format!("{name}: {value}, but the budget has no such number")),
        Some(allowed) if is_over(*value, *allowed) => {
            Some(format!("{name}: {value} instead of {allowed}"))
        }
        Some(_) => None,
    };
    let gone = budget.keys().filter(|name| !measured.contains_key(*name));
    let gone = gone.map(|name| format!("{name}: in the budget, but not measured"));
    measured.iter().filter_map(judge).chain(gone).collect()
}

fn is_over(value: u64, allowed: u64) -> bool {
    value * 100 > allowed * (100 + TOLERANCE)
}

async fn measure(binaries: &Path) -> Result<Budget, BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    let mut budget = Budget::new();
    let mut starts = BTreeMap::new();
    for function in FUNCTIONS {
        let (start, init) = laboratory.count_start(function).await?;
        starts.insert(function, start);
        let archive = archive(&laboratory.binary(function))?;
        budget.insert(format!("{function}, archive, bytes"), archive);
        budget.insert(format!("{function}, init, instructions"), start);
        budget.insert(format!("{function}, init, handshakes"), init.called.handshakes);
    }
    for kind in Kind::ALL {
        let request = kind.name();
        let start = starts[kind.function()];
        let (first, _) = laboratory.count(kind, 1).await?;
        let (all, life) = laboratory.count(kind, 1 + WARM).await?;
        budget.insert(format!("{request}, first, instructions"), first.saturating_sub(start));
        let warm = all.saturating_sub(first) / WARM as u64;
        budget.insert(format!("{request}, warm, instructions"), warm);
        for (which, step) in [("first", life.requests.first()), ("warm", life.requests.last())] {
            let called = step.map(|step| step.called).unwrap_or_default();
            budget.insert(format!("{request}, {which}, calls of Adyen"), called.adyen);
            budget.insert(format!("{request}, {which}, calls of DynamoDB"), called.dynamodb);
            budget.insert(format!("{request}, {which}, handshakes"), called.handshakes);
        }
    }
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(numbers: &[(&str, u64)]) -> Budget {
        numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn number_may_fall_but_not_grow_by_more_than_three_percent() {
        let allowed = budget(&[("instructions", 1000), ("handshakes", 0), ("calls", 2)]);
        for (measured, names) in [
            ([("instructions", 1030), ("handshakes", 0), ("calls", 2)], &[][..]),
            ([("instructions", 1), ("handshakes", 0), ("calls", 0)], &[]),
            ([("instructions", 1031), ("handshakes", 0), ("calls", 2)], &["instructions"]),
            ([("instructions", 1000), ("handshakes", 1), ("calls", 3)], &["calls", "handshakes"]),
        ] {
            let over = over(&budget(&measured), &allowed);
            let named: Vec<_> = over.iter().filter_map(|it| it.split(':').next()).collect();
            assert_eq!(named, names);
        }
    }

    #[test]
    fn numbers_of_the_budget_are_those_that_are_measured() {
        assert_eq!(over(&budget(&[("new", 1)]), &budget(&[("old", 1)])).len(), 2);
    }
}
