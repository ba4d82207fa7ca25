//! Takes payments: `POST /payments` and `POST /payments/details`.

mod details;
mod pay;
mod request;
mod session;
mod stored;

use std::time::Duration;

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use shared::{
    adyen::{self, payments::RequiredAction},
    amazon_pay::AmazonPay,
    domain::{
        order::{Capture, Derived, NextStep, Order, Rejection, Status, Target},
        return_url::ReturnUrl,
    },
    http::{
        answer::{OrderAnswer, PaymentAnswer, Viewer},
        edge,
        jwt::JwtKeys,
        problem::{Code, Problem},
    },
    platform::config::{Env, Settings, StartError, list, origins, service_url},
    store::{Orders, Tokens},
};

/// The function's state between requests.
pub struct State {
    jwt_keys: JwtKeys,
    adyen: adyen::client::Client,
    orders: Orders,
    tokens: Tokens,
    /// None if storefronts fetch Amazon Pay's token themselves.
    amazon_pay: Option<AmazonPay>,
    rules: Rules,
}

struct Rules {
    target: Target,
    default_return_url: ReturnUrl,
    /// Origins and apps' schemes that a browser's return URL may have; any if empty.
    allowed_origins: Vec<String>,
    /// Adyen's types.
    allowed_payment_methods: Vec<String>,
    capture: Capture,
}

impl State {
    /// Reads the configuration and prepares the clients.
    ///
    /// # Errors
    /// [`StartError`] naming everything that is missing or malformed.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets =
            [adyen::client::Client::SECRETS, AmazonPay::SECRETS, &JwtKeys::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let jwt_keys = JwtKeys::read(&mut settings);
        let adyen = adyen::client::Client::read(&mut settings);
        let orders = Orders::read(&mut settings);
        let tokens = Tokens::read(&mut settings);
        let amazon_pay = AmazonPay::read(&mut settings);
        let rules = Rules::read(&mut settings, adyen.as_ref());
        settings.finish((|| {
            Some(Self {
                jwt_keys: jwt_keys?,
                adyen: adyen?,
                orders: orders?,
                tokens: tokens?,
                amazon_pay: amazon_pay?,
                rules: rules?,
            })
        })())
    }
}

impl Rules {
    fn read(settings: &mut Settings, adyen: Option<&adyen::client::Client>) -> Option<Self> {
        let target = adyen::client::Client::target(settings, adyen);
        let default_return_url = settings.required("DEFAULT_RETURN_URL", |url| {
            service_url(url)?;
            ReturnUrl::try_from(url.to_owned())
        });
        let allowed_origins = settings.or("ALLOWED_ORIGINS", "", origins);
        let allowed = settings.or("ALLOWED_PAYMENT_METHODS", "amazonpay", list);
        let capture = settings.or("CAPTURE", "automatic", |mode| match mode {
            "automatic" => Ok(Capture::Automatic),
            "manual" => Ok(Capture::Manual),
            _ => Err("expected automatic or manual"),
        });
        Some(Self {
            target: target?,
            default_return_url: default_return_url?,
            allowed_origins: allowed_origins?,
            allowed_payment_methods: allowed?,
            capture: capture?,
        })
    }
}

pub async fn handle(state: &State, request: Request) -> Response<Body> {
    edge::respond(&request, route(state, &request)).await
}

async fn route(state: &State, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = state.jwt_keys.caller(request.headers()).await?;
    match edge::route(request) {
        "POST /payments" => pay::pay(state, &caller, request).await,
        "POST /payments/details" => details::submit(state, &caller, request).await,
        _ => Err(edge::no_route(request)),
    }
}

/// Returns Adyen's answer to an attempt, or the problem if Adyen did not process it.
fn answer(
    order: &Order,
    attempt: usize,
    action: Option<&RequiredAction>,
    viewer: Viewer,
) -> Result<Response<Body>, Problem> {
    let answer = PaymentAnswer::new(order, attempt, action, viewer);
    match answer.rejection {
        // Another attempt succeeded.
        Some(_) if Derived::of(order).status.was_paid() => Err(already_paid(order, viewer)),
        Some(rejection) => Err(not_processed(order, attempt, rejection, viewer)),
        None => Ok(edge::json(StatusCode::OK, &answer)),
    }
}

/// Returns the problem for a request that Adyen rejected, with the storefront's next step.
fn not_processed(order: &Order, attempt: usize, rejection: &Rejection, viewer: Viewer) -> Problem {
    let derived = Derived::of(order);
    let (next_step, status) = match (order.attempt_status(attempt), order.attempt(attempt)) {
        (Some(status), Some(attempt)) if !status.is_expired() => {
            (attempt.step_after(rejection), Status::Error)
        }
        // The shopper did not act in time, whichever error code Adyen returned.
        _ => (derived.next_step, derived.status),
    };
    edge::rejected(rejection)
        .with("reference", &order.reference)
        .with("attempt", attempt)
        .with("nextStep", next_step)
        .with("message", next_step.message(status))
        .with("order", OrderAnswer::new(order, viewer))
}

/// Returns 202 while Adyen's answer is missing, and 200 if a webhook has brought the outcome
/// meanwhile.
fn accepted(order: &Order, attempt: usize, viewer: Viewer) -> Response<Body> {
    let answer = PaymentAnswer::new(order, attempt, None, viewer);
    let status = match answer.next_step {
        NextStep::Wait => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    edge::json(status, &answer)
}

fn already_paid(order: &Order, viewer: Viewer) -> Problem {
    Problem::new(Code::OrderAlreadyPaid, "The order is paid already and is not charged again.")
        .with("order", OrderAnswer::new(order, viewer))
}

fn too_many() -> Problem {
    Problem::new(
        Code::TooManyAttempts,
        "The order has reached the limit of 100 payment attempts, of requests for one attempt, or of \
         its size.",
    )
}

fn in_progress(retry_after: Duration) -> Problem {
    Problem::new(
        Code::PaymentInProgress,
        "Another payment of this order is in progress; its outcome is not known yet.",
    )
    .retry_after(retry_after.as_secs().max(1))
}
