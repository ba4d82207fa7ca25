//! Lists the payment methods for a shopper: `POST /paymentMethods`.

mod kept;

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    adyen::{
        client::Client,
        payment_methods::PaymentMethodsRequest,
        payments::Channel,
        shopper::{CountryCode, ShopperLocale},
    },
    domain::{amount::Amount, reference::Reference, shopper_reference::ShopperReference},
    http::{
        edge,
        jwt::{Caller, JwtKeys},
        problem::Problem,
    },
    platform::config::{Env, Settings, StartError, flag, list, text},
};

use crate::kept::Kept;

pub struct State {
    jwt_keys: JwtKeys,
    adyen: Client,
    merchant_account: String,
    allowed_payment_methods: Vec<String>,
    /// The lists for requests without a shopper, if they are kept.
    kept: Option<Kept>,
}

impl State {
    /// # Errors
    /// [`StartError`] with every missing or malformed variable.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [Client::SECRETS, &JwtKeys::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let jwt_keys = JwtKeys::read(&mut settings);
        let adyen = Client::read(&mut settings);
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text);
        let allowed = settings.or("ALLOWED_PAYMENT_METHODS", "amazonpay", list);
        let keep = settings.or("KEEP_PAYMENT_METHODS", "true", flag);
        settings.finish((|| {
            Some(Self {
                jwt_keys: jwt_keys?,
                adyen: adyen?,
                merchant_account: merchant_account?,
                allowed_payment_methods: allowed?,
                kept: keep?.then(Kept::default),
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
        "POST /paymentMethods" => look_up(state, &caller, request).await,
        _ => Err(edge::no_route(request)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Lookup {
    country_code: CountryCode,
    amount: Amount,
    shopper_locale: Option<ShopperLocale>,
    channel: Option<Channel>,
    // The body may repeat the token's claim, which is only checked for its format here.
    #[serde(rename = "reference")]
    _reference: Option<Reference>,
    /// Adyen lists the stored payment methods of this shopper.
    shopper_reference: Option<ShopperReference>,
    merchant_account: Option<String>,
}

async fn look_up(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    let lookup = read(caller, edge::optional_json_object(request)?)?;
    if lookup.merchant_account.is_some_and(|account| account != state.merchant_account) {
        return Err(edge::wrong_merchant_account());
    }
    let question = PaymentMethodsRequest {
        merchant_account: state.merchant_account.clone(),
        allowed_payment_methods: state.allowed_payment_methods.clone(),
        amount: lookup.amount,
        channel: lookup.channel,
        country_code: lookup.country_code,
        shopper_locale: lookup.shopper_locale,
        shopper_reference: lookup.shopper_reference,
    };
    let answered = match &state.kept {
        Some(kept) if question.shopper_reference.is_none() => {
            kept.answer(&question, &state.adyen, until).await
        }
        _ => kept::ask(&state.adyen, &question, until)
            .await
            .map(|answer| edge::json(StatusCode::OK, &answer)),
    };
    answered.map_err(|error| edge::unanswered(&error))
}

/// Reads the body, completed from a browser's token.
fn read(caller: &Caller, mut body: Map<String, Value>) -> Result<Lookup, Problem> {
    let completed = edge::complete(&mut body, caller);
    let lookup = edge::typed(body)?;
    completed?;
    Ok(lookup)
}
