//! The budget: numbers that a busy machine does not change.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

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

/// A number may grow by this many percent.
const TOLERANCE: u64 = 3;

/// On another machine, instructions may differ by this many percent, because they contain those of
/// its libc, and the ones that libraries choose by its processor.
const ELSEWHERE: u64 = 10;

type Numbers = BTreeMap<String, u64>;

#[derive(Serialize, Deserialize)]
struct Budget {
    /// The libc and the processor's vectors of the machine that measured it.
    machine: String,
    numbers: Numbers,
}

/// # Errors
/// If a number is over its budget, is missing in it, or is no longer measured.
pub async fn check(binaries: &Path, write: bool) -> Result<(), BenchError> {
    let measured = Budget { machine: machine(), numbers: measure(binaries).await? };
    if write {
        std::fs::write(FILE, serde_json::to_string_pretty(&measured)? + "\n")?;
        return Ok(());
    }
    let budget: Budget = serde_json::from_str(&std::fs::read_to_string(FILE)?)?;
    if budget.machine != measured.machine {
        println!("this is {}, the budget's machine {}", measured.machine, budget.machine);
    }
    for (name, value) in &measured.numbers {
        let budget = budget.numbers.get(name);
        let lower = budget.is_some_and(|budget| is_over(*budget, *value, TOLERANCE));
        let note =
            if lower { ", lower than the budget: `bench budget --write` keeps it" } else { "" };
        println!("{name}: {value}{note}");
    }
    match over(&measured, &budget) {
        over if over.is_empty() => Ok(()),
        over => Err(BenchError::OverBudget(over)),
    }
}

/// Such as `glibc 2.36, avx2`.
fn machine() -> String {
    let libc = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let libc = libc.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let vectors = if processor.contains(" avx2 ") { "avx2" } else { "no avx2" };
    format!("{}, {vectors}", libc.unwrap_or_default())
}

/// The differences between what was measured and the budget.
fn over(measured: &Budget, budget: &Budget) -> Vec<String> {
    let tolerance = |name: &str| match measured.machine == budget.machine {
        false if name.ends_with("instructions") => ELSEWHERE,
        _ => TOLERANCE,
    };
    let judge = |(name, value): (&String, &u64)| match budget.numbers.get(name) {
        None => Some(format!("{name}: {value}, but the budget has no such number")),
        Some(allowed) if is_over(*value, *allowed, tolerance(name)) => {
            Some(format!("{name}: {value} instead of {allowed}"))
        }
        Some(_) => None,
    };
    let gone = budget.numbers.keys().filter(|name| !measured.numbers.contains_key(*name));
    let gone = gone.map(|name| format!("{name}: in the budget, but not measured"));
    measured.numbers.iter().filter_map(judge).chain(gone).collect()
}

fn is_over(value: u64, allowed: u64, tolerance: u64) -> bool {
    value * 100 > allowed * (100 + tolerance)
}

async fn measure(binaries: &Path) -> Result<Numbers, BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    let mut budget = Numbers::new();
    let mut starts = BTreeMap::new();
    for function in FUNCTIONS {
        let (start, init) = laboratory.count_start(function).await?;
        starts.insert(function, start);
        let archive = archive(&laboratory.binary(function))?;
        budget.insert(format!("{function}, archive, bytes"), archive);
        budget.insert(format!("{function}, init, instructions"), start);
        budget.insert(format!("{function}, init, TLS handshakes"), init.called.handshakes);
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
            budget.insert(format!("{request}, {which}, TLS handshakes"), called.handshakes);
        }
    }
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(machine: &str, numbers: &[(&str, u64)]) -> Budget {
        let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Budget { machine: machine.to_owned(), numbers }
    }

    #[test]
    fn number_may_fall_but_not_grow_by_more_than_three_percent() {
        let allowed = budget("here", &[("instructions", 1000), ("connections", 0), ("calls", 2)]);
        for (machine, measured, names) in [
            ("here", [("instructions", 1030), ("connections", 0), ("calls", 2)], &[][..]),
            ("here", [("instructions", 1), ("connections", 0), ("calls", 0)], &[]),
            ("here", [("instructions", 1031), ("connections", 0), ("calls", 2)], &["instructions"]),
            ("there", [("instructions", 1100), ("connections", 0), ("calls", 2)], &[]),
            (
                "there",
                [("instructions", 1101), ("connections", 0), ("calls", 3)],
                &["calls", "instructions"],
            ),
            (
                "here",
                [("instructions", 1000), ("connections", 1), ("calls", 3)],
                &["calls", "connections"],
            ),
        ] {
            let over = over(&budget(machine, &measured), &allowed);
            let named: Vec<_> = over.iter().filter_map(|it| it.split(':').next()).collect();
            assert_eq!(named, names);
        }
    }

    #[test]
    fn numbers_of_the_budget_are_those_that_are_measured() {
        assert_eq!(over(&budget("here", &[("new", 1)]), &budget("here", &[("old", 1)])).len(), 2);
    }
}
