//! The cost of a payment, of its webhook and of reading its order, by the number of orders in the table.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::BenchError;
use crate::measure::{Laboratory, Step};
use crate::process::Under;
use crate::ratios::{median, milliseconds};
use crate::requests::Kind;

const REQUESTS: usize = 201;

/// The most items that DynamoDB writes in one call.
const BATCH: usize = 25;

pub async fn print(binaries: &Path, most: usize) -> Result<(), BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    let pattern = pattern(&mut laboratory).await?;
    println!("| orders | request | DynamoDB calls | units | time of DynamoDB and Adyen, ms |");
    println!("|--:|---|--:|--:|--:|");
    let sizes = [1000, 10_000, 100_000, 1_000_000];
    let mut written = 0;
    for orders in sizes.into_iter().filter(|orders| *orders <= most) {
        fill(&laboratory, &pattern, written..orders)?;
        written = orders;
        for kind in [Kind::Payment, Kind::Webhook, Kind::Order] {
            let life = laboratory.live(kind, &Under::Nothing, REQUESTS).await?;
            let warm = &life.requests[1..];
            let mean =
                |read: fn(&Step) -> f64| warm.iter().map(read).sum::<f64>() / warm.len() as f64;
            println!(
                "| {orders} | {} | {:.2} | {:.2} | {:.2} |",
                kind.name(),
                mean(|step| step.called.dynamodb as f64),
                mean(|step| step.called.units),
                median(warm.iter().map(|step| milliseconds(step.called.waited))),
            );
        }
    }
    Ok(())
}

/// The item of an order that was paid.
async fn pattern(laboratory: &mut Laboratory) -> Result<Map<String, Value>, BenchError> {
    laboratory.live(Kind::Webhook, &Under::Nothing, 1).await?;
    let database = laboratory.world().database().database();
    let scanned = database.scan(serde_json::from_value(json!({"TableName": "orders"}))?)?;
    let scanned = serde_json::to_value(scanned)?;
    let items = scanned["Items"].as_array().into_iter().flatten();
    let order = items.filter_map(Value::as_object).find(|item| item.contains_key("attempts"));
    Ok(order.cloned().unwrap_or_default())
}

/// Writes copies of the pattern, updated one second after the other.
fn fill(
    laboratory: &Laboratory,
    pattern: &Map<String, Value>,
    numbers: std::ops::Range<usize>,
) -> Result<(), BenchError> {
    let database = laboratory.world().database().database();
    for first in numbers.clone().step_by(BATCH) {
        let puts: Vec<_> = (first..numbers.end.min(first + BATCH))
            .map(|number| {
                let at = jiff::Timestamp::UNIX_EPOCH
                    + jiff::SignedDuration::from_secs(i64::try_from(number).unwrap_or(i64::MAX));
                let mut item = pattern.clone();
                item.insert("reference".into(), json!({"S": format!("ORDER-{number}")}));
                item.insert(
                    "statusShard".into(),
                    json!({"S": format!("authorised-{}", number % 4)}),
                );
                item.insert("position".into(), json!({"S": format!("{at:.9}#ORDER-{number}")}));
                json!({"PutRequest": {"Item": item}})
            })
            .collect();
        let batch = json!({"RequestItems": {"orders": puts}});
        database.batch_write_item(serde_json::from_value(batch)?)?;
    }
    Ok(())
}
