use jiff::Timestamp;
use serde_json::{Value, json};

/// The state of a checkout session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    Open,
    Completed,
    /// It ended without a payment.
    Canceled,
}

/// An amount in Amazon Pay's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// A decimal number.
    pub amount: String,
    /// An ISO 4217 code.
    pub currency_code: String,
}

/// One checkout session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The `checkoutSessionId`.
    pub id: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// The payload of the button.
    pub payload: Value,
    pub state: SessionState,
    /// The reason for which it was canceled.
    pub reason_code: Option<&'static str>,
    /// The end of the token.
    pub card: String,
    /// `Confirm`, once set.
    pub payment_intent: Option<String>,
    /// Once set.
    pub charge_amount: Option<Price>,
    /// The order's reference, from the button or from an update.
    pub merchant_reference_id: Option<String>,
    /// True if the shopper confirmed the payment.
    pub confirmed: bool,
}

impl Session {
    pub(crate) fn new(id: String, payload: Value, created: Timestamp, expires: Timestamp) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            id,
            created,
            expires,
            merchant_reference_id: text(&payload["merchantMetadata"]["merchantReferenceId"]),
            payload,
            state: SessionState::Open,
            reason_code: None,
            card: String::new(),
            payment_intent: None,
            charge_amount: None,
            confirmed: false,
        }
    }

    pub(crate) fn cancel(&mut self, reason_code: &'static str) {
        self.state = SessionState::Canceled;
        self.reason_code = Some(reason_code);
    }

    /// Returns whether the shopper agreed to later payments.
    pub fn is_recurring(&self) -> bool {
        self.payload["chargePermissionType"] == "Recurring"
    }

    /// A URL of the button's `webCheckoutDetails`.
    pub(crate) fn url(&self, name: &str) -> Option<&str> {
        self.payload["webCheckoutDetails"][name].as_str()
    }

    /// The token that Adyen charges, once the shopper has confirmed the payment.
    pub fn amazon_pay_token(&self) -> Option<String> {
        if !self.confirmed || self.card.ends_with("-NO-TOKEN") {
            return None;
        }
        let number = self
            .id
            .bytes()
            .fold(0_u64, |number, byte| number * 31 % 1_000_000_000_000 + u64::from(byte));
        Some(format!("{number:012}AMZN{}", self.card))
    }

    /// The values that are missing before the shopper can confirm the payment.
    fn constraints(&self) -> Vec<Value> {
        let url = self.url("checkoutResultReturnUrl");
        let missing = [
            (self.charge_amount.is_none(), "ChargeAmountNotSet", "chargeAmount"),
            (self.payment_intent.is_none(), "PaymentIntentNotSet", "paymentIntent"),
            (url.is_none(), "CheckoutResultReturnUrlNotSet", "checkoutResultReturnUrl"),
        ];
        let constraint = |(_, id, name)| json!({"constraintId": id, "description": format!("{name} is not set.")});
        missing.into_iter().filter(|(missing, ..)| *missing).map(constraint).collect()
    }

    /// The answer of Get and Update Checkout Session. `base` is the URL of the simulator.
    pub(crate) fn answer(&self, base: &str) -> Value {
        let at = |time: Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let constraints = self.constraints();
        let redirect = (constraints.is_empty() && self.state == SessionState::Open)
            .then(|| format!("{base}/confirm/{}", self.id));
        let price =
            |price: &Price| json!({"amount": price.amount, "currencyCode": price.currency_code});
        json!({
            "checkoutSessionId": self.id,
            "webCheckoutDetails": {
                "checkoutReviewReturnUrl": self.url("checkoutReviewReturnUrl"),
                "checkoutResultReturnUrl": self.url("checkoutResultReturnUrl"),
                "checkoutCancelUrl": self.url("checkoutCancelUrl"),
                "amazonPayRedirectUrl": redirect,
            },
            "productType": "PayOnly",
            "paymentDetails": {
                "paymentIntent": self.payment_intent,
                "canHandlePendingAuthorization": false,
                "chargeAmount": self.charge_amount.as_ref().map(price),
                "totalOrderAmount": null,
                "softDescriptor": null,
            },
            "chargePermissionType": if self.is_recurring() { "Recurring" } else { "OneTime" },
            "recurringMetadata": self.payload["recurringMetadata"],
            "statusDetails": {
                "state": format!("{:?}", self.state),
                "reasonCode": self.reason_code,
                "reasonDescription": null,
                "lastUpdatedTimestamp": at(self.created),
            },
            "buyer": {"name": "Susie Smith", "email": "susie@example.com", "buyerId": "DEVELOPMENT-ONLY"},
            "paymentPreferences": [{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}],
            "merchantMetadata": {"merchantReferenceId": self.merchant_reference_id},
            "constraints": constraints,
            "creationTimestamp": at(self.created),
            "expirationTimestamp": at(self.expires),
            "chargePermissionId": self.confirmed.then(|| format!("B01-{}", self.id)),
            "chargeId": null,
            "storeId": self.payload["storeId"],
            "releaseEnvironment": "Sandbox",
            "amazonPayToken": self.amazon_pay_token(),
        })
    }
}
