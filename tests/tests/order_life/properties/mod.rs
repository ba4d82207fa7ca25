//! What holds for every order, whatever is known of it.
//!
//! The seed is fixed, so that a failure comes again; `PROPTEST_RNG_SEED` sets another one
//! and `PROPTEST_CASES` the number of orders.

mod any;
mod derive;
mod expected;
mod requests;

use std::env;

use proptest::test_runner::{Config, RngSeed};

/// 10,000 cases, the same ones each time.
pub fn cases() -> Config {
    let from_environment = Config::default();
    let unset = |variable| env::var_os(variable).is_none();
    Config {
        cases: if unset("PROPTEST_CASES") { 10_000 } else { from_environment.cases },
        rng_seed: if unset("PROPTEST_RNG_SEED") {
            RngSeed::Fixed(20_260_101)
        } else {
            from_environment.rng_seed
        },
        failure_persistence: None,
        ..from_environment
    }
}
