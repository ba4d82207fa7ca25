//! Dates of events: readable, unreadable and implausible ones.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::backend;

use crate::world::{World, item, modification, token_notification, with};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The date of an event of the order, as the merchant sees it.
async fn date_of(world: &World, reference: &str, psp_reference: &str) -> Timestamp {
    let order = world.stack.order(reference).await;
    let events = order["events"].as_array().unwrap();
    let event = events.iter().find(|event| event["pspReference"] == psp_reference).unwrap();
    event["eventDate"].as_str().unwrap().parse().unwrap()
}

/// When the shopper's stored payment method was created, as the merchant sees it.
async fn created_at(world: &World, shopper: &str) -> Timestamp {
    let path = format!("/shoppers/{shopper}/storedPaymentMethods");
    let listed = world.stack.get(&path, &backend()).await;
    let token = &listed.body["storedPaymentMethods"][0];
    token["createdAt"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_date_is_read_however_its_offset_is_written() {
    let world = World::new().await;
    let payment = world.paid("dates", "AMZN").await;
    for (number, (written, read)) in [
        ("2026-11-25T10:14:08+01:00", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08-01:00", "2026-11-25T11:14:08Z"),
        ("2026-11-25T10:14:08Z", "2026-11-25T10:14:08Z"),
        // A date without an offset is in UTC.
        ("2026-11-25T10:14:08", "2026-11-25T10:14:08Z"),
        ("2026-11-25 13:00:00", "2026-11-25T13:00:00Z"),
        ("2026-11-25 13:00:00+01:00", "2026-11-25T12:00:00Z"),
        // Form decoding turns + into a blank.
        ("2026-11-25T10:14:08 01:00", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08.123 01:00", "2026-11-25T09:14:08.123Z"),
        ("2026-11-25 10:14:08 01:00", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08 0100", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08 01", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08 -01:00", "2026-11-25T11:14:08Z"),
        ("2026-11-25T10:14:08 +01:00", "2026-11-25T09:14:08Z"),
        ("2026-11-25T10:14:08 Z", "2026-11-25T10:14:08Z"),
        // Offsets without minutes or without a colon.
        ("2026-11-25T10:14:08+02", "2026-11-25T08:14:08Z"),
        ("2026-11-25T10:14:08-02", "2026-11-25T12:14:08Z"),
        ("2026-11-25T10:14:08+0200", "2026-11-25T08:14:08Z"),
        ("2026-11-25t10:14:08z", "2026-11-25T10:14:08Z"),
        ("2026-11-25T10:14:08.5+01:00", "2026-11-25T09:14:08.5Z"),
        ("2026-11-25T10:14:08,5+01:00", "2026-11-25T09:14:08.5Z"),
        ("2026-11-25T10:14:08.123456789Z", "2026-11-25T10:14:08.123456789Z"),
        (" 2026-11-25T10:14:08+01:00\n", "2026-11-25T09:14:08Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, "dates");
        world.deliver_item(&with(refund, json!({"eventDate": written}))).await;
        let read: Timestamp = read.parse().unwrap();
        assert_eq!(date_of(&world, "dates", &psp_reference).await, read, "{written:?}");

        let shopper = format!("shopper-{number}");
        let notification =
            token_notification("created", &psp_reference, &shopper, "M5N7TQ4TG5PFWR50");
        world.deliver_token(&with(notification, json!({"createdAt": written}))).await;
        assert_eq!(created_at(&world, &shopper).await, read, "{written:?}");
    }
}

fn unreadable() -> [Value; 8] {
    [
        json!("yesterday"),
        json!("25.11.2026 10:14"),
        json!("2026-13-25T10:14:08Z"),
        json!("2026-11-25T10:14:08+99:00"),
        json!(""),
        json!(" "),
        json!(1_700_000_000),
        Value::Null,
    ]
}

#[tokio::test]
async fn unreadable_date_is_the_date_of_the_first_receipt() {
    let world = World::new().await;
    let payment = world.paid("undated", "AMZN").await;
    for (number, written) in unreadable().into_iter().enumerate() {
        let psp_reference = format!("REFUND{number:010}");
        let refund = modification("REFUND", &psp_reference, &payment, "undated");
        let refund = with(refund, json!({"eventDate": written}));
        let before = Timestamp::now();
        world.deliver_item(&refund).await;
        let date = date_of(&world, "undated", &psp_reference).await;
        assert!(before <= date && date <= Timestamp::now(), "{written}: {date}");

        // A repeated delivery is the same event.
        let order = world.order("undated").await;
        world.deliver_item(&refund).await;
        assert_eq!(world.order("undated").await, order, "{written}");

        let shopper = format!("shopper-{number}");
        let notification =
            token_notification("created", &psp_reference, &shopper, "M5N7TQ4TG5PFWR50");
        let notification = with(notification, json!({"createdAt": written}));
        let before = Timestamp::now();
        world.deliver_token(&notification).await;
        let date = created_at(&world, &shopper).await;
        assert!(before <= date && date <= Timestamp::now(), "{written}: {date}");
        let token = world.token(&shopper, "M5N7TQ4TG5PFWR50").await;
        world.deliver_token(&notification).await;
        assert_eq!(world.token(&shopper, "M5N7TQ4TG5PFWR50").await, token, "{written}");
    }
}

#[tokio::test]
async fn success_with_an_unreadable_date_outranks_an_older_refused_authorisation() {
    let world = World::new().await;
    for (number, written) in
        unreadable().into_iter().chain([json!("2026-11-24T10:14:08 01:00")]).enumerate()
    {
        let reference = format!("order-{number}");
        let payment = world.paid(&reference, "A-PENDING").await;
        let refused = item("AUTHORISATION", &payment, &reference);
        world.deliver_item(&with(refused, json!({"success": "false"}))).await;
        assert_eq!(world.status(&reference).await, "refused");
        let authorised = item("AUTHORISATION", &payment, &reference);
        world.deliver_item(&with(authorised, json!({"eventDate": written}))).await;
        assert_eq!(world.status(&reference).await, "authorised", "{written}");
    }
}

#[tokio::test]
async fn a_date_far_ahead_counts_as_a_day_after_the_first_receipt() {
    let world = World::new().await;
    let payment = world.paid("ahead", "A-PENDING").await;
    let refused = item("AUTHORISATION", &payment, "ahead");
    let refused = with(refused, json!({"success": "false", "eventDate": "9999-12-30T22:00:00Z"}));
    let before = Timestamp::now();
    world.deliver_item(&refused).await;
    let date = date_of(&world, "ahead", &payment).await;
    assert!(before + DAY <= date && date <= Timestamp::now() + DAY, "{date}");
    assert_eq!(world.status("ahead").await, "refused");

    // A report that arrives later outranks one that is dated far ahead.
    let authorised = item("AUTHORISATION", &payment, "ahead");
    let soon = (Timestamp::now() + 2 * DAY).to_string();
    world.deliver_item(&with(authorised, json!({"eventDate": soon}))).await;
    assert_eq!(world.status("ahead").await, "authorised");

    let order = world.order("ahead").await;
    world.deliver_item(&refused).await;
    assert_eq!(world.order("ahead").await, order);
}

#[tokio::test]
async fn date_slightly_ahead_is_accepted() {
    let world = World::new().await;
    let payment = world.paid("fast", "AMZN").await;
    let soon = Timestamp::from_second((Timestamp::now() + DAY / 2).as_second()).unwrap();
    let authorised = item("AUTHORISATION", &payment, "fast");
    world.deliver_item(&with(authorised, json!({"eventDate": soon.to_string()}))).await;
    assert_eq!(date_of(&world, "fast", &payment).await, soon);
}

#[tokio::test]
async fn a_token_dated_far_ahead_counts_as_created_a_day_after_its_receipt() {
    let world = World::new().await;
    let notification =
        token_notification("created", "QBQQ9DLNRHHKGK38", "shopper-1", "M5N7TQ4TG5PFWR50");
    let notification = with(notification, json!({"createdAt": "9999-12-30T22:00:00Z"}));
    let before = Timestamp::now();
    world.deliver_token(&notification).await;
    let date = created_at(&world, "shopper-1").await;
    assert!(before + DAY <= date && date <= Timestamp::now() + DAY, "{date}");
    let token = world.token("shopper-1", "M5N7TQ4TG5PFWR50").await;
    world.deliver_token(&notification).await;
    assert_eq!(world.token("shopper-1", "M5N7TQ4TG5PFWR50").await, token);
}

#[tokio::test]
async fn a_merchant_sees_events_by_date_then_by_receipt_with_when_each_came() {
    let world = World::new().await;
    let payment = world.paid("sorted", "AMZN").await;
    let refund = |name: &str, date: &str| {
        let refund = modification("REFUND", name, &payment, "sorted");
        let amount = json!({"currency": "EUR", "value": 10});
        with(refund, json!({"amount": amount, "eventDate": date}))
    };
    let begun = Timestamp::now();
    // Sorting them by code or by reference would give another sequence.
    for notification in [
        refund("REFUND0000000005", "2026-11-24T12:00:00+01:00"),
        refund("REFUND0000000004", "2026-11-24T11:00:00Z"),
        refund("REFUND0000000009", "2026-11-24T09:00:00Z"),
        with(
            item("AUTHORISATION", &payment, "sorted"),
            json!({"eventDate": "2026-11-24T10:30:00Z"}),
        ),
        refund("REFUND0000000001", "2026-11-24T11:00:00Z"),
        refund("REFUND0000000008", "no date"),
    ] {
        world.deliver_item(&notification).await;
    }
    let order = world.stack.order("sorted").await;
    let events = order["events"].as_array().unwrap();
    let names: Vec<&str> =
        events.iter().map(|event| event["pspReference"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "REFUND0000000009",
            &payment,
            "REFUND0000000005",
            "REFUND0000000004",
            "REFUND0000000001",
            "REFUND0000000008",
        ]
    );
    for event in events {
        let received_at: Timestamp = event["receivedAt"].as_str().unwrap().parse().unwrap();
        assert!(begun < received_at && received_at < Timestamp::now(), "{event}");
    }
    // A repeated delivery keeps the time of its first receipt.
    world.deliver_item(&refund("REFUND0000000005", "2026-11-24T12:00:00+01:00")).await;
    assert_eq!(world.stack.order("sorted").await["events"], order["events"]);
    world.deliver_item(&refund("REFUND0000000005", "2026-11-25T12:00:00+01:00")).await;
    let later = world.stack.order("sorted").await;
    assert_eq!(later["events"][4]["pspReference"], "REFUND0000000005");
    assert_eq!(later["events"][4]["receivedAt"], order["events"][2]["receivedAt"]);
}

#[tokio::test]
async fn parked_event_keeps_its_first_receipt() {
    let world = World::new().await;
    let first = std::sync::Mutex::new(Timestamp::MAX);
    world
        .while_paying("waited", async |payment| {
            let refund = modification("REFUND", "REFUND0000000001", &payment, "waited");
            world.deliver_item(&refund).await;
            *first.lock().unwrap() = Timestamp::now();
            world.deliver_item(&refund).await;
        })
        .await;
    let order = world.order("waited").await;
    assert!(order.events[0].received_at <= *first.lock().unwrap());
}
