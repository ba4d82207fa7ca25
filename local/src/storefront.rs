//! A storefront of one page, for trying out a checkout. The page and the routes below `/dev` belong
//! to `cargo dev`, not to the API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use shared::http::jwt::Checkout;

use crate::token::{self, CHECKOUT_LIFE};

/// The page, and routes in place of the merchant's backend. `amazon_pay` is the URL of the
/// simulator, which serves Amazon Pay's script.
pub fn router(amazon_pay: Option<&str>) -> axum::Router {
    let amazon_pay = json!({ "url": amazon_pay });
    axum::Router::new()
        .route("/", get(Html(include_str!("storefront.html"))))
        .route("/dev/amazon-pay", get(async || Json(amazon_pay)))
        .route("/dev/token", post(mint))
}

async fn mint(Json(order): Json<Checkout>) -> Result<Json<Value>, (StatusCode, String)> {
    match token::checkout(order, CHECKOUT_LIFE) {
        Ok(token) => Ok(Json(json!({ "token": token }))),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error)),
    }
}
