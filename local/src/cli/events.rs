use std::path::{Path, PathBuf};

use super::{Failure, print_line};
use crate::events;

/// Generate events/
///
/// The output is deterministic. Run it after a change of the events, variables or answers. Tokens are
/// signed with the development keys, which `env.json` has too, and never with CHECKOUT_TOKEN_KEYS or
/// MERCHANT_TOKEN_KEYS of the environment, because the files are committed.
#[derive(clap::Args)]
pub struct Args {
    /// The folder to write to [default: events/ of the repository]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("events");
    let folder = args.to.unwrap_or(default);
    let count = events::write(&folder).map_err(|error| error.to_string())?;
    print_line(format_args!("{count} events in {}", folder.display()));
    Ok(())
}
