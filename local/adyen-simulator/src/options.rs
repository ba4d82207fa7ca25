//! How a simulator is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use simulator_http::Log;

use crate::keys;

/// How a simulator is set up. The default has the development keys and any free port.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// The one merchant account that it knows.
    pub merchant_account: String,
    /// What `X-API-Key` must say.
    pub api_key: String,
    /// Where webhooks go. Until it is known they wait.
    pub webhook_url: Option<String>,
    /// Hex: signs standard webhooks.
    pub hmac_key: String,
    /// Hex: signs recurring.token webhooks.
    pub token_hmac_key: String,
    /// `user:password` sent with every webhook.
    pub basic_auth: Option<String>,
    /// From a payment or modification to its webhook.
    pub webhook_delay: Duration,
    /// From a payment to the webhook about its token.
    pub token_webhook_delay: Duration,
    /// From a `-TIMEOUT` payment to its webhook.
    pub late_webhook_delay: Duration,
    /// From an `-OFFER-CLOSED` payment to the end of the offer.
    pub offer_closed_delay: Duration,
    /// From a refund of a `-REFUND-FAIL` payment to the webhook that it failed.
    pub refund_failed_delay: Duration,
    /// How long the answer to a `-TIMEOUT` payment takes.
    pub withheld: Duration,
    /// How long any call takes; a repeat under its key meanwhile gets 704.
    pub answer_delay: Duration,
    /// True if answers name the order and the amount. Adyen's own example of an answer to
    /// /payments/details has neither, only the resultCode and the pspReference.
    pub merchant_reference: bool,
    /// The waits after each failed delivery of a webhook; then it is given up.
    pub redelivery: Vec<Duration>,
    /// Where the books are kept; without it they end with the simulator.
    pub data: Option<PathBuf>,
    /// Takes one line per call and webhook.
    pub log: Option<Log>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            merchant_account: keys::MERCHANT_ACCOUNT.into(),
            api_key: keys::ADYEN_API_KEY.into(),
            webhook_url: None,
            hmac_key: keys::STANDARD_HMAC_KEY.into(),
            token_hmac_key: keys::TOKEN_HMAC_KEY.into(),
            basic_auth: None,
            webhook_delay: Duration::from_millis(300),
            token_webhook_delay: Duration::from_secs(1),
            late_webhook_delay: Duration::from_secs(40),
            offer_closed_delay: Duration::from_secs(5),
            refund_failed_delay: Duration::from_secs(2),
            withheld: Duration::from_secs(180),
            answer_delay: Duration::ZERO,
            merchant_reference: true,
            redelivery: redelivery(),
            data: None,
            log: None,
        }
    }
}

/// Three quick submissions, then Adyen's queue, as far as anyone waits on one machine.
fn redelivery() -> Vec<Duration> {
    let minutes = [2, 5, 10, 15, 30, 60, 120, 240, 480].map(|minutes| minutes * 60);
    [9, 18, 27].into_iter().chain(minutes).map(Duration::from_secs).collect()
}
