//! docs/costs.md agrees with units that are measured here, and each of its amounts with its units
//! and prices. `COSTS=write` corrects the document, for instance after prices were changed in it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod document;
mod measure;
mod template;

use document::{Document, Table, amount, dollars, number, per, plain};
use measure::{Measured, Units};

/// The minutes between two runs of the schedule, and between two reads of a secret or a key.
const FIVE_MINUTES: f64 = 30.0 * 24.0 * 12.0;

/// DynamoDB and CloudWatch Logs charge KB as millionths of a GB.
const MILLION: f64 = 1e6;

#[tokio::test]
async fn document_of_costs_agrees_with_measured_units() {
    let measured = measure::everything().await;
    let mut document = Document::read("docs/costs.md");
    let before = document.text();

    let mut requests = document.table("A million payments");
    let costs = a_million(&mut requests, &measured);
    document.put(&requests);
    let mut month = document.table("Every month");
    every_month(&mut month, &measured, costs.schedule);
    document.put(&month);
    let mut kept = document.table("Orders that are kept");
    kept_orders(&mut kept, &measured);
    document.put(&kept);
    let mut options = document.table("Options");
    with_options(&mut options, &measured, &requests);
    document.put(&options);
    let mut less = document.table("To pay less");
    to_pay_less(&mut less, &requests, &month, &kept);
    document.put(&less);

    if std::env::var("COSTS").is_ok_and(|it| it == "write") {
        return document.write();
    }
    let after = document.text();
    let wrong: Vec<_> = before.lines().zip(after.lines()).filter(|(is, to)| is != to).collect();
    assert!(wrong.is_empty(), "docs/costs.md has (left), and should have (right): {wrong:#?}");
}

/// The columns of the first table.
const REQUESTS: [usize; 4] = [1, 2, 3, 4];
const TOGETHER: usize = 5;
const PRICE: usize = 6;
const COST: usize = 7;
const SCHEDULE: usize = 8;

struct Costs {
    /// A million runs of the schedule.
    schedule: f64,
}

fn a_million(table: &mut Table, measured: &Measured) -> Costs {
    let columns: Vec<(usize, &Units)> =
        REQUESTS.into_iter().chain([SCHEDULE]).zip(measured.requests.iter()).collect();
    let memory = template::memory_in_gb();
    for (column, units) in &columns {
        for (part, measured) in &units.0 {
            let row = table.row(part);
            // Ids and durations vary, so bytes do.
            let documented = number(&row[*column]);
            let is_close = documented > 0.0 && (documented - measured).abs() <= 0.03;
            if !(part.ends_with("KB") && is_close) {
                row[*column] = plain((measured * 100.0).round() / 100.0);
            }
        }
        let seconds = number(&table.row("Lambda, seconds, assumed")[*column]);
        table.row("Lambda, GB-s")[*column] = plain(seconds * memory);
    }
    let mut together = 0.0;
    let mut each = [0.0; SCHEDULE + 1];
    for row in table.rows.iter_mut().filter(|row| !row[0].starts_with("**")) {
        let sum: f64 = REQUESTS.map(|column| number(&row[column])).iter().sum();
        row[TOGETHER] = plain(sum);
        if row[PRICE].is_empty() {
            continue;
        }
        let price = amount(&row[PRICE]) * MILLION / per(&row[PRICE]);
        for column in REQUESTS.into_iter().chain([SCHEDULE]) {
            each[column] += number(&row[column]) * price;
        }
        row[COST] = dollars(sum * price);
        together += number(&row[COST]);
    }
    let total = table.row("**US$ for a million**");
    for column in REQUESTS.into_iter().chain([SCHEDULE]) {
        total[column] = format!("**{}**", dollars(each[column]));
    }
    total[COST] = format!("**{}**", dollars(together));
    Costs { schedule: each[SCHEDULE] }
}

/// Multiplies the number in column 1 by the price in column 2.
fn multiply(table: &mut Table) -> f64 {
    let mut sum = 0.0;
    for row in table.rows.iter_mut().filter(|row| !row[0].starts_with("**")) {
        row[3] = dollars(number(&row[1]) / per(&row[2]) * amount(&row[2]));
        sum += number(&row[3]);
    }
    sum
}

fn every_month(table: &mut Table, measured: &Measured, schedule: f64) {
    let secrets = template::secrets();
    for (part, units) in [
        ("CloudWatch, alarm metrics", template::alarm_metrics(None)),
        ("CloudWatch, metrics of payments", measured.metrics.len() as f64),
        ("CloudWatch, dashboard", template::number_of("AWS::CloudWatch::Dashboard")),
        ("Secrets Manager, secrets", secrets.names.len() as f64),
        ("Secrets Manager, reads at most", secrets.copies * FIVE_MINUTES),
        ("KMS, requests at most", template::tables_of_functions() * FIVE_MINUTES),
        ("The schedule, runs", FIVE_MINUTES * 5.0 / template::minutes_of_the_schedule()),
    ] {
        table.row(part)[1] = plain(units);
    }
    table.row("The schedule, runs")[2] = format!("{} per million", dollars(schedule));
    let sum = multiply(table);
    table.row("**Together**")[3] = format!("**{}**", dollars(sum));
}

fn kept_orders(table: &mut Table, measured: &Measured) {
    for (part, units) in [
        ("DynamoDB, orders with their indexes, GB", measured.stored_with_indexes),
        ("DynamoDB, backup, GB", measured.stored),
    ] {
        table.row(part)[1] = format!("{units:.2}");
    }
    multiply(table);
}

fn with_options(table: &mut Table, measured: &Measured, requests: &Table) {
    let invocations = number(&requests.get("Lambda, requests")[TOGETHER]);
    let seconds = number(&requests.get("Lambda, GB-s")[TOGETHER]);
    let names = template::secrets().with_options.len() - template::secrets().names.len();
    for (part, units) in [
        ("`Tracing` `Active`: traces at most", invocations * MILLION),
        ("`OrderEventBus`: changes through the pipe", measured.changes * MILLION),
        ("`OrderEventBus`: events to the bus", measured.changes * MILLION),
        (
            "`OrderEventBus`: alarm metrics, each month",
            template::alarm_metrics(Some("HasOrderEventBus")),
        ),
        ("`Architecture` `x86_64`: GB-s, more than for arm64", seconds * MILLION),
        ("`AmazonPayPublicKeyId`, `WebhookBasicAuthSecret`: secrets, each month", names as f64),
    ] {
        table.row(part)[1] = plain(units);
    }
    multiply(table);
}

fn to_pay_less(table: &mut Table, requests: &Table, month: &Table, kept: &Table) {
    let of_requests = |part: &str| requests.get(part)[COST].clone();
    let of_month = |part: &str| month.get(part)[3].clone();
    let half = dollars(number(&of_requests("Lambda, GB-s")) / 2.0);
    for (change, saved) in [
        ("`LogLevel` `warn`", of_requests("Logs, lines, KB")),
        ("no `AccessLogSettings` of the API", of_requests("Logs, access log, KB")),
        ("no alarms", of_month("CloudWatch, alarm metrics")),
        ("no dashboard", of_month("CloudWatch, dashboard")),
        ("no `SSESpecification` of the tables", of_month("KMS, requests at most")),
        ("no `PointInTimeRecoverySpecification`", kept.get("DynamoDB, backup, GB")[3].clone()),
        ("`MemorySize` 128", half),
    ] {
        table.row(change)[1] = saved;
    }
}
