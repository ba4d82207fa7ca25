//! A storefront of one page, which is also the example for authors of storefronts. The page and the
//! routes below `/dev` belong to `cargo dev`, not to the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use qrcode::QrCode;
use qrcode::render::svg;
use serde_json::{Value, json};
use shared::http::jwt::{Caller, Checkout};

use crate::token::{self, CHECKOUT_LIFE};

/// The shop whose page is served.
pub struct Shop {
    /// The URL of the Amazon Pay simulator, which serves Amazon Pay's script.
    pub amazon_pay: Option<String>,
    /// The folder of the payment methods' logos. Without it the methods have their names, so that
    /// nothing leaves this machine.
    pub logos: Option<&'static str>,
    /// The key that signs checkout tokens.
    pub token_key: String,
}

/// Adyen's logos, for its test environment. Source: Adyen, Downloading logos.
pub const ADYENS_LOGOS: &str =
    "https://checkoutshopper-test.adyen.com/checkoutshopper/images/logos";

/// The merchant's backend, which knows its orders.
struct Backend {
    token_key: String,
    orders: Mutex<BTreeMap<String, Checkout>>,
}

/// The page, and routes in place of the merchant's backend.
pub fn router(shop: Shop) -> axum::Router {
    let script = shop.amazon_pay.map(|url| format!("{url}/checkout.js"));
    let about = json!({ "script": script, "logos": shop.logos });
    let backend = Backend { token_key: shop.token_key, orders: Mutex::default() };
    let module = ([("content-type", "text/javascript")], include_str!("storefront.js"));
    axum::Router::new()
        .route("/", get(Html(include_str!("storefront.html"))))
        .route("/storefront.js", get(module))
        .route("/dev/shop", get(async || Json(about)))
        .route("/dev/token", post(mint))
        .route("/dev/token/{reference}", get(mint_again))
        .route("/dev/qr", get(qr_code))
        .with_state(Arc::new(backend))
}

type Minted = Result<Json<Value>, (StatusCode, String)>;

async fn mint(State(backend): State<Arc<Backend>>, Json(order): Json<Checkout>) -> Minted {
    let mut orders = backend.orders.lock().unwrap_or_else(PoisonError::into_inner);
    orders.insert(order.reference.to_string(), order.clone());
    backend.mint(order)
}

/// For a shopper who returns in another browser. A real backend must know that this is its shopper.
async fn mint_again(State(backend): State<Arc<Backend>>, Path(reference): Path<String>) -> Minted {
    let order = {
        let orders = backend.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.get(&reference).cloned()
    };
    match order {
        Some(order) => backend.mint(order),
        None => Err((StatusCode::NOT_FOUND, "There is no such order.".to_owned())),
    }
}

impl Backend {
    fn mint(&self, order: Checkout) -> Minted {
        let token = token::mint(&Caller::Checkout(order.clone()), &self.token_key, CHECKOUT_LIFE)
            .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))?;
        Ok(Json(json!({ "token": token, "order": order })))
    }
}

/// The data of a qrCode action as an image.
async fn qr_code(Query(query): Query<BTreeMap<String, String>>) -> impl IntoResponse {
    let data = query.get("data").map(String::as_str).unwrap_or_default();
    let code = QrCode::new(data).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    Ok::<_, StatusCode>(([("content-type", "image/svg+xml")], image))
}
