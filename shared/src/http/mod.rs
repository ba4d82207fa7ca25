//! The API's edge: who calls, what a body may say, and what is answered.

pub mod amazon_pay;
pub mod answer;
pub mod edge;
pub mod jwt;
pub mod ownership;
pub mod problem;
mod strict_json;
