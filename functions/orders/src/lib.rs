//! Finds, reads and modifies orders: `GET /orders`, `GET /orders/{reference}`,
//! `POST /orders/{reference}/captures|cancels|refunds|reversals`, and what a person decides about
//! an order or a dead letter.

mod acknowledge;
mod close;
mod find;
mod letters;
mod modify;

use http::StatusCode;
use lambda_http::{Body, Request, RequestExt, Response};
use shared::{
    adyen::{client::Client, inbox::Inbox, verifier::Verifier},
    domain::{
        order::{DecidedWithin, Operation, Order, Target},
        reference::Reference,
    },
    http::{
        answer::{OrderAnswer, Viewer},
        edge,
        jwt::{Caller, JwtKeys},
        problem::{Code, Problem},
    },
    limits,
    platform::{
        config::{Env, Settings, StartError, days},
        observe,
    },
    store::Start,
};

pub struct State {
    jwt_keys: JwtKeys,
    inbox: Inbox,
    verifier: Verifier,
    adyen: Client,
    decided_within: DecidedWithin,
    target: Target,
}

impl State {
    /// # Errors
    /// [`StartError`] with every missing or malformed variable.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [Client::SECRETS, &JwtKeys::SECRETS, Verifier::SECRETS].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let jwt_keys = JwtKeys::read(&mut settings);
        let inbox = Inbox::read(&mut settings);
        let verifier = Verifier::read(&mut settings);
        let adyen = Client::read(&mut settings);
        let target = Client::target(&mut settings, adyen.as_ref());
        let usual = limits::REFUND_DAYS.to_string();
        let refunds = settings.or("REFUND_UNDECIDED_AFTER_DAYS", &usual, days);
        let usual = limits::CAPTURE_DAYS.to_string();
        let others = settings.or("UNDECIDED_AFTER_DAYS", &usual, days);
        settings.finish((|| {
            Some(Self {
                jwt_keys: jwt_keys?,
                inbox: inbox?,
                verifier: verifier?,
                target: target?,
                adyen: adyen?,
                decided_within: DecidedWithin { refunds: refunds?, others: others? },
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
        "GET /orders" => find::find(state, &caller, request).await,
        "GET /orders/{reference}" => show(state, &caller, request).await,
        "POST /orders/{reference}/attempts/{attempt}/close" => {
            close::close(state, &caller, request).await
        }
        "POST /orders/{reference}/needsAttention/{reason}/acknowledge" => {
            acknowledge::acknowledge(state, &caller, request).await
        }
        "GET /deadLetters" => letters::list(state, &caller, request).await,
        "GET /deadLetters/{id}" => letters::show(state, &caller, request).await,
        "POST /deadLetters/{id}/apply" => letters::apply(state, &caller, request).await,
        "POST /deadLetters/{id}/discard" => letters::discard(state, &caller, request).await,
        route => match route.strip_prefix("POST /orders/{reference}/").and_then(Operation::of_path)
        {
            Some(operation) => modify::modify(state, &caller, operation, request).await,
            None => Err(edge::no_route(request)),
        },
    }
}

async fn show(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let reference = reference_in_path(request);
    edge::require_own_order(caller, &reference)?;
    let order = match reference.parse::<Reference>() {
        Ok(reference) => state.inbox.orders.get(&reference).await?,
        // A malformed reference cannot exist, so answer 404 rather than 422.
        Err(_) => None,
    };
    let order = order.ok_or_else(not_found)?;
    Ok(edge::json(StatusCode::OK, &OrderAnswer::new(&order, caller.into())))
}

/// Records a person's decision in the order of the path, and answers with the order.
async fn decided(
    state: &State,
    request: &Request,
    outcome: &'static str,
    mut decide: impl FnMut(&mut Order) -> Result<(), Problem>,
) -> Result<Response<Body>, Problem> {
    let reference = reference_in_path(request).parse().map_err(|_| not_found())?;
    let (order, ()) = state
        .inbox
        .orders
        .change(&reference, Start::Read, |order| decide(order.as_mut().ok_or_else(not_found)?))
        .await?;
    let order = order.ok_or_else(not_found)?;
    observe::outcome(outcome);
    Ok(edge::json(StatusCode::OK, &OrderAnswer::new(&order, Viewer::Merchant)))
}

fn reference_in_path(request: &Request) -> String {
    request.path_parameters().first("reference").unwrap_or_default().to_owned()
}

fn not_found() -> Problem {
    Problem::new(Code::OrderNotFound, "There is no such order.")
}
