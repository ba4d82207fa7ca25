//! Erasures, and their repetitions.

use adyen_simulator::webhook::Event;
use adyen_simulator::{Answer as AdyenAnswer, Fault, TokenState, coded};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Context, Request, RequestExt};
use local::keys;
use serde_json::{Value, json};
use tests::{backend, faulty_dynamodb, operator};

use super::{ERASE, OTHER, PERSONAL, money};
use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, charge, with};

#[tokio::test]
async fn erasure_leaves_no_personal_data_and_keeps_the_money() {
    let (shop, id) = Shop::with_token().await;
    let others = shop.stored(OTHER, "OTHERS").await;
    assert_paid(&shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await, "authorised", 1);
    let refused = json!({
        "resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom", "refusalReasonCode": "2",
    });
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &refused)));
    assert_eq!(shop.pay_as(SHOPPER, "REFUSED", "AMZN-R").await.body["status"], "refused");
    shop.webhooks_delivered().await;
    let paid = shop.order("FIRST").await;
    let payment = paid["pspReference"].as_str().unwrap();
    let refund = json!({"amount": {"currency": "EUR", "value": 300}});
    let answer = shop.post_with_key("/orders/FIRST/refunds", &backend(), "R", &refund).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    shop.webhooks_delivered().await;
    shop.webhook("AUTHORISATION", payment, "FIRST").await;
    assert!(shop.occurs(PERSONAL[5]).await.is_some(), "the digits of the card are stored");
    // Two payments, and a person's note about the shopper.
    shop.webhook("AUTHORISATION", "SECOND0000000001", "FIRST").await;
    let note = json!({"note": format!("Phoned {}.", PERSONAL[4])});
    let path = "/orders/FIRST/needsAttention/paid_twice/acknowledge";
    assert_eq!(shop.post(path, &operator("anna"), &note).await.status, 200);

    let references = ["FIRST", "MONTH-1", "REFUSED"];
    let mut before = Vec::new();
    for reference in references {
        before.push(shop.order(reference).await);
    }
    let others_before = (shop.order("OTHERS").await, shop.token(OTHER, &others).await);
    shop.erase_all(SHOPPER, 3, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    for (reference, before) in references.iter().zip(&before) {
        let after = shop.order(reference).await;
        assert!(after["erasedAt"].is_string() && after["shopperReference"].is_null(), "{after}");
        let note = json!({"note": "erased"});
        let mut before = money(before);
        if let Some(known) = before["acknowledged"].get_mut(0) {
            *known = with(known.clone(), note);
        }
        assert_eq!(money(&after), before);
    }
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
    assert_eq!(shop.adyen().books().tokens[&others].state, TokenState::Active);
    assert_eq!((shop.order("OTHERS").await, shop.token(OTHER, &others).await), others_before);
    assert!(shop.ids(SHOPPER, "?refresh=true&status=all").await.is_empty());
    // Money can still be moved.
    let refund =
        json!({"amount": {"currency": "EUR", "value": 200}, "paymentPspReference": payment});
    let answer = shop.post_with_key("/orders/FIRST/refunds", &backend(), "R2", &refund).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn repeated_erasure_erases_nothing_and_calls_no_removal() {
    let (shop, _) = Shop::with_token().await;
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.webhooks_delivered().await;
    let before = [shop.items("orders").await, shop.items("tokens").await];
    shop.erase_all(SHOPPER, 0, 0).await;
    shop.erase_all("nobody-knows-this-one", 0, 0).await;
    assert_eq!([shop.items("orders").await, shop.items("tokens").await], before);
    let removals = shop.adyen().books().calls.iter().filter(|it| it.method == "DELETE").count();
    assert_eq!(removals, 1);
}

#[tokio::test]
async fn erasure_without_adyens_answer_is_finished_by_a_repetition() {
    let (shop, first) = Shop::with_token().await;
    let second = shop.stored_another("SECOND").await;
    // They are removed in the order of their ids.
    let (first, second) = (&first.clone().min(second.clone()), &first.max(second));
    let cases = [
        (Fault::status(500).on("listRecurringDetails"), "adyen_unavailable"),
        (Fault::status(500).on(first), "adyen_unavailable"),
        (Fault::status(404).on(first), "adyen_unavailable"),
        (Fault::Instead(coded("901")).on(first), "adyen_configuration"),
    ];
    for (at, (fault, code)) in cases.into_iter().enumerate() {
        shop.adyen().inject(fault);
        let answer = shop.erase(SHOPPER).await;
        assert_problem(&answer, 502, code);
        let erasure = &answer.body["erasure"];
        assert_eq!(erasure["finished"], false);
        assert_eq!(erasure["erased"]["orders"], if at == 0 { 2 } else { 0 }, "{answer:?}");
        let left = erasure["remaining"]["storedPaymentMethods"].as_array().unwrap();
        assert_eq!(left.len(), 2, "{answer:?}");
        assert_eq!(shop.ids(SHOPPER, "").await.len(), 2, "a method is known until it is removed");
    }
    // Only the second one fails.
    shop.adyen().inject(Fault::status(500).on(second));
    let answer = shop.erase(SHOPPER).await;
    assert_problem(&answer, 502, "adyen_unavailable");
    assert_eq!(answer.body["erasure"]["remaining"]["storedPaymentMethods"], json!([second]));
    assert_eq!(shop.ids(SHOPPER, "").await, [&**second]);
    // It is removed, and the answer is lost.
    shop.adyen().inject(Fault::DropAfter.on(second));
    shop.erase_all(SHOPPER, 0, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[first, second]).await;
}

#[tokio::test]
async fn methods_that_only_adyen_knows_or_has_removed_are_erased() {
    let shop = Shop::open().await;
    let unheard = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    let gone = shop.stored(SHOPPER, "SECOND").await;
    shop.removed_without_webhook(&gone);
    let disabled = shop.stored(SHOPPER, "THIRD").await;
    assert_eq!(shop.remove(SHOPPER, &disabled).await.status, 204);
    shop.erase_all(SHOPPER, 3, 3).await;
    assert_eq!(shop.adyen().books().tokens[&unheard].state, TokenState::Disabled);
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&unheard, &gone, &disabled]).await;
}

#[tokio::test]
async fn erasure_without_time_is_unfinished_and_continued_by_a_repetition() {
    let (shop, _) = Shop::with_token().await;
    let variables = [
        ("ADYEN_API_KEY", "any".to_owned()),
        ("ADYEN_CHECKOUT_URL", shop.adyen().checkout_url()),
        ("ADYEN_MERCHANT_ACCOUNT", keys::MERCHANT_ACCOUNT.to_owned()),
        ("ADYEN_RECURRING_URL", shop.adyen().recurring_url()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", shop.bundle.dynamodb_url().to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY.to_owned()),
        ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY.to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let state = tokens::State::start(&variables.into_iter().collect()).await.unwrap();
    let mut event: Value = serde_json::from_str(ERASE).unwrap();
    event["headers"]["authorization"] = json!(format!("Bearer {}", backend()));
    event["queryStringParameters"]["shopperReference"] = json!(SHOPPER);
    event["rawQueryString"] = json!(format!("shopperReference={SHOPPER}"));
    let request: Request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let mut context = Context::default();
    context.deadline = (Timestamp::now() + SignedDuration::from_secs(5)).as_millisecond() as u64;
    let answer = Box::pin(tokens::handle(&state, request.with_lambda_context(context))).await;
    assert_eq!(answer.status(), 202);
    let Body::Text(body) = answer.body() else { panic!("{answer:?}") };
    let nothing = |key: &str| (key.to_owned(), json!(0));
    let erased: Value =
        ["orders", "storedPaymentMethods", "deadLetters"].map(nothing).into_iter().collect();
    let erasure: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&erasure["finished"], &erasure["erased"]), (&json!(false), &erased));
    shop.erase_all(SHOPPER, 1, 1).await;
}

#[tokio::test]
async fn dead_letter_remains_until_a_person_handled_it() {
    let (shop, id) = Shop::with_token().await;
    // One names the shopper, the other one the shopper's order.
    shop.webhook("AUTHORISATION", "A:B", "UNKNOWN").await;
    let mut event = Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "C:D", "FIRST");
    event.additional_data.insert("shopperEmail".into(), PERSONAL[1].into());
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    let exported = shop.export(SHOPPER, None).await;
    let letters = exported["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 2, "{exported}");
    for letter in letters {
        let item = &letter["event"]["NotificationRequestItem"];
        assert_eq!(item["additionalData"]["shopperEmail"], PERSONAL[1]);
    }
    let answer = shop.erase(SHOPPER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let left = answer.body["remaining"]["deadLetters"].as_array().unwrap();
    assert_eq!(left.len(), 2, "{answer:?}");
    for id in left {
        let path = format!("/deadLetters/{}/discard", id.as_str().unwrap());
        let discarded = shop.post(&path, &operator("anna"), &json!({"note": "Booked."})).await;
        assert_eq!(discarded.status, 200, "{discarded:?}");
    }
    let answer = shop.erase(SHOPPER).await;
    assert_eq!((answer.status, &answer.body["erased"]["deadLetters"]), (200, &json!(2)));
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn dead_letter_names_its_shopper_although_the_order_was_unreadable_for_a_moment() {
    let (shop, dynamodb) = Shop::behind_a_faulty_dynamodb().await;
    shop.stored(SHOPPER, "FIRST").await;
    // As often as the SDK tries.
    let mut left = 3;
    dynamodb.begin(move |call| {
        let is_throttled = call.name == "GetItem" && left > 0;
        left -= i32::from(is_throttled);
        is_throttled.then(faulty_dynamodb::throttled)
    });
    let event = Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "C:D", "FIRST");
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    let answer = shop.erase(SHOPPER).await;
    let left = &answer.body["remaining"]["deadLetters"];
    assert_eq!((answer.status, left.as_array().unwrap().len()), (202, 1), "{answer:?}");
}
