//! 3-D Secure: details are processed once, however often they are posted.

use std::time::Duration;

use adyen_simulator::{Fault, challenge_result, fingerprint_result, redirect_result};
use futures_util::future::join_all;
use local::bundle::{Adyen, Options};
use serde_json::{Value, json};
use tests::{Stack, browser, until};

use crate::jwt::with;
use crate::shop::{Shop, from_browser};

const REDIRECT: &str = "160583287597AMZN-3DS-REDIRECT";
const CHALLENGE: &str = "160583287597AMZN-3DS-CHALLENGE";

fn redirected(action: &Value, outcome: &str) -> Value {
    json!({"redirectResult": redirect_result(action, outcome)})
}

fn identified(action: &Value) -> Value {
    json!({"threeDSResult": fingerprint_result(action)})
}

fn challenged(action: &Value, approved: bool) -> Value {
    json!({"threeDSResult": challenge_result(action, approved)})
}

#[tokio::test]
async fn action_is_returned_unchanged() {
    for (token, result) in [(REDIRECT, "RedirectShopper"), (CHALLENGE, "IdentifyShopper")] {
        let shop = Shop::open().await;
        let answer = shop.pay("ORDER-1", token).await;
        let call = shop.stack.adyen().books().calls[0].clone();
        let expected = json!({
            "reference": "ORDER-1",
            "status": "pending",
            "attempt": 1,
            "resultCode": result,
            "action": call.answer["action"],
            "nextStep": "handleAction",
            "message": "Please confirm your payment.",
        });
        assert_eq!((answer.status, &answer.body), (200, &expected));
        let added = json!({
            "countryCode": "NL",
            "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
            "shopperIP": "127.0.0.1",
        });
        assert_eq!(call.body, with(from_browser("ORDER-1", token), added));

        let order = shop.sees("ORDER-1").await;
        assert_eq!(order["status"], "pending");
        assert_eq!(order["nextStep"], "handleAction");
        assert_eq!(order["resultCode"], result);
        // A repeated payment returns the action again and makes no second payment.
        let again = shop.pay("ORDER-1", token).await;
        assert_eq!(again.body, expected);
        assert_eq!(shop.stack.adyen().books().payments.len(), 1);
    }
}

#[tokio::test]
async fn redirect_payment_ends_as_the_shopper_decides() {
    for (outcome, result, status, next_step) in [
        ("approved", "Authorised", "authorised", "success"),
        ("refused", "Refused", "refused", "retryWithAmazonPay"),
        ("cancelled", "Cancelled", "cancelled", "tryAnotherMethod"),
    ] {
        let shop = Shop::open().await;
        let action = shop.pay_until_action("ORDER-1", REDIRECT).await;
        let details = redirected(&action, outcome);
        let answer = shop.post_details("ORDER-1", details.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["resultCode"], result, "{answer:?}");
        assert_eq!(answer.body["status"], status, "{answer:?}");
        assert_eq!(answer.body["nextStep"], next_step, "{answer:?}");
        assert_eq!(answer.body["attempt"], 1, "{answer:?}");
        assert!(answer.body.get("action").is_none(), "{answer:?}");

        // Adyen receives the browser's details and nothing else.
        let books = shop.stack.adyen().books();
        let call = books.calls_to("/payments/details")[0];
        assert_eq!(call.body, json!({"details": details}));
        let key = call.idempotency_key.as_ref().unwrap();
        assert!(key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key}");
        let payment = &books.payments[0];
        assert_eq!(answer.body["pspReference"], payment.psp_reference);

        shop.release_webhooks().await;
        let order = shop.sees("ORDER-1").await;
        assert_eq!(order["status"], status, "{order}");
        assert_eq!(order["nextStep"], next_step, "{order}");
        assert_eq!(order["confirmed"], outcome == "approved", "{order}");
        assert_eq!(order["needsAttention"], json!([]), "{order}");
    }
}

#[tokio::test]
async fn native_payment_is_identified_then_challenged() {
    for (approved, result, status, next_step) in [
        (true, "Authorised", "authorised", "success"),
        (false, "Refused", "refused", "retryWithAmazonPay"),
    ] {
        let shop = Shop::open().await;
        let action = shop.pay_until_action("ORDER-1", CHALLENGE).await;
        let second = shop.post_details("ORDER-1", identified(&action)).await;
        assert_eq!(second.status, 200, "{second:?}");
        assert_eq!(second.body["resultCode"], "ChallengeShopper", "{second:?}");
        assert_eq!(second.body["nextStep"], "handleAction", "{second:?}");
        let action = &second.body["action"];
        assert_eq!(action["subtype"], "challenge");
        let order = shop.sees("ORDER-1").await;
        assert_eq!(order["resultCode"], "ChallengeShopper", "{order}");
        assert_eq!(order["nextStep"], "handleAction", "{order}");

        // A repeated fingerprint returns the challenge again.
        let again = shop.post_details("ORDER-1", identified(action)).await;
        assert_eq!(again.body, second.body);

        let third = shop.post_details("ORDER-1", challenged(action, approved)).await;
        assert_eq!(third.body["resultCode"], result, "{third:?}");
        assert_eq!(third.body["status"], status, "{third:?}");
        assert_eq!(third.body["nextStep"], next_step, "{third:?}");
        assert!(third.body["pspReference"].is_string(), "{third:?}");

        // Repeated details return the final result without a call to Adyen.
        let calls = shop.details_at_adyen();
        for details in [identified(action), challenged(action, approved)] {
            let late = shop.post_details("ORDER-1", details).await;
            assert_eq!((late.status, &late.body), (200, &third.body));
        }
        assert_eq!(shop.details_at_adyen(), calls);
        assert_eq!(shop.stack.authorisations("ORDER-1"), usize::from(approved));

        shop.release_webhooks().await;
        let order = shop.sees("ORDER-1").await;
        assert_eq!(order["status"], status, "{order}");
        assert_eq!(order["confirmed"], approved, "{order}");
    }
}

#[tokio::test]
async fn older_names_of_results_are_accepted() {
    let shop = Shop::open().await;
    let action = shop.pay_until_action("ORDER-1", CHALLENGE).await;
    for (name, result, result_code) in [
        ("threeds2.fingerprint", fingerprint_result(&action), "ChallengeShopper"),
        ("threeds2.challengeResult", challenge_result(&action, true), "Authorised"),
    ] {
        let body = json!({
            "reference": "ORDER-1",
            "attempt": 1,
            "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
            "details": {name: result},
            "paymentData": action["paymentData"],
        });
        let token = browser("ORDER-1");
        let answer = shop.stack.post("/payments/details", &token, &body).await;
        assert_eq!(answer.body["resultCode"], result_code, "{answer:?}");
        let sent = shop.stack.adyen().books().calls.pop().unwrap().body;
        let expected = json!({"details": body["details"], "paymentData": body["paymentData"]});
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn details_posted_twice_are_answered_twice_and_sent_once() {
    for outcome in ["approved", "refused", "cancelled"] {
        let shop = Shop::open().await;
        let action = shop.pay_until_action("ORDER-1", REDIRECT).await;
        let first = shop.post_details("ORDER-1", redirected(&action, outcome)).await;
        for _ in 0..2 {
            let again = shop.post_details("ORDER-1", redirected(&action, outcome)).await;
            assert_eq!((again.status, &again.body), (200, &first.body));
            shop.release_webhooks().await;
        }
        assert_eq!(shop.details_at_adyen(), 1);
    }
}

#[tokio::test]
async fn details_posted_by_five_tabs_at_once_are_processed_once() {
    let slow = adyen_simulator::Options {
        answer_delay: Duration::from_millis(50),
        ..adyen_simulator::Options::default()
    };
    let stack =
        Stack::with(Options { adyen: Adyen::Simulator(Box::new(slow)), ..Options::default() });
    let shop = Shop { stack: stack.await };
    let action = shop.pay_until_action("ORDER-1", REDIRECT).await;
    // With the webhook first, a tab could see a paid order whose result code it does not know.
    shop.stack.adyen().hold_webhooks();
    let tabs = (0..5).map(|_| shop.post_details("ORDER-1", redirected(&action, "approved")));
    for answer in join_all(tabs).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    }
    let books = shop.stack.adyen().books();
    let processed = |call: &&adyen_simulator::Call| call.status == Some(200) && !call.replayed;
    let calls = books.calls_to("/payments/details");
    assert_eq!(calls.into_iter().filter(processed).count(), 1);
}

#[tokio::test]
async fn rejected_details_leave_the_attempt_waiting() {
    let shop = Shop::open().await;
    let action = shop.pay_until_action("ORDER-1", REDIRECT).await;
    for garbage in [
        json!({"redirectResult": "X6XtfGC3!Y..."}),
        json!({"redirectResult": "garbage"}),
        json!({"threeDSResult": "%%%"}),
        challenged(&action, true),
        identified(&action),
    ] {
        let answer = shop.post_details("ORDER-1", garbage.clone()).await;
        assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"), "{garbage}");
        let order = shop.sees("ORDER-1").await;
        assert_eq!(order["nextStep"], "handleAction", "{order}");
        let expected = json!({
            "reference": "ORDER-1", "attempt": 1, "errorCode": "702", "nextStep": "showError",
            "message": "There was an error processing your payment.", "order": order,
        });
        assert_eq!(with(answer.body.clone(), expected), answer.body);
    }
    let answer = shop.post_details("ORDER-1", redirected(&action, "approved")).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
}

#[tokio::test]
async fn details_of_another_order_count_for_that_order() {
    let shop = Shop::open().await;
    let mine = shop.pay_until_action("MINE", REDIRECT).await;
    let other = shop.pay_until_action("OTHER", REDIRECT).await;

    let answer = shop.post_details("MINE", redirected(&other, "approved")).await;
    assert_eq!((answer.status, answer.code()), (403, "wrong_order"));
    let text = answer.body.to_string();
    assert!(!text.contains("OTHER"), "{text}");
    assert!(["resultCode", "pspReference"].iter().all(|name| answer.body.get(name).is_none()));
    assert_eq!(shop.sees("MINE").await["nextStep"], "handleAction");
    let order = shop.sees("OTHER").await;
    assert_eq!(order["status"], "authorised", "{order}");

    // Details posted to their own order return the stored result.
    let answer = shop.post_details("OTHER", redirected(&other, "approved")).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    assert_eq!(answer.body["pspReference"], order["pspReference"]);
    let answer = shop.post_details("MINE", redirected(&mine, "refused")).await;
    assert_eq!(answer.body["resultCode"], "Refused", "{answer:?}");
    assert_eq!((shop.stack.authorisations("MINE"), shop.stack.authorisations("OTHER")), (0, 1));
    shop.release_webhooks().await;
    assert_eq!(shop.sees("MINE").await["status"], "refused");
    let order = shop.sees("OTHER").await;
    assert_eq!((&order["confirmed"], &order["needsAttention"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn superseded_attempt_is_not_continued() {
    let shop = Shop::open().await;
    let first = shop.pay_until_action("ORDER-1", REDIRECT).await;
    let answer = shop.pay("ORDER-1", "OTHER-3DS-REDIRECT").await;
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
    let second = answer.body["action"].clone();

    let post = async |attempt: Value, action: &Value| {
        let details = redirected(action, "approved");
        let body = json!({"attempt": attempt, "details": details});
        shop.stack.post("/payments/details", &browser("ORDER-1"), &body).await
    };
    let answer = post(json!(1), &first).await;
    assert_eq!((answer.status, answer.code()), (409, "attempt_superseded"));
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
    for unknown in [0, 3, 1_000_000] {
        let answer = post(json!(unknown), &second).await;
        let actual = (answer.status, answer.code(), answer.body["field"].as_str());
        assert_eq!(actual, (422, "invalid_field", Some("attempt")), "{answer:?}");
    }
    assert_eq!(shop.details_at_adyen(), 0);
    assert_eq!(shop.sees("ORDER-1").await["attempt"], 2);

    let answer = post(json!(2), &second).await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
    // The order is paid now, and the first attempt is still superseded.
    let answer = post(json!(1), &first).await;
    assert_eq!((answer.status, answer.code()), (409, "attempt_superseded"));
    assert_eq!(shop.details_at_adyen(), 1);
}

#[tokio::test]
async fn webhook_before_the_details_answer_decides_the_attempt() {
    let shop = Shop::open().await;
    let adyen = shop.stack.adyen();
    let action = shop.pay_until_action("ORDER-1", REDIRECT).await;
    adyen.inject(Fault::AnswerLate(Duration::from_secs(2)).on("/payments/details"));
    let confirmed = async {
        // Adyen has processed the details, but not answered yet.
        until(|| adyen.with_books(|books| !books.webhooks.is_empty())).await;
        assert_eq!(adyen.deliver(1).await, Some(200));
        shop.stack.order("ORDER-1").await
    };
    let (answer, order) =
        tokio::join!(shop.post_details("ORDER-1", redirected(&action, "approved")), confirmed);
    assert_eq!(order["confirmed"], true, "{order}");
    assert_eq!(order["status"], "authorised", "{order}");
    assert_eq!(order["attempt"], 1, "{order}");
    assert!(order.get("resultCode").is_none(), "the answer came first: {order}");

    assert_eq!((answer.status, &answer.body["resultCode"]), (200, &json!("Authorised")));
    assert_eq!(answer.body["pspReference"], order["pspReference"]);
    let order = shop.stack.order("ORDER-1").await;
    assert_eq!(order["resultCode"], "Authorised", "{order}");
    assert_eq!(order["authorisedAmount"]["value"], 1000, "{order}");
    assert_eq!(order["needsAttention"], json!([]), "{order}");
}

#[tokio::test]
async fn shopper_who_returns_too_late_must_start_over() {
    let hasty = adyen_simulator::Options {
        offer_closed_delay: Duration::ZERO,
        ..adyen_simulator::Options::default()
    };
    let stack =
        Stack::with(Options { adyen: Adyen::Simulator(Box::new(hasty)), ..Options::default() });
    let shop = Shop { stack: stack.await };
    let answer = shop.pay("ORDER-1", "160583287597AMZN-OFFER-CLOSED").await;
    assert_eq!(answer.body["resultCode"], "RedirectShopper", "{answer:?}");
    let order = shop.stack.order_once("ORDER-1", |order| order["status"] != "pending").await;
    assert_eq!((&order["status"], &order["nextStep"]), (&json!("expired"), &json!("startOver")));

    let result = redirected(&answer.body["action"], "approved");
    let answer = shop.post_details("ORDER-1", result).await;
    assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"));
    let expired = json!({
        "reference": "ORDER-1", "attempt": 1, "errorCode": "702", "nextStep": "startOver",
        "message": "Your payment timed out. Please start again.",
        "order": shop.sees("ORDER-1").await,
    });
    assert_eq!(with(answer.body.clone(), expired), answer.body);
    assert_eq!(answer.body["order"]["status"], "expired");
    let answer = shop.pay("ORDER-1", "160583287597AMZN").await;
    assert_eq!(answer.body["status"], "authorised", "{answer:?}");
    assert_eq!(answer.body["attempt"], 2, "{answer:?}");
}

#[tokio::test]
async fn details_of_an_authorised_payment_return_it() {
    let shop = Shop::open().await;
    let paid = shop.pay("ORDER-1", "160583287597AMZN").await;
    let answer = shop.post_details("ORDER-1", json!({"redirectResult": "X6XtfGC3!Y..."})).await;
    assert_eq!((answer.status, &answer.body), (200, &paid.body));
    assert_eq!(shop.details_at_adyen(), 0);
    let answer = shop.post_details("ORDER-2", json!({"redirectResult": "X6XtfGC3!Y..."})).await;
    assert_eq!((answer.status, answer.code()), (404, "order_not_found"));
}

#[tokio::test]
async fn three_d_secure_without_browser_info_is_rejected() {
    let shop = Shop::open().await;
    for (token, without, error_code) in [
        (REDIRECT, "browserInfo", "15_015"),
        (CHALLENGE, "browserInfo", "15_015"),
        (CHALLENGE, "channel", "14_036"),
        (CHALLENGE, "origin", "14_035"),
    ] {
        let reference = format!("{without}-{}", token.len());
        let body = with(from_browser(&reference, token), json!({without: null}));
        let answer = shop.stack.post("/payments", &browser(&reference), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"), "{answer:?}");
        assert_eq!(answer.body["errorCode"], error_code, "{answer:?}");
        assert_eq!(answer.body["nextStep"], "showError", "{answer:?}");
    }
}
