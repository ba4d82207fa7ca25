//! A shopper's stored payment methods and personal data:
//! `GET /shoppers/{shopperReference}/storedPaymentMethods`,
//! `DELETE /shoppers/{shopperReference}/storedPaymentMethods/{id}`,
//! `GET /shoppers` and `DELETE /shoppers`.
//!
//! API Gateway decodes a path before it matches routes, so the first two cannot be used for a shopper
//! reference that contains a `/` or a `?`. The others have it as a parameter of the URL, so that every
//! shopper's data can be erased, and never those of a shopper whose reference is cut off.

mod erase;
mod export;
mod list;
mod remove;

use lambda_http::{Body, Request, RequestExt, Response};
use shared::{
    adyen::client::Client,
    domain::shopper_reference::ShopperReference,
    http::{
        edge,
        jwt::JwtKeys,
        problem::{Code, Problem},
    },
    platform::config::{Env, Settings, StartError, text},
    store::{Orders, Tokens},
};

pub struct State {
    jwt_keys: JwtKeys,
    adyen: Client,
    tokens: Tokens,
    orders: Orders,
    merchant_account: String,
}

impl State {
    /// # Errors
    /// [`StartError`] with every missing or malformed variable.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [Client::SECRETS, &JwtKeys::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let jwt_keys = JwtKeys::read(&mut settings);
        let adyen = Client::read(&mut settings);
        let tokens = Tokens::read(&mut settings);
        let orders = Orders::read(&mut settings);
        let merchant_account = settings.required("ADYEN_MERCHANT_ACCOUNT", text);
        settings.finish((|| {
            Some(Self {
                jwt_keys: jwt_keys?,
                adyen: adyen?,
                tokens: tokens?,
                orders: orders?,
                merchant_account: merchant_account?,
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
        "GET /shoppers" => export::export(state, &caller, request).await,
        "DELETE /shoppers" => erase::erase(state, &caller, request).await,
        "GET /shoppers/{shopperReference}/storedPaymentMethods" => {
            list::list(state, &caller, request).await
        }
        "DELETE /shoppers/{shopperReference}/storedPaymentMethods/{id}" => {
            remove::remove(state, &caller, request).await
        }
        _ => Err(edge::no_route(request)),
    }
}

fn shopper(request: &Request) -> Result<ShopperReference, Problem> {
    path_parameter(request, "shopperReference")
}

fn path_parameter<T: TryFrom<String>>(request: &Request, name: &str) -> Result<T, Problem>
where
    T::Error: std::fmt::Display,
{
    let parameters = request.path_parameters();
    let text = parameters.first(name).unwrap_or_default().to_owned();
    T::try_from(text)
        .map_err(|problem| Problem::new(Code::InvalidField, format!("{name}: {problem}.")).at(name))
}
