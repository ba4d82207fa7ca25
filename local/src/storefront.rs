//! A storefront of one page, to walk through a checkout by hand. It and what is
//! under `/dev` are part of `cargo dev`, not of the API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use shared::http::jwt::Checkout;

use crate::token::{self, CHECKOUT_LIFE};

/// The page, and what stands in for the merchant's backend behind it. `amazon_pay` is
/// where the simulator is that has Amazon Pay's script.
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
