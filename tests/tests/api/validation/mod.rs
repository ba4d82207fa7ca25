//! Requests that the API rejects before it writes or sends anything.

mod fields;
mod headers;
mod json_text;
mod limits;
mod other_routes;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Stack, backend};

use crate::traces;

/// The expected response: status, code, and the invalid field.
type Refusal<'a> = (u16, &'a str, Option<&'a str>);

/// A bundle to which no request may write anything.
struct Untouched(Stack);

impl Untouched {
    async fn start() -> Self {
        Self(Stack::start().await)
    }

    /// Posts a body as the merchant's backend, with the content type JSON.
    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.0
            .request(Method::POST, path)
            .bearer_auth(backend())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
    }

    /// Asserts that a request is rejected with this response, and not sent to Adyen.
    async fn refuses(&self, row: &str, request: RequestBuilder, refusal: Refusal<'_>) {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, refusal.0, "{row}: {answer:?}");
        let field = answer.body.get("field").and_then(Value::as_str);
        let actual = (answer.status, answer.code(), field);
        assert_eq!(actual, refusal, "{row}: {answer:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(!detail.is_empty() && detail.len() < 1000, "{row}: {answer:?}");
        traces::nothing_sent(&self.0, row);
    }

    /// Asserts that nothing was written.
    async fn is_untouched(&self) {
        traces::nothing_written(&self.0).await;
    }
}

/// A payment with every field of the API.
fn everything() -> Value {
    let address = json!({
        "city": "Amsterdam",
        "country": "NL",
        "houseNumberOrName": "6-50",
        "postalCode": "1011 DJ",
        "stateOrProvince": "NH",
        "street": "Simon Carmiggeltstraat",
    });
    json!({
        "amount": {"currency": "EUR", "value": 1000},
        "authenticationData": {
            "attemptAuthentication": "always",
            "threeDSRequestData": {
                "challengeWindowSize": "05",
                "dataOnly": "false",
                "nativeThreeDS": "preferred",
                "threeDSVersion": "2.2.0",
            },
        },
        "billingAddress": address,
        "browserInfo": {
            "acceptHeader": "text/html",
            "colorDepth": 24,
            "javaEnabled": false,
            "javaScriptEnabled": true,
            "language": "nl-NL",
            "screenHeight": 1080,
            "screenWidth": 1920,
            "timeZoneOffset": -60,
            "userAgent": "Mozilla/5.0",
        },
        "channel": "Web",
        "countryCode": "NL",
        "deliveryAddress": address,
        "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
        "merchantOrderReference": "BASKET-1",
        "metadata": {"shop": "12"},
        "origin": "https://your-company.example.com",
        "paymentMethod": {
            "amazonPayToken": "160583287597AMZN",
            "checkoutAttemptId": "attempt-1",
            "sdkData": "e30=",
            "type": "amazonpay",
        },
        "recurringProcessingModel": "Subscription",
        "reference": "ORDER-1",
        "returnUrl": "https://your-company.example.com/checkout?shopperOrder=12xy..",
        "shopperEmail": "s.hopper@example.com",
        "shopperIP": "192.0.2.1",
        "shopperInteraction": "Ecommerce",
        "shopperLocale": "nl-NL",
        "shopperName": {"firstName": "Simon", "lastName": "Hopper"},
        "shopperReference": "shopper-1",
        "shopperStatement": "Your Company",
        "storePaymentMethod": true,
        "telephoneNumber": "+31 20 000 0000",
    })
}

/// `body` with `value` at a JSON pointer.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}

/// `body` without the member at a JSON pointer.
fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(name).unwrap();
    body
}

/// A JSON pointer in the notation of `field`.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The JSON pointers of everything in a body, except the body itself.
fn pointers(body: &Value) -> Vec<String> {
    let Value::Object(members) = body else {
        return Vec::new();
    };
    let below = |(name, value): (&String, &Value)| {
        let mut all = vec![format!("/{name}")];
        all.extend(pointers(value).iter().map(|below| format!("/{name}{below}")));
        all
    };
    members.iter().flat_map(below).collect()
}

#[tokio::test]
async fn every_field_is_sent_to_adyen_unchanged() {
    let stack = Stack::start().await;
    let answer = stack.post("/payments", &backend(), &everything()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(stack.adyen().books().calls[0].body, everything());
}
