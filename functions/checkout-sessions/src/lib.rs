//! Amazon Pay's side of the checkout: `POST /checkoutSessions` and
//! `PATCH /checkoutSessions/{id}`.

mod confirm;
mod create;

use lambda_http::{Body, Request, Response};
use shared::{
    amazon_pay::AmazonPay,
    domain::amount::Amount,
    http::{
        edge,
        jwt::JwtKeys,
        problem::{Code, Problem},
    },
    platform::config::{Env, Settings, StartError, origins},
};

/// The function's state between requests.
pub struct State {
    tokens: JwtKeys,
    /// None where the storefront talks to Amazon Pay itself.
    amazon_pay: Option<AmazonPay>,
    /// Origins that a browser's return URLs may have; empty where any.
    allowed_origins: Vec<String>,
}

impl State {
    /// Reads the configuration and prepares the client.
    ///
    /// # Errors
    /// [`StartError`] naming everything that is missing or malformed.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [AmazonPay::SECRETS, &JwtKeys::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let tokens = JwtKeys::read(&mut settings);
        let amazon_pay = AmazonPay::read(&mut settings);
        let allowed_origins = settings.or("ALLOWED_ORIGINS", "", origins);
        settings.finish((|| {
            Some(Self {
                tokens: tokens?,
                amazon_pay: amazon_pay?,
                allowed_origins: allowed_origins?,
            })
        })())
    }
}

/// Answers one request.
pub async fn handle(state: &State, request: Request) -> Response<Body> {
    edge::respond(&request, route(state, &request)).await
}

async fn route(state: &State, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = state.tokens.caller(request.headers()).await?;
    match edge::route(request) {
        "POST /checkoutSessions" => create::create(state, &caller, request).await,
        "PATCH /checkoutSessions/{id}" => confirm::confirm(state, &caller, request).await,
        _ => Err(edge::no_route(request)),
    }
}

/// Returns whether Amazon Pay pays out in the order's currency.
fn in_ledger_currency(amazon_pay: &AmazonPay, amount: &Amount) -> Result<(), Problem> {
    match amazon_pay.ledger_currency {
        Some(ledger) if ledger != amount.currency => Err(Problem::new(
            Code::CurrencyMismatch,
            format!("This deployment accepts Amazon Pay payments in {ledger} only."),
        )
        .at("amount.currency")),
        _ => Ok(()),
    }
}
