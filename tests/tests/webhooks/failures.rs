//! While DynamoDB fails, only stored events are acknowledged, and repeated deliveries neither lose
//! nor double one.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use lambda_http::{Body, Context, RequestExt, http};
use local::keys;
use serde_json::{Value, json};
use shared::adyen::payments::PaymentRequest;
use shared::domain::order::{AdyenEvent, Capture, PayDecision, PaymentInstrument, Target};
use shared::store::{Start, StoreError};
use simulator_http::Fault;
use tests::faulty_dynamodb::{server_error, server_error_afterwards, throttled};

use crate::world::{
    World, accepted, item, modification, signed, standard, token_notification, with,
};

/// The faults of DynamoDB during an outage.
fn outages() -> [Fault; 5] {
    [throttled(), server_error(), server_error_afterwards(), Fault::DropBefore, Fault::DropAfter]
}

#[tokio::test]
async fn delivery_whose_time_is_over_is_an_error_and_stored_by_its_repetition() {
    let world = World::new().await;
    let payment = world.paid("order", "AMZN").await;
    let delivery = standard(&[signed(&item("AUTHORISATION", &payment, "order"))]).to_string();
    let variables = [
        ("ADYEN_HMAC_KEYS", keys::STANDARD_HMAC_KEY),
        ("ADYEN_MERCHANT_ACCOUNT", keys::MERCHANT_ACCOUNT),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", world.stack.bundle.dynamodb_url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let state = webhooks::State::start(&variables.into_iter().collect()).await.unwrap();
    let request = http::Request::post("/").body(Body::Text(delivery.clone())).unwrap();
    let mut context = Context::default();
    // Less than a second is left, which the function needs for its last lines.
    context.deadline = Timestamp::now().as_millisecond() as u64 + 900;

    let late = Box::pin(webhooks::handle(&state, request.with_lambda_context(context))).await;

    assert_eq!(late.status(), 503);
    assert!(world.order("order").await.events.is_empty());
    accepted(&world.deliver(delivery).await);
    assert_eq!(world.order("order").await.events.len(), 1);
}

#[tokio::test]
async fn webhook_during_an_outage_returns_5xx_and_its_retry_is_stored_once() {
    let world = World::new().await;
    for (number, outage) in outages().into_iter().enumerate() {
        let reference = format!("outage-{number}");
        let payment = world.paid(&reference, "AMZN").await;
        let items = [
            signed(&item("AUTHORISATION", &payment, &reference)),
            signed(&modification("REFUND", "REFUND0000000001", &payment, "foreign")),
        ];
        let delivery = standard(&items).to_string();
        world.dynamodb.begin({
            let outage = outage.clone();
            move |_| Some(outage.clone())
        });
        let answer = world.deliver(delivery.clone()).await;
        assert_eq!((answer.status, answer.code()), (503, "storage_unavailable"), "{outage:?}");
        world.dynamodb.calm();
        accepted(&world.deliver(delivery.clone()).await);
        accepted(&world.deliver(delivery).await);
        let order = world.order(&reference).await;
        assert_eq!(order.events.len(), 2, "{outage:?}");
        assert_eq!(world.status(&reference).await, "refunded", "{outage:?}");
    }
}

#[tokio::test]
async fn webhook_retried_after_a_fault_at_any_call_makes_the_same_order() {
    let world = World::new().await;
    let mut run = 0;
    for fault in outages() {
        // The first event is parked; the AUTHORISATION makes the order claim it; the third finds
        // its order by the pointer.
        for index in 0.. {
            run += 1;
            let reference = format!("run-{run}");
            let payment = format!("UNHEARD{run:09}");
            world.begin(&reference, Capture::Automatic).await;
            let notifications = [
                modification("REFUND", "REFUND0000000001", &payment, "foreign-1"),
                item("AUTHORISATION", &payment, &reference),
                modification("CHARGEBACK", "CHARGEBACK000001", &payment, "foreign-2"),
            ];
            let fault = fault.clone();
            // Three faults in a row, because the SDK hides one or two with its own retries.
            world
                .dynamodb
                .begin(move |call| (index..index + 3).contains(&call.index).then(|| fault.clone()));
            for item in &notifications {
                let delivery = standard(&[signed(item)]).to_string();
                let mut submissions = 0;
                while world.deliver(delivery.clone()).await.status != 200 {
                    submissions += 1;
                    assert!(submissions < 5);
                }
            }
            let over = world.dynamodb.calls().len() <= index;
            let order = world.order(&reference).await;
            assert_eq!(order.events.len(), 3, "{reference}");
            assert_eq!(world.status(&reference).await, "chargedBack", "{reference}");
            if over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn token_event_retried_after_a_fault_at_any_call_makes_the_same_token() {
    let world = World::new().await;
    let payment = world.paid("token", "AMZN").await;
    let mut run = 0;
    for fault in outages() {
        for index in 0.. {
            run += 1;
            let id = format!("TOKEN{run:011}");
            let fault = fault.clone();
            world
                .dynamodb
                .begin(move |call| (index..index + 3).contains(&call.index).then(|| fault.clone()));
            for kind in ["created", "disabled"] {
                let notification = token_notification(kind, &payment, "shopper-1", &id).to_string();
                while world.deliver_signed(&notification).await.status != 200 {}
            }
            let over = world.dynamodb.calls().len() <= index;
            let token = world.token("shopper-1", &id).await.unwrap();
            assert_eq!(token.events.len(), 2);
            assert_eq!(token.reference().unwrap().as_str(), "token");
            if over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn concurrent_webhooks_are_all_stored() {
    let world = World::new().await;
    let payment = world.paid("busy", "AMZN").await;
    let deliveries = (0..40).map(async |number| {
        // Each refund is delivered twice.
        let psp_reference = format!("REFUND{:010}", number / 2);
        let refund = modification("REFUND", &psp_reference, &payment, "busy");
        let refund = with(refund, json!({"amount": {"currency": "EUR", "value": 10}}));
        let delivery = standard(&[signed(&refund)]).to_string();
        // A slow machine may need more than one delivery.
        while world.deliver(delivery.clone()).await.status >= 500 {}
    });
    futures_util::future::join_all(deliveries).await;
    let order = world.order("busy").await;
    let kept: HashSet<_> = order.events.iter().map(|event| &event.psp_reference).collect();
    assert_eq!((order.events.len(), kept.len()), (20, 20));
    assert_eq!(world.stack.order("busy").await["refundedAmount"]["value"], 200);
}

#[tokio::test]
async fn full_order_does_not_delay_other_webhooks() {
    let world = World::new().await;
    let payment = world.paid("full", "AMZN").await;
    let mut full = world.order("full").await;
    let failed = |number: usize| {
        serde_json::from_value(json!({
            "eventCode": "REFUND_FAILED",
            "pspReference": format!("FAILED{number:010}"),
            "success": true,
            "originalReference": payment,
            "amount": {"currency": "EUR", "value": 1},
            "reason": "ü".repeat(900),
            "receivedAt": Timestamp::UNIX_EPOCH,
        }))
    };
    full.events = (0..195).map(|number| failed(number).unwrap()).collect();
    world.store(&full).await;

    let before = world.order("full").await;
    let reason = json!({"reason": "\u{1F4B6}".repeat(500)});
    let mut stored = 0;
    for number in 1000..1200 {
        let refund =
            modification("REFUND_FAILED", &format!("FAILED{number:010}"), &payment, "full");
        world.deliver_item(&with(refund, reason.clone())).await;
        if world.order("full").await.events.len() == before.events.len() + stored {
            break;
        }
        stored += 1;
    }
    assert!((5..150).contains(&stored), "{stored}");
    // The event that found no room became a dead letter.
    let letter = format!("dead#FAILED{:010}#REFUND_FAILED#true", 1000 + stored);
    let letter = world.item(&letter).await.unwrap();
    assert_eq!(letter["named"].as_s().unwrap(), "full");
    assert!(!letter.contains_key("expiresAt"));
    assert_eq!(world.order("full").await.events.len(), before.events.len() + stored);
}

#[tokio::test]
async fn a_flood_with_a_wrong_key_costs_no_dynamodb_call() {
    let world = World::new().await;
    let payment = world.paid("flood", "AMZN").await;
    let before = world.order("flood").await;
    world.dynamodb.begin(|_| None);
    let wrong = keys::TOKEN_HMAC_KEY.replace("dead", "beef");
    let deliveries = (0..300).map(|number| {
        let refund = modification("REFUND", &format!("REFUND{number:010}"), &payment, "flood");
        let standard = standard(&[crate::world::signed_by(&refund, &wrong)]).to_string();
        let token = token_notification("created", &payment, "shopper", "TOKEN").to_string();
        let signature = crate::world::key(&wrong).sign(token.as_bytes());
        let token = world.post(token).header("hmacsignature", signature);
        async {
            let standard = world.deliver(standard).await;
            [standard, tests::Answer::of(token).await]
        }
    });
    for answers in futures_util::future::join_all(deliveries).await {
        for answer in answers {
            assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
        }
    }
    assert!(world.dynamodb.calls().is_empty());
    assert_eq!(world.order("flood").await, before);
    assert_eq!(world.count("tokens").await, 0);
}

/// Writes a payment's pointer with this many bytes beside its key.
async fn fill_pointer(world: &World, payment: &str, bytes: usize, parked: &str) {
    let put = world.stack.dynamodb().put_item().table_name("orders");
    put.item("reference", AttributeValue::S(format!("psp#{payment}")))
        .item("stuffing", AttributeValue::S("x".repeat(bytes)))
        .item("parked", AttributeValue::N(parked.to_owned()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn full_pointer_does_not_delay_other_webhooks() {
    let world = World::new().await;
    // The date is not signed, so a signed item can be sent with any date.
    fill_pointer(&world, "LONELY0000000001", 409_400, "1").await;
    let notification: Value = modification("REFUND", "REFUND0000000001", "LONELY0000000001", "x");
    world.deliver_item(&with(notification, json!({"reason": "r".repeat(500)}))).await;
    let pointer = world.item("psp#LONELY0000000001").await.unwrap();
    assert_eq!(pointer["parked"].as_n().unwrap(), "1");
    let letter = world.item("dead#REFUND0000000001#REFUND#true").await;
    assert!(letter.unwrap().contains_key("event"));
}

#[tokio::test]
async fn pointer_too_full_for_its_order_does_not_delay_other_webhooks() {
    let world = World::new().await;
    world.paid("order", "AMZN").await;
    // The pointer of the payment has no room for the order's reference.
    fill_pointer(&world, "FULL000000000001", 409_556, "0").await;
    let notification = item("AUTHORISATION", "FULL000000000001", "order");
    world.deliver_item(&notification).await;
    let letter = world.item("dead#FULL000000000001#AUTHORISATION#true").await;
    assert!(letter.unwrap().contains_key("event"));
}

#[tokio::test]
async fn unreadable_order_or_pointer_does_not_delay_other_webhooks() {
    let world = World::new().await;
    let odd = |key: &str, name: &str, value: AttributeValue| {
        let put = world.stack.dynamodb().put_item().table_name("orders");
        let put = put.item("reference", AttributeValue::S(key.to_owned()));
        put.item(name, value).send()
    };
    let nonsense = || AttributeValue::S("no such thing".to_owned());
    odd("broken", "amount", nonsense()).await.unwrap();
    odd("psp#BROKEN0000000001", "order", nonsense()).await.unwrap();
    for (event_code, psp_reference, payment, named) in [
        ("AUTHORISATION", "KHQC5N7G84BLNK43", None, "broken"),
        ("REFUND", "REFUND0000000001", Some("KHQC5N7G84BLNK43"), "broken"),
        ("REFUND", "REFUND0000000002", Some("BROKEN0000000001"), "any"),
    ] {
        let mut notification = item(event_code, psp_reference, named);
        if let Some(payment) = payment {
            notification["originalReference"] = json!(payment);
        }
        for _ in 0..2 {
            world.deliver_item(&notification).await;
        }
        let letter = format!("dead#{psp_reference}#{event_code}#true");
        let letter = world.item(&letter).await.unwrap();
        let event: AdyenEvent =
            serde_dynamo::from_attribute_value(letter["event"].clone()).unwrap();
        assert_eq!(event.key(), (&event_code.to_owned().into(), psp_reference, true));
        assert_eq!(letter["named"].as_s().unwrap(), named);
    }
    // A token whose payment has no usable pointer is stored without an order.
    let notification = token_notification("created", "BROKEN0000000001", "shopper-1", "TOKEN");
    world.deliver_token(&notification).await;
    let token = world.token("shopper-1", "TOKEN").await.unwrap();
    assert_eq!(token.reference(), None);
}

#[tokio::test]
async fn unreadable_token_does_not_delay_other_webhooks() {
    let world = World::new().await;
    world.spoil_a_token().await;

    // A charge that was refused because its token is revoked.
    let request = json!({
        "merchantAccount": keys::MERCHANT_ACCOUNT,
        "amount": {"currency": "EUR", "value": 1000},
        "reference": "charge",
        "paymentMethod": {"type": "amazonpay", "storedPaymentMethodId": "TOKEN"},
        "returnUrl": "https://your-company.example.com/",
        "shopperReference": "shopper-1",
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription",
    });
    let payment: PaymentRequest = serde_json::from_value(request.clone()).unwrap();
    world.begin("charge", Capture::Automatic).await;
    let sent = payment.submission(request.as_object().unwrap(), None, Timestamp::now());
    let target = Target {
        merchant_account: keys::MERCHANT_ACCOUNT.to_owned(),
        endpoint: "127.0.0.1".to_owned(),
    };
    let begun = world.orders.change(&payment.reference, Start::Read, |order| {
        let stored = PaymentInstrument::StoredPaymentMethod;
        let order = order.as_mut().unwrap();
        let begin = PayDecision::Begin { attempt: 1 };
        order.record_decision(begin, &target, stored, &sent, Timestamp::now());
        Ok::<_, StoreError>(())
    });
    begun.await.unwrap();
    let refused = json!({"success": "false", "reason": "Token Revoked"});
    world.deliver_item(&with(item("AUTHORISATION", "KHQC5N7G84BLNK43", "charge"), refused)).await;
    assert_eq!(world.status("charge").await, "refused");
}

#[tokio::test]
async fn unreadable_parked_event_does_not_keep_others_from_their_order() {
    let world = World::new().await;
    world
        .while_paying("parked", async |payment| {
            let refund = modification("REFUND", "REFUND0000000001", &payment, "foreign");
            world.deliver_item(&refund).await;
            let spoilt = world.stack.dynamodb().update_item().table_name("orders");
            let key = AttributeValue::S(format!("psp#{payment}"));
            let spoilt = spoilt
                .key("reference", key)
                .update_expression("SET #event = :nonsense")
                .expression_attribute_names("#event", "event:REFUND:OLD:true:x")
                .expression_attribute_values(":nonsense", AttributeValue::Bool(true));
            spoilt.send().await.unwrap();
        })
        .await;
    assert_eq!(world.order("parked").await.events.len(), 1);
    assert_eq!(world.status("parked").await, "refunded");
    let payment = world.psp_reference("parked");
    let pointer = world.item(&format!("psp#{payment}")).await.unwrap();
    assert!(pointer.contains_key("event:REFUND:OLD:true:x"));
}
