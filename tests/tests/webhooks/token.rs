//! Token events produce the same token in any sequence and number.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use shared::domain::token::TokenEventType;
use shared::domain::token::{Token, TokenEvent, TokenStatus};
use tests::browser_with;

use crate::world::{World, item, token_id, token_notification, with};

const SHOPPER: &str = "shopper-1";
const TOKEN: &str = "M5N7TQ4TG5PFWR50";

#[tokio::test]
async fn a_token_is_linked_to_the_order_that_created_it() {
    let world = World::new().await;
    let payment = world.paid("first", "AMZN").await;
    world.deliver_token(&token_notification("created", &payment, SHOPPER, TOKEN)).await;

    let token = world.token(SHOPPER, TOKEN).await.unwrap();
    assert_eq!(token.status(), TokenStatus::Active);
    assert_eq!(token.psp_reference(), Some(payment.as_str()));
    assert_eq!(token.reference().unwrap().as_str(), "first");

    // The item as other readers of the table see it.
    let read = world.stack.dynamodb().get_item().table_name("tokens");
    let read = read.key("shopperReference", AttributeValue::S(SHOPPER.to_owned()));
    let read = read.key("storedPaymentMethodId", AttributeValue::S(TOKEN.to_owned()));
    let item = read.send().await.unwrap().item.unwrap();
    for (name, text) in [
        ("status", "active"),
        ("paymentMethod", "visa_amazonpay"),
        ("pspReference", &payment),
        ("reference", "first"),
    ] {
        assert_eq!(item[name].as_s().unwrap(), text, "{name}");
    }
    let event = item["events"].as_l().unwrap()[0].as_m().unwrap();
    assert_eq!(event["type"].as_s().unwrap(), "recurring.token.created");
    assert_eq!(event["eventId"].as_s().unwrap(), &payment);
    assert_eq!(event["createdAt"].as_s().unwrap(), "2026-11-23T09:00:00Z");

    // Repeated events change nothing.
    world.deliver_token(&token_notification("created", &payment, SHOPPER, TOKEN)).await;
    assert_eq!(world.token(SHOPPER, TOKEN).await.unwrap(), token);
}

#[tokio::test]
async fn token_event_before_the_payment_answer_is_linked() {
    let world = World::new().await;
    world
        .while_paying("early", async |payment| {
            let notification = token_notification("created", &payment, SHOPPER, TOKEN);
            world.deliver_token(&notification).await;
            assert_eq!(world.listed().await.get("reference"), None);
        })
        .await;
    linked(&world, "early").await;
}

#[tokio::test]
async fn token_event_before_the_authorisation_is_linked() {
    let world = World::new().await;
    world
        .while_paying("first", async |payment| {
            let notification = token_notification("created", &payment, SHOPPER, TOKEN);
            world.deliver_token(&notification).await;
            world.deliver_item(&item("AUTHORISATION", &payment, "first")).await;
            linked(&world, "first").await;
        })
        .await;
    linked(&world, "first").await;
}

/// Asserts that the token is listed and stored with this order's reference.
async fn linked(world: &World, reference: &str) {
    assert_eq!(world.listed().await["reference"], reference);
    let token = world.token(SHOPPER, TOKEN).await.unwrap();
    assert_eq!(token.reference().unwrap().as_str(), reference);
    assert_eq!(token.events.len(), 1);
}

#[tokio::test]
async fn events_in_every_sequence_make_the_same_token() {
    let world = World::new().await;
    let payment = world.paid("sequence", "AMZN").await;
    let again = world.paid("again", "AMZN").await;
    let notifications = [
        ("created", payment.as_str(), "10:00:00", "visa_amazonpay"),
        ("updated", "UPDATE0000000001", "10:00:01", "mc_amazonpay"),
        ("alreadyExisting", &again, "10:00:02", "amex_amazonpay"),
        ("disabled", "DISABLE000000001", "10:00:03", "amex_amazonpay"),
    ];
    let permutations: Vec<Vec<usize>> = permutations(4);
    assert_eq!(permutations.len(), 24);
    let tokens = permutations.iter().enumerate().map(async |(number, permutation)| {
        let id = format!("{TOKEN}-{number}");
        // Each event is repeated later, in the opposite sequence.
        for at in permutation.iter().chain(permutation.iter().rev()) {
            let (kind, event_id, time, payment_method) = notifications[*at];
            let mut notification = with(
                token_notification(kind, event_id, SHOPPER, &id),
                json!({"createdAt": format!("2026-11-23T{time}+01:00")}),
            );
            notification["data"]["type"] = json!(payment_method);
            world.deliver_token(&notification).await;
        }
        world.token(SHOPPER, &id).await.unwrap()
    });
    let tokens = join_all(tokens).await;
    for token in &tokens {
        assert_eq!(token.version, 4, "a repeated event is not written");
        assert_eq!(facts(token), facts(&tokens[0]));
        assert_eq!(token.status(), TokenStatus::Disabled);
        assert_eq!(token.psp_reference(), Some(payment.as_str()));
        assert_eq!(token.reference().unwrap().as_str(), "sequence");
        assert_eq!(token.payment_method(), Some("amex_amazonpay"));
    }
    let shopper = SHOPPER.to_owned().try_into().unwrap();
    let listed = world.tokens.of_shopper(&shopper).await.unwrap();
    assert_eq!(listed.len(), 24);
    let nobody = "nobody".to_owned().try_into().unwrap();
    assert!(world.tokens.of_shopper(&nobody).await.unwrap().is_empty());
}

/// The events without their times.
fn facts(token: &Token) -> Vec<TokenEvent> {
    let events = token.events.iter();
    events.map(|event| TokenEvent { received_at: Timestamp::UNIX_EPOCH, ..event.clone() }).collect()
}

impl World {
    /// The shopper's only token, as the merchant sees it.
    async fn listed(&self) -> Value {
        let path = format!("/shoppers/{SHOPPER}/storedPaymentMethods");
        let answer = self.stack.get(&path, &tests::backend()).await;
        let listed = answer.body["storedPaymentMethods"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{answer:?}");
        listed[0].clone()
    }
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(of - 1);
    let places = shorter.iter().flat_map(|rest| (0..of).map(move |at| (rest, at)));
    places
        .map(|(rest, at)| {
            let mut longer = rest.clone();
            longer.insert(at, of - 1);
            longer
        })
        .collect()
}

#[tokio::test]
async fn disabled_token_stays_disabled() {
    let world = World::new().await;
    world.deliver_token(&token_notification("disabled", "DISABLE000000001", SHOPPER, TOKEN)).await;
    for (kind, at) in
        [("created", "2026-11-22"), ("updated", "2026-11-24"), ("created", "2027-01-01")]
    {
        let notification = token_notification(kind, &format!("EVENT{at}"), SHOPPER, TOKEN);
        let at = json!({"createdAt": format!("{at}T00:00:00Z")});
        world.deliver_token(&with(notification, at)).await;
        let token = world.token(SHOPPER, TOKEN).await.unwrap();
        assert_eq!(token.status(), TokenStatus::Disabled, "{kind}");
    }
    let token = world.token(SHOPPER, TOKEN).await.unwrap();
    assert_eq!((token.events.len(), token.psp_reference()), (4, Some("EVENT2026-11-22")));
}

#[tokio::test]
async fn tokens_of_one_payment_and_of_several_shoppers_are_kept_apart() {
    let world = World::new().await;
    let payment = world.paid("shared", "AMZN").await;
    let all = [("shopper-1", "A"), ("shopper-1", "B"), ("shopper-2", "A"), ("Shopper-1", "A")];
    for (shopper, id) in all {
        world.deliver_token(&token_notification("created", &payment, shopper, id)).await;
    }
    world.deliver_token(&token_notification("disabled", "D", "shopper-1", "A")).await;
    for (shopper, id) in all {
        let status = world.token(shopper, id).await.unwrap().status();
        let disabled = (shopper, id) == ("shopper-1", "A");
        assert_eq!(status == TokenStatus::Disabled, disabled, "{shopper} {id}");
    }
}

#[tokio::test]
async fn a_payment_that_stores_its_method_ends_as_a_token() {
    let world = World::new().await;
    let mut payment = tests::payment("store", "AMZN");
    payment["storePaymentMethod"] = json!(true);
    payment["recurringProcessingModel"] = json!("Subscription");
    let browser = browser_with(json!({
        "reference": "store", "amount": {"currency": "EUR", "value": 1000},
        "countryCode": "NL", "shopperReference": SHOPPER,
    }));
    let answer = world.stack.post("/payments", &browser, &payment).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    world.stack.adyen().release_webhooks(adyen_simulator::Release::Reversed).await;
    let id = world.stack.adyen().with_books(|books| {
        assert!(books.webhooks.values().all(|webhook| webhook.accepted()));
        books.tokens.keys().next().unwrap().clone()
    });
    let token = world.token(SHOPPER, &id).await.unwrap();
    assert_eq!(token.reference().unwrap().as_str(), "store");
    assert_eq!(token.psp_reference(), Some(world.psp_reference("store").as_str()));
    assert_eq!(world.stack.order("store").await["confirmed"], true);
}

#[tokio::test]
async fn token_event_and_authorisation_with_one_reference_are_separate() {
    let world = World::new().await;
    let payment = world.paid("apart", "AMZN").await;
    world.deliver_token(&token_notification("created", &payment, SHOPPER, TOKEN)).await;
    assert!(world.order("apart").await.events.is_empty());
    world.deliver_item(&item("AUTHORISATION", &payment, "apart")).await;
    let notification: Value = token_notification("disabled", &payment, SHOPPER, TOKEN);
    world.deliver_token(&notification).await;
    assert_eq!(world.status("apart").await, "authorised");
    assert_eq!(world.order("apart").await.events.len(), 1);
}

/// An event of one of `ids` causes. All reports of a cause have the same date.
fn event(ids: u32) -> impl Strategy<Value = TokenEvent> {
    let kind = prop::sample::select(vec![
        TokenEventType::Created,
        TokenEventType::Updated,
        TokenEventType::AlreadyExisting,
        TokenEventType::Disabled,
    ]);
    (kind, 0..ids, 0..50_i64, 0..3_u8).prop_map(|(kind, id, at, payment_method)| TokenEvent {
        created_at: (at % 10 > 0).then(|| Timestamp::from_second(at).unwrap()),
        kind,
        event_id: format!("EVENT{id}"),
        payment_method: Some(format!("method-{payment_method}")),
        reference: None,
        received_at: Timestamp::from_second((id % 50).into()).unwrap(),
        unknown: Default::default(),
    })
}

fn token(events: &[TokenEvent]) -> Token {
    let mut token = Token::new(token_id(SHOPPER, TOKEN), Timestamp::UNIX_EPOCH);
    events.iter().for_each(|event| token.record(event.clone()));
    token
}

fn shuffled(events: &[TokenEvent], again: &[Index], swaps: &[(Index, Index)]) -> Vec<TokenEvent> {
    let again = again.iter().map(|index| events[index.index(events.len())].clone());
    let mut shuffled: Vec<TokenEvent> = events.iter().cloned().chain(again).collect();
    let length = shuffled.len();
    for (one, other) in swaps {
        shuffled.swap(one.index(length), other.index(length));
    }
    shuffled
}

proptest! {
    #[test]
    fn same_token_events_make_the_same_token_in_any_sequence(
        events in prop::collection::vec(event(200), 1..400),
        swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 0..400),
        again in prop::collection::vec(any::<Index>(), 0..50),
    ) {
        let (token, other) = (token(&events), token(&shuffled(&events, &again, &swaps)));
        prop_assert_eq!(&token, &other);
        let disabled = events.iter().any(|event| event.kind == TokenEventType::Disabled);
        prop_assert_eq!(token.status() == TokenStatus::Disabled, disabled);
    }

    #[test]
    fn same_token_events_make_the_same_token_at_any_receipt(
        events in prop::collection::vec((event(10), 0..50_i64), 1..100),
        swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 0..100),
        again in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let received = |(event, at): (TokenEvent, i64)| {
            TokenEvent { received_at: Timestamp::from_second(at).unwrap(), ..event }
        };
        let events: Vec<TokenEvent> = events.into_iter().map(received).collect();
        prop_assert_eq!(token(&events), token(&shuffled(&events, &again, &swaps)));
    }
}
