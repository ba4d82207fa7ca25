//! Reads webhook deliveries, including those with invalid characters.

use super::{lenient::Members, notification::Notification, token_notification::TokenNotification};

pub use super::lenient::readable;

#[derive(Debug, Clone)]
pub enum Webhook {
    /// Signed item by item.
    Standard(Notification),
    /// Signed as a whole.
    Token(TokenNotification),
}

/// Replacements for unreadable characters. A signer that could not encode a character has signed
/// one of these: most languages write the first, and Java writes the second.
const REPLACEMENTS: [char; 2] = ['\u{fffd}', '?'];

/// The reason for which a body is not a notification.
#[derive(Debug, thiserror::Error)]
pub enum NotAWebhook {
    #[error("The body is not a JSON object: {0}.")]
    NotAnObject(#[from] serde_json::Error),
    #[error("{0}.")]
    Malformed(&'static str),
    #[error("The notification has no items.")]
    WithoutItems,
}

/// Reads a delivery with both replacements. Fields in which they differ count as garbled.
///
/// # Errors
/// [`NotAWebhook`].
pub fn read(body: &[u8]) -> Result<Webhook, NotAWebhook> {
    let [text, otherwise] = REPLACEMENTS.map(|replacement| readable(body, replacement));
    let members: Members = serde_json::from_str(&text)?;
    let otherwise = (otherwise != text).then(|| serde_json::from_str(&otherwise)).transpose()?;
    if !members.has("notificationItems") {
        return Ok(Webhook::Token(TokenNotification::read(members, otherwise)));
    }
    let notification = Notification::read(members, otherwise).map_err(NotAWebhook::Malformed)?;
    if notification.notification_items.is_empty() {
        return Err(NotAWebhook::WithoutItems);
    }
    Ok(Webhook::Standard(notification))
}
