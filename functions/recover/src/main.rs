//! The Lambda function.

// Futures are nested more deeply than the default of 128 allows.
#![recursion_limit = "256"]

use recover::{State, run};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::tick(State::start, run)
}
