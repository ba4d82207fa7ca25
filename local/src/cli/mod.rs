//! The `cargo dev` command line.

mod events;
mod pay;
mod serve;
mod token;
mod webhook;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use url::Url;

/// Run the API on this machine, with DynamoDB and simulators of Adyen and Amazon Pay
#[derive(Parser)]
#[command(
    name = "cargo dev",
    bin_name = "cargo dev",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    serve: serve::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Token(token::Args),
    Webhook(webhook::Args),
    Pay(pay::Args),
    Events(events::Args),
}

/// An error message of one line.
type Failure = String;

/// Runs the command line of this process.
pub async fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.exit_code() == 0 => {
            drop(error.print());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&usage(&error)),
    };
    let done = match cli.command {
        None => serve::run(cli.serve).await,
        Some(Command::Token(args)) => token::run(args),
        Some(Command::Webhook(args)) => webhook::run(args).await,
        Some(Command::Pay(args)) => pay::run(args).await,
        Some(Command::Events(args)) => events::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &str) -> ExitCode {
    eprintln!("cargo dev: {failure}");
    ExitCode::FAILURE
}

/// clap's message in one line.
fn usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    let message = message.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    format!("{message}; see cargo dev --help")
}

/// Parses the URL of a server, so that a mistyped one is an error at once.
fn http_url(text: &str) -> Result<String, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        _ => Err("expected a URL such as http://127.0.0.1:8080/webhooks"),
    }
}

/// Prints a line. Errors are ignored, because standard output may be closed.
fn print_line(line: impl std::fmt::Display) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_line() {
        for wrong in [
            vec!["--prot", "1"],
            vec!["--port", "x"],
            vec!["--port"],
            vec!["--port", "1", "token"],
            vec!["tokne"],
            vec!["token", "--amount", "10"],
        ] {
            let Err(error) = Cli::try_parse_from(["cargo dev"].into_iter().chain(wrong)) else {
                panic!("accepted");
            };
            let message = usage(&error);
            assert!(!message.contains('\n') && message.len() > 30, "{message}");
        }
    }
}
