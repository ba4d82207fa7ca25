//! The HTTP that the simulators of Adyen and Amazon Pay share.

mod answer;
mod fault;
pub mod listen;
mod request;
mod watch;

use std::sync::Arc;

pub use answer::{Answer, escape_html};
pub use fault::{Fault, FaultOn};
pub use request::Request;
pub use watch::{Exchange, Watch, Watching};

/// Receives one line per request.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;
