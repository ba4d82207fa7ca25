//! Explores the scenarios, and prints what was explored.

use std::process::ExitCode;

use clap::Parser;
use interleavings::{
    rules::Broken,
    scenario::{Bounds, Scenario},
    system::System,
};

/// Explores every interleaving of an order's rules, within bounds.
#[derive(Parser)]
struct Arguments {
    /// The attempts of the order.
    #[arg(long, default_value_t = Bounds::SMALL.attempts)]
    attempts: u8,
    /// The processes that die.
    #[arg(long, default_value_t = Bounds::SMALL.crashes)]
    crashes: u8,
    /// Lost requests, answers and writes, errors and rejections.
    #[arg(long, default_value_t = Bounds::SMALL.faults)]
    faults: u8,
    /// The processes that run at once.
    #[arg(long, default_value_t = Bounds::SMALL.processes)]
    processes: u8,
    /// The requests to pay with each instrument.
    #[arg(long, default_value_t = Bounds::SMALL.tries)]
    tries: u8,
    /// How often the browser posts each result.
    #[arg(long, default_value_t = Bounds::SMALL.posts)]
    posts: u8,
    /// Stop at every moment at which a deadline has passed, and not at every second one.
    #[arg(long)]
    every_moment: bool,
    /// Break a rule on purpose.
    #[arg(long)]
    broken: Option<Broken>,
    /// Explore only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    scenario: String,
    /// Stop a scenario at this many states.
    #[arg(long, default_value_t = usize::MAX)]
    limit: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Arguments { attempts, crashes, faults, processes, tries, posts, every_moment, .. } =
        arguments;
    let bounds = Bounds { attempts, crashes, faults, processes, tries, posts, every_moment };
    println!("{bounds:?}");
    let mut code = ExitCode::SUCCESS;
    for scenario in Scenario::all(bounds) {
        if !scenario.name.contains(&arguments.scenario) {
            continue;
        }
        let name = scenario.name;
        let mut system = System::new(Scenario { broken: arguments.broken, ..scenario });
        let report = system.explore(arguments.limit);
        println!("{name}: {report}");
        if report.counterexample.is_some() {
            code = ExitCode::FAILURE;
        }
    }
    code
}
