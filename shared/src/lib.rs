//! What the functions share: Adyen's models and client, the order's life, the stores,
//! configuration, callers and HTTP errors.

pub mod adyen;
pub mod amazon_pay;
pub mod amount;
pub mod auth;
pub mod charge;
pub mod config;
pub mod edge;
pub mod http_client;
mod http_event;
pub mod inbox;
pub mod modify;
pub mod observe;
pub mod order;
pub mod ownership;
pub mod problem;
pub mod reconcile;
pub mod reference;
pub mod runtime;
pub mod secrets;
pub mod store;
mod strict_json;
pub mod text;
pub mod token;
pub mod unknown;
