//! The Lambda function.

use settle::{State, settle};
use shared::runtime;

fn main() -> std::process::ExitCode {
    runtime::tick(State::start, settle)
}
