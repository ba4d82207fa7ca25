//! HTTP: authentication of callers, validation of bodies, answers and problems.

pub mod amazon_pay;
pub mod answer;
pub mod edge;
pub mod jwt;
pub mod ownership;
pub mod problem;
