//! An event finds its order by its payment, or is parked.

use std::time::Duration;

use adyen_simulator::Fault;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::faulty::Call;
use tests::until;

use crate::world::{World, accepted, item, modification, signed, standard, with};

#[tokio::test]
async fn modification_event_with_its_own_reference_finds_its_order() {
    let world = World::new().await;
    let payment = world.paid("found", "AMZN").await;
    world.paid("other", "AMZN").await;
    let bystander = world.order("other").await;
    // Refunds made in the Customer Area. Their references are an unknown one, an invalid one, an
    // empty one, and another order's.
    for (number, named) in ["refund-1", "a:b/c d", "", "other"].iter().enumerate() {
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, named);
        world
            .deliver_item(&with(refund, json!({"amount": {"currency": "EUR", "value": 100}})))
            .await;
    }
    let order = world.stack.order("found").await;
    assert_eq!(order["refundedAmount"]["value"], 400);
    assert_eq!(order["status"], "partiallyRefunded");
    assert_eq!(world.order("other").await, bystander);
}

#[tokio::test]
async fn events_before_the_payment_answer_are_claimed_with_it() {
    let world = World::new().await;
    world
        .while_paying("early", async |payment| {
            // The event names an order that does not know the payment.
            let refund = modification("REFUND", "REFUND0000000001", &payment, "early");
            world.deliver_item(&refund).await;
            world.deliver_item(&refund).await;
            let foreign = modification("CHARGEBACK", "CHARGEBACK000001", &payment, "dispute");
            world.deliver_item(&foreign).await;
            assert!(world.order("early").await.events.is_empty());
        })
        .await;
    let order = world.order("early").await;
    assert_eq!(order.events.len(), 2);
    assert_eq!(world.status("early").await, "chargedBack");

    // The pointer of the payment leads to this order now.
    let payment = order.attempts[0].psp_reference.clone().unwrap();
    world
        .deliver_item(&modification("CHARGEBACK_REVERSED", "CHARGEBACK000001", &payment, "dispute"))
        .await;
    assert_eq!(world.status("early").await, "refunded");
}

#[tokio::test]
async fn event_that_is_parked_while_an_order_claims_its_payment_is_not_lost() {
    let world = World::new().await;
    let is_transaction = |call: &Call| call.name == "TransactWriteItems";
    let mut transactions = 0;
    // The first one finds the parked event, and the second one takes it over.
    world.dynamodb.begin(move |call| {
        transactions += usize::from(is_transaction(call));
        let is_second = is_transaction(call) && transactions == 2;
        is_second.then(|| Fault::ArriveLate(Duration::from_secs(1)))
    });
    let parked = |number: usize, payment: &str| {
        modification("REFUND", &format!("REFUND{number:010}"), payment, "foreign")
    };
    let paying = world.while_paying("claimed", async |payment| {
        world.deliver_item(&parked(1, &payment)).await;
    });
    let parking = async {
        let calls = || world.dynamodb.calls().into_iter().filter(is_transaction).count();
        until(|| calls() == 2).await;
        world.deliver_item(&parked(2, &world.psp_reference("claimed"))).await;
        assert!(world.order("claimed").await.events.is_empty(), "not claimed yet");
    };
    tokio::join!(paying, parking);
    assert_eq!(world.order("claimed").await.events.len(), 2);
    let pointer = world.item(&format!("psp#{}", world.psp_reference("claimed"))).await.unwrap();
    let mut attributes: Vec<_> = pointer.keys().collect();
    attributes.sort();
    assert_eq!(attributes, ["order", "reference"], "the order has the events");
}

#[tokio::test]
async fn an_authorisation_before_the_answer_brings_the_payment_to_its_order() {
    let world = World::new().await;
    world
        .while_paying("first", async |payment| {
            world.deliver_item(&modification("REFUND", "REFUND0000000001", &payment, "x")).await;
            world.deliver_item(&item("AUTHORISATION", &payment, "first")).await;
            // The order claims the parked event of its payment.
            assert_eq!(world.status("first").await, "refunded");
        })
        .await;
    let order = world.order("first").await;
    assert_eq!(order.events.len(), 2);
    assert_eq!(world.stack.order("first").await["confirmed"], true);
}

#[tokio::test]
async fn test_notifications_are_parked_and_change_no_order() {
    let world = World::new().await;
    world.paid("real", "AMZN").await;
    let before = world.order("real").await;
    // "Test a webhook" in the Customer Area sends four items for an event code.
    let items: Vec<_> = [("EUR", "true"), ("EUR", "false"), ("GBP", "true"), ("GBP", "false")]
        .into_iter()
        .map(|(currency, success)| {
            let test = item("AUTHORISATION", "test_AUTHORISATION_1", "testMerchantRef1");
            let amount = json!({"currency": currency, "value": 1000});
            signed(&with(test, json!({"success": success, "amount": amount})))
        })
        .collect();
    for _ in 0..2 {
        accepted(&world.deliver(standard(&items).to_string()).await);
    }
    assert_eq!(world.order("real").await, before);
    let answer = world.stack.get("/orders/testMerchantRef1", &tests::backend()).await;
    assert_eq!((answer.status, answer.code()), (404, "order_not_found"));

    let parked = world.item("psp#test_AUTHORISATION_1").await.unwrap();
    assert!(!parked.contains_key("order"));
    let expires_at: i64 = parked["expiresAt"].as_n().unwrap().parse().unwrap();
    let waits = SignedDuration::from_secs(expires_at - Timestamp::now().as_second());
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    assert!(days(89) < waits && waits <= days(90), "{waits}");
}

#[tokio::test]
async fn test_notification_that_names_an_order_does_not_change_it() {
    let world = World::new().await;
    // The Customer Area uses this reference for its tests.
    let payment = world.paid("testMerchantRef1", "A-PENDING").await;
    let before = world.order("testMerchantRef1").await;
    let test = "test_AUTHORISATION_1";
    for (event_code, psp_reference, original, parked) in [
        ("AUTHORISATION", test, None, test),
        ("AUTHORISATION", "TEST_CUSTOM_2", None, "TEST_CUSTOM_2"),
        ("OFFER_CLOSED", "Test_CLOSED_3", None, "Test_CLOSED_3"),
        ("REFUND", "REFUND0000000001", Some(test), test),
        ("REFUND", "test_REFUND_4", Some(&*payment), "test_REFUND_4"),
        ("AUTHORISATION", &payment, Some("TEST_5"), "TEST_5"),
    ] {
        for success in ["true", "false"] {
            let mut notification = item(event_code, psp_reference, "testMerchantRef1");
            notification["success"] = json!(success);
            if let Some(original) = original {
                notification["originalReference"] = json!(original);
            }
            world.deliver_item(&notification).await;
            let parked = world.item(&format!("psp#{parked}")).await.unwrap();
            assert!(parked.contains_key("parked"));
        }
    }
    assert_eq!(world.order("testMerchantRef1").await, before);
}

#[tokio::test]
async fn event_without_an_order_is_accepted_and_not_stored() {
    let world = World::new().await;
    let report = json!({
        "amount": {"currency": "EUR", "value": 0}, "paymentMethod": null,
        "reason": "https://ca-test.adyen.com/reports/download/settlement_detail_report.csv",
    });
    let report = |named| {
        let name = "settlement_detail_report_batch_7.csv";
        with(item("REPORT_AVAILABLE", name, named), report.clone())
    };
    let mut payout = item("PAYOUT_THIRDPARTY", "PAYOUT0000000001", "");
    payout.as_object_mut().unwrap().remove("merchantReference");
    let mut bare = report("");
    for field in ["amount", "merchantReference", "reason"] {
        bare.as_object_mut().unwrap().remove(field);
    }
    world.dynamodb.begin(|_| None);
    for notification in [report(""), report("testMerchantRef1"), payout, bare] {
        world.deliver_item(&notification).await;
    }
    assert!(world.dynamodb.calls().is_empty());
    assert_eq!(world.count("orders").await, 0);
}

#[tokio::test]
async fn webhook_without_an_environment_is_rejected_so_that_it_is_retried() {
    let world = World::new().await;
    let payment = world.paid("where", "AMZN").await;
    let mut delivery = standard(&[signed(&item("AUTHORISATION", &payment, "where"))]);
    world.dynamodb.begin(|_| None);
    for live in [json!("no"), json!(""), json!(0), json!(null), json!([])] {
        delivery["live"] = live;
        let answer = world.deliver(delivery.to_string()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_notification"));
    }
    delivery.as_object_mut().unwrap().remove("live");
    let answer = world.deliver(delivery.to_string()).await;
    assert_eq!((answer.status, answer.code()), (400, "invalid_notification"));
    // A wrong signature is answered with 401 only.
    let answer = world.deliver(delivery.to_string().replace("EUR", "USD")).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
    assert!(world.dynamodb.calls().is_empty());
}

#[tokio::test]
async fn live_deployment_applies_only_live_events() {
    let world = World::with([("ADYEN_ENVIRONMENT", "live")]).await;
    let payment = world.paid("live", "AMZN").await;
    let mut delivery = standard(&[signed(&item("AUTHORISATION", &payment, "live"))]);
    accepted(&world.deliver(delivery.to_string()).await);
    assert!(world.order("live").await.events.is_empty());
    delivery["live"] = json!("true");
    accepted(&world.deliver(delivery.to_string()).await);
    assert_eq!(world.order("live").await.events.len(), 1);
}
