//! The actions: modify an order, let the world outside act, fail a call, run the schedule.

use serde_json::json;

use crate::world::Bench;

#[tokio::test]
async fn modification_goes_through_the_api() {
    let bench = Bench::with(&[("CAPTURE", "manual")]).await;
    bench.paid("ORDER-1").await;
    let modify = |operation: &str, value: Option<i64>| json!({"action": "modify", "reference": "ORDER-1", "operation": operation, "value": value});

    let captured = bench.act(modify("capture", None)).await;
    bench.stack.order_once("ORDER-1", |order| order["status"] == "captured").await;
    bench.act(modify("refund", Some(400))).await;
    bench.stack.order_once("ORDER-1", |order| order["status"] == "partiallyRefunded").await;
    let too_much = bench.act(modify("refund", Some(900))).await;

    assert_eq!(captured["status"], 202, "{captured}");
    assert_eq!(too_much["body"]["code"], "amount_exceeds_open", "{too_much}");
    let paths: Vec<_> = bench
        .requests("api")
        .await
        .iter()
        .map(|it| it["path"].as_str().unwrap().to_owned())
        .collect();
    assert!(paths.contains(&"/orders/ORDER-1/captures".to_owned()), "{paths:?}");
}

#[tokio::test]
async fn charge_back_and_expiry_are_reported_to_the_order() {
    for (action, status) in [("chargeBack", "chargedBack"), ("expire", "expired")] {
        let bench = Bench::with(&[("CAPTURE", "manual")]).await;
        bench.paid("ORDER-1").await;

        bench.act(json!({"action": action, "reference": "ORDER-1"})).await;

        bench.stack.order_once("ORDER-1", |order| order["status"] == status).await;
    }
}

#[tokio::test]
async fn pending_payment_is_paid_or_declined_when_let() {
    let bench = Bench::start().await;
    for (reference, approved, status) in
        [("ORDER-1", true, "authorised"), ("ORDER-2", false, "refused")]
    {
        bench.stack.pay(reference, "160583287597AMZN-PENDING").await;

        bench.act(json!({"action": "pay", "reference": reference, "approved": approved})).await;

        bench.stack.order_once(reference, |order| order["status"] == status).await;
        let again = json!({"action": "pay", "reference": reference});
        let again = bench.try_post("do", again).await;
        assert_eq!(again.status, 422, "nothing is pending any more: {again:?}");
    }
}

#[tokio::test]
async fn closed_offer_expires_an_order_that_waits_for_its_shopper() {
    let bench = Bench::start().await;
    let body = tests::in_browser("ORDER-1", "160583287597AMZN-3DS-REDIRECT");
    bench.stack.post("/payments", &tests::browser("ORDER-1"), &body).await;

    bench.act(json!({"action": "closeOffer", "reference": "ORDER-1"})).await;

    bench.stack.order_once("ORDER-1", |order| order["status"] == "expired").await;
    let order = bench.get("orders/ORDER-1").await["order"].clone();
    assert_eq!(order["attempts"][0]["because"], "OFFER_CLOSED, while it was unresolved");
}

#[tokio::test]
async fn next_call_fails_as_chosen() {
    let bench = Bench::start().await;
    // After a 500 the outcome is unknown; the others are tried again at once.
    for (number, (how, status, note, payments)) in [
        ("error500", Some(500), "500 instead", 0),
        ("transient503", Some(503), "503 instead", 1),
        ("cutBefore", None, "DropBefore", 1),
        ("cutAfter", None, "DropAfter", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let fail =
            json!({"action": "failNext", "target": "adyen", "how": how, "path": "/payments"});
        bench.act(fail).await;
        let reference = format!("ORDER-{number}");

        bench.stack.pay(&reference, "160583287597AMZN").await;

        let calls = bench.requests("adyen").await;
        let failed = calls.iter().find(|call| call["note"] == note);
        let failed = failed.unwrap_or_else(|| panic!("{how}: {calls:?}"));
        assert_eq!(failed["status"], json!(status), "{how}");
        assert!(failed["references"].as_array().unwrap().contains(&json!(reference)), "{failed}");
        assert_eq!(bench.stack.authorisations(&reference), payments, "{how}");
    }
}

#[tokio::test]
async fn call_of_amazon_pay_fails_as_chosen() {
    let bench = Bench::start().await;
    bench.stack.bundle.amazon().unwrap().open("S-1");
    bench.act(json!({"action": "failNext", "target": "amazonPay", "how": "error500"})).await;
    let path = "/checkoutSessions/S-1";

    let confirm = bench.stack.request(reqwest::Method::PATCH, path);
    tests::Answer::of(confirm.bearer_auth(tests::browser("ORDER-1"))).await;

    let calls = bench.requests("amazonPay").await;
    assert!(calls.iter().any(|call| call["status"] == 500 && call["note"] == "500 instead"));
}

#[tokio::test]
async fn call_of_amazon_pay_with_another_path_does_not_fail() {
    let bench = Bench::start().await;
    bench.stack.bundle.amazon().unwrap().open("S-1");
    let fail = |path: &str| json!({"action": "failNext", "target": "amazonPay", "how": "error500", "path": path});
    bench.act(fail("/S-2")).await;
    bench.act(fail("/S-1")).await;

    let confirm = bench.stack.request(reqwest::Method::PATCH, "/checkoutSessions/S-1");
    tests::Answer::of(confirm.bearer_auth(tests::browser("ORDER-1"))).await;

    let calls = bench.requests("amazonPay").await;
    let failed: Vec<_> = calls.iter().filter(|call| call["note"] == "500 instead").collect();
    assert_eq!(failed.len(), 1, "{calls:?}");
}

#[tokio::test]
async fn schedule_runs_when_told() {
    let bench = Bench::start().await;
    let report = bench.act(json!({"action": "recover"})).await;
    assert_eq!(report["open"], 0);
}

#[tokio::test]
async fn unknown_action_is_rejected() {
    let bench = Bench::start().await;
    for wrong in [json!({}), json!({"action": "x"}), json!({"action": "recover", "more": 1})] {
        assert_eq!(bench.try_post("do", wrong).await.status, 422);
    }
    let nobody = json!({"action": "modify", "reference": "NOBODY", "operation": "refund"});
    assert_eq!(bench.try_post("do", nobody).await.status, 404);
}
