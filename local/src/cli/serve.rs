//! `cargo dev` itself: run the bundle until told to stop.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use shared::amazon_pay;
use shared::domain::reference::{InvalidReference, Reference};
use shared::http::jwt::{Checkout, Terms};
use shared::platform::config::{self, Env};
use simulator_http::listen::Port;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{Failure, say};
use crate::bundle::{Adyen, Bundle, Options, StartError};
use crate::events::open_sessions;
use crate::keys;
use crate::token::{self, CHECKOUT_LIFE};

/// The port of the API unless another is asked for; the simulator and DynamoDB
/// follow it.
const PORT: u16 = 3000;

/// Variables that a developer may set as a deployment would.
const PASSED_ON: [&str; 6] = [
    "ALLOWED_ORIGINS",
    "ALLOWED_PAYMENT_METHODS",
    "CAPTURE",
    "DEFAULT_RETURN_URL",
    "SSL_CERT_FILE",
    "WEBHOOK_BASIC_AUTH",
];

#[derive(clap::Args)]
pub struct Args {
    /// The API's port, 0 for any; the simulator of Adyen, DynamoDB and the simulator of Amazon
    /// Pay take the next three ports of 3000, and any free ones otherwise
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Keep the tables in this folder [default: in memory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which Adyen to call; test takes ADYEN_API_KEY and ADYEN_MERCHANT_ACCOUNT from the
    /// environment
    #[arg(long, value_enum, value_name = "WHICH", default_value = "simulator")]
    adyen: Which,
    /// The simulator of Adyen leaves merchantReference and amount out of its answers, as in
    /// Adyen's own example
    #[arg(long)]
    no_merchant_reference: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Simulator,
    Test,
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> Result<(), Failure> {
    let env = Env::process();
    let level = config::log_level(env.get("LOG_LEVEL").unwrap_or("warn"))
        .map_err(|problem| format!("LOG_LEVEL: {problem}"))?;
    log_to_stderr(level)?;
    // From here on: a signal that comes while everything starts counts too.
    let told_to_stop = told_to_stop().map_err(|error| error.to_string())?;
    let adyen = adyen(&args, &env)?;
    let data = args.data.clone();
    let bundle = Bundle::start(options(args, adyen, &env)).await.map_err(explain)?;
    if let Some(amazon) = bundle.amazon() {
        open_sessions(amazon);
    }
    announce(&bundle, data.as_deref(), &env)?;
    told_to_stop.await;
    bundle.stop().await;
    Ok(())
}

fn options(args: Args, adyen: Adyen, env: &Env) -> Options {
    let mut variables: BTreeMap<_, _> = PASSED_ON
        .iter()
        .filter_map(|name| Some((name.to_string(), env.get(name)?.to_owned())))
        .collect();
    if let Adyen::Test { .. } = adyen {
        let theirs = ["ADYEN_CHECKOUT_URL", "ADYEN_RECURRING_URL"];
        for name in theirs.into_iter().chain(amazon_pay::VARIABLES) {
            variables.extend(env.get(name).map(|url| (name.to_owned(), url.to_owned())));
        }
        // Adyen signs with the Customer Area's keys, `cargo dev webhook` with ours.
        if let Some(theirs) = env.get("ADYEN_HMAC_KEYS") {
            let (standard, tokens) = (keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY);
            variables.insert("ADYEN_HMAC_KEYS".to_owned(), format!("{theirs},{standard},{tokens}"));
        }
    }
    let beside = |offset| match args.port {
        PORT => Port::Preferably(PORT + offset),
        _ => Port::Any,
    };
    Options {
        host: args.host,
        port: match args.port {
            0 => Port::Any,
            port => Port::Exactly(port),
        },
        adyen_port: beside(1),
        dynamodb_port: beside(2),
        amazon_port: beside(3),
        data: args.data,
        // Adyen does not know the tokens of a simulator.
        amazon: matches!(adyen, Adyen::Simulator(_)).then(|| Box::new(amazon_simulator())),
        adyen,
        variables,
        on_call: Arc::new(|call| say(call)),
    }
}

fn simulator() -> adyen_simulator::Options {
    adyen_simulator::Options {
        log: Some(Arc::new(|line| {
            // The gateway tells of those that arrive.
            if !(line.starts_with("webhook ") && line.ends_with(" -> 200")) {
                say(format_args!("  Adyen {line}"));
            }
        })),
        ..adyen_simulator::Options::default()
    }
}

fn amazon_simulator() -> amazon_pay_simulator::Options {
    amazon_pay_simulator::Options {
        log: Some(Arc::new(|line| say(format_args!("  Amazon {line}")))),
        ..amazon_pay_simulator::Options::default()
    }
}

fn adyen(args: &Args, env: &Env) -> Result<Adyen, Failure> {
    if args.adyen == Which::Simulator {
        let merchant_reference = !args.no_merchant_reference;
        let simulator = adyen_simulator::Options { merchant_reference, ..simulator() };
        return Ok(Adyen::Simulator(Box::new(simulator)));
    }
    match (env.get("ADYEN_API_KEY"), env.get("ADYEN_MERCHANT_ACCOUNT")) {
        (Some(api_key), Some(merchant_account)) => Ok(Adyen::Test {
            api_key: api_key.to_owned(),
            merchant_account: merchant_account.to_owned(),
        }),
        (key, account) => {
            let missing = [("ADYEN_API_KEY", key), ("ADYEN_MERCHANT_ACCOUNT", account)];
            let missing: Vec<_> = missing
                .iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| *name)
                .collect();
            Err(format!("--adyen test needs {} in the environment", missing.join(" and ")))
        }
    }
}

/// The functions log as on Lambda, but to standard error, and only what is
/// wrong unless LOG_LEVEL asks for more: a line per call is printed anyway.
fn log_to_stderr(level: LevelFilter) -> Result<(), Failure> {
    // A conditional write that is refused is a warning to DynamoDB, and daily
    // business to us.
    let filter = EnvFilter::try_new(format!("{level},dynoxide=error,metrics=off"))
        .map_err(|error| error.to_string())?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&io::stderr()))
        .init();
    Ok(())
}

/// Ready once this process gets Ctrl-C or SIGTERM.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async { drop(tokio::signal::ctrl_c().await) })
    }
}

fn explain(error: StartError) -> Failure {
    match error {
        StartError::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
            format!("{address} is in use; stop what listens there, or choose another --port")
        }
        error => error.to_string(),
    }
}

fn announce(bundle: &Bundle, data: Option<&std::path::Path>, env: &Env) -> Result<(), Failure> {
    let url = bundle.url();
    let tables =
        data.map_or_else(|| "in memory".to_owned(), |data| format!("kept in {}", data.display()));
    say(format_args!("storefront  {url}/"));
    say(format_args!("API         {url}"));
    say(format_args!("webhooks    {}", bundle.webhooks_url()));
    match bundle.simulator() {
        Some(simulator) => {
            say(format_args!("Adyen       {} (simulator)", simulator.checkout_url()))
        }
        None => announce_adyen_test(bundle, env),
    }
    if let Some(amazon) = bundle.amazon() {
        say(format_args!("Amazon Pay  {} (simulator)", amazon.url()));
    }
    say(format_args!("DynamoDB    {} (tables orders and tokens, {tables})", bundle.dynamodb_url()));
    announce_curl(bundle)?;
    say("Every call follows, one a line. Ctrl-C ends it.\n");
    Ok(())
}

fn announce_adyen_test(bundle: &Bundle, env: &Env) {
    say("Adyen       Adyen's test environment");
    say(format_args!(
        "            Its webhooks need a public https address that leads to {}: start a tunnel,\n\
         \u{20}           enter its address in the Customer Area, Developers > Webhooks, as a standard webhook and\n\
         \u{20}           as a recurring tokens life cycle events webhook.",
        bundle.webhooks_url()
    ));
    if env.get("ADYEN_HMAC_KEYS").is_none() {
        say(
            "            Set ADYEN_HMAC_KEYS to their HMAC keys, comma-separated, or they are refused;\n\
             \u{20}           `cargo dev webhook` stands in for them without any of this.",
        );
    }
}

/// The integration page's payment, ready to paste.
fn announce_curl(bundle: &Bundle) -> Result<(), Failure> {
    let url = bundle.url();
    let reference: Reference = format!("ORDER-{:06}", fastrand::u32(..1_000_000))
        .parse()
        .map_err(|error: InvalidReference| error.to_string())?;
    let order = Checkout {
        reference: reference.clone(),
        amount: token::amount("EUR:1000")?,
        country_code: "NL".to_owned().try_into().ok(),
        shopper_reference: None,
        terms: Terms::default(),
    };
    let token = token::checkout(order, CHECKOUT_LIFE)?;
    say(format_args!(
        r#"
A payment, with a token that is good for an hour (`cargo dev token` prints more):

TOKEN={token}
curl {url}/paymentMethods -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{}}'
curl {url}/payments -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{{"paymentMethod":{{"type":"amazonpay","amazonPayToken":"160583287597AMZN"}}}}'
curl {url}/orders/{reference} -H "Authorization: Bearer $TOKEN"
"#
    ));
    Ok(())
}
