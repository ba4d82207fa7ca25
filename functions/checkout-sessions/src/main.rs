//! The Lambda function.

use checkout_sessions::{State, handle};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::serve(State::start, handle)
}
