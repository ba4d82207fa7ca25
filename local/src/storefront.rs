//! A storefront of one page, to walk through a checkout by hand. It and its
//! token endpoint are part of `cargo dev`, not of the API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use shared::auth::Checkout;

use crate::token::{self, CHECKOUT_LIFE};

/// The page, and what stands in for the merchant's backend behind it.
pub fn router() -> axum::Router {
    axum::Router::new()
        .route("/", get(Html(include_str!("storefront.html"))))
        .route("/dev/token", post(mint))
}

async fn mint(Json(order): Json<Checkout>) -> Result<Json<Value>, (StatusCode, String)> {
    match token::checkout(order, CHECKOUT_LIFE) {
        Ok(token) => Ok(Json(json!({ "token": token }))),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error)),
    }
}
