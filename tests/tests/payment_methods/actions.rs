//! Actions: the attempt waits for its shopper, whatever the result code is.

use adyen_simulator::webhook::Event;
use local::keys::MERCHANT_ACCOUNT;
use serde_json::{Value, json};
use tests::browser;

use crate::shop::{Shop, card};

const WITH_ACTION: [(&str, &str); 6] = [
    ("ideal", "redirect"),
    ("paypal", "sdk"),
    ("mbway", "await"),
    ("wechatpayQR", "qrCode"),
    ("multibanco", "voucher"),
    ("bankTransfer_IBAN", "bankTransfer"),
];

fn method(kind: &str) -> Value {
    json!({"type": kind, "telephoneNumber": "+351213822199"})
}

#[tokio::test]
async fn attempt_with_an_action_is_shown_and_can_be_superseded() {
    let shop = Shop::open().await;
    for (kind, action) in WITH_ACTION {
        let order = format!("ORDER-{kind}");
        let answer = shop.pay(&order, method(kind)).await;
        assert_eq!(answer.body["action"]["type"], action, "{answer:?}");
        assert_eq!(answer.body["nextStep"], "handleAction");
        assert_eq!(answer.body["status"], "pending");
        let other = shop.pay(&order, card("4111111111111111")).await;
        assert_eq!(other.body["attempt"], 2, "{other:?}");
        assert_eq!(other.body["nextStep"], "success");
    }
}

#[tokio::test]
async fn attempt_without_an_action_is_in_progress() {
    let shop = Shop::open().await;
    let iban = json!({"type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A"});
    let answer = shop.pay("ORDER-1", iban).await;
    assert_eq!(answer.body["nextStep"], "wait", "{answer:?}");
    let other = shop.pay("ORDER-1", card("4111111111111111")).await;
    assert_eq!((other.status, other.code()), (409, "payment_in_progress"));
}

#[tokio::test]
async fn voucher_that_is_paid_later_confirms_the_order() {
    let shop = Shop::open().await;
    let answer = shop.pay("ORDER-1", json!({"type": "multibanco"})).await;
    let payment = answer.body["pspReference"].as_str().unwrap();
    assert!(shop.stack.adyen().resolve_pending(payment, true).unwrap());
    let order = shop.stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    assert_eq!(order["status"], "authorised");
}

#[tokio::test]
async fn direct_debit_is_confirmed_later_and_charged_back_when_it_fails() {
    let shop = Shop::open().await;
    let iban = json!({"type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A"});
    let answer = shop.pay("ORDER-1", iban).await;
    let payment = answer.body["pspReference"].as_str().unwrap();
    assert!(shop.stack.adyen().resolve_pending(payment, true).unwrap());
    let order = shop.stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    assert_eq!(order["status"], "authorised");

    let psp = adyen_simulator::new_psp_reference();
    let mut event = Event::new("CHARGEBACK", MERCHANT_ACCOUNT, &psp, "ORDER-1");
    event.original_reference = Some(payment.to_owned());
    event.amount = Some(adyen_simulator::Amount { currency: "EUR".to_owned(), value: 1000 });
    shop.stack.adyen().notify(&event).unwrap();
    shop.stack.order_once("ORDER-1", |order| order["status"] == "chargedBack").await;
}

#[tokio::test]
async fn voucher_paid_beside_another_method_is_paid_twice() {
    let shop = Shop::open().await;
    let answer = shop.pay("ORDER-1", json!({"type": "multibanco"})).await;
    let voucher = answer.body["pspReference"].as_str().unwrap().to_owned();
    shop.pay("ORDER-1", card("4111111111111111")).await;
    assert!(shop.stack.adyen().resolve_pending(&voucher, true).unwrap());
    let twice = |order: &Value| order["needsAttention"].to_string().contains("paid_twice");
    shop.stack.order_once("ORDER-1", twice).await;
}

#[tokio::test]
async fn redirect_and_sdk_results_conclude_their_attempts() {
    let shop = Shop::open().await;
    let ideal = shop.pay("ORDER-1", json!({"type": "ideal"})).await;
    let result = adyen_simulator::redirect_result(&ideal.body["action"], "approved");
    let paypal = shop.pay("ORDER-2", json!({"type": "paypal"})).await;
    let data = &paypal.body["action"]["paymentData"];
    for (order, body) in [
        ("ORDER-1", json!({"details": {"redirectResult": result}})),
        (
            "ORDER-2",
            json!({
                "details": {
                    "orderID": "EC-1", "payerID": "P-1", "facilitatorAccessToken": "F",
                    "paymentSource": "paypal", "accelerated": false,
                },
                "paymentData": data,
            }),
        ),
    ] {
        let answer = shop.stack.post("/payments/details", &browser(order), &body).await;
        assert_eq!(answer.body["nextStep"], "success", "{answer:?}");
        shop.stack.order_once(order, |order| order["confirmed"] == true).await;
    }
}

#[tokio::test]
async fn every_member_of_the_details_is_passed_on() {
    let shop = Shop::open().await;
    let members = [
        "authorization_token",
        "billingToken",
        "cupsecureplus.smscode",
        "facilitatorAccessToken",
        "MD",
        "oneTimePasscode",
        "orderID",
        "PaReq",
        "PaRes",
        "payerID",
        "payload",
        "paymentID",
        "paymentStatus",
        "redirectResult",
        "resultCode",
        "returnUrlQueryString",
        "threeDSResult",
        "threeds2.challengeResult",
        "threeds2.fingerprint",
        "vaultToken",
    ];
    for (number, name) in members.into_iter().enumerate() {
        let order = format!("ORDER-{number}");
        shop.pay(&order, json!({"type": "ideal"})).await;
        let mut details = json!({});
        details[name] = json!("x");
        let body = json!({"details": details, "paymentData": "unknown"});
        let answer = shop.stack.post("/payments/details", &browser(&order), &body).await;
        assert_ne!(answer.body["code"], "unknown_field", "{name}: {answer:?}");
        let books = shop.stack.adyen().books();
        assert_eq!(books.calls.last().unwrap().body["details"], details, "{name}");
    }
}
