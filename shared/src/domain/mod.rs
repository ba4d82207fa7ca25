//! The rules of orders and tokens. They do not depend on HTTP, AWS or Adyen's client.

pub mod amount;
pub mod date;
pub mod error_code;
pub mod event_code;
pub mod order;
pub mod reference;
pub mod result_code;
pub mod return_url;
pub mod shopper_reference;
pub mod text;
pub mod token;
pub mod unknown;
