//! Any bytes are parsed or rejected without a panic, and a parsed notification stays the same after
//! it was signed, stored and delivered again.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use shared::adyen::hmac::{Key, Keys};
use shared::adyen::notification::NotificationRequestItem;
use shared::adyen::token_notification::TokenNotification;
use shared::adyen::webhook::{self, Webhook};
use shared::domain::token::Token;
use shared::{
    domain::order::{Capture, Derived, Order},
    http::answer::{OrderAnswer, Viewer},
};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Reads a body as the webhooks function does, and records its events in an order or a token.
pub fn read(body: &[u8]) {
    match webhook::read(body) {
        Ok(Webhook::Standard(notification)) => {
            for item in notification.notification_items {
                standard(item.notification_request_item);
            }
        }
        Ok(Webhook::Token(notification)) => token(&notification),
        // A body that is strict JSON is rejected only if it is not a notification.
        Err(_) => {
            let strict = serde_json::from_slice::<Map<String, Value>>(body);
            assert!(strict.is_err() || strict.is_ok_and(|it| it.contains_key("notificationItems")));
        }
    }
}

fn standard(mut item: NotificationRequestItem) {
    let keys: Keys = KEY.parse().unwrap();
    let signature = Key::from_hex(KEY).unwrap().sign(item.signed_content().as_bytes());
    let additional_data = item.additional_data.get_or_insert_default();
    additional_data.insert("hmacSignature".to_owned(), json!(signature));
    assert_eq!(item.verify(&keys), Some(0));
    let colons = item.merchant_reference.iter().flat_map(|text| text.matches(':')).count();
    let fields = item.signed_content().matches(':').count() - colons;
    assert_eq!(item.is_ambiguous(), fields != 7);

    let Some(event) = item.event(Timestamp::UNIX_EPOCH) else {
        return;
    };
    assert_eq!(again(&event), event);
    assert!(!event.payment().is_empty());
    let mut order = order();
    order.record(event.clone());
    let once = order.clone();
    order.record(event);
    assert_eq!(order, once);
    assert_eq!(again(&order), order);
    assert_eq!(Derived::of(&order), Derived::of(&once));
    serde_json::to_string(&OrderAnswer::new(&order, Viewer::Merchant)).unwrap();
}

fn token(notification: &TokenNotification) {
    let event = notification.event(Timestamp::UNIX_EPOCH);
    let Some((key, event)) = event else {
        return;
    };
    let mut token = Token::new(key, Timestamp::UNIX_EPOCH);
    token.record(event.clone());
    let once = token.clone();
    token.record(event);
    assert_eq!(token, once);
    assert_eq!(again(&token), token);
}

/// An order without attempts.
fn order() -> Order {
    let amount = serde_json::from_value(json!({"currency": "EUR", "value": 1000})).unwrap();
    let reference = "ORDER-1".parse().unwrap();
    Order::new(reference, amount, Capture::Automatic, None, Timestamp::UNIX_EPOCH)
}

/// The value after it was serialized and deserialized.
fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let written: Value = serde_json::to_value(value).unwrap();
    serde_json::from_value(written).unwrap()
}
