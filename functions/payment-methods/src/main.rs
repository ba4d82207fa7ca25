//! The Lambda function.

use payment_methods::{State, handle};
use shared::runtime;

fn main() -> std::process::ExitCode {
    runtime::serve(State::start, handle)
}
