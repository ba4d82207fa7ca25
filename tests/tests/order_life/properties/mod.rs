//! Properties of every order.
//!
//! The seed is fixed, so that a failure can be repeated; `PROPTEST_RNG_SEED` sets another one
//! and `ORDER_LIFE_CASES` the number of orders (500; CI asks for 10,000).

mod any;
mod derive;
mod requests;

use std::env;

use proptest::test_runner::{Config, RngSeed};

/// The same cases each time.
pub fn cases() -> Config {
    let from_environment = Config::default();
    let unset = |variable| env::var_os(variable).is_none();
    Config {
        cases: match env::var("ORDER_LIFE_CASES") {
            Ok(number) => number.parse().expect("ORDER_LIFE_CASES: a number"),
            Err(_) => 500,
        },
        rng_seed: if unset("PROPTEST_RNG_SEED") {
            RngSeed::Fixed(20_260_101)
        } else {
            from_environment.rng_seed
        },
        failure_persistence: None,
        ..from_environment
    }
}
