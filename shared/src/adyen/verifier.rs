//! Verifies the signatures of webhooks, when they are delivered and when they are applied again.

use super::{hmac, webhook::Webhook};
use crate::platform::{
    config::Settings,
    observe::{self, Metric},
    secrets::Secret,
};

/// Has the HMAC keys of all webhook endpoints.
pub struct Verifier {
    keys: Secret<hmac::Keys>,
}

impl Verifier {
    pub const SECRETS: &[&str] = &["ADYEN_HMAC_KEYS"];

    pub fn read(settings: &mut Settings) -> Option<Self> {
        let keys = settings.secret("ADYEN_HMAC_KEYS", |keys| {
            keys.parse().map_err(|error: hmac::InvalidKey| error.to_string())
        });
        Some(Self { keys: keys? })
    }

    /// Returns true if every event of a webhook is signed with a known key. `body` is the delivery
    /// that was read as `webhook`, and `signature` its header, which only a token webhook needs.
    #[must_use]
    pub async fn accepts(&self, webhook: &Webhook, body: &[u8], signature: Option<&str>) -> bool {
        let signers = |keys: &hmac::Keys| {
            let signers = signers(keys, webhook, body, signature)?;
            Some((signers, keys.are_several()))
        };
        let Some((signers, are_several)) = self.keys.accepted(signers).await else {
            return false;
        };
        // A single key would only repeat the number of events.
        if are_several {
            for position in signers {
                observe::count(Metric::HmacKeyMatched(position + 1));
            }
        }
        true
    }
}

/// The positions of the keys that signed the events, or `None` if one has no known signature.
fn signers(
    keys: &hmac::Keys,
    webhook: &Webhook,
    body: &[u8],
    signature: Option<&str>,
) -> Option<Vec<usize>> {
    match webhook {
        Webhook::Standard(notification) => {
            let items = notification.notification_items.iter();
            items.map(|item| item.notification_request_item.verify(keys)).collect()
        }
        Webhook::Token(_) => keys.verify(body, signature?).map(|signer| vec![signer]),
    }
}
