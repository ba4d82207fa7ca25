//! The process of a function: configuration, secrets, connections, logs.

pub mod config;
pub mod http_client;
pub mod http_event;
pub mod observe;
pub mod retry;
pub mod runtime;
pub mod secrets;
