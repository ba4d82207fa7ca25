//! Captures, cancels, refunds and reversals over HTTP.

use adyen_simulator::webhook::Event;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser};

async fn manual() -> Stack {
    Stack::with_variables(&[("CAPTURE", "manual")]).await
}

async fn automatic() -> Stack {
    Stack::start().await
}

/// Pays EUR 10.00 and waits for the webhook.
async fn paid(stack: &Stack, reference: &str) {
    let answer = stack.pay(reference, "160583287597AMZN").await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    stack.order_once(reference, |order| order["confirmed"] == true).await;
}

/// Requests a modification with a new `Idempotency-Key`.
async fn modify(stack: &Stack, reference: &str, operation: &str, body: Value) -> Answer {
    let path = format!("/orders/{reference}/{operation}");
    let key = format!("{:032x}", fastrand::u128(..));
    stack.post_with_key(&path, &backend(), &key, &body).await
}

fn eur(value: i64) -> Value {
    json!({"currency": "EUR", "value": value})
}

/// The calls that reached Adyen for an operation.
fn sent(stack: &Stack, operation: &str) -> Vec<Value> {
    let books = stack.adyen().books();
    books.calls_to(&format!("/{operation}")).iter().map(|call| call.body.clone()).collect()
}

#[tokio::test]
async fn manual_payment_is_captured_in_full_and_refunded_in_parts() {
    let stack = manual().await;
    paid(&stack, "ORDER-1").await;
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["status"], "authorised");
    assert_eq!(order["capturableAmount"], eur(1000));
    assert_eq!(order["refundableAmount"], eur(0));

    let captured =
        Answer::of(stack.request(Method::POST, "/orders/ORDER-1/captures").bearer_auth(backend()))
            .await;
    assert_eq!(captured.status, 202, "{captured:?}");
    assert_eq!(captured.body["amount"], eur(1000));
    assert_eq!(captured.body["paymentPspReference"], order["pspReference"]);
    assert!(captured.body["pspReference"].is_string());
    let call = &sent(&stack, "captures")[0];
    assert_eq!(call["amount"], eur(1000));
    assert_eq!(call["reference"], "ORDER-1");
    let order = stack.order_once("ORDER-1", |order| order["status"] == "captured").await;
    assert_eq!(order["capturedAmount"], eur(1000));

    let refund = modify(
        &stack,
        "ORDER-1",
        "refunds",
        json!({"amount": eur(400), "merchantRefundReason": "RETURN"}),
    )
    .await;
    assert_eq!(refund.status, 202, "{refund:?}");
    let order = stack.order_once("ORDER-1", |order| order["status"] == "partiallyRefunded").await;
    assert_eq!(order["refundedAmount"], eur(400));
    assert_eq!(order["refundableAmount"], eur(600));
    assert_eq!(order["nextStep"], "none");

    // Without an amount, the refund is of everything that is left.
    assert_eq!(modify(&stack, "ORDER-1", "refunds", json!({})).await.status, 202);
    let order = stack.order_once("ORDER-1", |order| order["status"] == "refunded").await;
    assert_eq!(order["refundedAmount"], eur(1000));
    assert_eq!(order["modifications"].as_array().unwrap().len(), 3);
    assert_eq!(modify(&stack, "ORDER-1", "refunds", json!({})).await.code(), "wrong_state");
}

#[tokio::test]
async fn payment_that_can_only_be_captured_whole_says_so_and_is_captured_whole() {
    let stack = manual().await;
    let answer = stack.pay("ORDER-1", "AMZN-WHOLE-CAPTURE").await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;

    let part = json!({"amount": eur(400)});
    let path = "/orders/ORDER-1/captures";
    // The same request is answered in the same way.
    for _ in 0..2 {
        let answer = stack.post_with_key(path, &backend(), "PART", &part).await;
        assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"), "{answer:?}");
        assert_eq!(answer.body["errorCode"], "137");
        let detail = "Adyen rejected the request: Partial captures are not supported";
        assert_eq!(answer.body["detail"], detail);
    }
    assert_eq!(sent(&stack, "captures").len(), 1);
    let order = stack.order("ORDER-1").await;
    assert_eq!((&order["status"], &order["needsAttention"]), (&json!("authorised"), &json!([])));
    assert_eq!(order["capturableAmount"], eur(1000));
    assert_eq!(order["modifications"][0]["state"], "rejected");

    let whole = modify(&stack, "ORDER-1", "captures", json!({})).await;
    assert_eq!((whole.status, &whole.body["amount"]), (202, &eur(1000)), "{whole:?}");
    let order = stack.order_once("ORDER-1", |order| order["status"] == "captured").await;
    assert_eq!(order["capturedAmount"], eur(1000));
}

#[tokio::test]
async fn refund_that_fails_later_can_be_made_again() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    let refund = modify(&stack, "ORDER-1", "refunds", json!({})).await;
    assert_eq!(refund.status, 202, "{refund:?}");
    let order = stack.order_once("ORDER-1", |order| order["status"] == "refunded").await;

    let payment = order["pspReference"].as_str().unwrap();
    let mut failed = Event::new(
        "REFUND_FAILED",
        "ADYEN_MERCHANT_ACCOUNT",
        refund.body["pspReference"].as_str().unwrap(),
        "ORDER-1",
    );
    failed.original_reference = Some(payment.to_owned());
    stack.adyen().notify(&failed).unwrap();
    let order = stack.order_once("ORDER-1", |order| order["status"] == "authorised").await;
    assert_eq!(order["refundableAmount"], eur(1000));

    let again = modify(&stack, "ORDER-1", "refunds", json!({})).await;
    assert_eq!(again.status, 202, "{again:?}");
    assert_ne!(again.body["pspReference"], refund.body["pspReference"]);
}

#[tokio::test]
async fn payment_can_be_cancelled_only_before_its_capture() {
    let stack = manual().await;
    paid(&stack, "ORDER-1").await;
    assert_eq!(modify(&stack, "ORDER-1", "cancels", json!({})).await.status, 202);
    // Until it is decided, a requested cancel counts as done.
    assert_eq!(modify(&stack, "ORDER-1", "captures", json!({})).await.code(), "wrong_state");
    let order = stack.order_once("ORDER-1", |order| order["status"] == "cancelled").await;
    assert_eq!(order["nextStep"], "none");
    let again = stack.pay("ORDER-1", "ANOTHER-AMZN").await;
    assert_eq!(again.code(), "order_cancelled");

    paid(&stack, "ORDER-2").await;
    assert_eq!(modify(&stack, "ORDER-2", "captures", json!({})).await.status, 202);
    assert_eq!(modify(&stack, "ORDER-2", "cancels", json!({})).await.code(), "wrong_state");
    assert_eq!(sent(&stack, "cancels").len(), 1);
}

#[tokio::test]
async fn reversal_refunds_a_captured_payment() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    assert_eq!(modify(&stack, "ORDER-1", "reversals", json!({})).await.status, 202);
    stack.order_once("ORDER-1", |order| order["status"] == "refunded").await;
    assert_eq!(modify(&stack, "ORDER-1", "reversals", json!({})).await.code(), "wrong_state");
}

#[tokio::test]
async fn impossible_modification_is_rejected_before_any_call() {
    let stack = manual().await;
    paid(&stack, "ORDER-1").await;
    let refused = [
        ("captures", json!({"amount": eur(1001)}), 422, "amount_exceeds_open"),
        ("captures", json!({"amount": {"currency": "USD", "value": 10}}), 422, "amount_mismatch"),
        ("captures", json!({"amount": eur(0)}), 422, "invalid_field"),
        ("captures", json!({"merchantRefundReason": "RETURN"}), 422, "unknown_field"),
        ("captures", json!({"paymentPspReference": "ANOTHER"}), 404, "payment_not_found"),
        ("captures", json!({"merchantAccount": "Another"}), 403, "wrong_merchant_account"),
        ("cancels", json!({"amount": eur(1)}), 422, "unknown_field"),
        ("refunds", json!({}), 409, "wrong_state"),
        (
            "refunds",
            json!({"amount": eur(1), "merchantRefundReason": "WHIM"}),
            422,
            "invalid_field",
        ),
    ];
    for (operation, body, status, code) in refused {
        let answer = modify(&stack, "ORDER-1", operation, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{operation} {body}: {answer:?}"
        );
    }
    assert_eq!(modify(&stack, "NONE", "refunds", json!({})).await.code(), "order_not_found");
    let shopper = stack.post("/orders/ORDER-1/captures", &browser("ORDER-1"), &json!({})).await;
    assert_eq!(shopper.code(), "merchant_token_required");

    let order = stack.order("ORDER-1").await;
    assert_eq!(order["modifications"], json!([]));
    for operation in ["captures", "cancels", "refunds"] {
        assert_eq!(sent(&stack, operation), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn same_idempotency_key_makes_one_refund_and_another_key_a_second() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    let path = "/orders/ORDER-1/refunds";
    let body = json!({"amount": eur(300)});
    let first = stack.post_with_key(path, &backend(), "refund-1", &body).await;
    let again = stack.post_with_key(path, &backend(), "refund-1", &body).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body["pspReference"], again.body["pspReference"]);
    let other =
        stack.post_with_key(path, &backend(), "refund-1", &json!({"amount": eur(301)})).await;
    assert_eq!(other.code(), "idempotency_key_reused");
    assert_eq!(stack.post_with_key(path, &backend(), "refund-2", &body).await.status, 202);
    let order = stack.order_once("ORDER-1", |order| order["refundedAmount"]["value"] == 600).await;
    assert_eq!(order["refundableAmount"], eur(400));
}

#[tokio::test]
async fn partial_refund_without_an_idempotency_key_is_rejected_but_a_full_one_is_not() {
    for (stack, operation) in [(manual().await, "captures"), (automatic().await, "refunds")] {
        paid(&stack, "ORDER-1").await;
        let path = format!("/orders/ORDER-1/{operation}");
        // The key is mandatory with any amount, because a request with an amount may be meant as
        // another one.
        for value in [400, 1000, 1001] {
            let body = json!({"amount": eur(value)});
            let answer = stack.post(&path, &backend(), &body).await;
            let actual = (answer.status, answer.code(), answer.body["field"].as_str());
            let expected = (400, "idempotency_key_missing", Some("Idempotency-Key"));
            assert_eq!(actual, expected, "{operation} {value}: {answer:?}");
        }
        assert!(sent(&stack, operation).is_empty());
        assert_eq!(stack.order("ORDER-1").await["modifications"], json!([]));
        // Malformed and forbidden requests are rejected first.
        let answer = stack.post(&path, &backend(), &json!({"amount": eur(0)})).await;
        assert_eq!(answer.code(), "invalid_field");
        let body = json!({"amount": eur(400)});
        let answer = stack.post(&path, &browser("ORDER-1"), &body).await;
        assert_eq!(answer.code(), "merchant_token_required");

        let answer = stack.post(&path, &backend(), &json!({})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.body["amount"], eur(1000));
    }
}

#[tokio::test]
async fn refund_whose_answer_was_lost_is_retried_and_made_once() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    stack.adyen().inject(adyen_simulator::Fault::DropAfter.on("/refunds"));
    let refund = modify(&stack, "ORDER-1", "refunds", json!({"amount": eur(300)})).await;
    assert_eq!(refund.status, 202, "{refund:?}");
    let order = stack.order_once("ORDER-1", |order| order["refundedAmount"]["value"] == 300).await;
    assert_eq!(order["modifications"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_captured_amount() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    let refund = |key: &'static str| {
        let stack = &stack;
        async move {
            stack
                .post_with_key(
                    "/orders/ORDER-1/refunds",
                    &backend(),
                    key,
                    &json!({"amount": eur(700)}),
                )
                .await
        }
    };
    let (one, two) = tokio::join!(refund("one"), refund("two"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 422]);
    let order = stack.order_once("ORDER-1", |order| order["refundedAmount"]["value"] == 700).await;
    assert_eq!(order["needsAttention"], json!([]));
}

#[tokio::test]
async fn redirect_from_adyen_rejects_a_refund() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    stack.adyen().inject(adyen_simulator::Fault::status(308).on("/refunds"));
    let refund = modify(&stack, "ORDER-1", "refunds", json!({})).await;
    assert_eq!((refund.status, refund.code()), (502, "adyen_configuration"));
    assert_eq!(refund.body["errorCode"], "http_308");
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["modifications"][0]["state"], "rejected");
    assert_eq!(order["refundableAmount"], eur(1000));
}

#[tokio::test]
async fn modification_without_an_amount_is_for_the_whole_and_null_is_rejected() {
    let stack = automatic().await;
    paid(&stack, "ORDER-1").await;
    let answer = modify(&stack, "ORDER-1", "refunds", json!({"amount": null})).await;
    assert_eq!((answer.status, answer.code()), (422, "invalid_field"));
    assert_eq!(answer.body["field"], "amount");
    assert!(sent(&stack, "refunds").is_empty());
}

#[tokio::test]
async fn order_lists_the_state_of_each_modification() {
    let stack = automatic().await;
    assert_eq!(stack.pay("ORDER-1", "AMZN-REFUND-FAIL").await.status, 200);
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    let states = |order: &Value| -> Vec<String> {
        let modifications = order["modifications"].as_array().unwrap().iter();
        let state = |it: &Value| it["state"].as_str().unwrap().to_owned();
        modifications.map(state).collect()
    };
    let refund = modify(&stack, "ORDER-1", "refunds", json!({"amount": eur(300)})).await;
    assert_eq!(refund.body["state"], "received", "{refund:?}");
    stack.order_once("ORDER-1", |order| states(order) == ["succeeded"]).await;
    stack.order_once("ORDER-1", |order| states(order) == ["failed"]).await;
    stack
        .adyen()
        .inject(adyen_simulator::Fault::Instead(adyen_simulator::coded("901")).on("/refunds"));
    let refund = modify(&stack, "ORDER-1", "refunds", json!({"amount": eur(200)})).await;
    assert_eq!(refund.code(), "adyen_configuration");
    assert_eq!(states(&stack.order("ORDER-1").await), ["failed", "rejected"]);
}
