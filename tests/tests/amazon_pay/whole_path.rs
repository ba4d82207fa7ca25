//! From the button to the last refund, on every public surface.

use serde_json::{Value, json};
use tests::{Answer, backend, browser};

use crate::world::{Shop, location, session_id};

fn eur(value: i64) -> Value {
    json!({"currency": "EUR", "value": value})
}

async fn modify(shop: &Shop, operation: &str, body: &Value) -> Answer {
    let path = format!("/orders/ORDER-1/{operation}");
    let key = format!("{operation}-{body}");
    let answer = shop.stack.post_with_key(&path, &backend(), &key, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_payment_from_the_button_to_the_last_refund() {
    let shop = Shop::with(&[("CAPTURE", "manual")]).await;
    let browser = browser("ORDER-1");

    // The shopper presses the button, picks a card, and confirms the order's amount.
    let session = shop.pick("ORDER-1", "-REFUND-FAIL-3DS-REDIRECT").await;
    let confirm = shop.confirm(&session, &browser, None).await;
    let page = confirm.body["amazonPayRedirectUrl"].as_str().unwrap();
    let back = location(&shop.visit(&format!("{page}?answer=pay")).await);
    let session = session_id(&back);

    // The page pays with the session; the bank wants to see the shopper.
    let payment = json!({
        "paymentMethod": {"type": "amazonpay", "amazonCheckoutSessionId": session},
        "returnUrl": "https://shop.example/return",
        "browserInfo": {
            "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
            "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0,
            "userAgent": "Mozilla/5.0"
        },
    });
    let first = shop.stack.post("/payments", &browser, &payment).await;
    assert_eq!(first.body["nextStep"], "handleAction", "{first:?}");
    let bank = first.body["action"]["url"].as_str().unwrap();
    let returned = location(&shop.visit(&format!("{bank}?result=approved")).await);
    let returned = url::Url::parse(&returned).unwrap();
    let (_, result) = returned.query_pairs().find(|(name, _)| name == "redirectResult").unwrap();
    let details = json!({"details": {"redirectResult": result}, "attempt": first.body["attempt"]});
    let paid = shop.stack.post("/payments/details", &browser, &details).await;
    assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");

    // The webhook confirms it: ship, and capture.
    let order = shop.stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    assert_eq!(order["status"], "authorised");
    assert_eq!(order["capturableAmount"], eur(1000));
    modify(&shop, "captures", &json!({})).await;
    let order = shop.stack.order_once("ORDER-1", |order| order["status"] == "captured").await;
    assert_eq!(order["capturedAmount"], eur(1000));

    // A part is refunded, and the refund fails at the shopper's bank.
    let refund = modify(&shop, "refunds", &json!({"amount": eur(400)})).await;
    shop.stack.order_once("ORDER-1", |order| order["status"] == "partiallyRefunded").await;
    let order = shop.stack.order_once("ORDER-1", |order| order["status"] == "captured").await;
    let codes = order["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["pspReference"] == refund.body["pspReference"]);
    let codes: Vec<_> = codes.map(|event| event["eventCode"].as_str().unwrap()).collect();
    assert_eq!(codes, ["REFUND", "REFUND_FAILED"]);
    assert_eq!(order["refundedAmount"], eur(0));
    assert_eq!(order["refundableAmount"], eur(1000));

    // Then the whole amount is refunded.
    modify(&shop, "refunds", &json!({})).await;
    let order = shop.stack.order_once("ORDER-1", |order| order["status"] == "refunded").await;
    assert_eq!(order["refundedAmount"], eur(1000));
    assert_eq!(order["needsAttention"], json!([]));

    let adyen = shop.stack.adyen().books();
    assert_eq!(adyen.authorisations("ORDER-1"), 1);
    assert_eq!(shop.books().completions(), 0);
    assert!(shop.books().calls.iter().all(|call| call.verified));
}
