//! Some of Adyen's errors prove that nothing was processed, and some prove it for earlier requests
//! too.

use adyen_simulator::{Answer as AdyenAnswer, Fault, coded, redirect_result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, backend};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown};

const LATER: SignedDuration = SignedDuration::from_secs(31);

/// Codes of errors that Adyen returns before it processes a payment.
const BEFORE_PROCESSING: [&str; 8] =
    ["000", "010", "901", "905", "905_2", "5_605", "5_607", "5_616"];

/// Codes that reject a field. An earlier request may have been processed all the same.
const OF_FIELDS: [&str; 7] = ["130", "137", "138", "702", "14_030", "14_0385", "29_001"];

/// An error in Adyen's format; `kind` may be null.
fn error(status: u16, code: &str, kind: impl Into<Value>) -> AdyenAnswer {
    let body = json!({
        "status": status, "errorCode": code, "message": "no", "errorType": kind.into(),
    });
    AdyenAnswer::json(status, &body)
}

#[tokio::test]
async fn ambiguous_error_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    for (number, adyen_answer) in [
        error(500, "903", "internal"),
        error(500, "701", "internal"),
        error(500, "702", "validation"),
        error(503, "5_604", "configuration"),
        error(502, "14_030", "security"),
        error(422, "903", "internal"),
        error(400, "5_612", "modification"),
        error(422, "702", Value::Null),
        error(422, "702", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("ORDER-{number}");
        shop.simulator().inject(Fault::Afterwards(adyen_answer.clone()));
        assert_unknown(&shop.pay(&reference, "1").await);
        assert_eq!(shop.order(&reference).await["status"], "pending", "{adyen_answer:?}");
        assert_problem(&shop.pay(&reference, "2").await, 409, "payment_in_progress");
        assert_paid(&shop.pay(&reference, "1").await, "authorised", 1, "success");
        assert_eq!((shop.authorisations(&reference), shop.processed(&reference)), (1, 1));
    }
}

#[tokio::test]
async fn error_code_from_before_processing_ends_the_attempt() {
    let shop = Shop::open().await;
    for code in BEFORE_PROCESSING {
        for (status, kind) in [(401, "internal"), (422, ""), (500, "internal"), (503, "validation")]
        {
            let reference = format!("ORDER-{code}-{status}");
            shop.simulator().inject(Fault::Instead(error(status, code, kind)));
            let answer = shop.pay(&reference, "1").await;
            assert_eq!(answer.body["errorCode"], code, "{answer:?}");
            assert_eq!(shop.order(&reference).await["status"], "error", "{code} {status}");
            assert_paid(&shop.pay(&reference, "2").await, "authorised", 2, "success");
        }
    }
}

#[tokio::test]
async fn details_with_an_ambiguous_error_stay_in_flight() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    for (reference, adyen_answer) in [
        ("A", error(500, "903", "internal")),
        ("B", error(500, "702", "validation")),
        ("C", error(422, "701", "internal")),
    ] {
        let first = shop.pay(reference, "1-3DS-REDIRECT").await;
        let result = redirect_result(&first.body["action"], "approved");
        shop.simulator().inject(Fault::Afterwards(adyen_answer));
        assert_unknown(&shop.details(reference, 1, "redirectResult", &result).await);
        assert_problem(&shop.pay(reference, "2").await, 409, "payment_in_progress");
        let answer = shop.details(reference, 1, "redirectResult", &result).await;
        assert_paid(&answer, "authorised", 1, "success");
        assert_eq!((shop.authorisations(reference), shop.processed(reference)), (1, 1));
    }
}

impl Shop {
    /// Requests a partial refund.
    async fn refund(&self, reference: &str, key: &str) -> Answer {
        let path = format!("/orders/{reference}/refunds");
        let body = json!({"amount": {"currency": "EUR", "value": 400}});
        self.stack.post_with_key(&path, &backend(), key, &body).await
    }

    async fn confirmed(&self, reference: &str) {
        assert_paid(&self.pay(reference, "1").await, "authorised", 1, "success");
        self.stack.order_once(reference, |order| order["confirmed"] == true).await;
    }

    fn refunded(&self, reference: &str) -> i64 {
        self.simulator().with_books(|books| books.payments_of(reference)[0].money.refunded)
    }
}

#[tokio::test]
async fn refund_with_an_ambiguous_error_is_retried_and_made_once() {
    let shop = Shop::open().await;
    for (reference, adyen_answer) in [
        ("A", error(500, "903", "internal")),
        ("B", error(500, "137", "validation")),
        ("C", error(422, "701", "internal")),
    ] {
        shop.confirmed(reference).await;
        shop.simulator().hold_webhooks();
        shop.simulator().inject(Fault::Afterwards(adyen_answer).on("/refunds"));
        let answer = shop.refund(reference, "K").await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
        let answer = shop.refund(reference, "K").await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("received")));
        assert_eq!(shop.refunded(reference), 400);
        shop.simulator().release_webhooks(adyen_simulator::Release::InOrder).await;
    }
    shop.confirmed("D").await;
    shop.simulator().inject(Fault::Instead(error(500, "905", "internal")).on("/refunds"));
    assert_problem(&shop.refund("D", "K").await, 502, "adyen_unavailable");
    assert_eq!(shop.order("D").await["modifications"][0]["state"], "rejected");
}

#[tokio::test]
async fn error_after_an_unanswered_request_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    // An error that lies in the deployment is returned, and ends nothing either.
    for (code, status) in [
        ("5_606", 202),
        ("5_611", 202),
        ("5_602", 202),
        ("906", 202),
        ("15_017", 202),
        ("121", 202),
        ("000", 502),
        ("901", 502),
    ] {
        // Within one invocation: charged, the answer lost, and so no longer chargeable.
        let reference = format!("ONE-{code}");
        shop.simulator().inject(Fault::DropAfter);
        shop.simulator().inject(Fault::Instead(coded(code)));
        assert_unknown(&shop.pay(&reference, "1").await);
        assert_problem(&shop.pay(&reference, "2").await, 409, "payment_in_progress");
        assert_paid(&shop.pay(&reference, "1").await, "authorised", 1, "success");

        // The shopper repeats the request.
        let other = format!("TWO-{code}");
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.pay(&other, "1").await);
        shop.simulator().inject(Fault::Instead(coded(code)));
        assert_eq!(shop.pay(&other, "1").await.status, status, "{code}");
        assert_eq!(shop.order(&other).await["status"], "pending", "{code}");
        assert_problem(&shop.pay(&other, "2").await, 409, "payment_in_progress");
        shop.pass(&other, LATER).await;
        assert_paid(&shop.pay(&other, "2").await, "authorised", 1, "success");

        for reference in [reference, other] {
            assert_eq!((shop.authorisations(&reference), shop.processed(&reference)), (1, 1));
        }
    }
}

#[tokio::test]
async fn field_error_after_an_unanswered_request_ends_the_attempt() {
    let shop = Shop::open().await;
    let transient = AdyenAnswer::text(500, "text/html", "").header("transient-error", "true");
    for code in OF_FIELDS {
        for (name, doubt) in
            [("ONE", Fault::Instead(transient.clone())), ("CUT", Fault::DropBefore)]
        {
            let reference = format!("{name}-{code}");
            shop.simulator().inject(doubt);
            shop.simulator().inject(Fault::Instead(coded(code)));
            let answer = shop.pay(&reference, "1").await;
            assert_problem(&answer, 422, "adyen_rejected");
            assert_eq!(answer.body["nextStep"], "showError");
            assert_eq!(shop.order(&reference).await["status"], "error", "{code}");
            assert_paid(&shop.pay(&reference, "2").await, "authorised", 2, "success");
        }

        let reference = format!("TWO-{code}");
        shop.simulator().inject(Fault::status(500));
        assert_unknown(&shop.pay(&reference, "1").await);
        shop.simulator().inject(Fault::Instead(coded(code)));
        assert_problem(&shop.pay(&reference, "1").await, 422, "adyen_rejected");
        assert_eq!(shop.order(&reference).await["status"], "error", "{code}");
        assert_paid(&shop.pay(&reference, "2").await, "authorised", 2, "success");
    }
}

#[tokio::test]
async fn error_after_unanswered_details_leaves_them_in_flight() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    for (code, status) in [("5_606", 202), ("906", 202), ("15_017", 202), ("000", 502)] {
        let first = shop.pay(code, "1-3DS-REDIRECT").await;
        let result = redirect_result(&first.body["action"], "approved");
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.details(code, 1, "redirectResult", &result).await);
        shop.simulator().inject(Fault::Instead(coded(code)));
        let answer = shop.details(code, 1, "redirectResult", &result).await;
        assert_eq!(answer.status, status, "{answer:?}");
        // The shopper's money may be taken already.
        assert_problem(&shop.pay(code, "2").await, 409, "payment_in_progress");
        let answer = shop.details(code, 1, "redirectResult", &result).await;
        assert_paid(&answer, "authorised", 1, "success");
        assert_eq!((shop.authorisations(code), shop.processed(code)), (1, 1));
    }
}

#[tokio::test]
async fn field_error_after_unanswered_details_leaves_the_attempt_waiting() {
    let shop = Shop::open().await;
    let first = shop.pay("A", "1-3DS-REDIRECT").await;
    shop.simulator().inject(Fault::DropBefore);
    shop.simulator().inject(Fault::Instead(coded("702")));
    let garbage = shop.details("A", 1, "redirectResult", "garbage").await;
    assert_problem(&garbage, 422, "adyen_rejected");
    assert_eq!(garbage.body["errorCode"], "702");
    assert_eq!(shop.order("A").await["nextStep"], "handleAction");
    let result = redirect_result(&first.body["action"], "approved");
    let answer = shop.details("A", 1, "redirectResult", &result).await;
    assert_paid(&answer, "authorised", 1, "success");
}

#[tokio::test]
async fn refund_after_an_unanswered_one_is_rejected_only_by_a_field_error() {
    let shop = Shop::open().await;
    for (code, state) in [("167", "requested"), ("906", "requested"), ("137", "rejected")] {
        shop.confirmed(code).await;
        shop.simulator().inject(Fault::status(500).on("/refunds"));
        let answer = shop.refund(code, "K").await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
        shop.simulator().inject(Fault::Instead(coded(code)).on("/refunds"));
        assert_problem(&shop.refund(code, "K").await, 422, "adyen_rejected");
        assert_eq!(shop.order(code).await["modifications"][0]["state"], state, "{code}");
    }
}
