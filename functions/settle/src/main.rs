//! The Lambda function.

use settle::{State, run};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::tick(State::start, run)
}
