//! The Lambda function.

use settle::{State, run};
use shared::runtime;

fn main() -> std::process::ExitCode {
    runtime::tick(State::start, run)
}
