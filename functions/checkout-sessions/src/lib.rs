//! Amazon Pay's checkout sessions: `POST /checkoutSessions` and `PATCH /checkoutSessions/{id}`.

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

pub struct State {
    jwt_keys: JwtKeys,
    /// `None` if the storefront calls Amazon Pay itself.
    amazon_pay: Option<AmazonPay>,
    /// The allowed origins of a browser's return URLs. Empty allows any.
    allowed_origins: Vec<String>,
}

impl State {
    /// # Errors
    /// [`StartError`] with every missing or malformed variable.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [AmazonPay::SECRETS, &JwtKeys::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let jwt_keys = JwtKeys::read(&mut settings);
        let amazon_pay = AmazonPay::read(&mut settings);
        let allowed_origins = settings.or("ALLOWED_ORIGINS", "", origins);
        settings.finish((|| {
            Some(Self {
                jwt_keys: jwt_keys?,
                amazon_pay: amazon_pay?,
                allowed_origins: allowed_origins?,
            })
        })())
    }
}

pub async fn handle(state: &State, request: Request) -> Response<Body> {
    edge::respond(&request, route(state, &request)).await
}

async fn route(state: &State, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = state.jwt_keys.caller(request.headers()).await?;
    match edge::route(request) {
        "POST /checkoutSessions" => create::create(state, &caller, request).await,
        "PATCH /checkoutSessions/{id}" => confirm::confirm(state, &caller, request).await,
        _ => Err(edge::no_route(request)),
    }
}

/// Rejects an amount that is not in the currency of Amazon Pay's payouts.
fn require_ledger_currency(amazon_pay: &AmazonPay, amount: &Amount) -> Result<(), Problem> {
    match amazon_pay.ledger_currency {
        Some(ledger) if ledger != amount.currency => Err(Problem::new(
            Code::CurrencyMismatch,
            format!("This deployment accepts Amazon Pay payments in {ledger} only."),
        )
        .at("amount.currency")),
        _ => Ok(()),
    }
}
