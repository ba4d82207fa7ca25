use std::time::Duration;

use adyen_simulator::webhook::{self, Event, Signer, Target};
use shared::domain::amount::Amount;

use super::{Failure, http_url, print_line};
use crate::{keys, token};

/// The time for finding the order's payment.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sign and send a webhook like Adyen
#[derive(clap::Args)]
pub struct Args {
    /// AUTHORISATION, CAPTURE, CAPTURE_FAILED, CANCELLATION, REFUND, REFUND_FAILED, OFFER_CLOSED,
    /// EXPIRE, CHARGEBACK, recurring.token.created, or any other
    event: String,
    /// merchantReference: of the order, or of a modification
    #[arg(long, value_name = "R", default_value = "YOUR_ORDER_NUMBER")]
    reference: String,
    /// pspReference of the event, or eventId of a recurring.token event [default: the order's payment for
    /// AUTHORISATION, OFFER_CLOSED, EXPIRE and a stored payment method that it created; otherwise a new one]
    #[arg(long, value_name = "P")]
    psp: Option<String>,
    /// originalReference: the pspReference of the payment, for events after the payment [default: the order's]
    #[arg(long, value_name = "O")]
    original: Option<String>,
    /// success of the event
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    success: bool,
    /// Currency and minor units
    #[arg(long, value_name = "A", default_value = "EUR:1000", value_parser = token::amount)]
    amount: Amount,
    /// The reason of a failure, or authCode:last4:expiry
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// modification.action of CANCEL_OR_REFUND: cancel or refund
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// shopperReference, for recurring.token events
    #[arg(long, value_name = "S", default_value = "YOUR_SHOPPER_REFERENCE")]
    shopper: String,
    /// storedPaymentMethodId, for recurring.token events
    #[arg(long, value_name = "T", default_value = "M5N7TQ4TG5PFWR50")]
    token: String,
    /// The merchant account of the event
    #[arg(long, value_name = "M", default_value = keys::MERCHANT_ACCOUNT)]
    merchant_account: String,
    /// Mark it as an event of the live environment
    #[arg(long)]
    live: bool,
    /// Send a wrong signature
    #[arg(long)]
    bad_signature: bool,
    /// The number of times to send it
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: u32,
    /// The URL; WEBHOOK_BASIC_AUTH in the environment is sent as user:password
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000/webhooks", value_parser = http_url)]
    to: String,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let signer = Signer::new(keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY)
        .map_err(|error| error.to_string())?;
    let basic_auth = std::env::var("WEBHOOK_BASIC_AUTH").ok();
    let target = Target::new(&args.to, basic_auth.as_deref()).map_err(|error| error.to_string())?;
    let (times, to, forged) = (args.times, args.to.clone(), args.bad_signature);
    let payment = payment(&to, &args.reference).await;
    let event = event(args, payment);
    let message = event.message(&signer, forged);
    let mut accepted = true;
    for _ in 0..times {
        let answer = target.post(&message).await.map_err(|error| {
            format!("{to}: {error}; start cargo dev, or name its URL with --to")
        })?;
        let (name, psp) = (&event.event, &event.psp_reference);
        print_line(format_args!("{name} {psp} -> {} {}", answer.status, answer.body));
        accepted &= answer.status == 200;
    }
    // A wrong signature is meant to be rejected.
    if accepted || forged {
        Ok(())
    } else {
        Err(format!("{to} did not accept the webhook; set another URL, with its path, with --to"))
    }
}

/// The payment of an order, if the `cargo dev` at that URL knows the order.
async fn payment(to: &str, reference: &str) -> Option<String> {
    let mut url = url::Url::parse(to).ok()?;
    url.path_segments_mut().ok()?.clear().extend(["workbench", "api", "orders", reference]);
    let http = shared::platform::http_client::build(None).ok()?;
    let answer = http.get(url).timeout(PATIENCE).send().await.ok()?;
    let answer: serde_json::Value = answer.json().await.ok()?;
    answer["order"]["pspReference"].as_str().map(str::to_owned)
}

fn event(args: Args, payment: Option<String>) -> Event {
    let (own, original) = webhook::names_of_payment(&args.event, payment);
    let psp = args.psp.or(own).unwrap_or_else(adyen_simulator::new_psp_reference);
    let mut event = Event::new(&args.event, &args.merchant_account, &psp, &args.reference);
    event.original_reference = args.original.or(original);
    event.success = args.success;
    event.reason = args.reason;
    event.live = args.live;
    event.shopper_reference = args.shopper;
    event.stored_payment_method_id = args.token;
    event.amount = Some(adyen_simulator::Amount {
        currency: args.amount.currency.code().to_owned(),
        value: args.amount.value,
    });
    event
        .additional_data
        .extend(args.action.map(|action| ("modification.action".to_owned(), action)));
    event
}
