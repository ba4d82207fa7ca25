//! The workbench of `cargo dev`: what happened, why an order has its status, and what can be done
//! to it. It belongs to this machine and is not part of a deployment.
//!
//! The gateway, the simulators and the proxy in front of DynamoDB report each exchange to the
//! [`Record`], which knows none of them. The pages are static and read the API below
//! `/workbench/api`, which announces news as server-sent events.

mod act;
mod bearer;
mod entry;
mod explain;
mod guard;
mod mask;
mod pages;
mod plain;
mod record;
mod tables;
mod webhooks;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use dynoxide::Database;
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock;
use tokio::sync::broadcast::error::RecvError;

pub(crate) use entry::Source;
pub(crate) use record::Record;

use crate::template::Pipe;

/// The most entries and orders in one list.
const LIST: usize = 300;

/// The parts of the bundle that the workbench shows and acts on.
pub(crate) struct Bench {
    pub record: Record,
    pub database: Database,
    pub pipe: Pipe,
    pub adyen: Option<Arc<adyen_simulator::Simulator>>,
    pub amazon: Option<Arc<amazon_pay_simulator::Simulator>>,
    pub recover: Arc<recover::State>,
    /// The URL of the gateway.
    pub url: String,
    pub merchant_account: String,
    /// The key of merchant tokens.
    pub merchant_key: String,
    /// The keys that webhooks may be signed with, in hex.
    pub hmac_keys: Vec<String>,
    /// The `user:password` of webhooks.
    pub basic_auth: Option<String>,
    /// Where copies of webhooks go.
    pub webhooks_to: Option<String>,
}

type Shared = State<Arc<Bench>>;

/// A rejected request, in words for the page.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, reason.into())
    }

    fn missing(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    fn internal(error: impl ToString) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;

pub(crate) fn router(bench: Bench) -> Router {
    let api = Router::new()
        .route("/state", get(state))
        .route("/live", get(live))
        .route("/orders", get(orders))
        .route("/orders/{reference}", get(order))
        .route("/requests", get(requests))
        .route("/entries/{id}", get(entry))
        .route("/webhooks", get(webhooks::list).post(webhooks::send))
        .route("/webhooks/{id}", post(webhooks::send_again))
        .route("/stored-payment-methods", get(stored_payment_methods))
        .route("/order-events", get(order_events))
        .route("/sessions", get(sessions))
        .route("/do", post(act::act))
        .fallback(async || Refusal::missing("route"));
    Router::new()
        .nest("/workbench/api", api)
        .merge(pages::router())
        .layer(middleware::from_fn(guard::guard))
        .with_state(Arc::new(bench))
}

async fn state(State(bench): Shared) -> Json<Value> {
    Json(json!({
        "now": clock::now(),
        "aheadSeconds": clock::ahead().as_secs(),
        "url": bench.url,
        "webhooksUrl": bench.webhooks_url(),
        "webhooksTo": bench.webhooks_to,
        "merchantAccount": bench.merchant_account,
        "adyen": if bench.adyen.is_some() { "simulator" } else { "test" },
        "amazonPay": if bench.amazon.is_some() { "simulator" } else { "none" },
    }))
}

/// Announces each new entry.
async fn live(State(bench): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let news = stream::unfold(bench.record.listen(), |news| async {
        let mut news = news?;
        let event = match news.recv().await {
            Ok(entry) => Event::default().data(Record::headline(&entry).to_string()),
            // The page reads everything again.
            Err(RecvError::Lagged(_)) => Event::default().data("{}"),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), Some(news)))
    });
    Sse::new(news).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    search: String,
}

async fn orders(State(bench): Shared, Query(Search { search }): Query<Search>) -> Answer {
    let wanted = search.trim().to_lowercase();
    let mut orders: Vec<_> = tables::orders(&bench.database).map_err(Refusal::internal)?;
    orders.retain(|(order, _)| {
        order.reference.as_str().to_lowercase().contains(&wanted)
            || explain::psp_references(order).iter().any(|it| it.to_lowercase().contains(&wanted))
    });
    orders.sort_by_key(|(order, _)| std::cmp::Reverse(order.updated_at));
    let found = orders.len();
    let orders: Vec<_> =
        orders.iter().take(LIST).map(|(order, _)| explain::explanation(order)).collect();
    Ok(Json(json!({"found": found, "orders": orders})))
}

async fn order(State(bench): Shared, Path(reference): Path<String>) -> Answer {
    let found = tables::order(&bench.database, &reference).map_err(Refusal::internal)?;
    let names = found.as_ref().map(|(order, _)| explain::psp_references(order));
    let timeline = bench.record.timeline(&reference, &names.unwrap_or_default());
    if found.is_none() && timeline.is_empty() {
        return Err(Refusal::missing("order"));
    }
    Ok(Json(json!({
        "reference": reference,
        "order": found.as_ref().map(|(order, _)| explain::explanation(order)),
        "item": found.as_ref().map(|(_, item)| mask::masked(item)),
        "timeline": timeline.iter().map(|entry| entry.brief()).collect::<Vec<_>>(),
    })))
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    source: String,
}

async fn requests(State(bench): Shared, Query(Filter { source }): Query<Filter>) -> Json<Value> {
    let fits = |entry: &entry::Entry| {
        !matches!(entry.source, Source::Webhook | Source::WebhookCopy)
            && (source.is_empty() || json!(entry.source) == source)
    };
    let entries = bench.record.newest(LIST, fits);
    Json(json!({"entries": entries.iter().map(|entry| entry.brief()).collect::<Vec<_>>()}))
}

async fn entry(State(bench): Shared, Path(id): Path<u64>) -> Answer {
    let entry = bench.record.get(id).ok_or_else(|| Refusal::missing("entry"))?;
    let mut whole = entry.whole();
    whole["signature"] = bench.signature(&entry);
    Ok(Json(whole))
}

async fn stored_payment_methods(State(bench): Shared) -> Answer {
    let tokens = tables::tokens(&bench.database).map_err(Refusal::internal)?;
    Ok(Json(json!({"storedPaymentMethods": tokens})))
}

async fn order_events(State(bench): Shared) -> Answer {
    let mut events =
        tables::order_events(&bench.database, &bench.pipe).map_err(Refusal::internal)?;
    events.reverse();
    events.truncate(LIST);
    Ok(Json(json!({"orderEvents": events})))
}

async fn sessions(State(bench): Shared) -> Json<Value> {
    let books = bench.amazon.as_ref().map(|amazon| amazon.books());
    let mut sessions: Vec<_> =
        books.into_iter().flat_map(|books| books.sessions.into_values()).collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.created));
    let sessions = sessions.iter().map(|session| {
        let price = session.charge_amount.as_ref();
        json!({
            "checkoutSessionId": session.id,
            "state": format!("{:?}", session.state),
            "reasonCode": session.reason_code,
            "reference": session.merchant_reference_id,
            "amount": price.map(|price| format!("{} {}", price.currency_code, price.amount)),
            "confirmed": session.confirmed,
            "recurring": session.is_recurring(),
            "createdAt": session.created,
            "expiresAt": session.expires,
            "payload": mask::masked(&session.payload),
        })
    });
    Json(json!({"sessions": sessions.collect::<Vec<_>>()}))
}

impl Bench {
    fn webhooks_url(&self) -> String {
        format!("{}{}", self.url, crate::gateway::WEBHOOKS)
    }
}
