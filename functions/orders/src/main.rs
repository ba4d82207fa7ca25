//! The Lambda function.

use orders::{State, handle};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::serve(State::start, handle)
}
