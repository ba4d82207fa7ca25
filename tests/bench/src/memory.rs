//! Latency and cost at the processor shares that Lambda gives by memory.

use std::path::Path;
use std::time::Duration;

use crate::BenchError;
use crate::measure::{Laboratory, Life, Step};
use crate::process::Under;
use crate::quota::Quota;
use crate::ratios::{median, milliseconds};
use crate::requests::Kind;

/// In MB.
const SIZES: [u64; 5] = [128, 256, 512, 1024, 1769];

/// US dollars for a GB-second on arm64, us-east-1, as in docs/costs.md.
const PRICE: f64 = 0.000_013_333_4;

const REQUESTS: usize = 11;
const ROUNDS: usize = 5;

pub async fn print(binaries: &Path, adyen: u64) -> Result<(), BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    println!(
        "| | memory, MB | init, ms | first request, ms | warm request, ms | US$ for a million warm |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for kind in [Kind::Payment, Kind::Webhook, Kind::KeptLookup] {
        for memory in SIZES {
            let quota = Quota::of(memory)?;
            let mut lives = Vec::new();
            for _ in 0..ROUNDS {
                lives.push(laboratory.live(kind, &Under::Quota(&quota), REQUESTS).await?);
            }
            let own = |step: &Step| milliseconds(step.took.saturating_sub(step.called.waited));
            let init = median(lives.iter().map(|it| own(&it.init)));
            let first = median(lives.iter().filter_map(|it| it.requests.first()).map(own));
            let warm = median(lives.iter().flat_map(|it| it.requests.iter().skip(1)).map(own));
            let waits = waits(&lives, Duration::from_millis(adyen));
            let seconds = (warm + milliseconds(waits)) / 1e3;
            let cost = seconds * memory as f64 / 1024.0 * PRICE * 1e6;
            let name = kind.name();
            println!("| {name} | {memory} | {init:.1} | {first:.1} | {warm:.1} | {cost:.2} |");
        }
    }
    Ok(())
}

/// DynamoDB answers in milliseconds.
const DYNAMODB: Duration = Duration::from_millis(5);

/// The time that a warm request waits for others.
fn waits(lives: &[Life], adyen: Duration) -> Duration {
    let last = lives.iter().filter_map(|life| life.requests.last()).next_back();
    let times = |number: u64, each: Duration| each * u32::try_from(number).unwrap_or(u32::MAX);
    last.map(|it| times(it.called.adyen, adyen) + times(it.called.dynamodb, DYNAMODB))
        .unwrap_or_default()
}
