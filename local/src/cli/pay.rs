use std::time::Duration;

use serde_json::{Value, json};

use super::{Failure, http_url, print_line};

/// The time for an answer of the workbench.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pay a voucher, a bank transfer or another pending payment, like the shopper
///
/// The running `cargo dev` must have the simulator of Adyen, which then sends its webhook.
#[derive(clap::Args)]
pub struct Args {
    /// The order's reference
    reference: String,
    /// Let the payment fail instead
    #[arg(long)]
    declined: bool,
    /// The URL of the running cargo dev
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000", value_parser = http_url)]
    to: String,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let Args { reference, declined, to } = args;
    let http = shared::platform::http_client::build(None).map_err(|error| error.to_string())?;
    let act = json!({"action": "pay", "reference": reference, "approved": !declined});
    let request = http.post(format!("{}/workbench/api/do", to.trim_end_matches('/')));
    let answer = request.timeout(PATIENCE).json(&act).send().await;
    let answer = answer
        .map_err(|_| format!("{to} does not answer; start cargo dev, or name its URL with --to"))?;
    let answer: Value = answer.json().await.unwrap_or_default();
    match answer["pspReference"].as_str() {
        Some(payment) => {
            let outcome = if declined { "declined" } else { "paid" };
            print_line(format_args!("{reference}: payment {payment} is {outcome}"));
            Ok(())
        }
        None => {
            let reason = answer["error"].as_str().unwrap_or("This is not the URL of cargo dev.");
            Err(format!("{reference}: {reason}"))
        }
    }
}
