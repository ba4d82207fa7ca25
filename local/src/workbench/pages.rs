//! The pages: static files, without a framework or a build step.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::Bench;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal $kind:ident,)+) => {
        &[$(($name, $kind, include_str!(concat!("pages/", $name))),)+]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "workbench.html" HTML,
    "workbench.css" CSS,
    "workbench.js" SCRIPT,
    "dom.js" SCRIPT,
    "api.js" SCRIPT,
    "details.js" SCRIPT,
    "orders.js" SCRIPT,
    "order.js" SCRIPT,
    "webhooks.js" SCRIPT,
    "requests.js" SCRIPT,
    "act.js" SCRIPT,
    "lists.js" SCRIPT,
};

pub fn router() -> Router<Arc<Bench>> {
    Router::new()
        .route("/workbench", get(async || file("workbench.html")))
        .route("/workbench/", get(async || Redirect::permanent("/workbench")))
        .route("/workbench/{file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
