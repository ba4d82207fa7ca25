//! Signed events of another environment or merchant account are kept for a deployment whose
//! configuration is corrected and which takes them over.

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local::bundle::Options;
use local::keys;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::order::sha256;
use tests::faulty_dynamodb::{self, server_error};
use tests::{Answer, Stack};

use crate::world::{
    World, accepted, item, modification, signed, standard, token_notification, with,
};

const TAKE_OVER: &str = "/2015-03-31/functions/recover/invocations";

/// A bundle on the same tables with one corrected variable.
async fn mended(world: &World, name: &str, value: &str) -> Stack {
    let variables =
        [faulty_dynamodb::variable(&world.dynamodb), (name.to_owned(), value.to_owned())];
    Stack::with(Options { variables: variables.into(), ..Options::default() }).await
}

fn live(items: &[Value]) -> String {
    let mut delivery = standard(items);
    delivery["live"] = json!("true");
    delivery.to_string()
}

#[tokio::test]
async fn foreign_events_are_stored_and_not_applied() {
    let world = World::new().await;
    let payment = world.paid("ours", "AMZN").await;
    let before = world.order("ours").await;
    let event = with(
        item("AUTHORISATION", &payment, "ours"),
        json!({"additionalData": {"cardSummary": "1111"}}),
    );
    let theirs =
        |account: Value| signed(&with(event.clone(), json!({"merchantAccountCode": account})));
    let account = keys::MERCHANT_ACCOUNT;
    for (body, owner) in [
        (standard(&[theirs(json!("SOMEBODY_ELSE"))]).to_string(), "test#SOMEBODY_ELSE".to_owned()),
        (
            standard(&[theirs(json!(account.to_lowercase()))]).to_string(),
            format!("test#{}", account.to_lowercase()),
        ),
        (standard(&[theirs(json!(null))]).to_string(), "test#".to_owned()),
        (live(&[signed(&event)]), format!("live#{account}")),
        (live(&[theirs(json!("SOMEBODY_ELSE"))]), "live#SOMEBODY_ELSE".to_owned()),
    ] {
        for _ in 0..2 {
            accepted(&world.deliver(body.clone()).await);
        }
        let key = format!("foreign#{owner}#{payment}#AUTHORISATION#true");
        let kept = world.item(&key).await.unwrap_or_else(|| panic!("no {key}"));
        assert_eq!(kept["body"].as_s().unwrap(), &body);
        let expires_at: i64 = kept["expiresAt"].as_n().unwrap().parse().unwrap();
        let kept_for = SignedDuration::from_secs(expires_at - Timestamp::now().as_second());
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        assert!(days(89) < kept_for && kept_for <= days(90), "{kept_for}");
    }
    assert_eq!(world.keys("foreign#").await.len(), 5);
    assert_eq!(world.order("ours").await, before);

    // Every form in which Adyen may send `live`.
    for live in [json!(false), json!("False"), json!("false")] {
        let mut ours = standard(&[signed(&event)]);
        ours["live"] = live;
        accepted(&world.deliver(ours.to_string()).await);
        assert_eq!(world.order("ours").await.events.len(), 1);
    }
    assert_eq!(world.keys("foreign#").await.len(), 5);
}

#[tokio::test]
async fn foreign_token_events_are_stored_and_not_applied() {
    let world = World::new().await;
    let created = |id: &str| token_notification("created", "QBQQ9DLNRHHKGK38", "shopper-1", id);
    let mut theirs = created("TOKEN");
    theirs["data"]["merchantAccount"] = json!("SOMEBODY_ELSE");
    let account = keys::MERCHANT_ACCOUNT;
    let name = "recurring.token.created#QBQQ9DLNRHHKGK38";
    for (notification, key) in [
        (theirs, format!("foreign#test#SOMEBODY_ELSE#{name}")),
        (
            with(created("TOKEN"), json!({"environment": "live"})),
            format!("foreign#live#{account}#{name}"),
        ),
        (
            with(created("TOKEN"), json!({"environment": null})),
            format!("foreign##{account}#{name}"),
        ),
    ] {
        world.deliver_token(&notification).await;
        let kept = world.item(&key).await.unwrap_or_else(|| panic!("no {key}"));
        assert_eq!(kept["body"].as_s().unwrap(), &notification.to_string());
        assert!(kept["signature"].is_s() && kept.contains_key("expiresAt"));
    }
    // One payment may create several tokens.
    world.deliver_token(&with(created("ANOTHER"), json!({"environment": "LIVE"}))).await;
    assert_eq!(world.keys(&format!("foreign#live#{account}#{name}")).await.len(), 2);
    assert_eq!(world.count("tokens").await, 0);
}

#[tokio::test]
async fn corrected_deployment_takes_over_its_own_foreign_events() {
    let world = World::new().await;
    // Live URLs with the default environment.
    let paid = world.paid("paid", "A-PENDING").await;
    let token = with(
        token_notification("created", &paid, "shopper-1", "TOKEN"),
        json!({"environment": "live"}),
    );
    world.deliver_token(&token).await;
    let events = [
        item("AUTHORISATION", &paid, "paid"),
        modification("REFUND", "REFUND0000000001", &paid, "foreign name"),
        // The first event is of an order that does not know its payment yet; the second can never
        // be applied.
        item("AUTHORISATION", "NEW0000000000001", "new"),
        item("CAPTURE", "A:B", "paid"),
    ];
    for event in &events {
        accepted(&world.deliver(live(&[signed(event)])).await);
    }
    let theirs = with(events[0].clone(), json!({"merchantAccountCode": "SOMEBODY_ELSE"}));
    accepted(&world.deliver(live(&[signed(&theirs)])).await);
    assert_eq!(world.keys("foreign#").await.len(), 6);
    // Without a correction nothing is taken over.
    assert_eq!(world.stack.bundle.take_over().await.unwrap().taken_over, 0);
    assert_eq!(world.status("paid").await, "pending");

    let stack = mended(&world, "ADYEN_ENVIRONMENT", "live").await;
    let report = stack.bundle.take_over().await.unwrap();
    assert_eq!((report.taken_over, report.failed, report.stopped), (5, 0, false), "{report:?}");
    assert_eq!(world.status("paid").await, "refunded");
    assert_eq!(world.order("paid").await.events.len(), 2);
    let token = world.token("shopper-1", "TOKEN").await.unwrap();
    assert_eq!(token.reference().unwrap().as_str(), "paid");
    assert!(world.item("psp#NEW0000000000001").await.unwrap().contains_key("parked"));
    assert!(world.item("dead#A:B#CAPTURE#true").await.is_some());
    // The event of another account stays.
    let key = format!("foreign#live#SOMEBODY_ELSE#{paid}#AUTHORISATION#true");
    assert_eq!(world.keys("foreign#").await, [key]);

    let before = world.order("paid").await;
    assert_eq!(stack.bundle.take_over().await.unwrap().taken_over, 0);
    assert_eq!(world.order("paid").await, before);
}

#[tokio::test]
async fn account_name_with_a_common_prefix_is_foreign() {
    let world = World::new().await;
    for account in ["SHOP", "SHOP#1", "SHOP2"] {
        let notification = item("AUTHORISATION", "KHQC5N7G84BLNK43", "order");
        world.deliver_item(&with(notification, json!({"merchantAccountCode": account}))).await;
    }
    let stack = mended(&world, "ADYEN_MERCHANT_ACCOUNT", "SHOP").await;
    assert_eq!(stack.bundle.take_over().await.unwrap().taken_over, 1);
    assert_eq!(world.keys("foreign#").await.len(), 2);
}

#[tokio::test]
async fn takeover_of_many_pages_loses_no_event_while_dynamodb_fails() {
    let world = World::new().await;
    let payment = world.paid("many", "AMZN").await;
    // All events are in one shard of the index, so that it has several pages.
    let in_one_shard = |number: &usize| {
        let key = format!("foreign#live#{}#REFUND{number:010}#REFUND#true", keys::MERCHANT_ACCOUNT);
        sha256(&[key.as_bytes()]).starts_with('0')
    };
    let numbers = (0..).filter(in_one_shard).take(60);
    let deliveries = numbers.map(|number| {
        let refund = modification("REFUND", &format!("REFUND{number:010}"), &payment, "many");
        let refund = with(refund, json!({"amount": {"currency": "EUR", "value": 1}}));
        world.deliver(live(&[signed(&refund)]))
    });
    let deliveries = stream::iter(deliveries).buffer_unordered(8);
    deliveries.for_each(async |answer| accepted(&answer)).await;
    assert_eq!(world.keys("foreign#").await.len(), 60);

    let stack = mended(&world, "ADYEN_ENVIRONMENT", "live").await;
    let mut number = 0;
    world.dynamodb.begin(move |call| {
        number += 1;
        // More faults than the SDK's own retries can hide.
        (call.name != "Query" && number % 40 < 6).then(server_error)
    });
    let first = stack.bundle.take_over().await.unwrap();
    assert!(first.failed > 0 && first.taken_over > 0, "{first:?}");
    world.dynamodb.calm();
    let order = world.order("many").await;
    assert_eq!(world.keys("foreign#").await.len(), first.failed);
    assert!(order.events.len() + first.failed >= 60, "{first:?}");

    let second = stack.bundle.take_over().await.unwrap();
    assert_eq!((second.taken_over, second.failed), (first.failed, 0));
    assert!(world.keys("foreign#").await.is_empty());
    assert_eq!(world.stack.order("many").await["refundedAmount"]["value"], 60);
}

#[tokio::test]
async fn takeover_is_started_by_an_invocation() {
    let world = World::new().await;
    let payment = world.paid("invoked", "A-PENDING").await;
    let notification = item("AUTHORISATION", &payment, "invoked");
    world.deliver_item(&with(notification, json!({"merchantAccountCode": "MENDED"}))).await;
    let stack = mended(&world, "ADYEN_MERCHANT_ACCOUNT", "MENDED").await;
    let invoke = async |payload: &'static str| {
        Answer::of(stack.request(Method::POST, TAKE_OVER).body(payload)).await
    };
    // An unknown value fails, and an event without `takeOver` runs the schedule.
    for wrong in [r#"{"takeOver":"all"}"#, r#"{"takeOver":true}"#] {
        let answer = invoke(wrong).await;
        assert!(answer.headers.contains_key("x-amz-function-error"), "{answer:?}");
    }
    for schedule in ["{}", "", "null", r#"{"source":"aws.scheduler"}"#] {
        assert_eq!(invoke(schedule).await.body["open"], 0);
    }
    assert_eq!(world.status("invoked").await, "pending");
    let answer = invoke(r#"{"takeOver":"foreign"}"#).await;
    assert_eq!(answer.body, json!({"takenOver": 1, "failed": 0, "stopped": false}));
    assert_eq!(world.status("invoked").await, "authorised");
}
