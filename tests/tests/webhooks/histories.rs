//! Histories of a payment of EUR 10.00 with manual capture: ten events each, and the order's
//! expected end.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{item, modification, with};

/// The events of one order, and its expected values.
pub struct History {
    pub items: Vec<Value>,
    pub status: &'static str,
    pub confirmed: bool,
    pub captured: i64,
    pub refunded: i64,
}

/// The number of events of a history.
const EVENTS: usize = 10;

/// Collects the events of one payment.
struct HistoryWriter<'a> {
    reference: &'a str,
    payment: &'a str,
    items: Vec<Value>,
}

impl HistoryWriter<'_> {
    /// Each event is a minute later than the one before.
    fn write(&mut self, item: Value, success: bool, value: i64) {
        let began: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let at = began + SignedDuration::from_mins(self.items.len() as i64);
        let members = json!({
            "eventDate": at.to_string(),
            "success": success.to_string(),
            "amount": {"currency": "EUR", "value": value},
        });
        self.items.push(with(item, members));
    }

    fn authorisation(&mut self, success: bool) {
        self.write(item("AUTHORISATION", self.payment, self.reference), success, 1000);
    }

    /// A later event of the payment, with the order's reference or another one.
    fn later(&mut self, event_code: &str, psp_reference: &str, success: bool, value: i64) {
        let psp_reference = format!("{psp_reference}-{}", self.payment);
        let foreign = format!("{event_code}/{psp_reference}");
        let named = if self.items.len().is_multiple_of(2) { self.reference } else { &foreign };
        let item = modification(event_code, &psp_reference, self.payment, named);
        self.write(item, success, value);
    }
}

/// One of several histories. `known` is true if the order knows the payment from Adyen's answer.
pub fn history(number: usize, reference: &str, payment: &str, known: bool) -> History {
    let mut writer = HistoryWriter { reference, payment, items: Vec::new() };
    // Two of the histories need an attempt that knows the payment.
    let number = if known { number % 11 } else { number % 9 };
    let (status, confirmed, captured, refunded) = match number {
        0 => {
            writer.authorisation(true);
            ("authorised", true, 0, 0)
        }
        1 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 1000);
            ("captured", true, 1000, 0)
        }
        2 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 600);
            writer.later("CAPTURE", "C2", true, 400);
            writer.later("REFUND", "R1", true, 1000);
            ("refunded", true, 1000, 1000)
        }
        3 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 1000);
            writer.later("REFUND", "R1", true, 300);
            writer.later("REFUND", "R2", true, 200);
            writer.later("REFUND_FAILED", "R2", true, 200);
            writer.later("REFUND", "R3", false, 500);
            ("partiallyRefunded", true, 1000, 300)
        }
        4 => {
            writer.authorisation(true);
            writer.later("CANCELLATION", "X1", true, 1000);
            ("cancelled", false, 0, 0)
        }
        5 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 1000);
            writer.later("CAPTURE_FAILED", "C1", true, 1000);
            writer.later("CAPTURE", "C2", true, 1000);
            ("captured", true, 1000, 0)
        }
        6 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 1000);
            writer.later("NOTIFICATION_OF_CHARGEBACK", "B1", true, 1000);
            writer.later("CHARGEBACK", "B1", true, 1000);
            ("chargedBack", true, 1000, 0)
        }
        7 => {
            writer.authorisation(true);
            writer.later("CAPTURE", "C1", true, 1000);
            writer.later("CHARGEBACK", "B1", true, 1000);
            writer.later("CHARGEBACK_REVERSED", "B1", true, 1000);
            ("captured", true, 1000, 0)
        }
        8 => {
            // Reported as failed first.
            writer.authorisation(false);
            writer.authorisation(true);
            ("authorised", true, 0, 0)
        }
        9 => {
            writer.authorisation(false);
            ("refused", false, 0, 0)
        }
        _ => {
            // Reported as successful first.
            writer.authorisation(true);
            writer.authorisation(false);
            ("refused", false, 0, 0)
        }
    };
    for filler in writer.items.len()..EVENTS {
        writer.later("INVENTED_IN_2031", &format!("F{filler}"), filler % 3 > 0, 1000);
    }
    History { items: writer.items, status, confirmed, captured, refunded }
}
