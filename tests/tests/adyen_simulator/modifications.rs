use local::keys;
use serde_json::{Value, json};

use crate::world::{Reply, World, payment, with};

async fn authorised(world: &World, manual: bool) -> String {
    let members = json!({"additionalData": {"manualCapture": manual.to_string()}});
    let reply = world.post("/payments", None, &with(payment("A"), &members)).await;
    reply.psp_reference().to_owned()
}

async fn modify(world: &World, psp: &str, kind: &str, value: Option<i64>) -> Reply {
    let mut body = json!({"merchantAccount": keys::MERCHANT_ACCOUNT});
    if let Some(value) = value {
        body["amount"] = json!({"currency": "EUR", "value": value});
    }
    let reply = world.post(&format!("/payments/{psp}/{kind}"), None, &body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.body["status"], "received");
    assert_eq!(reply.body["paymentPspReference"], psp);
    assert_ne!(reply.psp_reference(), psp);
    reply
}

/// eventCode, success and reason of the webhook about that modification.
async fn outcome(world: &World, reply: &Reply) -> (String, String, String) {
    world.recover().await;
    let received = world.inbox.received();
    let item = received
        .iter()
        .map(|received| received.item())
        .find(|item| item["pspReference"] == reply.body["pspReference"])
        .unwrap();
    let text = |name: &str| item[name].as_str().unwrap().to_owned();
    (text("eventCode"), text("success"), text("reason"))
}

fn yes(event: &str) -> (String, String, String) {
    (event.into(), "true".into(), String::new())
}

fn no(event: &str, reason: &str) -> (String, String, String) {
    (event.into(), "false".into(), reason.into())
}

#[tokio::test]
async fn manual_capture_can_be_refunded_up_to_the_captured_amount() {
    let world = World::new().await;
    let psp = authorised(&world, true).await;
    let reply = modify(&world, &psp, "refunds", Some(1)).await;
    let reason = "Transaction hasn't been captured, refund not possible";
    assert_eq!(outcome(&world, &reply).await, no("REFUND", reason));
    let reply = modify(&world, &psp, "captures", Some(900)).await;
    assert_eq!(reply.body["amount"], json!({"currency": "EUR", "value": 900}));
    assert_eq!(outcome(&world, &reply).await, yes("CAPTURE"));
    let reply = modify(&world, &psp, "captures", Some(100)).await;
    assert_eq!(outcome(&world, &reply).await, no("CAPTURE", "Insufficient balance on payment"));
    for (value, expected) in [
        (500, yes("REFUND")),
        (401, no("REFUND", "Insufficient balance on payment")),
        (400, yes("REFUND")),
    ] {
        let reply = modify(&world, &psp, "refunds", Some(value)).await;
        assert_eq!(outcome(&world, &reply).await, expected);
    }
    let money = world.adyen.books().payment(&psp).unwrap().money;
    assert_eq!((money.authorised, money.captured, money.refunded), (1000, 900, 900));
}

#[tokio::test]
async fn automatically_captured_payment_can_be_neither_captured_nor_cancelled() {
    let world = World::new().await;
    let psp = authorised(&world, false).await;
    let capture = modify(&world, &psp, "captures", Some(1000)).await;
    assert_eq!(outcome(&world, &capture).await.1, "false");
    let cancel = modify(&world, &psp, "cancels", None).await;
    assert_eq!(outcome(&world, &cancel).await.1, "false");
    let refund = modify(&world, &psp, "refunds", Some(1000)).await;
    assert_eq!(outcome(&world, &refund).await, yes("REFUND"));
}

#[tokio::test]
async fn second_cancel_fails() {
    let world = World::new().await;
    let psp = authorised(&world, true).await;
    let first = modify(&world, &psp, "cancels", None).await;
    assert_eq!(outcome(&world, &first).await, yes("CANCELLATION"));
    let again = modify(&world, &psp, "cancels", None).await;
    assert_eq!(outcome(&world, &again).await.1, "false");
    let capture = modify(&world, &psp, "captures", Some(1000)).await;
    assert_eq!(outcome(&world, &capture).await.1, "false");
    assert!(world.adyen.books().payment(&psp).unwrap().money.cancelled);
}

#[tokio::test]
async fn reversal_cancels_before_a_capture_and_refunds_after_it() {
    for (manual, action) in [(true, "cancel"), (false, "refund")] {
        let world = World::new().await;
        let psp = authorised(&world, manual).await;
        let reply = modify(&world, &psp, "reversals", None).await;
        assert_eq!(outcome(&world, &reply).await, yes("CANCEL_OR_REFUND"));
        let received = world.inbox.received();
        let last = received.last().unwrap().item();
        assert_eq!(last["additionalData"]["modification.action"], action);
        assert_eq!(last["originalReference"], psp);
        let again = modify(&world, &psp, "reversals", None).await;
        assert_eq!(outcome(&world, &again).await.1, "false");
    }
}

#[tokio::test]
async fn webhook_of_a_modification_has_the_modifications_own_reference() {
    let world = World::new().await;
    let psp = authorised(&world, false).await;
    let body = json!({
        "merchantAccount": keys::MERCHANT_ACCOUNT,
        "amount": {"currency": "EUR", "value": 10},
        "reference": "REFUND-1",
        "merchantRefundReason": "RETURN",
    });
    let reply = world.post(&format!("/payments/{psp}/refunds"), None, &body).await;
    assert_eq!(reply.body["reference"], "REFUND-1");
    world.recover().await;
    let received = world.inbox.received();
    let item = received
        .iter()
        .map(|received| received.item())
        .find(|item| item["eventCode"] == "REFUND")
        .unwrap();
    assert_eq!(item["merchantReference"], "REFUND-1");
    assert_eq!(item["originalReference"], psp);
    assert_eq!(item["amount"], json!({"currency": "EUR", "value": 10}));
}

#[tokio::test]
async fn modification_in_another_currency_is_received_and_fails() {
    let world = World::new().await;
    let psp = authorised(&world, false).await;
    let body = json!({
        "merchantAccount": keys::MERCHANT_ACCOUNT,
        "amount": {"currency": "USD", "value": 10},
    });
    let reply = world.post(&format!("/payments/{psp}/refunds"), None, &body).await;
    assert_eq!(outcome(&world, &reply).await.1, "false");
}

#[tokio::test]
async fn technical_cancel_finds_the_payment_by_its_reference() {
    let world = World::new().await;
    let psp = authorised(&world, true).await;
    let cancel = |reference: &str| -> Value {
        json!({"merchantAccount": keys::MERCHANT_ACCOUNT, "paymentReference": reference})
    };
    let reply = world.post("/cancels", None, &cancel("ORDER-1")).await;
    assert_eq!((reply.status, &reply.body["paymentReference"]), (201, &json!("ORDER-1")));
    assert_eq!(outcome(&world, &reply).await, yes("TECHNICAL_CANCEL"));
    assert!(world.adyen.books().payment(&psp).unwrap().money.cancelled);
    let reply = world.post("/cancels", None, &cancel("ORDER-2")).await;
    assert_eq!(outcome(&world, &reply).await, no("TECHNICAL_CANCEL", "Transaction not found"));
}

#[tokio::test]
async fn modification_without_payment_amount_or_account_is_rejected() {
    let world = World::new().await;
    let psp = authorised(&world, false).await;
    let account = json!({"merchantAccount": keys::MERCHANT_ACCOUNT});
    let amount = json!({"currency": "EUR", "value": 10});
    for (path, body, status, code) in [
        (format!("/payments/{psp}/refunds"), account.clone(), 422, "100"),
        (format!("/payments/{psp}/refunds"), json!({"amount": amount}), 403, "901"),
        (
            format!("/payments/{psp}/cancels"),
            with(account.clone(), json!({"amount": amount})),
            422,
            "702",
        ),
        ("/payments/NOSUCH/cancels".into(), account.clone(), 422, "167"),
        (
            format!("/payments/{psp}/refunds"),
            with(account, json!({"amount": amount, "merchantRefundReason": "WHIM"})),
            422,
            "702",
        ),
    ] {
        let reply = world.post(&path, None, &body).await;
        assert!(reply.is_error(status, code), "{path} {reply:?}");
    }
}

#[tokio::test]
async fn refund_with_the_same_key_is_made_once() {
    let world = World::new().await;
    let psp = authorised(&world, false).await;
    let body = json!({
        "merchantAccount": keys::MERCHANT_ACCOUNT,
        "amount": {"currency": "EUR", "value": 300},
    });
    let path = format!("/payments/{psp}/refunds");
    let first = world.post(&path, Some("r"), &body).await;
    let again = world.post(&path, Some("r"), &body).await;
    assert_eq!((first.status, first.body), (again.status, again.body));
    assert_eq!(world.adyen.books().payment(&psp).unwrap().money.refunded, 300);
}
