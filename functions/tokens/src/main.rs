//! The Lambda function.

use shared::platform::runtime;
use tokens::{State, handle};

fn main() -> std::process::ExitCode {
    runtime::serve(State::start, handle)
}
