//! A call of the HTTP API as an event.

use std::collections::BTreeMap;

use axum::http::Request;
use serde_json::{Value, json};
use shared::http::jwt::{self, Checkout};

use super::{EventsError, GENERATED_AT, Sample, event_for};
use crate::event::EventSource;
use crate::{keys, token};

const HOST: &str = "localapi.execute-api.eu-west-1.amazonaws.com";

/// A hundred years in seconds, because `env.json` disables the limit of a token's life.
const TOKEN_LIFE: i64 = 100 * 365 * 24 * 60 * 60;

#[derive(Clone, Copy)]
pub(super) enum Caller {
    /// A browser with a token for the order of that reference.
    Checkout(&'static str),
    /// Also with a shopperReference.
    Shopper(&'static str, &'static str),
    Merchant,
    /// Without a token.
    Nobody,
}

pub(super) struct Call {
    name: &'static str,
    function: &'static str,
    method: &'static str,
    route: &'static str,
    path: String,
    parameters: BTreeMap<String, String>,
    caller: Caller,
    idempotency_key: Option<&'static str>,
    body: Option<Value>,
    status: u16,
    answer: Value,
}

impl Call {
    pub fn post(
        function: &'static str,
        route: &'static str,
        name: &'static str,
        caller: Caller,
        body: Value,
    ) -> Self {
        Self {
            name,
            function,
            method: "POST",
            route,
            path: route.to_owned(),
            parameters: BTreeMap::new(),
            caller,
            idempotency_key: None,
            body: Some(body),
            status: 200,
            answer: json!({}),
        }
    }

    /// A call without a body of a route with parameters. `query` begins with `?` or is empty.
    pub fn bare(
        function: &'static str,
        route: (&'static str, &'static str),
        parameters: &[(&str, &str)],
        query: &str,
        name: &'static str,
        caller: Caller,
    ) -> Self {
        let (method, route) = route;
        let mut path = route.to_owned();
        for (parameter, value) in parameters {
            path = path.replace(&format!("{{{parameter}}}"), value);
        }
        let parameters = parameters
            .iter()
            .map(|(parameter, value)| ((*parameter).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            method,
            path: format!("{path}{query}"),
            parameters,
            body: None,
            ..Self::post(function, route, name, caller, json!({}))
        }
    }

    pub fn order(name: &'static str, caller: Caller, reference: &str) -> Self {
        let parameters = [("reference", reference)];
        let route = ("GET", "/orders/{reference}");
        Self::bare("orders", route, &parameters, "", name, caller)
    }

    pub fn sends(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub fn keyed(mut self, idempotency_key: &'static str) -> Self {
        self.idempotency_key = Some(idempotency_key);
        self
    }

    pub fn answers(mut self, status: u16, answer: Value) -> Self {
        self.status = status;
        self.answer = answer;
        self
    }

    pub fn sample(self) -> Result<Sample, EventsError> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header("accept", "*/*")
            .header("user-agent", "Mozilla/5.0");
        if let Some(token) = self.caller.token()? {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if self.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let source = EventSource::HttpApi {
            route_key: format!("{} {}", self.method, self.route),
            path_parameters: self.parameters,
        };
        Ok(Sample {
            name: self.name,
            function: self.function,
            status: Some(self.status),
            answer: self.answer,
            event: event_for(&source, HOST, request.body(body)?)?,
        })
    }
}

impl Caller {
    fn token(self) -> Result<Option<String>, EventsError> {
        let minted = match self {
            Self::Nobody => return Ok(None),
            Self::Merchant => {
                mint(&jwt::Caller::Merchant(Default::default()), keys::MERCHANT_TOKEN_KEY)
            }
            Self::Checkout(reference) => browser(reference, None),
            Self::Shopper(reference, shopper) => browser(reference, Some(shopper)),
        };
        minted.map(Some).map_err(EventsError::Sign)
    }
}

fn mint(caller: &jwt::Caller, key: &str) -> Result<String, String> {
    jwt::mint_at(caller, key, GENERATED_AT, TOKEN_LIFE)
}

fn browser(reference: &str, shopper: Option<&str>) -> Result<String, String> {
    let shopper = shopper.map(|shopper| shopper.to_owned().try_into());
    let order = Checkout {
        reference: reference
            .parse()
            .map_err(|error: shared::domain::reference::InvalidReference| error.to_string())?,
        amount: token::amount("EUR:1000")?,
        country_code: Some("NL".to_owned().try_into()?),
        shopper_reference: shopper.transpose()?,
        terms: Box::default(),
    };
    mint(&jwt::Caller::Checkout(order), keys::CHECKOUT_TOKEN_KEY)
}
