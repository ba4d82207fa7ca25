//! The requests that the functions are measured with, as Lambda's events.

use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Bytes;
use axum::http::Request;
use jiff::Timestamp;
use local::event::{self, EventSource};
use local::token;
use serde_json::{Value, json};

use crate::BenchError;

/// What a function is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// An empty function.
    Floor,
    /// A payment that Adyen authorises at once.
    Payment,
    /// Adyen's webhook about that payment.
    Webhook,
    /// The payment methods of a known shopper, for which Adyen is asked each time.
    Lookup,
    /// The payment methods without a shopper, which are kept.
    KeptLookup,
    /// The status of an order.
    Order,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Floor, Self::Payment, Self::Webhook, Self::Lookup, Self::KeptLookup, Self::Order];

    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Payment => "payment",
            Self::Webhook => "webhook",
            Self::Lookup => "lookup",
            Self::KeptLookup => "keptLookup",
            Self::Order => "order",
        }
    }

    /// The folder of its function.
    pub fn function(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Payment => "payments",
            Self::Webhook => "webhooks",
            Self::Lookup | Self::KeptLookup => "payment-methods",
            Self::Order => "orders",
        }
    }

    /// The event of a request about an order. `webhook` is the body of Adyen's webhook about it.
    pub fn event(self, reference: &str, webhook: &str) -> Result<String, BenchError> {
        let mut order = json!({
            "reference": reference,
            "amount": {"currency": "EUR", "value": 1000},
            "countryCode": "NL",
        });
        if self == Self::Lookup {
            order["shopperReference"] = json!("SHOPPER-1");
        }
        let browser = json!({"channel": "Web", "shopperLocale": "nl-NL"});
        match self {
            Self::Webhook => event(&EventSource::FunctionUrl, "POST /", "", webhook.to_owned()),
            Self::Floor | Self::Payment => api("POST /payments", order, &payment(reference)),
            Self::Lookup | Self::KeptLookup => api("POST /paymentMethods", order, &browser),
            Self::Order => {
                let authorization = bearer(order)?;
                let source = EventSource::HttpApi {
                    route_key: "GET /orders/{reference}".to_owned(),
                    path_parameters: [("reference".to_owned(), reference.to_owned())].into(),
                };
                event(&source, &format!("GET /orders/{reference}"), &authorization, String::new())
            }
        }
    }
}

/// What a storefront knows of its shopper.
pub fn payment(reference: &str) -> Value {
    let address = json!({
        "street": "Simon Carmiggeltstraat", "houseNumberOrName": "6-50", "city": "Amsterdam",
        "postalCode": "1011 DJ", "country": "NL",
    });
    json!({
        "amount": {"currency": "EUR", "value": 1000},
        "reference": reference,
        "paymentMethod": {"type": "amazonpay", "amazonPayToken": "160583287597AMZN"},
        "returnUrl": "http://127.0.0.1/?order=12xy",
        "channel": "Web",
        "origin": "http://127.0.0.1",
        "browserInfo": {
            "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
            "screenHeight": 1080, "screenWidth": 1920, "timeZoneOffset": -60,
            "userAgent": "Mozilla/5.0",
        },
        "billingAddress": address,
        "deliveryAddress": address,
        "shopperName": {"firstName": "Anna", "lastName": "de Vries"},
        "shopperEmail": "anna.devries@shopper.example",
        "telephoneNumber": "+31201234567",
        "shopperLocale": "nl-NL",
    })
}

fn api(route: &str, order: Value, body: &Value) -> Result<String, BenchError> {
    let source = EventSource::HttpApi { route_key: route.to_owned(), path_parameters: [].into() };
    event(&source, route, &bearer(order)?, body.to_string())
}

fn bearer(order: Value) -> Result<String, BenchError> {
    let token = token::checkout(serde_json::from_value(order)?, token::CHECKOUT_LIFE);
    Ok(format!("Bearer {}", token.map_err(BenchError::Token)?))
}

fn event(
    source: &EventSource,
    line: &str,
    authorization: &str,
    body: String,
) -> Result<String, BenchError> {
    let (method, path) = line.split_once(' ').unwrap_or((line, "/"));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "pay.your-company.example")
        .header("content-type", "application/json")
        .header("user-agent", "Mozilla/5.0");
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let (parts, body) = request.body(Bytes::from(body))?.into_parts();
    let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    let id = "8f507cfcc4f97b07aac58fc9";
    Ok(event::event(source, &parts, &body, client, id, Timestamp::now())?)
}
