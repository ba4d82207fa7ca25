//! Retries, unknown outcomes, and the requests after them.

use std::time::Duration;

use adyen_simulator::{Answer as AdyenAnswer, Fault, coded, redirect_result};
use jiff::SignedDuration;
use serde_json::json;
use tests::faulty::Call;

use crate::attempts::retry_after;
use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown, in_browser};
use crate::shopper::{post, result};

const LATER: SignedDuration = SignedDuration::from_secs(31);

#[tokio::test]
async fn transient_error_of_adyen_is_retried_with_the_same_key() {
    let shop = Shop::open().await;
    let transient = |code| Fault::Instead(coded(code).header("transient-error", "true"));
    for (name, fault) in [
        ("704", Fault::Instead(coded("704"))),
        ("703", Fault::Instead(coded("703"))),
        ("429", Fault::Instead(coded("00_500"))),
        ("429-page", Fault::status(429)),
        ("500-transient", transient("903")),
        ("422-transient", transient("5_613")),
        ("drop-before", Fault::DropBefore),
        ("drop-after", Fault::DropAfter),
        ("truncated", Fault::Truncated),
        ("704-twice", Fault::Instead(coded("704"))),
    ] {
        let before = shop.calls("/payments");
        shop.simulator().inject(fault.clone());
        if name == "704-twice" {
            shop.simulator().inject(fault);
        }
        let answer = shop.pay(name, "T").await;
        assert_paid(&answer, "authorised", 1, "success");
        let books = shop.simulator().books();
        let calls = &books.calls_to("/payments")[before..];
        assert_eq!(calls.len(), if name == "704-twice" { 3 } else { 2 }, "{name}");
        assert!(
            calls.iter().all(|call| call.idempotency_key == calls[0].idempotency_key),
            "{name}: one key"
        );
        assert_eq!(calls[0].idempotency_key.as_ref().unwrap().len(), 64);
        assert_eq!(shop.authorisations(name), 1, "{name}");
    }
}

#[tokio::test]
async fn permanent_error_of_adyen_ends_the_attempt_without_a_retry() {
    let shop = Shop::open().await;
    for (code, status, problem) in [
        ("905", 502, "adyen_configuration"),
        ("702", 422, "adyen_rejected"),
        ("5_606", 422, "adyen_rejected"),
    ] {
        let before = shop.calls("/payments");
        shop.simulator().inject(Fault::Instead(coded(code)));
        let answer = shop.pay(code, "1").await;
        assert_problem(&answer, status, problem);
        assert_eq!(answer.body["errorCode"], code);
        assert_eq!(shop.calls("/payments") - before, 1, "{code}: not retried");
        assert_eq!(shop.order(code).await["status"], "error");
        let next = shop.pay(code, "2").await;
        assert_paid(&next, "authorised", 2, "success");
        assert_eq!(shop.authorisations(code), 1);
    }
}

#[tokio::test]
async fn error_without_a_reason_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    let adyen_answer = |status, kind: &str, body: &str| AdyenAnswer::text(status, kind, body);
    for (name, fault) in [
        ("500", Fault::status(500)),
        ("502", Fault::status(502)),
        ("403", Fault::status(403)),
        ("empty-500", Fault::Instead(adyen_answer(500, "application/json", ""))),
        ("html", Fault::Instead(adyen_answer(200, "text/html", "<html>"))),
        ("no-result", Fault::Instead(adyen_answer(200, "application/json", "{}"))),
        ("500-processed", Fault::lost_answer()),
        ("html-processed", Fault::Afterwards(adyen_answer(200, "text/html", "<html>"))),
    ] {
        let before = shop.calls("/payments");
        shop.simulator().inject(fault);
        assert_unknown(&shop.pay(name, "T").await);
        assert_eq!(shop.calls("/payments") - before, 1, "{name}: not retried");
        let order = shop.order(name).await;
        assert_eq!((&order["status"], &order["nextStep"]), (&json!("pending"), &json!("wait")));
        // The same request is sent again with the same key, unless the webhook arrived first.
        assert_paid(&shop.pay(name, "T").await, "authorised", 1, "success");
        assert_eq!((shop.authorisations(name), shop.processed(name)), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn redirect_from_adyen_is_a_configuration_error_and_not_followed() {
    let shop = Shop::open().await;
    let elsewhere = format!("{}/payments", shop.simulator().checkout_url());
    for status in [301, 302, 303, 307, 308] {
        let name = status.to_string();
        let before = shop.calls("/payments");
        let moved = AdyenAnswer::text(status, "text/html", "").header("location", &elsewhere);
        shop.simulator().inject(Fault::Instead(moved));
        let answer = shop.pay(&name, "1").await;
        assert_problem(&answer, 502, "adyen_configuration");
        assert_eq!(answer.body["errorCode"], format!("http_{status}"));
        assert_eq!(shop.calls("/payments") - before, 1, "{name}: called once");
        assert_eq!((shop.processed(&name), shop.calls("/payments")), (0, before + 1), "{name}");
        // Adyen processed nothing, so the attempt has ended.
        let order = shop.order(&name).await;
        assert_eq!((&order["status"], &order["needsAttention"]), (&json!("error"), &json!([])));
        assert_paid(&shop.pay(&name, "2").await, "authorised", 2, "success");
    }
}

#[tokio::test]
async fn redirect_after_an_unanswered_request_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    shop.simulator().inject(Fault::DropAfter);
    shop.simulator().inject(Fault::Instead(AdyenAnswer::text(308, "text/html", "")));
    assert_unknown(&shop.pay("A", "T").await);
    assert_paid(&shop.pay("A", "T").await, "authorised", 1, "success");
    assert_eq!(shop.authorisations("A"), 1);
}

/// The client stops after 25 seconds. All cases run at once, to wait only once.
#[tokio::test]
async fn unanswered_request_is_unknown_within_the_functions_time() {
    let lost = |fault: fn() -> Fault| async move {
        let shop = Shop::open().await;
        shop.simulator().hold_webhooks();
        shop.adyen.begin(move |_| Some(fault()));
        let begun = std::time::Instant::now();
        assert_unknown(&shop.pay("A", "T").await);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(29), "{took:?}");
        assert!(took > Duration::from_secs(20), "{took:?}: stopped early");
        let keys: Vec<_> = shop
            .simulator()
            .books()
            .calls
            .iter()
            .map(|call| call.idempotency_key.clone())
            .collect();
        assert!(keys.windows(2).all(|two| two[0] == two[1]), "one key");
        assert!(shop.processed("A") <= 1);
        // Adyen is reachable again: another tab a moment later, then the same request.
        shop.adyen.calm();
        assert_problem(&shop.pay("A", "other").await, 409, "payment_in_progress");
        assert_paid(&shop.pay("A", "T").await, "authorised", 1, "success");
        assert_eq!(shop.authorisations("A"), 1);
    };
    let withheld = async {
        let shop = Shop::open().await;
        let begun = std::time::Instant::now();
        assert_unknown(&shop.pay("A", "T-TIMEOUT").await);
        assert!(begun.elapsed() < Duration::from_secs(29));
        let books = shop.simulator().books();
        assert!(books.calls.iter().skip(1).all(|call| call.answer["errorCode"] == "704"));
        assert_eq!((books.authorisations("A"), books.payments.len()), (1, 1));
        assert_problem(&shop.pay("A", "other").await, 409, "payment_in_progress");
        assert_eq!(shop.processed("A"), 1);
    };
    let transient = async {
        let shop = Shop::open().await;
        let (one, other) = tokio::join!(shop.pay("A", "T-FAULT-704"), shop.pay("B", "T-FAULT-703"));
        assert_unknown(&one);
        assert_unknown(&other);
    };
    tokio::join!(
        lost(|| Fault::DropBefore),
        lost(|| Fault::DropAfter),
        lost(|| Fault::Truncated),
        withheld,
        transient,
    );
}

#[tokio::test]
async fn another_token_soon_after_an_unknown_outcome_is_in_progress() {
    let shop = Shop::open().await;
    assert_unknown(&shop.pay("A", "1-HTTP-500").await);
    let other = shop.pay("A", "2").await;
    assert_problem(&other, 409, "payment_in_progress");
    let wait = retry_after(&other);
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(shop.calls("/payments"), 1, "without a call");
}

#[tokio::test]
async fn another_token_later_is_processed_under_the_same_key_if_the_first_was_not() {
    let shop = Shop::open().await;
    assert_unknown(&shop.pay("A", "1-HTTP-500").await);
    shop.pass("A", LATER).await;
    assert_paid(&shop.pay("A", "2").await, "authorised", 1, "success");
    let books = shop.simulator().books();
    let calls = books.calls_to("/payments");
    assert_eq!(calls[0].idempotency_key, calls[1].idempotency_key);
    assert_eq!(books.payments[0].amazon_pay_token.as_deref(), Some("2"));
    // Both submissions belong to the attempt.
    for token in ["1-HTTP-500", "2"] {
        assert_paid(&shop.pay("A", token).await, "authorised", 1, "success");
    }
    assert_eq!(shop.calls("/payments"), 2);
}

#[tokio::test]
async fn another_token_later_returns_the_outcome_of_the_first_if_that_was_processed() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.pay("A", "1").await);
    shop.pass("A", LATER).await;
    assert_paid(&shop.pay("A", "2").await, "authorised", 1, "success");
    let books = shop.simulator().books();
    assert_eq!(books.payments.len(), 1);
    assert_eq!(books.payments[0].amazon_pay_token.as_deref(), Some("1"));
}

#[tokio::test]
async fn error_about_a_reused_key_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.pay("A", "1").await);
    for code in ["702", "905", "901"] {
        shop.pass("A", LATER).await;
        shop.simulator().inject(Fault::Instead(coded(code)));
        let other = shop.pay("A", "2").await;
        assert_problem(&other, 409, "payment_in_progress");
        assert_eq!(shop.order("A").await["status"], "pending", "{code}");
    }
    // But the shopper is told that this token is unusable.
    shop.pass("A", LATER).await;
    shop.simulator().inject(Fault::Instead(coded("5_606")));
    let other = shop.pay("A", "2").await;
    assert_problem(&other, 422, "adyen_rejected");
    assert_eq!(other.body["nextStep"], "startOver");
    assert_eq!(shop.order("A").await["status"], "pending");
    shop.pass("A", LATER).await;
    assert_paid(&shop.pay("A", "3").await, "authorised", 1, "success");
    assert_eq!((shop.authorisations("A"), shop.processed("A")), (1, 1));
}

#[tokio::test]
async fn another_token_while_details_are_unanswered_is_in_progress() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    let result = redirect_result(&first.body["action"], "approved");
    shop.adyen.begin(|call| call.name.ends_with("/details").then(Fault::lost_answer));
    assert_unknown(&shop.details("A", 1, "redirectResult", &result).await);
    assert_eq!(shop.order("A").await["nextStep"], "wait");
    let other = shop.pay("A", "2").await;
    assert_problem(&other, 409, "payment_in_progress");
    shop.adyen.calm();
    let answer = shop.details("A", 1, "redirectResult", &result).await;
    assert_paid(&answer, "authorised", 1, "success");
    assert_eq!((shop.authorisations("A"), shop.processed("A")), (1, 1));
}

/// The shopper lost the details and can still pay.
#[tokio::test]
async fn details_whose_answer_was_lost_are_retried() {
    let shop = Shop::open().await;
    for (reference, processed) in [("A", false), ("B", true)] {
        shop.simulator().hold_webhooks();
        let first = shop.pay(reference, "1-3DS-REDIRECT").await;
        let result = redirect_result(&first.body["action"], "approved");
        let lost = match processed {
            true => Fault::lost_answer(),
            false => Fault::status(500),
        };
        shop.adyen.fail_at(0, lost);
        assert_unknown(&shop.details(reference, 1, "redirectResult", &result).await);
        // A reloaded page receives the action again.
        let again = shop.pay(reference, "1-3DS-REDIRECT").await;
        assert_paid(&again, "pending", 1, "handleAction");
        assert_eq!(again.body["action"], first.body["action"]);
        // Another session has to wait, and then continues the same payment.
        assert_problem(&shop.pay(reference, "2").await, 409, "payment_in_progress");
        shop.pass(reference, LATER).await;
        let other = shop.pay(reference, "2").await;
        assert_paid(&other, "pending", 1, "handleAction");
        assert_eq!(other.body["action"], first.body["action"]);
        assert_eq!(shop.processed(reference), 1);
        // Details that were processed return the stored result.
        let answer = shop.details(reference, 1, "redirectResult", &result).await;
        assert_paid(&answer, "authorised", 1, "success");
        assert_eq!((shop.authorisations(reference), shop.processed(reference)), (1, 1));
    }
}

/// Two tabs send the same; one is rejected, the other is processed and its answer lost.
#[tokio::test]
async fn error_of_one_of_two_requests_does_not_end_the_attempt() {
    let shop = Shop::open().await;
    let other = shop.second_process().await;
    shop.simulator().hold_webhooks();
    let faults = |call: &Call| match call.index {
        0 => Some(Fault::Instead(coded("905"))),
        1 => Some(Fault::lost_answer()),
        _ => None,
    };
    let late = Fault::ArriveLate(Duration::from_millis(500));

    shop.adyen.begin(faults);
    // The first tab's answer is stored while the second tab sends its request.
    shop.dynamodb.fail_at(1, late.clone());
    let (one, two) = tokio::join!(shop.pay("A", "1"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        post(&other, "A", "/payments", &in_browser("A", "1")).await
    });
    assert_problem(&one, 502, "adyen_configuration");
    assert_unknown(&two);
    assert_problem(&shop.pay("A", "2").await, 409, "payment_in_progress");
    assert_paid(&shop.pay("A", "1").await, "authorised", 1, "success");
    assert_eq!((shop.authorisations("A"), shop.processed("A")), (1, 1));

    // The same with details.
    shop.adyen.calm();
    let action = shop.pay("B", "1-3DS-REDIRECT").await.body["action"].clone();
    let body = result(Some(1), &action, true);
    shop.adyen.begin(faults);
    shop.dynamodb.fail_at(2, late);
    let (one, two) = tokio::join!(post(&shop.stack, "B", "/payments/details", &body), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        post(&other, "B", "/payments/details", &body).await
    });
    assert_problem(&one, 502, "adyen_configuration");
    assert_unknown(&two);
    assert_problem(&shop.pay("B", "2").await, 409, "payment_in_progress");
    let answer = post(&shop.stack, "B", "/payments/details", &body).await;
    assert_paid(&answer, "authorised", 1, "success");
    assert_eq!((shop.authorisations("B"), shop.processed("B")), (1, 1));
}

#[tokio::test]
async fn unknown_fields_of_an_answer_are_ignored() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    let odd = json!({
        "resultCode": "Refused", "pspReference": "", "refusalReason": {"text": "no"},
        "refusalReasonCode": 5, "merchantReference": null,
    });
    shop.simulator().inject(Fault::Instead(AdyenAnswer::json(200, &odd)));
    let answer = shop.pay("A", "1").await;
    assert_paid(&answer, "refused", 1, "retryWithAmazonPay");
    assert!(answer.body.get("pspReference").is_none(), "{answer:?}");

    let odd = json!({"status": "422", "errorCode": 702, "errorType": "validation"});
    shop.simulator().inject(Fault::Instead(AdyenAnswer::json(422, &odd)));
    let answer = shop.pay("B", "1").await;
    assert_problem(&answer, 422, "adyen_rejected");
    assert_eq!(answer.body["errorCode"], "702");
}
