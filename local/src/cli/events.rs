//! `cargo dev events`.

use std::path::{Path, PathBuf};

use super::{Failure, say};
use crate::events;

/// Generate events/ anew
///
/// The same events, variables and answers each time; needed after a change to them.
#[derive(clap::Args)]
pub struct Args {
    /// The folder to write to [default: the repository's events]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Writes the files.
pub fn run(args: Args) -> Result<(), Failure> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("events");
    let folder = args.to.unwrap_or(ours);
    let count = events::write(&folder).map_err(|error| error.to_string())?;
    say(format_args!("{count} events in {}", folder.display()));
    Ok(())
}
