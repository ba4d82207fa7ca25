//! The HTTP that the simulators of Adyen and Amazon Pay share.

mod answer;
mod certificate;
mod fault;
pub mod listen;
mod request;
mod serve;
mod watch;

use std::sync::Arc;

pub use answer::{Answer, escape_html, links};
pub use fault::{Fault, FaultOn};
pub use request::Request;
pub use serve::serve;
pub use watch::{Exchange, Watch, Watching};

/// Receives one line per request.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;
