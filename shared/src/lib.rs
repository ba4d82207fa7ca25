//! The code that the functions share, in layers. Each layer uses only those below it.
//!
//! | layer | contents |
//! |---|---|
//! | `http` | callers, routes and problems of the API |
//! | `adyen` | Adyen's API and webhooks |
//! | `amazon_pay`, `store` | Amazon Pay's API; the tables in DynamoDB |
//! | `platform` | the process: configuration, secrets, connections, logs |
//! | `domain` | orders and tokens, and the rules that change them |
//! | `clock`, `limits` | the time of day; every time-out, retry and size |

pub mod adyen;
pub mod amazon_pay;
pub mod clock;
pub mod domain;
pub mod http;
pub mod limits;
pub mod platform;
pub mod store;
mod strict_json;
