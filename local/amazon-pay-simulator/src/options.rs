use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use simulator_http::{Log, Watch};

/// The merchant's private key. It is public, so it is safe only on one machine.
pub const PRIVATE_KEY: &str = include_str!("development-only-private-key.pem");

/// The public key of [`PRIVATE_KEY`], PKCS#1.
pub const PUBLIC_KEY: &str = include_str!("development-only-public-key.pem");

/// The id of that key.
pub const PUBLIC_KEY_ID: &str = "SANDBOX-DEVELOPMENT-ONLY";

/// The options of a simulator. The default has the development key and any free port.
#[derive(Clone)]
pub struct Options {
    /// The address to listen on; port 0 is any free one.
    pub listen: SocketAddr,
    pub public_key_id: String,
    /// The key, PEM of PKCS#1: `BEGIN RSA PUBLIC KEY`.
    pub public_key: String,
    /// The environment of a key whose id does not begin with `SANDBOX` or `LIVE`.
    pub sandbox: bool,
    /// The merchant's region: `na`, `eu` or `jp`.
    pub region: String,
    pub merchant_id: String,
    pub store_id: String,
    /// The currency with which the merchant is registered.
    pub ledger_currency: String,
    /// The time after which a session expires.
    pub session_life: Duration,
    pub log: Option<Log>,
    /// Sees every call of the API.
    pub watch: Option<Watch>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            public_key_id: PUBLIC_KEY_ID.into(),
            public_key: PUBLIC_KEY.into(),
            sandbox: true,
            region: "eu".into(),
            merchant_id: "YOUR_AMAZON_PAY_MERCHANT_ID".into(),
            store_id: "amzn1.application-oa2-client.development-only".into(),
            ledger_currency: "EUR".into(),
            session_life: Duration::from_secs(24 * 60 * 60),
            log: None,
            watch: None,
        }
    }
}

impl Options {
    /// The path before `/checkoutSessions`.
    pub(crate) fn version_path(&self) -> &'static str {
        match self.public_key_id.split_once('-') {
            Some(("SANDBOX" | "LIVE", _)) => "/v2",
            _ if self.sandbox => "/sandbox/v2",
            _ => "/live/v2",
        }
    }
}
