//! Deliveries of Adyen's webhooks, read whatever is wrong with them.

use super::{lenient::Members, notification::Notification, token_notification::TokenNotification};

pub use super::lenient::readable;

/// A delivery.
#[derive(Debug, Clone)]
pub enum Webhook {
    /// Signed item by item.
    Standard(Notification),
    /// Signed as a whole.
    Token(TokenNotification),
}

/// Replacements for unreadable characters. A signer that could not encode them either has signed
/// one of these: most languages write the first, Java writes the second.
const REPLACEMENTS: [char; 2] = ['\u{fffd}', '?'];

/// Reads a delivery. Fields that depend on how an unreadable character is replaced count as
/// garbled.
///
/// # Errors
/// Says why it is not a notification.
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
