//! The Lambda function.

use payment_methods::{State, handle};
use shared::platform::runtime;

fn main() -> std::process::ExitCode {
    runtime::serve(State::start, handle)
}
