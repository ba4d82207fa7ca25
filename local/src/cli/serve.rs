//! `cargo dev` without a subcommand: runs the bundle until a signal stops it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use shared::amazon_pay;
use shared::domain::reference::{InvalidReference, Reference};
use shared::http::jwt::{Caller, Checkout};
use shared::platform::config::{self, Env};
use simulator_http::listen::Port;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{Failure, http_url, print_line};
use crate::bundle::{Adyen, Bundle, Options, StartError};
use crate::events::open_sessions;
use crate::keys;
use crate::token::{self, CHECKOUT_LIFE};

/// The default port of the API. The simulators and DynamoDB use the next three.
const PORT: u16 = 3000;

/// Variables of a deployment that a developer can set in the environment.
const PASSED_ON: [&str; 9] = [
    "ALLOWED_ORIGINS",
    "ALLOWED_PAYMENT_METHODS",
    "CAPTURE",
    "CHECKOUT_TOKEN_KEYS",
    "DEFAULT_RETURN_URL",
    "KEEP_PAYMENT_METHODS",
    "MERCHANT_TOKEN_KEYS",
    "SSL_CERT_FILE",
    "WEBHOOK_BASIC_AUTH",
];

/// The methods that the simulator of Adyen offers: one of each kind.
const PAYMENT_METHODS: &str = "amazonpay,scheme,ideal,klarna,paypal,mbway,wechatpayQR,multibanco,\
    bankTransfer_IBAN,sepadirectdebit";

#[derive(clap::Args)]
pub struct Args {
    /// The port of the API, 0 for any; with 3000, the simulator of Adyen, DynamoDB and the
    /// simulator of Amazon Pay use the next three ports, otherwise any
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Store the tables in this folder [default: in memory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The Adyen to call; test reads ADYEN_API_KEY and ADYEN_MERCHANT_ACCOUNT from the environment
    #[arg(long, value_enum, value_name = "WHICH", default_value = "simulator")]
    adyen: AdyenTarget,
    /// Send the webhooks of the simulator of Adyen to this URL too
    #[arg(long, value_name = "URL", value_parser = http_url)]
    webhooks_to: Option<String>,
    /// Leave merchantReference and amount out of the answers of the simulator of Adyen, as in
    /// Adyen's own example
    #[arg(long)]
    no_merchant_reference: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AdyenTarget {
    Simulator,
    Test,
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> Result<(), Failure> {
    let env = Env::process();
    let level = config::log_level(env.get("LOG_LEVEL").unwrap_or("warn"))
        .map_err(|problem| format!("LOG_LEVEL: {problem}"))?;
    log_to_stderr(level)?;
    // Before the start, so that a signal during it is not missed.
    let shutdown = shutdown_signal().map_err(|error| error.to_string())?;
    let adyen = adyen(&args, &env)?;
    let data = args.data.clone();
    let bundle = Bundle::start(options(args, adyen, &env)).await.map_err(explain)?;
    if let Some(amazon) = bundle.amazon() {
        open_sessions(amazon);
    }
    announce(&bundle, data.as_deref(), &env)?;
    shutdown.await;
    bundle.stop().await;
    Ok(())
}

fn options(args: Args, adyen: Adyen, env: &Env) -> Options {
    let mut variables: BTreeMap<_, _> = PASSED_ON
        .iter()
        .filter_map(|name| Some((name.to_string(), env.get(name)?.to_owned())))
        .collect();
    if let Adyen::Simulator(_) = adyen {
        let methods = || PAYMENT_METHODS.to_owned();
        variables.entry("ALLOWED_PAYMENT_METHODS".to_owned()).or_insert_with(methods);
    }
    if let Adyen::Test { .. } = adyen {
        let urls = ["ADYEN_CHECKOUT_URL", "ADYEN_RECURRING_URL"];
        for name in urls.into_iter().chain(amazon_pay::VARIABLES) {
            variables.extend(env.get(name).map(|value| (name.to_owned(), value.to_owned())));
        }
        // `cargo dev webhook` signs with the development keys.
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
        // Adyen rejects the tokens of a simulator.
        amazon: matches!(adyen, Adyen::Simulator(_)).then(|| Box::new(amazon_simulator())),
        adyen,
        variables,
        on_call: Arc::new(|call| print_line(call)),
        streams: true,
        workbench: true,
    }
}

fn simulator() -> adyen_simulator::Options {
    adyen_simulator::Options {
        log: Some(Arc::new(|line| {
            // The gateway prints the webhooks that it accepts.
            if !(line.starts_with("webhook ") && line.ends_with(" -> 200")) {
                print_line(format_args!("  Adyen {line}"));
            }
        })),
        ..adyen_simulator::Options::default()
    }
}

fn amazon_simulator() -> amazon_pay_simulator::Options {
    amazon_pay_simulator::Options {
        log: Some(Arc::new(|line| print_line(format_args!("  Amazon {line}")))),
        ..amazon_pay_simulator::Options::default()
    }
}

fn adyen(args: &Args, env: &Env) -> Result<Adyen, Failure> {
    if args.adyen == AdyenTarget::Simulator {
        let merchant_reference = !args.no_merchant_reference;
        let webhook_copy = args.webhooks_to.clone();
        let simulator =
            adyen_simulator::Options { merchant_reference, webhook_copy, ..simulator() };
        return Ok(Adyen::Simulator(Box::new(simulator)));
    }
    if args.webhooks_to.is_some() {
        return Err(
            "--webhooks-to copies the simulator's webhooks, so it needs the simulator".into()
        );
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

/// Logs warnings and errors to standard error; LOG_LEVEL changes the level. Each call is also
/// printed in one line.
fn log_to_stderr(level: LevelFilter) -> Result<(), Failure> {
    // dynoxide warns about failed conditions of writes, which are normal here.
    let filter = EnvFilter::try_new(format!("{level},dynoxide=error,metrics=off"))
        .map_err(|error| error.to_string())?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&io::stderr()))
        .init();
    Ok(())
}

/// Resolves on Ctrl-C or SIGTERM.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
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
            format!("{address} is in use; stop the other process, or choose another --port")
        }
        error => error.to_string(),
    }
}

fn announce(bundle: &Bundle, data: Option<&std::path::Path>, env: &Env) -> Result<(), Failure> {
    let url = bundle.url();
    let tables =
        data.map_or_else(|| "in memory".to_owned(), |data| format!("kept in {}", data.display()));
    print_line(format_args!("storefront  {url}/"));
    print_line(format_args!("workbench   {url}/workbench"));
    print_line(format_args!("API         {url}"));
    print_line(format_args!("webhooks    {}", bundle.webhooks_url()));
    match bundle.simulator() {
        Some(simulator) => {
            let url = simulator.checkout_url();
            print_line(format_args!("Adyen       {url} (simulator, also https)"))
        }
        None => announce_adyen_test(bundle, env),
    }
    if let Some(amazon) = bundle.amazon() {
        print_line(format_args!("Amazon Pay  {} (simulator, also https)", amazon.url()));
    }
    print_line(format_args!(
        "DynamoDB    {} (tables orders and tokens, {tables})",
        bundle.dynamodb_url()
    ));
    for (name, development) in [
        ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY),
        ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY),
    ] {
        let key = env.get(name).map_or(development, |_| "of the environment");
        print_line(format_args!("token key   {key} ({name})"));
    }
    announce_curl(bundle, env)?;
    print_line("Each call is printed below. Press Ctrl-C to stop.\n");
    Ok(())
}

fn announce_adyen_test(bundle: &Bundle, env: &Env) {
    print_line("Adyen       Adyen's test environment");
    print_line(format_args!(
        "            Its webhooks need a public https address that forwards to {}. Start a tunnel and\n\
         \u{20}           enter its address in the Customer Area, Developers > Webhooks, as a standard webhook and\n\
         \u{20}           as a recurring tokens life cycle events webhook.",
        bundle.webhooks_url()
    ));
    if env.get("ADYEN_HMAC_KEYS").is_none() {
        print_line(
            "            Set ADYEN_HMAC_KEYS to their HMAC keys, comma-separated; otherwise they are rejected.\n\
             \u{20}           `cargo dev webhook` sends webhooks without this setup.",
        );
    }
}

/// Prints the payment of Adyen's integration page as curl commands.
fn announce_curl(bundle: &Bundle, env: &Env) -> Result<(), Failure> {
    let url = bundle.url();
    let reference: Reference = format!("ORDER-{:06}", fastrand::u32(..1_000_000))
        .parse()
        .map_err(|error: InvalidReference| error.to_string())?;
    let order = Checkout {
        reference: reference.clone(),
        amount: token::amount("EUR:1000")?,
        country_code: "NL".to_owned().try_into().ok(),
        shopper_reference: None,
        terms: Box::default(),
    };
    let key = env.get("CHECKOUT_TOKEN_KEYS").unwrap_or(keys::CHECKOUT_TOKEN_KEY);
    let token = token::mint(&Caller::Checkout(order), token::first_key(key), CHECKOUT_LIFE)?;
    print_line(format_args!(
        r#"
A payment, with a token that is valid for an hour (`cargo dev token` prints another):

TOKEN={token}
curl {url}/paymentMethods -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{}}'
curl {url}/payments -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{{"paymentMethod":{{"type":"amazonpay","amazonPayToken":"160583287597AMZN"}}}}'
curl {url}/orders/{reference} -H "Authorization: Bearer $TOKEN"
"#
    ));
    Ok(())
}
