//! Hides secrets: keys, tokens of wallets, and encrypted fields.

use serde_json::{Map, Value};

const MASK: &str = "[hidden]";

/// The headers that are kept. All others are dropped, so that no new secret appears by accident.
const HEADERS: [&str; 11] = [
    "content-type",
    "content-encoding",
    "hmacsignature",
    "idempotency-key",
    "origin",
    "protocol",
    "traceparent",
    "user-agent",
    "x-amz-pay-idempotency-key",
    "x-amz-pay-region",
    "x-amz-target",
];

/// True for members whose value is a secret. Capitals and separators do not count, so that
/// `card.encrypted.json` and `security_code` are found as well.
fn is_secret(name: &str) -> bool {
    let is_separator = |c: &char| matches!(c, '-' | '_' | '.');
    let name: String = name.to_ascii_lowercase().chars().filter(|c| !is_separator(c)).collect();
    const SECRETS: [&str; 12] = [
        "card",
        "cvc",
        "cvv",
        "expirymonth",
        "expiryyear",
        "number",
        "pan",
        "password",
        "paymentdata",
        "redirectresult",
        "sdkdata",
        "threedsresult",
    ];
    // Also with something before them, such as `bankAccountNumber` or `networkToken`.
    const ENDS: [&str; 8] = [
        "accountnumber",
        "apikey",
        "cardnumber",
        "iban",
        "privatekey",
        "securitycode",
        "securitynumber",
        "token",
    ];
    name.contains("encrypted")
        || SECRETS.contains(&name.as_str())
        || ENDS.iter().any(|end| name.ends_with(end))
}

/// A copy without secrets.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let hidden = is_secret(name) && !value.is_null();
                    (name.clone(), if hidden { MASK.into() } else { masked(value) })
                })
                .collect(),
        ),
        Value::Array(values) => values.iter().map(masked).collect(),
        // Some members are JSON as text.
        Value::String(text) if text.starts_with(['{', '[']) => {
            match serde_json::from_str::<Value>(text) {
                Ok(inner) => masked(&inner).to_string().into(),
                Err(_) => value.clone(),
            }
        }
        other => other.clone(),
    }
}

/// A body without secrets. Bodies that are not JSON may contain anything, so only their length is
/// kept.
pub fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => masked(&value),
        Err(_) => format!("[{} bytes that are not JSON]", bytes.len()).into(),
    }
}

/// The headers that are no secrets.
pub fn headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    headers
        .filter(|(name, _)| HEADERS.contains(name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

/// A query without the values of secrets.
pub fn query(text: &str) -> String {
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    let mut masked = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        masked.append_pair(&name, if is_secret(&name) { MASK } else { &value });
    }
    masked.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secret_is_hidden_wherever_it_is() {
        let value = json!({
            "amazonPayToken": "SECRET",
            "storedPaymentMethodId": "SHOWN",
            "paymentMethod": [{"encryptedCardNumber": "SECRET"}],
            "request": {"S": r#"{"applePayToken": "SECRET"}"#},
            "cvc": null,
        });

        let masked = masked(&value);

        let text = masked.to_string();
        assert!(!text.contains("SECRET"), "{text}");
        assert!(text.contains("SHOWN"), "{text}");
        assert!(masked["cvc"].is_null());
    }

    #[test]
    fn member_that_may_hold_card_or_account_data_is_hidden_however_it_is_written() {
        for name in [
            "threeDSResult",
            "cardnumber",
            "cardNumber",
            "card_number",
            "pan",
            "CVV",
            "securitycode",
            "security-code",
            "card",
            "card.encrypted.json",
            "iban",
            "IBAN",
            "bankAccountNumber",
            "accountNumber",
            "socialSecurityNumber",
            "apple_pay_token",
        ] {
            assert_eq!(masked(&json!({name: "SECRET"})), json!({name: MASK}), "{name}");
            assert_eq!(query(&format!("{name}=SECRET")), format!("{name}=%5Bhidden%5D"), "{name}");
        }
        for name in ["cardBin", "company", "telephoneNumber", "paymentMethod", "tokens", "span"] {
            assert_eq!(masked(&json!({name: "SHOWN"})), json!({name: "SHOWN"}), "{name}");
        }
    }

    #[test]
    fn body_that_is_not_json_is_not_kept() {
        assert_eq!(body(br#"{"amazonPayToken": "SECRET""#), json!("[27 bytes that are not JSON]"));
    }

    #[test]
    fn credentials_are_no_kept_headers() {
        let sent = [("authorization", "SECRET"), ("x-api-key", "SECRET"), ("user-agent", "curl")];
        assert_eq!(json!(headers(sent.into_iter())), json!({"user-agent": "curl"}));
    }
}
