//! The Lambda function.

use recover::{State, run};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::tick(State::start, run)
}
