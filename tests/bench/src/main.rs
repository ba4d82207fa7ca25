//! Measures the functions' binaries beside an empty function: in time, beside it in the same run;
//! in instructions and calls, against the budget that CI keeps.

mod budget;
mod load;
mod measure;
mod memory;
mod process;
mod quota;
mod ratios;
mod requests;
mod runtime_api;
mod scale;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use measure::Laboratory;
use process::Under;
use requests::Kind;

#[derive(Parser)]
#[command(about = "Measures the functions' binaries beside an empty function")]
struct Arguments {
    /// The folder of the binaries, as `cargo lambda build --release` and `cargo build --release`
    /// make them.
    #[arg(long, default_value = "target/lambda", global = true)]
    binaries: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print start, requests, memory and archive of each function, and their ratios to an empty one.
    Ratios {
        /// The number of processes of each function.
        #[arg(long, default_value_t = 15)]
        rounds: usize,
    },
    /// Print latency and cost at the processor shares of 128 to 1769 MB. Needs root.
    Memory {
        /// The milliseconds that Adyen is assumed to take.
        #[arg(long, default_value_t = 500)]
        adyen: u64,
    },
    /// Compare instructions, calls and archives with the budget. Needs valgrind.
    Budget {
        /// Write the budget instead.
        #[arg(long)]
        write: bool,
    },
    /// Print calls, units and the time of DynamoDB with more and more orders in the table.
    Scale {
        /// The most orders, of 1000, 10000, 100000 and 1000000.
        #[arg(long, default_value_t = 100_000)]
        orders: usize,
    },
    /// Pay concurrently on the bundle of this machine, without the binaries.
    Load {
        /// The payments at each level of concurrency.
        #[arg(long, default_value_t = 1000)]
        payments: usize,
    },
    /// Write a profile of warm requests for callgrind_annotate or KCachegrind. Needs valgrind, and
    /// binaries built with CARGO_PROFILE_RELEASE_STRIP=none.
    Profile {
        request: Kind,
        file: PathBuf,
        /// The number of requests. With 0 the profile shows only the start.
        #[arg(long, default_value_t = 100)]
        requests: usize,
    },
}

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Template(#[from] local::template::TemplateError),
    #[error(transparent)]
    DynamoDb(#[from] local::dynamodb::DynamoDbError),
    #[error(transparent)]
    Database(#[from] dynoxide::DynoxideError),
    #[error(transparent)]
    Bundle(#[from] local::bundle::StartError),
    #[error(transparent)]
    Event(#[from] local::event::InvalidRequest),
    #[error(transparent)]
    Request(#[from] axum::http::Error),
    #[error(transparent)]
    Call(#[from] reqwest::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Http(String),
    #[error("token: {0}")]
    Token(String),
    #[error("{0}: {1}\n{2}")]
    Failed(String, String, String),
    #[error("valgrind counted no instructions")]
    NotCounted,
    #[error("Adyen's simulator sent no webhook about a payment")]
    NoWebhook,
    #[error("over the budget in tests/bench/budget.json:\n{}", .0.join("\n"))]
    OverBudget(Vec<String>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let binaries = &arguments.binaries;
    let done = match arguments.command {
        Command::Ratios { rounds } => ratios::print(binaries, rounds).await,
        Command::Memory { adyen } => memory::print(binaries, adyen).await,
        Command::Scale { orders } => scale::print(binaries, orders).await,
        Command::Load { payments } => load::print(payments).await,
        Command::Profile { request, file, requests } => {
            profile(binaries, request, &file, requests).await
        }
        Command::Budget { write } => budget::check(binaries, write).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn profile(
    binaries: &Path,
    request: Kind,
    file: &Path,
    requests: usize,
) -> Result<(), BenchError> {
    let mut laboratory = Laboratory::open(binaries).await?;
    laboratory.live(request, &Under::Counter(file), requests).await?;
    Ok(())
}
