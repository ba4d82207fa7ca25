//! The requests that Adyen's specification has as examples of `POST /payments`, by their names there
//! (`post-payments-…`): each arrives at Adyen field by field, or is refused for a documented reason.

use serde_json::{Map, Value, json};
use shared::http::ownership::{FIELDS, Owner};
use tests::{backend, browser_with};

use crate::shop::{Shop, card, with};

const SHOPPER: &str = "SHOPPER-1";

/// The outcome of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    /// Only the backend may send it, and a browser is refused.
    SentByBackend,
    /// With this code and field.
    Refused(&'static str, &'static str),
}

struct Example {
    name: &'static str,
    body: Value,
    outcome: Outcome,
}

fn sent(name: &'static str, method: Value, members: Value) -> Example {
    let members = tests::with(with(method), members);
    Example { name, body: members, outcome: Outcome::Sent }
}

fn refused(
    name: &'static str,
    method: Value,
    members: Value,
    code: &'static str,
    field: &'static str,
) -> Example {
    Example { outcome: Outcome::Refused(code, field), ..sent(name, method, members) }
}

fn usd(value: i64) -> Value {
    json!({"currency": "USD", "value": value})
}

fn encrypted() -> Value {
    tests::with(card("4111111111111111"), json!({"holderName": null}))
}

fn raw_card() -> Value {
    json!({
        "type": "scheme", "number": "4111111111111111", "cvc": "737",
        "expiryMonth": "03", "expiryYear": "2030", "holderName": "John Smith",
    })
}

fn browser_info() -> Value {
    json!({
        "acceptHeader": "text/html", "colorDepth": 24, "javaEnabled": true, "language": "nl-NL",
        "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0, "userAgent": "Mozilla/5.0",
    })
}

fn splits(kind: &str, part: i64, fee: i64) -> Value {
    json!([
        {"type": kind, "account": "ACCOUNT-1", "amount": {"value": part}, "reference": "sale",
         "description": "the sale"},
        {"type": "Commission", "amount": {"value": fee}, "reference": "commission"},
        {"type": "PaymentFee", "account": "ACCOUNT-1", "reference": "fees"},
    ])
}

/// The examples. `stored` is a stored card of the shopper.
fn examples(stored: &str) -> Vec<Example> {
    let address = json!({
        "city": "Ankeborg", "country": "SE", "houseNumberOrName": "1", "postalCode": "12345",
        "street": "Stargatan",
    });
    let storing = |model: &str| {
        json!({
            "amount": usd(1000), "shopperReference": SHOPPER, "storePaymentMethod": true,
            "shopperInteraction": "Ecommerce", "recurringProcessingModel": model,
        })
    };
    let charging = |model: &str| {
        json!({
            "amount": usd(1000), "shopperReference": SHOPPER, "shopperInteraction": "ContAuth",
            "recurringProcessingModel": model,
        })
    };
    vec![
        sent(
            "applepay",
            json!({"type": "applepay", "applePayToken": "VNRWtuNlNEWkRCSm1xWndjMDFFbktkQU"}),
            json!({"amount": usd(1000)}),
        ),
        sent(
            "card-3d-secure-2-web",
            card("4035501428146300"),
            json!({
                "amount": {"currency": "EUR", "value": 1000},
                "authenticationData": {"threeDSRequestData": {"nativeThreeDS": "preferred"}},
                "billingAddress": {
                    "city": "New York", "country": "US", "houseNumberOrName": "37C",
                    "postalCode": "10039", "stateOrProvince": "NY", "street": "Redwood Block",
                },
                "browserInfo": browser_info(),
                "channel": "Web",
                "origin": "https://your-company.example.com",
                "shopperEmail": "s.hopper@example.com",
                "shopperIP": "192.0.2.1",
            }),
        ),
        refused(
            "card-3d-secure-redirect",
            raw_card(),
            json!({"amount": usd(1000), "browserInfo": browser_info()}),
            "raw_card_data",
            "paymentMethod.cvc",
        ),
        refused(
            "card-direct",
            raw_card(),
            json!({"amount": usd(1000)}),
            "raw_card_data",
            "paymentMethod.cvc",
        ),
        sent("card-securedfields", encrypted(), json!({"amount": usd(1000)})),
        sent("enableOneClick-SF", encrypted(), storing("CardOnFile")),
        sent(
            "googlepay",
            json!({"type": "paywithgoogle", "googlePayToken": "==Payload of Google Pay=="}),
            json!({"amount": usd(1000)}),
        ),
        sent(
            "ideal",
            json!({"type": "ideal"}),
            json!({"amount": {"currency": "EUR", "value": 1000}}),
        ),
        sent(
            "klarna",
            json!({"type": "klarna"}),
            json!({
                "amount": {"currency": "SEK", "value": 1000},
                "billingAddress": address,
                "countryCode": "SE",
                "deliveryAddress": address,
                "lineItems": [
                    {"id": "Item #1", "quantity": 1, "description": "Shoes",
                     "amountExcludingTax": 331, "taxAmount": 69, "taxPercentage": 2100,
                     "amountIncludingTax": 400, "imageUrl": "URL_TO_PICTURE",
                     "productUrl": "URL_TO_ITEM"},
                    {"id": "Item #2", "quantity": 2, "description": "Socks",
                     "amountExcludingTax": 248, "taxAmount": 52, "taxPercentage": 2100,
                     "amountIncludingTax": 300, "imageUrl": "URL_TO_PICTURE",
                     "productUrl": "URL_TO_ITEM"},
                ],
                "shopperEmail": "youremail@example.com",
                "shopperLocale": "en_US",
                "shopperName": {"firstName": "Testperson-se", "lastName": "Approved"},
                "shopperReference": SHOPPER,
                "telephoneNumber": "+46 840 839 298",
            }),
        ),
        sent(
            "on-demand-top-up-from-transfer-instrument",
            json!({
                "type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "John Smith",
                "transferInstrumentId": "SE00000000000000000000001",
            }),
            json!({
                "amount": {"currency": "EUR", "value": 10000},
                "splits": [
                    {"type": "TopUp", "account": "ACCOUNT-1", "amount": {"value": 10000},
                     "reference": "top-up", "description": "the top-up"},
                    {"type": "PaymentFee", "account": "ACCOUNT-1", "reference": "fees"},
                ],
            }),
        ),
        refused(
            "on-demand-top-up-visa",
            raw_card(),
            json!({"amount": {"currency": "EUR", "value": 10000}}),
            "raw_card_data",
            "paymentMethod.cvc",
        ),
        sent(
            "oneclick-securedfields",
            json!({
                "type": "scheme", "storedPaymentMethodId": stored,
                "encryptedSecurityCode": "adyenjs_0_1_18$MT6ppy0FAMVMLH",
            }),
            charging("CardOnFile"),
        ),
        refused(
            "split-balanceplatform",
            encrypted(),
            json!({
                "amount": usd(40000),
                "platformChargebackLogic": {
                    "behavior": "deductFromOneBalanceAccount", "targetAccount": "ACCOUNT-1",
                    "costAllocationAccount": "ACCOUNT-1",
                },
                "splits": splits("BalanceAccount", 39600, 400),
            }),
            "unknown_field",
            "platformChargebackLogic",
        ),
        sent(
            "split-classic",
            encrypted(),
            json!({
                "amount": {"currency": "EUR", "value": 6200},
                "splits": splits("MarketPlace", 6000, 200),
            }),
        ),
        sent("subscription-first-transaction", encrypted(), storing("Subscription")),
        Example {
            outcome: Outcome::SentByBackend,
            ..sent(
                "subscription-payment",
                json!({"type": "scheme", "storedPaymentMethodId": stored}),
                charging("Subscription"),
            )
        },
    ]
}

async fn store_a_card(shop: &Shop) -> String {
    let body = json!({
        "reference": "STORE",
        "amount": usd(1000),
        "storePaymentMethod": true,
        "shopperReference": SHOPPER,
    });
    let body = tests::with(with(encrypted()), body);
    let answer = shop.stack.post("/payments", &backend(), &body).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    crate::one_click::stored_id(shop, SHOPPER).await
}

/// Moves the members that the token sets into its claims, and leaves out the deployment's.
fn as_browser(request: &Value) -> (Value, Value) {
    let (mut claims, mut body) = (Map::new(), request.as_object().unwrap().clone());
    for field in FIELDS.iter().filter(|field| field.owner != Owner::Shopper) {
        let Some(value) = body.remove(field.path) else { continue };
        match field.owner {
            Owner::Order(_) | Owner::Merchant => drop(claims.insert(field.path.to_owned(), value)),
            Owner::Nobody => drop(body.insert(field.path.to_owned(), value)),
            Owner::Shopper | Owner::Deployment => {}
        }
    }
    (Value::Object(claims), Value::Object(body))
}

#[tokio::test]
async fn adyens_examples_from_a_backend_arrive_field_by_field_or_are_refused() {
    let shop = Shop::open().await;
    let stored = store_a_card(&shop).await;
    for Example { name, body, outcome } in examples(&stored) {
        let before = shop.sent().len();
        let body = tests::with(body, json!({"reference": name}));
        let answer = shop.stack.post("/payments", &backend(), &body).await;
        if let Outcome::Refused(code, field) = outcome {
            assert_eq!((answer.status, answer.code()), (422, code), "{name}: {answer:?}");
            assert_eq!(answer.body["field"], field, "{name}");
            assert_eq!(shop.sent().len(), before, "{name}");
            continue;
        }
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let sent = tests::with(body, json!({"merchantAccount": "ADYEN_MERCHANT_ACCOUNT"}));
        assert_eq!(shop.sent()[before..], [sent], "{name}");
    }
}

#[tokio::test]
async fn adyens_examples_from_a_browser_arrive_field_by_field_or_are_refused() {
    let shop = Shop::open().await;
    let stored = store_a_card(&shop).await;
    for Example { name, body, outcome } in examples(&stored) {
        let before = shop.sent().len();
        let request = tests::with(body, json!({"reference": name}));
        let (claims, body) = as_browser(&request);
        let answer = shop.stack.post("/payments", &browser_with(claims), &body).await;
        let expected = match outcome {
            Outcome::Sent => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                let deployments = json!({
                    "merchantAccount": "ADYEN_MERCHANT_ACCOUNT", "shopperIP": "127.0.0.1",
                });
                assert_eq!(shop.sent()[before..], [tests::with(request, deployments)], "{name}");
                continue;
            }
            Outcome::SentByBackend => (403, "merchant_token_required"),
            Outcome::Refused(code, _) => (422, code),
        };
        assert_eq!((answer.status, answer.code()), expected, "{name}: {answer:?}");
        assert_eq!(shop.sent().len(), before, "{name}");
    }
}
