//! The changes of an order that are explored, and their decisions.

use serde_json::{Map, json};
use shared::adyen::payments::PaymentRequest;

use crate::adyen::{Event, PaymentAt, REFERENCE, Reply, VALUE};

/// An instrument that someone pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Instrument {
    /// An Amazon Pay token.
    Token,
    /// A token of a second Amazon Pay session.
    OtherToken,
    /// A card that Adyen may authenticate; the details decide.
    Card,
    /// iDEAL, which the shopper completes at the bank.
    Bank,
    /// A stored payment method that the merchant charges.
    Stored,
}

impl Instrument {
    pub const ALL: [Self; 5] =
        [Self::Token, Self::OtherToken, Self::Card, Self::Bank, Self::Stored];

    pub(crate) fn request(self) -> (PaymentRequest, Map<String, serde_json::Value>) {
        let method = match self {
            Self::Token => json!({"type": "amazonpay", "amazonPayToken": "TOKEN1"}),
            Self::OtherToken => json!({"type": "amazonpay", "amazonPayToken": "TOKEN2"}),
            Self::Card => json!({
                "type": "scheme",
                "encryptedCardNumber": "test_4111111111111111",
                "encryptedExpiryMonth": "test_03",
                "encryptedExpiryYear": "test_2030",
                "encryptedSecurityCode": "test_737",
            }),
            Self::Bank => json!({"type": "ideal"}),
            Self::Stored => json!({"type": "scheme", "storedPaymentMethodId": "STORED"}),
        };
        let mut body = json!({
            "amount": {"currency": "EUR", "value": VALUE},
            "merchantAccount": "Shop",
            "paymentMethod": method,
            "reference": REFERENCE,
            "returnUrl": "https://shop.example",
        });
        if self == Self::Stored {
            body["shopperReference"] = "SHOPPER-1".into();
            body["shopperInteraction"] = "ContAuth".into();
            body["recurringProcessingModel"] = "Subscription".into();
        }
        let caller_body = body.as_object().cloned().unwrap_or_default();
        #[expect(clippy::expect_used, reason = "a constant")]
        let request = serde_json::from_value(body).expect("a request to pay");
        (request, caller_body)
    }
}

/// The time at which a request was sent: a moment, and nanoseconds after it. Requests that are sent
/// at the same moment still differ in these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sent(pub u8, pub u8);

/// The key of a request to Adyen, by its position in the catalogue.
pub type KeyAt = u16;

/// A change of an order. Moments are positions in the list of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Pay {
        instrument: Instrument,
        sent_at: Sent,
    },
    ConcludePayment {
        attempt: u8,
        instrument: Instrument,
        sent_at: Sent,
        reply: Reply,
        doubt: bool,
    },
    Details {
        attempt: Option<u8>,
        result: PaymentAt,
    },
    ConcludeDetails {
        attempt: u8,
        result: PaymentAt,
        first: Option<Sent>,
        reply: Reply,
        doubt: bool,
    },
    Refund,
    ResendRefund {
        at: u8,
    },
    ConcludeRefund {
        at: u8,
        sent_at: Sent,
        first: bool,
        reply: Reply,
        doubt: bool,
    },
    Deliver {
        event: Event,
    },
    ResendCharge,
    ConcludeLook {
        began: u8,
    },
    Close {
        attempt: u8,
    },
}

/// The decision of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Nothing is sent, or the answer is stored.
    Nothing,
    /// A payment is sent for an attempt.
    Pay {
        attempt: u8,
        instrument: Instrument,
        sent_at: Sent,
    },
    Details {
        attempt: u8,
        first: Option<Sent>,
    },
    Refund {
        at: u8,
        sent_at: Sent,
        first: bool,
    },
    /// A shopper learned that the payment was authorised.
    Promised,
    /// A shopper has to act.
    Asked,
    /// The order does not know the event's payment.
    Unclaimed,
    /// An attempt beyond the bound.
    BeyondBound,
}
