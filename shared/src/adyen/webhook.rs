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

/// Reads a delivery with both replacements. Fields in which they differ count as garbled.
///
/// # Errors
/// The reason for which the body is not a notification.
pub fn read(body: &[u8]) -> Result<Webhook, String> {
    let [text, otherwise] = REPLACEMENTS.map(|replacement| readable(body, replacement));
    let read = |text: &str| {
        serde_json::from_str::<Members>(text)
            .map_err(|error| format!("The body is not a JSON object: {error}."))
    };
    let members = read(&text)?;
    let otherwise = (otherwise != text).then(|| read(&otherwise)).transpose()?;
    if !members.has("notificationItems") {
        return Ok(Webhook::Token(TokenNotification::read(members, otherwise)));
    }
    let notification = Notification::read(members, otherwise);
    let notification = notification.map_err(|problem| format!("{problem}."))?;
    if notification.notification_items.is_empty() {
        return Err("The notification has no items.".to_owned());
    }
    Ok(Webhook::Standard(notification))
}
