//! The payment method of a request to pay. Source: Checkout API v72, `paymentMethod`.
//!
//! The bundle types what it interprets: Amazon Pay, stored payment methods, cards by their
//! encrypted fields, and the tokens of Apple Pay and Google Pay. Any other method is passed on to
//! Adyen as it came. Raw card data is rejected, because only a system in PCI scope may receive it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value, json};

use crate::{
    amazon_pay::{AmazonPayToken, CheckoutSessionId},
    domain::text::Text,
    limits,
    strict_json::Strict,
};

const AMAZON_PAY: &str = "amazonpay";

/// The instrument that a payment is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentMethod {
    AmazonPayToken {
        token: AmazonPayToken,
        browser: BrowserData,
    },
    /// Amazon Pay's checkout session, which Adyen redeems.
    AmazonPaySession {
        id: CheckoutSessionId,
        browser: BrowserData,
    },
    /// Amazon Pay's checkout session, which this project redeems. Adyen does not know this form.
    CheckoutSession {
        id: CheckoutSessionId,
        browser: BrowserData,
    },
    StoredPaymentMethod {
        id: Text<64>,
        fields: Fields,
    },
    /// A card or a wallet. The named members are good for one payment.
    SingleUse {
        secrets: &'static [&'static str],
        fields: Fields,
    },
    /// A method that only Adyen interprets, such as iDEAL or an IBAN. The shopper can pay with it
    /// again and again.
    Reusable(Fields),
}

/// Data that Adyen's library for the browser adds for its own statistics and risk checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowserData {
    pub checkout_attempt_id: Option<Text<256>>,
    /// At most 50,000 characters.
    pub sdk_data: Option<Text<50_000>>,
}

/// The members of a payment method exactly as the caller sent them. Its `Debug` form shows the
/// type alone, because members may identify the shopper.
#[derive(Clone, PartialEq, Eq)]
pub struct Fields(Map<String, Value>);

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("type", &self.0.get("type")).finish_non_exhaustive()
    }
}

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns a member as text of 1 to `MAX` characters.
    fn text<const MAX: usize>(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            None => Err(format!("missing field `{name}`")),
            Some(Value::String(text)) => match Text::<MAX>::try_from(text.clone()) {
                Ok(_) => Ok(text.clone()),
                Err(error) => Err(format!("invalid field `{name}`, {error}")),
            },
            Some(_) => Err(format!("invalid field `{name}`, expected a string")),
        }
    }

    /// The same without the members that differ each time the browser sends the same method.
    fn identifying(&self) -> Map<String, Value> {
        let volatile = ["checkoutAttemptId", "sdkData"];
        let members = self.0.iter();
        let kept = members.filter(|(name, _)| !volatile.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl PaymentMethod {
    /// Adyen's type. A stored payment method may have none.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::AmazonPayToken { .. }
            | Self::AmazonPaySession { .. }
            | Self::CheckoutSession { .. } => Some(AMAZON_PAY),
            Self::StoredPaymentMethod { fields, .. }
            | Self::SingleUse { fields, .. }
            | Self::Reusable(fields) => fields.0.get("type").and_then(Value::as_str),
        }
    }

    /// The text by which a repeated request is recognised.
    pub fn identity(&self) -> String {
        match self {
            Self::AmazonPayToken { token, .. } => format!("amazonPayToken:{}", &**token),
            Self::AmazonPaySession { id, .. } => format!("checkoutSessionId:{id}"),
            Self::CheckoutSession { id, .. } => format!("amazonCheckoutSessionId:{id}"),
            Self::StoredPaymentMethod { id, .. } => format!("storedPaymentMethodId:{}", &**id),
            Self::SingleUse { secrets, fields } => {
                let values: Vec<_> = secrets.iter().map(|name| fields.0.get(*name)).collect();
                format!("singleUse:{}", json!(values))
            }
            Self::Reusable(fields) => format!("reusable:{}", Value::Object(fields.identifying())),
        }
    }

    /// True if the shopper entered the security code of a stored card.
    pub fn has_security_code(&self) -> bool {
        match self {
            Self::StoredPaymentMethod { fields, .. } => fields.has("encryptedSecurityCode"),
            _ => false,
        }
    }

    /// True if a browser's library added its data.
    pub fn has_browser_data(&self) -> bool {
        match self {
            Self::AmazonPayToken { browser, .. }
            | Self::AmazonPaySession { browser, .. }
            | Self::CheckoutSession { browser, .. } => *browser != BrowserData::default(),
            Self::StoredPaymentMethod { fields, .. }
            | Self::SingleUse { fields, .. }
            | Self::Reusable(fields) => fields.has("checkoutAttemptId") || fields.has("sdkData"),
        }
    }
}

/// Amazon Pay's fields. Source: Checkout API, `AmazonPayDetails`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AmazonPayFields {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// This project's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_checkout_session_id: Option<CheckoutSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_pay_token: Option<AmazonPayToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_attempt_id: Option<Text<256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_session_id: Option<CheckoutSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_data: Option<Text<50_000>>,
}

impl<'de> Deserialize<'de> for PaymentMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields(Map::deserialize(deserializer)?);
        // Errors are in serde's words, so that the problem names the field.
        parse(fields).map_err(D::Error::custom)
    }
}

fn parse(mut fields: Fields) -> Result<PaymentMethod, String> {
    // As everywhere, null counts as absent.
    fields.0.retain(|_, value| !value.is_null());
    let object = Value::Object(fields.0.clone());
    if let Some(name) = raw_card_data(&object) {
        return Err(format!("raw card data `{name}`"));
    }
    if depth(&object) > limits::PAYMENT_METHOD_DEPTH {
        return Err(format!("expected at most {} levels of nesting", limits::PAYMENT_METHOD_DEPTH));
    }
    let kind = match fields.0.get("type") {
        None => None,
        Some(_) => Some(fields.text::<64>("type")?),
    };
    if kind.as_deref() == Some("networkToken") {
        return Err("raw card data `type`".to_owned());
    }
    if let Some(name) = NOT_PASSED_ON.into_iter().find(|name| fields.has(name)) {
        return Err(format!("unknown field `{name}`"));
    }
    let instruments = ["amazonPayToken", "amazonCheckoutSessionId", "storedPaymentMethodId"];
    let named = instruments.into_iter().filter(|name| fields.has(name)).count();
    if named > 1 {
        return Err("expected one of amazonPayToken, amazonCheckoutSessionId and \
                    storedPaymentMethodId"
            .to_owned());
    }
    if fields.has("storedPaymentMethodId") {
        return stored(fields);
    }
    match kind.as_deref() {
        None | Some(AMAZON_PAY) => amazon_pay(fields),
        Some(_) if named > 0 => Err("invalid field `type`, expected amazonpay".to_owned()),
        Some("applepay") => single_use(fields, &["applePayToken"], 1),
        Some("googlepay" | "paywithgoogle") => single_use(fields, &["googlePayToken"], 1),
        Some("scheme" | "card" | "bcmc") => single_use(fields, &ENCRYPTED, 3),
        Some(_) if fields.has("encryptedCardNumber") => single_use(fields, &ENCRYPTED, 3),
        Some(_) => within_size(PaymentMethod::Reusable(fields)),
    }
}

/// Another name of a stored payment method, which would not be checked, and fields that only the
/// merchant may set. Source: Checkout API, `CardDetails`.
const NOT_PASSED_ON: [&str; 4] = [
    "billingSequenceNumber",
    "networkPaymentReference",
    "recurringDetailReference",
    "shopperNotificationReference",
];

/// The encrypted fields of a card. Some cards have no security code.
const ENCRYPTED: [&str; 4] =
    ["encryptedCardNumber", "encryptedExpiryMonth", "encryptedExpiryYear", "encryptedSecurityCode"];

/// The first `required` secrets must be present.
fn single_use(
    fields: Fields,
    secrets: &'static [&'static str],
    required: usize,
) -> Result<PaymentMethod, String> {
    for (at, name) in secrets.iter().enumerate() {
        if at < required || fields.has(name) {
            fields.text::<15_000>(name)?;
        }
    }
    within_size(PaymentMethod::SingleUse { secrets, fields })
}

/// Source: Checkout API, `CardDetails` and `StoredPaymentMethodDetails`, without the members that
/// another instrument has.
fn stored(fields: Fields) -> Result<PaymentMethod, String> {
    const KNOWN: [&str; 9] = [
        "brand",
        "checkoutAttemptId",
        "encryptedSecurityCode",
        "fundingSource",
        "holderName",
        "sdkData",
        "storedPaymentMethodId",
        "threeDS2SdkVersion",
        "type",
    ];
    if let Some(name) = fields.0.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("unknown field `{name}`"));
    }
    let text = fields.text::<64>("storedPaymentMethodId")?;
    within_size(PaymentMethod::StoredPaymentMethod { id: text.try_into()?, fields })
}

fn amazon_pay(fields: Fields) -> Result<PaymentMethod, String> {
    let typed: AmazonPayFields = serde_path_to_error::deserialize(Strict(Value::Object(fields.0)))
        .map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            match path.as_str() {
                "." => message,
                _ if message.starts_with("unknown field `") => message,
                _ => format!("invalid field `{path}`, {message}"),
            }
        })?;
    let AmazonPayFields { kind, checkout_attempt_id, sdk_data, .. } = typed;
    let browser = BrowserData { checkout_attempt_id, sdk_data };
    let instruments =
        (typed.amazon_pay_token, typed.checkout_session_id, typed.amazon_checkout_session_id);
    let method = match instruments {
        (None, None, None) => return Err("missing field `amazonPayToken`".to_owned()),
        (Some(token), None, None) => PaymentMethod::AmazonPayToken { token, browser },
        (None, Some(id), None) => PaymentMethod::AmazonPaySession { id, browser },
        (None, None, Some(id)) => PaymentMethod::CheckoutSession { id, browser },
        _ => {
            return Err("expected one of amazonPayToken, checkoutSessionId and \
                        amazonCheckoutSessionId"
                .to_owned());
        }
    };
    match kind {
        Some(_) => Ok(method),
        None => Err("missing field `type`".to_owned()),
    }
}

fn within_size(method: PaymentMethod) -> Result<PaymentMethod, String> {
    match json!(method).to_string().len() > limits::PAYMENT_METHOD {
        true => Err(format!("expected at most {} bytes", limits::PAYMENT_METHOD)),
        false => Ok(method),
    }
}

/// Returns the name of a member that holds raw card data, at any depth.
pub fn raw_card_data(value: &Value) -> Option<&str> {
    const RAW: [&str; 11] = [
        "number",
        "cardNumber",
        "pan",
        "cvc",
        "cvv",
        "securityCode",
        "expiryMonth",
        "expiryYear",
        "encryptedCard",
        "card",
        "card.encrypted.json",
    ];
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            if RAW.iter().any(|raw| raw.eq_ignore_ascii_case(name)) && !value.is_null() {
                return Some(name.as_str());
            }
            raw_card_data(value)
        }),
        Value::Array(items) => items.iter().find_map(raw_card_data),
        _ => None,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

impl Serialize for PaymentMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let amazon_pay = |browser: &BrowserData| AmazonPayFields {
            kind: Some(AMAZON_PAY.to_owned()),
            checkout_attempt_id: browser.checkout_attempt_id.clone(),
            sdk_data: browser.sdk_data.clone(),
            ..AmazonPayFields::default()
        };
        match self {
            Self::AmazonPayToken { token, browser } => {
                AmazonPayFields { amazon_pay_token: Some(token.clone()), ..amazon_pay(browser) }
                    .serialize(serializer)
            }
            Self::AmazonPaySession { id, browser } => {
                AmazonPayFields { checkout_session_id: Some(id.clone()), ..amazon_pay(browser) }
                    .serialize(serializer)
            }
            Self::CheckoutSession { id, browser } => AmazonPayFields {
                amazon_checkout_session_id: Some(id.clone()),
                ..amazon_pay(browser)
            }
            .serialize(serializer),
            Self::StoredPaymentMethod { fields, .. }
            | Self::SingleUse { fields, .. }
            | Self::Reusable(fields) => fields.0.serialize(serializer),
        }
    }
}
