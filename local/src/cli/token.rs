use std::time::Duration;

use shared::domain::amount::Amount;
use shared::domain::reference::Reference;
use shared::http::jwt::{Caller, Checkout, Merchant, Terms};
use shared::platform::config::Env;
use shared::{adyen::shopper::CountryCode, domain::shopper_reference::ShopperReference};

use super::{Failure, print_line};
use crate::keys;
use crate::token::{self, CHECKOUT_LIFE, MERCHANT_LIFE};

/// Print a token
///
/// Without --merchant it is a checkout token, for a browser and one order. It is signed with the
/// development key, or with the first key of CHECKOUT_TOKEN_KEYS or MERCHANT_TOKEN_KEYS in the environment.
#[derive(clap::Args)]
pub struct Args {
    /// The order's reference
    #[arg(long, value_name = "R", default_value = "YOUR_ORDER_NUMBER")]
    reference: Reference,
    /// The amount of the order: currency and minor units
    #[arg(long, value_name = "A", default_value = "EUR:1000", value_parser = token::amount)]
    amount: Amount,
    /// The shopper's country, such as NL
    #[arg(long, value_name = "CC", value_parser = country)]
    country: Option<CountryCode>,
    /// The shopper's reference
    #[arg(long, value_name = "S", value_parser = shopper)]
    shopper: Option<ShopperReference>,
    /// Other values that the merchant decides, named as in the request: authenticationData, captureDelayHours, deliverAt, mandate, merchantOrderReference, metadata, sessionValidity, shopperStatement, splits, store
    #[arg(long, value_name = "JSON", value_parser = token::terms)]
    claims: Option<Terms>,
    /// Print a merchant token, for the backend and every order
    #[arg(long, conflicts_with_all = ["reference", "amount", "country", "shopper", "claims"])]
    merchant: bool,
    /// With --merchant: the person or system that acts, for the record
    #[arg(long, value_name = "WHO", requires = "merchant")]
    sub: Option<String>,
    /// The life of the token: 90s, 15m, 2h; the API accepts up to 24h, with --merchant 15m
    /// [default: 1h, with --merchant 10m]
    #[arg(long, value_name = "TIME", value_parser = token::life)]
    life: Option<Duration>,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let (caller, key, life) = if args.merchant {
        let key = key("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY);
        (Caller::Merchant(Merchant { sub: args.sub }), key, MERCHANT_LIFE)
    } else {
        let order = Checkout {
            reference: args.reference,
            amount: args.amount,
            country_code: args.country,
            shopper_reference: args.shopper,
            terms: Box::new(args.claims.unwrap_or_default()),
        };
        let key = key("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY);
        (Caller::Checkout(order), key, CHECKOUT_LIFE)
    };
    print_line(token::mint(&caller, &key, args.life.unwrap_or(life))?);
    Ok(())
}

/// The first key of that variable, or the development key.
fn key(variable: &str, development: &str) -> String {
    let env = Env::process();
    token::first_key(env.get(variable).unwrap_or(development)).to_owned()
}

fn country(text: &str) -> Result<CountryCode, &'static str> {
    text.to_owned().try_into()
}

fn shopper(text: &str) -> Result<ShopperReference, String> {
    let reference: Result<ShopperReference, _> = text.to_owned().try_into();
    reference.map_err(|error| error.to_string())
}
