//! The bundle on one machine: the functions behind a gateway that sends them AWS's events, an
//! embedded DynamoDB, the simulators, and the `cargo dev` command line.

mod actions;
mod amazon_pay_at_adyen;
pub mod bundle;
pub mod call;
pub mod cli;
pub mod dynamodb;
pub mod event;
pub mod events;
pub mod functions;
pub mod gateway;
mod invoke;
pub mod keys;
pub mod order_events;
mod proxy;
mod storefront;
pub mod template;
pub mod token;
mod workbench;
