//! Standard webhooks change an order once, as Adyen's page about the integration describes.

use local::keys;
use serde_json::{Value, json};
use shared::domain::order::AdyenEvent;

use crate::world::{World, accepted, item, key, modification, signed, standard, with};

#[tokio::test]
async fn documented_webhooks_end_an_order_as_documented() {
    let world = World::new().await;
    for (case, token, event_code, success, status, next_step, confirmed) in [
        ("paid", "AMZN", "AUTHORISATION", "true", "authorised", "success", true),
        ("late-fail", "AMZN", "AUTHORISATION", "false", "refused", "retryWithAmazonPay", false),
        ("refused", "A-REFUSED", "AUTHORISATION", "false", "refused", "retryWithAmazonPay", false),
        ("pending", "A-PENDING", "AUTHORISATION", "true", "authorised", "success", true),
        (
            "pending-fail",
            "A-PENDING",
            "AUTHORISATION",
            "false",
            "refused",
            "retryWithAmazonPay",
            false,
        ),
        ("abandoned", "A-PENDING", "OFFER_CLOSED", "true", "expired", "startOver", false),
    ] {
        let mut psp_reference = world.paid(case, token).await;
        if event_code == "OFFER_CLOSED" {
            // OFFER_CLOSED has a pspReference of its own.
            psp_reference = "OFFERCLOSED00001".into();
        }
        let now = jiff::Timestamp::now().to_string();
        let notification = with(
            item(event_code, &psp_reference, case),
            json!({"success": success, "eventDate": now}),
        );
        world.deliver_item(&notification).await;
        let order = world.stack.order(case).await;
        assert_eq!(order["status"], status, "{case}: {order}");
        assert_eq!(order["nextStep"], next_step, "{case}: {order}");
        assert_eq!(order["confirmed"], confirmed, "{case}: {order}");
    }
}

#[tokio::test]
async fn repeated_webhook_changes_nothing() {
    let world = World::new().await;
    let payment = world.paid("twice", "AMZN").await;
    let authorised = item("AUTHORISATION", &payment, "twice");
    world.deliver_item(&authorised).await;
    let before = world.order("twice").await;

    world.deliver_item(&authorised).await;
    // Adyen may repeat an event with another date and other fields that are not signed.
    let earlier =
        json!({"eventDate": "2026-11-23T09:59:59+01:00", "reason": "031422:1111:03/2030"});
    world.deliver_item(&with(authorised.clone(), earlier)).await;
    let many = vec![signed(&authorised); 3];
    accepted(&world.deliver(standard(&many).to_string()).await);
    assert_eq!(world.order("twice").await, before);

    // A later report of the event replaces the earlier one.
    let later = json!({"eventDate": "2026-11-23T10:00:01+01:00"});
    world.deliver_item(&with(authorised, later)).await;
    let after = world.order("twice").await;
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.events.len(), 1);
    assert!(after.events[0].event_date > before.events[0].event_date);
}

#[tokio::test]
async fn every_event_code_is_accepted_and_stored_once() {
    let world = World::new().await;
    let payment = world.paid("codes", "AMZN").await;
    let codes = [
        "AUTHORISATION",
        "AUTHORISATION_ADJUSTMENT",
        "CANCELLATION",
        "CANCEL_OR_REFUND",
        "CAPTURE",
        "CAPTURE_FAILED",
        "EXPIRE",
        "HANDLED_EXTERNALLY",
        "ORDER_OPENED",
        "ORDER_CLOSED",
        "PENDING",
        "PROCESS_RETRY",
        "REFUND",
        "REFUND_FAILED",
        "REFUNDED_REVERSED",
        "REFUND_WITH_DATA",
        "TECHNICAL_CANCEL",
        "VOID_PENDING_REFUND",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
        "NOTIFICATION_OF_CHARGEBACK",
        "NOTIFICATION_OF_FRAUD",
        "PREARBITRATION_LOST",
        "PREARBITRATION_WON",
        "REQUEST_FOR_INFORMATION",
        "SECOND_CHARGEBACK",
        "DISPUTE_DEFENSE_PERIOD_ENDED",
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
        "INFORMATION_SUPPLIED",
        "PAYOUT_EXPIRE",
        "PAYOUT_DECLINE",
        "PAYOUT_THIRDPARTY",
        "PAIDOUT_REVERSED",
        "AUTORESCUE",
        "AUTORESCUE_NEXT_ATTEMPT",
        "CANCEL_AUTORESCUE",
        "RECURRING_CONTRACT",
        "POSTPONED_REFUND",
        "MANUAL_REVIEW_ACCEPT",
        "MANUAL_REVIEW_REJECT",
        "OFFER_CLOSED",
        "DONATION",
        "INVENTED_IN_2031",
        "weird code/with ünicode",
    ];
    for (number, code) in codes.iter().enumerate() {
        let notification = match *code {
            "AUTHORISATION" => item(code, &payment, "codes"),
            _ => modification(code, &format!("EVENT{number:011}"), &payment, "codes"),
        };
        for _ in 0..2 {
            world.deliver_item(&notification).await;
        }
    }
    let order = world.order("codes").await;
    let mut kept: Vec<&str> = order.events.iter().map(|event| event.event_code.as_str()).collect();
    kept.sort_unstable();
    let mut sent = codes.to_vec();
    sent.sort_unstable();
    assert_eq!(kept, sent);
}

#[tokio::test]
async fn an_unknown_event_code_changes_no_status() {
    let world = World::new().await;
    let payment = world.paid("unknown", "AMZN").await;
    world.deliver_item(&item("AUTHORISATION", &payment, "unknown")).await;
    let before = world.stack.order("unknown").await;
    world
        .deliver_item(&modification("INVENTED_IN_2031", "EVENT00000000001", &payment, "unknown"))
        .await;
    let after = world.stack.order("unknown").await;
    assert_eq!(world.order("unknown").await.events.len(), 2);
    for field in ["status", "confirmed", "capturedAmount", "refundedAmount", "needsAttention"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn several_items_of_one_webhook_are_all_applied() {
    let world = World::new().await;
    let (first, second) = (world.paid("item-1", "AMZN").await, world.paid("item-2", "AMZN").await);
    let items = [
        signed(&item("AUTHORISATION", &first, "item-1")),
        signed(&item("AUTHORISATION", &second, "item-2")),
        signed(&modification("REFUND", "REFUND0000000001", &second, "item-2")),
    ];
    accepted(&world.deliver(standard(&items).to_string()).await);
    assert_eq!(world.status("item-1").await, "authorised");
    assert_eq!(world.status("item-2").await, "refunded");
}

#[tokio::test]
async fn badly_signed_item_rejects_the_whole_webhook() {
    let world = World::new().await;
    let payment = world.paid("mixed", "AMZN").await;
    let before = world.order("mixed").await;
    let good = signed(&item("AUTHORISATION", &payment, "mixed"));
    let mut bad = signed(&modification("REFUND", "REFUND0000000001", &payment, "mixed"));
    bad["amount"]["value"] = json!(1);
    for items in [[good.clone(), bad.clone()], [bad, good]] {
        world.dynamodb.begin(|_| None);
        let answer = world.deliver(standard(&items).to_string()).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"));
        assert!(world.dynamodb.calls().is_empty());
    }
    assert_eq!(world.order("mixed").await, before);
}

#[tokio::test]
async fn an_amount_may_be_a_number_a_numeric_text_or_absent() {
    let world = World::new().await;
    let payment = world.paid("amounts", "AMZN").await;
    world.deliver_item(&item("AUTHORISATION", &payment, "amounts")).await;
    let of = |number: u32, amount: Value| {
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, "amounts");
        with(refund, json!({"amount": amount}))
    };
    for (number, amount, refunded) in [
        (1, json!({"currency": "EUR", "value": 100}), 100),
        (2, json!({"currency": "EUR", "value": "250"}), 350),
        (3, Value::Null, 350),
        (4, json!({"currency": "EUR", "value": 0}), 350),
        (5, json!({"value": 70}), 350),
        (6, json!({"currency": "EUR"}), 350),
    ] {
        world.deliver_item(&of(number, amount)).await;
        let order = world.stack.order("amounts").await;
        assert_eq!(order["refundedAmount"]["value"], refunded, "{number}: {order}");
    }
    let order = world.order("amounts").await;
    let amounts: Vec<Option<i64>> = order
        .events
        .iter()
        .filter(|event| event.event_code.as_str() == "REFUND")
        .map(|event| event.amount.as_ref().map(|amount| amount.value))
        .collect();
    assert_eq!(amounts, [Some(100), Some(250), None, Some(0), None, None]);
}

#[tokio::test]
async fn unreadable_amount_does_not_stop_a_webhook() {
    let world = World::new().await;
    let payment = world.paid("odd", "AMZN").await;
    for (number, written, signed_as) in [
        (1, r#"{"currency": "EUR", "value": ""}"#, ":EUR"),
        (2, r#"{"currency": "EUR", "value": "1000 "}"#, "1000 :EUR"),
        (3, r#"{"currency": "EUR", "value": 1000.0}"#, "1000.0:EUR"),
        (4, r#"{"currency": "EUR", "value": 1e3}"#, "1e3:EUR"),
        (5, r#"{"currency": "EUR", "value": 123456789012345678901}"#, "123456789012345678901:EUR"),
        (
            6,
            r#"{"currency": "EUR", "value": "123456789012345678901"}"#,
            "123456789012345678901:EUR",
        ),
        (7, r#"{"currency": "EUR", "value": null}"#, ":EUR"),
        (8, r#""""#, ":"),
        (9, "null", ":"),
        (10, "[1000]", ":"),
        (11, r#"{"currency": null, "value": 1000}"#, "1000:"),
    ] {
        let psp_reference = format!("CHARGEBACK{number:06}");
        let mut notification = modification("CHARGEBACK", &psp_reference, &payment, "odd");
        let account = &notification["merchantAccountCode"];
        let account = account.as_str().unwrap();
        let content =
            format!("{psp_reference}:{payment}:{account}:odd:{signed_as}:CHARGEBACK:true");
        let signature = key(keys::STANDARD_HMAC_KEY).sign(content.as_bytes());
        notification["additionalData"]["hmacSignature"] = json!(signature);
        notification["amount"] = json!("the amount");
        let delivery = standard(&[notification]).to_string();
        accepted(&world.deliver(delivery.replace("\"the amount\"", written)).await);
        let order = world.order("odd").await;
        let known = |event: &&AdyenEvent| event.psp_reference == psp_reference;
        let event = order.events.iter().find(known).unwrap();
        assert_eq!(event.amount, None, "{written}");
    }
    assert_eq!(world.status("odd").await, "chargedBack");
}

#[tokio::test]
async fn offer_closed_without_a_date_ends_the_attempt_open_at_its_receipt() {
    let world = World::new().await;
    let cases = [("none", Value::Null), ("odd", json!("25.11.2026"))].map(|(reference, date)| {
        let closed = item("OFFER_CLOSED", "OFFERCLOSED00001", reference);
        (reference, with(closed, json!({"eventDate": date})))
    });
    for (reference, closed) in &cases {
        world.paid(reference, "A-PENDING").await;
        world.deliver_item(closed).await;
        assert_eq!(world.status(reference).await, "expired", "{reference}");
    }
    // A repeated webhook does not end a later attempt. Times are compared by the second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    for (reference, closed) in &cases {
        world.paid(reference, "ANOTHER-PENDING").await;
        let before = world.order(reference).await;
        world.deliver_item(closed).await;
        assert_eq!(world.order(reference).await, before);
        assert_eq!(world.status(reference).await, "pending", "{reference}");
    }
}

#[tokio::test]
async fn a_reason_may_be_absent_empty_null_or_the_text_null() {
    let world = World::new().await;
    let payment = world.paid("reasons", "AMZN").await;
    for (number, reason, kept) in [
        (1, json!(""), None),
        (2, json!("null"), None),
        (3, Value::Null, None),
        (4, json!({"not": "text"}), None),
        (5, json!("Insufficient balance on payment"), Some("Insufficient balance on payment")),
    ] {
        let psp_reference = format!("CAPTURE{number:09}");
        let capture = modification("CAPTURE", &psp_reference, &payment, "reasons");
        world.deliver_item(&with(capture, json!({"reason": reason, "success": "false"}))).await;
        let order = world.order("reasons").await;
        let event = order.events.iter().find(|event| event.psp_reference == psp_reference);
        assert_eq!(event.unwrap().reason.as_deref(), kept, "{reason}");
    }
    let mut absent = modification("CAPTURE", "CAPTURE000000006", &payment, "reasons");
    absent.as_object_mut().unwrap().remove("reason");
    world.deliver_item(&absent).await;
    assert_eq!(world.order("reasons").await.events.len(), 6);
}

#[tokio::test]
async fn unsigned_fields_may_have_any_type_and_size() {
    let world = World::new().await;
    let payment = world.paid("unsigned", "AMZN").await;
    let strange = json!({
        "eventDate": 1_700_000_000, "reason": "ü".repeat(100_000), "paymentMethod": ["a"],
        "operations": {"CANCEL": true}, "invented": {"in": [2031]},
        "additionalData": {"modification.action": 7, "expiryDate": null, "more": {"deep": [[]]}},
    });
    world.deliver_item(&with(item("AUTHORISATION", &payment, "unsigned"), strange)).await;
    let order = world.order("unsigned").await;
    assert_eq!(order.events[0].reason.as_ref().unwrap().len(), 128);
    assert_eq!(order.events[0].modification_action, None);
    assert_eq!(world.status("unsigned").await, "authorised");
}
