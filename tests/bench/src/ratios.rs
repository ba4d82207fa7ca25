//! Times and sizes of the functions, and their ratios to an empty function in the same run.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::{Compression, write::DeflateEncoder};

use crate::BenchError;
use crate::measure::{Laboratory, Life};
use crate::process::Under;
use crate::requests::Kind;

/// The requests of one process.
const REQUESTS: usize = 21;

/// A column: its name, the unit, and how it is read from several processes.
type Column = (&'static str, &'static str, fn(&[Life]) -> f64);

const COLUMNS: [Column; 6] = [
    ("init", "ms", |lives| median(lives.iter().map(|it| milliseconds(it.init.took)))),
    ("init, processor", "ms", |lives| {
        median(lives.iter().map(|it| milliseconds(it.init.processor)))
    }),
    ("first request", "ms", |lives| {
        median(lives.iter().filter_map(|it| it.requests.first()).map(|it| milliseconds(it.took)))
    }),
    ("warm request", "ms", |lives| median(warm(lives).map(|it| milliseconds(it.took)))),
    ("warm request, processor", "ms", |lives| {
        median(warm(lives).map(|it| milliseconds(it.processor)))
    }),
    ("peak memory", "MB", |lives| median(lives.iter().map(|it| it.peak_memory as f64 / 1e6))),
];

/// The requests after the first of each process.
fn warm(lives: &[Life]) -> impl Iterator<Item = &crate::measure::Step> {
    lives.iter().flat_map(|life| life.requests.iter().skip(1))
}

pub async fn print(binaries: &Path, rounds: usize) -> Result<(), BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    let mut lives = Kind::ALL.map(|kind| (kind, Vec::new()));
    // One process of each function in turn, so that a noisy moment is in all columns.
    for _ in 0..rounds {
        for (kind, lives) in &mut lives {
            lives.push(laboratory.live(*kind, &Under::Nothing, REQUESTS).await?);
        }
    }
    let columns = COLUMNS.map(|(name, unit, _)| format!("{name}, {unit}"));
    println!("| | {} | archive, MB | Adyen, DynamoDB calls |", columns.join(" | "));
    println!("|---|{}", "--:|".repeat(COLUMNS.len() + 2));
    let mut floor = None;
    for (kind, lives) in &lives {
        let mut row: Vec<f64> = COLUMNS.iter().map(|(_, _, read)| read(lives)).collect();
        row.push(archive(&laboratory.binary(kind.function()))? as f64 / 1e6);
        let floor = floor.get_or_insert_with(|| row.clone());
        let cells = row.iter().zip(floor).map(|(value, floor)| match kind {
            Kind::Floor => format!("{value:.2}"),
            _ => format!("{value:.2} ({:.1}×)", value / *floor),
        });
        let cells: Vec<_> = cells.collect();
        let last = lives.iter().filter_map(|life| life.requests.last()).next_back();
        let calls = last.map(|it| (it.called.adyen, it.called.dynamodb)).unwrap_or_default();
        println!("| {} | {} | {}, {} |", kind.name(), cells.join(" | "), calls.0, calls.1);
    }
    Ok(())
}

/// The bytes of a binary in an archive for Lambda.
pub fn archive(binary: &Path) -> std::io::Result<u64> {
    let mut archive = DeflateEncoder::new(Vec::new(), Compression::default());
    archive.write_all(&fs::read(binary)?)?;
    Ok(archive.finish()?.len() as u64)
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The middle value, or 0 of none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
