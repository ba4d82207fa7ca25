//! Details from several pages at once.

use adyen_simulator::{Answer as AdyenAnswer, Fault, fingerprint_result, redirect_result};
use serde_json::{Value, json};
use tests::{Answer, browser};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown};

impl Shop {
    /// Posts details without an attempt's number.
    async fn details_of_any(&self, reference: &str, name: &str, result: &str) -> Answer {
        let body = json!({"details": {name: result}});
        let token = browser(reference);
        self.stack.post("/payments/details", &token, &body).await
    }

    /// The shopper's bank posts the result to Adyen, and the shopper does not return to the shop.
    async fn finish_at_adyen(&self, result: &str) -> Value {
        let request = shared::platform::http_client::build(None)
            .unwrap()
            .post(format!("{}/payments/details", self.simulator().checkout_url()))
            .header("x-api-key", local::keys::ADYEN_API_KEY)
            .json(&json!({"details": {"redirectResult": result}}));
        Answer::of(request).await.body
    }
}

#[tokio::test]
async fn details_posted_twice_return_the_same_answer_and_are_processed_once() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    let result = redirect_result(&first.body["action"], "approved");
    let (one, two) = tokio::join!(
        shop.details("A", 1, "redirectResult", &result),
        shop.details_of_any("A", "redirectResult", &result),
    );
    assert_paid(&one, "authorised", 1, "success");
    assert_eq!(one.body, two.body);
    let later = shop.details("A", 1, "redirectResult", &result).await;
    assert_eq!((later.status, later.body), (200, one.body));
    assert_eq!(shop.authorisations("A"), 1);
}

/// Two tabs, both at their bank, both back at once, and neither says which attempt it is of.
#[tokio::test]
async fn two_details_of_one_order_are_not_both_paid() {
    let shop = Shop::open().await;
    for round in 0..20 {
        let reference = format!("ORDER-{round}");
        let first = shop.pay(&reference, "1-3DS-REDIRECT").await;
        let second = shop.pay(&reference, "2-3DS-REDIRECT").await;
        let results = [&first, &second].map(|it| redirect_result(&it.body["action"], "approved"));
        tokio::join!(
            shop.details_of_any(&reference, "redirectResult", &results[0]),
            shop.details_of_any(&reference, "redirectResult", &results[1]),
        );
        for result in &results {
            shop.details_of_any(&reference, "redirectResult", result).await;
        }
        assert_eq!(shop.authorisations(&reference), 1, "{reference}");
        assert_eq!(shop.order(&reference).await["status"], "authorised");
    }
    shop.webhooks_delivered().await;
    let order = shop.order("ORDER-0").await;
    assert_eq!(order["needsAttention"], json!([]), "{order}");
}

#[tokio::test]
async fn details_of_a_superseded_attempt_do_not_conclude_one_in_flight() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    // Attempt 2 is processed, but its answer is lost.
    let processed = adyen_simulator::Answer::text(500, "text/html", "<html>");
    shop.simulator().inject(adyen_simulator::Fault::Afterwards(processed));
    assert_unknown(&shop.pay("A", "2").await);
    // The page of attempt 1 returns without success, and does not name its attempt.
    let refused = redirect_result(&first.body["action"], "refused");
    let answer = shop.details_of_any("A", "redirectResult", &refused).await;
    assert_problem(&answer, 409, "payment_in_progress");
    // Details of another order are rejected too.
    shop.pay("B", "3-3DS-REDIRECT").await;
    let answer = shop.details("B", 1, "redirectResult", &refused).await;
    assert_problem(&answer, 403, "wrong_order");
    assert_eq!(answer.body.get("order"), None);
    assert_problem(&shop.pay("A", "4").await, 409, "payment_in_progress");
    assert_paid(&shop.pay("A", "2").await, "authorised", 2, "success");
    assert_eq!(shop.authorisations("A"), 1);
    // B still waits for its shopper.
    assert_eq!(shop.order("B").await["nextStep"], "handleAction");
}

#[tokio::test]
async fn order_paid_by_a_superseded_attempt_is_not_paid_again() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    let second = shop.pay("A", "2-3DS-REDIRECT").await;
    let result = redirect_result(&first.body["action"], "approved");
    assert_eq!(shop.finish_at_adyen(&result).await["resultCode"], "Authorised");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("A").await["status"], "authorised");
    let calls = shop.calls("/payments/details");
    let result = redirect_result(&second.body["action"], "approved");
    let answer = shop.details("A", 2, "redirectResult", &result).await;
    assert_problem(&answer, 409, "order_already_paid");
    assert_eq!(answer.body["order"]["status"], "authorised");
    assert_eq!(shop.calls("/payments/details"), calls, "without a call");
    assert_eq!(shop.authorisations("A"), 1);
}

#[tokio::test]
async fn details_after_their_webhook_are_answered_from_it() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    let result = redirect_result(&first.body["action"], "approved");
    let adyen_answer = shop.finish_at_adyen(&result).await;
    shop.webhooks_delivered().await;
    let answer = shop.details("A", 1, "redirectResult", &result).await;
    assert_paid(&answer, "authorised", 1, "success");
    assert_eq!(answer.body["pspReference"], adyen_answer["pspReference"]);
    let order = shop.order("A").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    assert_eq!(shop.authorisations("A"), 1);
}

#[tokio::test]
async fn details_of_another_order_are_recognised_by_the_payment() {
    let shop = Shop::open().await;
    let a = shop.pay("A", "1").await;
    shop.pay("B", "2-3DS-REDIRECT").await;
    let of_a = json!({"resultCode": "Authorised", "pspReference": a.body["pspReference"]});
    shop.simulator().inject(Fault::Instead(AdyenAnswer::json(200, &of_a)));
    let answer = shop.details("B", 1, "redirectResult", "of A").await;
    assert_problem(&answer, 403, "wrong_order");
    assert_eq!(shop.order("B").await["nextStep"], "handleAction");
}

#[tokio::test]
async fn action_is_returned_only_while_it_is_due() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-CHALLENGE").await;
    let fingerprint = fingerprint_result(&first.body["action"]);
    let second = shop.details("A", 1, "threeDSResult", &fingerprint).await;
    assert_eq!(second.body["resultCode"], "ChallengeShopper");
    // The page is reloaded: Adyen repeats its first answer.
    let again = shop.pay("A", "1-3DS-CHALLENGE").await;
    assert_paid(&again, "pending", 1, "handleAction");
    assert_eq!(again.body["resultCode"], "IdentifyShopper");
    assert_eq!(again.body["action"], first.body["action"]);

    let first = shop.pay("B", "1-3DS-REDIRECT").await;
    let pending = json!({
        "resultCode": "Pending", "pspReference": "PENDING-B", "merchantReference": "B",
    });
    shop.simulator().inject(Fault::Instead(AdyenAnswer::json(200, &pending)));
    let result = redirect_result(&first.body["action"], "approved");
    let answer = shop.details("B", 1, "redirectResult", &result).await;
    assert_paid(&answer, "pending", 1, "wait");
    let again = shop.pay("B", "1-3DS-REDIRECT").await;
    assert_paid(&again, "pending", 1, "wait");
    assert_eq!(again.body["resultCode"], "Pending");
    assert!(again.body.get("action").is_none(), "{again:?}");
}
