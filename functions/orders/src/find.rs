//! `GET /orders`.

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Deserializer, Serialize, de};
use shared::{
    domain::{
        date,
        order::{Attention, Derived, Order, Status},
        text::Text,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    limits,
    store::{Cursor, Listed, Listing, Range},
};

use crate::State;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct FindQuery {
    #[serde(deserialize_with = "attention")]
    needs_attention: Option<String>,
    #[serde(deserialize_with = "status")]
    status: Option<Status>,
    psp_reference: Option<Text<{ limits::EVENT_TEXT }>>,
    #[serde(deserialize_with = "time")]
    updated_from: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    updated_to: Option<Timestamp>,
    cursor: Option<Cursor>,
}

/// Any reason for attention.
const ANY: &str = "any";

fn attention<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let code = String::deserialize(deserializer)?;
    match code == ANY || Attention::CODES.contains(&&*code) {
        true => Ok(Some(code)),
        false => Err(de::Error::custom("expected any, or the code of a reason")),
    }
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
    known.map(Some).ok_or_else(|| de::Error::custom("expected the status of an order"))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = date::with_sign(&String::deserialize(deserializer)?);
    let wrong = |_| de::Error::custom("expected a time such as 2026-11-26T00:00:00Z");
    text.parse().map(Some).map_err(wrong)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    orders: Vec<FoundOrder>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundOrder {
    reference: String,
    status: String,
    updated_at: Timestamp,
    /// Codes, without the payments that may follow them.
    needs_attention: Vec<String>,
}

/// Finds orders, the last written first.
pub async fn find(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    edge::merchant(caller, "Only the merchant's backend may find orders.")?;
    let query: FindQuery = edge::query(request)?;
    let found = match &query.psp_reference {
        Some(_) if query.is_list() => {
            return Err(Problem::new(
                Code::InvalidField,
                "pspReference: it names one order, so it has no other parameter beside it.",
            )
            .at("pspReference"));
        }
        Some(payment) => Found { orders: of_reference(state, payment).await?, next_cursor: None },
        None => list(state, query).await?,
    };
    Ok(edge::json(StatusCode::OK, &found))
}

async fn of_reference(state: &State, psp_reference: &str) -> Result<Vec<FoundOrder>, Problem> {
    let Some(reference) = state.inbox.orders.of_payment(psp_reference).await? else {
        return Ok(Vec::new());
    };
    let order = state.inbox.orders.get(&reference).await?;
    Ok(order.iter().map(FoundOrder::from).collect())
}

async fn list(state: &State, query: FindQuery) -> Result<Found, Problem> {
    let listing = match &query.needs_attention {
        Some(_) => Listing::NeedAttention,
        None => Listing::Orders(query.status),
    };
    let range = Range { from: query.updated_from, to: query.updated_to, after: query.cursor };
    let mut page = state.inbox.orders.list(listing, &range).await?;
    // The index of orders that need attention knows neither the status nor each reason as a key.
    if let Some(code) = query.needs_attention.filter(|code| code != ANY) {
        page.items.retain(|order| order.attention.contains(&code));
    }
    if let Some(status) = query.status {
        page.items.retain(|order| order.status == status.as_str());
    }
    Ok(Found {
        orders: page.items.into_iter().map(FoundOrder::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::text),
    })
}

impl FindQuery {
    fn is_list(&self) -> bool {
        self.needs_attention.is_some()
            || self.status.is_some()
            || self.updated_from.is_some()
            || self.updated_to.is_some()
            || self.cursor.is_some()
    }
}

impl From<Listed> for FoundOrder {
    fn from(listed: Listed) -> Self {
        Self {
            reference: listed.key,
            status: listed.status,
            updated_at: listed.updated_at,
            needs_attention: listed.attention,
        }
    }
}

impl From<&Order> for FoundOrder {
    fn from(order: &Order) -> Self {
        let derived = Derived::of(order);
        let codes = derived.needs_attention.iter().map(|reason| reason.code().to_owned());
        Self {
            reference: order.reference.to_string(),
            status: derived.status.as_str().to_owned(),
            updated_at: order.updated_at,
            needs_attention: codes.collect(),
        }
    }
}
