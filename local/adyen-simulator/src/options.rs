use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use simulator_http::{Log, Watch};

use crate::amazon_pay::AmazonPay;
use crate::keys;

/// The options of a simulator. The default has the development keys and any free port.
#[derive(Clone)]
pub struct Options {
    /// The address to listen on; port 0 is any free one.
    pub listen: SocketAddr,
    /// The only merchant account that exists.
    pub merchant_account: String,
    /// The accepted `X-API-Key`.
    pub api_key: String,
    /// The key of calls from browsers.
    pub client_key: String,
    /// Without it, Drop-in cannot pay with Amazon Pay.
    pub amazon_pay: Option<Arc<dyn AmazonPay>>,
    /// The URL of the webhooks; they wait until it is set.
    pub webhook_url: Option<String>,
    /// The key of standard webhooks, in hex.
    pub hmac_key: String,
    /// The key of recurring.token webhooks, in hex.
    pub token_hmac_key: String,
    /// The `user:password` that is sent with every webhook.
    pub basic_auth: Option<String>,
    /// From a payment or modification to its webhook.
    pub webhook_delay: Duration,
    /// From a payment to the webhook about its token.
    pub token_webhook_delay: Duration,
    /// From a `-TIMEOUT` payment to its webhook.
    pub late_webhook_delay: Duration,
    /// From an `-OFFER-CLOSED` payment to the end of the offer.
    pub offer_closed_delay: Duration,
    /// From a refund of a `-REFUND-FAIL` payment to its REFUND_FAILED.
    pub refund_failed_delay: Duration,
    /// From a `-TIMEOUT` payment to its answer.
    pub withheld: Duration,
    /// From any call to its answer; a repeat with the same key gets 704 until then.
    pub answer_delay: Duration,
    /// True if answers have the merchantReference and the amount. Adyen's own example of an
    /// answer to /payments/details has neither, only the resultCode and the pspReference.
    pub merchant_reference: bool,
    /// The pause after each failed delivery of a webhook. After the last one, it is not sent again.
    pub redelivery: Vec<Duration>,
    /// The folder of the journal; without it the books are lost when the simulator stops.
    pub data: Option<PathBuf>,
    pub log: Option<Log>,
    /// Sees every call of the API, and every webhook to [`webhook_copy`](Self::webhook_copy).
    pub watch: Option<Watch>,
    /// Another URL, which gets every webhook too, with deliveries and retries of its own.
    pub webhook_copy: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            merchant_account: keys::MERCHANT_ACCOUNT.into(),
            api_key: keys::ADYEN_API_KEY.into(),
            client_key: keys::CLIENT_KEY.into(),
            amazon_pay: None,
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
            watch: None,
            webhook_copy: None,
        }
    }
}

/// Three quick retries, then the pauses of Adyen's queue, up to eight hours.
fn redelivery() -> Vec<Duration> {
    let minutes = [2, 5, 10, 15, 30, 60, 120, 240, 480].map(|minutes| minutes * 60);
    [9, 18, 27].into_iter().chain(minutes).map(Duration::from_secs).collect()
}
