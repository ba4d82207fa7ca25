//! Adyen's page about the integration: its example request, and every row of
//! its tables.

use adyen_simulator::webhook::Event;
use adyen_simulator::{Answer as AdyenAnswer, Call, Fault, PaymentState, Release};
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, browser_with, payment, with};

/// The body of the page's curl example.
const BODY: &str = r#"{
  "amount": {
    "currency": "EUR",
    "value": 1000
  },
  "reference": "YOUR_ORDER_NUMBER",
  "paymentMethod": {
    "type": "amazonpay",
    "amazonPayToken":"160583287597AMZN"
  },
  "returnUrl": "https://your-company.example.com/checkout?shopperOrder=12xy..",
  "merchantAccount": "ADYEN_MERCHANT_ACCOUNT"
}"#;

/// The response to /paymentMethods on the page, with the ids of the simulated merchant.
const ENTRY: &str = r#"{
    "configuration": {
          "merchantId": "YOUR_AMAZON_PAY_MERCHANT_ID",
          "storeId": "amzn1.application-oa2-client.development-only",
          "publicKeyId": "SANDBOX-DEVELOPMENT-ONLY"
    },
    "details": [
        {
            "key": "amazonPayToken",
            "type": "text"
        }
    ],
    "name": "Amazon Pay",
    "type": "amazonpay"
}"#;

const ORDER: &str = "YOUR_ORDER_NUMBER";

fn without_country() -> Value {
    json!({"reference": ORDER, "amount": {"currency": "EUR", "value": 1000}})
}

/// Sends the body of Adyen's page byte for byte.
async fn send(stack: &Stack, token: &str) -> Answer {
    let request = stack
        .request(Method::POST, "/payments")
        .bearer_auth(token)
        .header(CONTENT_TYPE, "application/json")
        .body(BODY);
    Answer::of(request).await
}

/// The only call that reached Adyen.
fn only_call(stack: &Stack) -> Call {
    let calls = stack.adyen().books().calls;
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.into_iter().next().unwrap()
}

/// `whole` without times, after checking that they are some.
fn without_times(mut whole: Value) -> Value {
    for name in ["createdAt", "updatedAt"] {
        let time = whole.as_object_mut().unwrap().remove(name).unwrap();
        time.as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    whole
}

#[tokio::test]
async fn example_request_is_authorised_for_browser_and_backend() {
    for token in [browser(ORDER), browser_with(without_country()), backend()] {
        let stack = Stack::start().await;
        let answer = send(&stack, &token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let made = stack.adyen().books().payments[0].clone();
        assert_eq!(made.state, PaymentState::Authorised);
        let expected = json!({
            "reference": ORDER,
            "status": "authorised",
            "attempt": 1,
            "pspReference": made.psp_reference,
            "resultCode": "Authorised",
            "nextStep": "success",
            "message": "Your payment was successful. Thank you.",
        });
        assert_eq!(answer.body, expected);
    }
}

#[tokio::test]
async fn adyen_receives_the_example_request_and_the_claims_of_the_token() {
    let page: Value = serde_json::from_str(BODY).unwrap();
    for (token, added) in [
        (browser(ORDER), json!({"shopperIP": "127.0.0.1", "countryCode": "NL"})),
        (browser_with(without_country()), json!({"shopperIP": "127.0.0.1"})),
        (backend(), json!({})),
    ] {
        let stack = Stack::start().await;
        send(&stack, &token).await;
        let call = only_call(&stack);
        assert_eq!(
            (call.method.as_str(), call.path.as_str(), call.query.as_str()),
            ("POST", "/v72/payments", "")
        );
        assert_eq!(call.body, with(page.clone(), added));
    }
}

#[tokio::test]
async fn adyen_is_called_with_the_api_key_and_the_attempts_idempotency_key() {
    let stack = Stack::start().await;
    send(&stack, &backend()).await;
    let call = only_call(&stack);
    let attempt = digest(&SHA256, b"ADYEN_MERCHANT_ACCOUNT\nYOUR_ORDER_NUMBER\n1");
    assert_eq!(call.idempotency_key, Some(hex::encode(attempt)));
    assert_eq!(call.headers["content-type"], "application/json");
    // The recorded call hides the API key; the simulator has verified it.
    assert_eq!(call.headers["x-api-key"], "[redacted]");
    assert_eq!(call.status, Some(200));
    // The caller's JWT is not passed on.
    assert!(!call.headers.contains_key("authorization"));
}

#[tokio::test]
async fn webhook_confirms_the_example_payment() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    let paid = send(&stack, &browser(ORDER)).await;
    let mut expected = json!({
        "reference": ORDER,
        "status": "authorised",
        "confirmed": false,
        "amount": {"currency": "EUR", "value": 1000},
        "authorisedAmount": {"currency": "EUR", "value": 1000},
        "capturedAmount": {"currency": "EUR", "value": 0},
        "refundedAmount": {"currency": "EUR", "value": 0},
        "attempt": 1,
        "pspReference": paid.body["pspReference"],
        "resultCode": "Authorised",
        "nextStep": "success",
        "message": "Your payment was successful. Thank you.",
        "needsAttention": [],
    });
    let path = format!("/orders/{ORDER}");
    let before = stack.get(&path, &browser(ORDER)).await;
    assert_eq!(without_times(before.body), expected);

    stack.adyen().release_webhooks(Release::InOrder).await;
    expected["confirmed"] = json!(true);
    // This deployment captures automatically.
    expected["capturedAmount"]["value"] = json!(1000);
    let after = stack.get(&path, &browser(ORDER)).await;
    assert_eq!(without_times(after.body), expected);
    let webhooks = stack.adyen().books().webhooks;
    assert_eq!(webhooks.len(), 1);
    assert!(webhooks[&1].accepted());
}

/// A result, the token that leads to it, and the shopper's message.
const RESULTS: [(&str, &str, &str, &str, &str); 4] = [
    ("Authorised", "160583287597AMZN", "authorised", "success", "Your payment was successful."),
    (
        "Cancelled",
        "160583287597AMZN-CANCELLED",
        "cancelled",
        "tryAnotherMethod",
        "You cancelled the payment.",
    ),
    (
        "Error",
        "160583287597AMZN-ERROR",
        "error",
        "showError",
        "There was an error processing your payment.",
    ),
    (
        "Refused",
        "160583287597AMZN-REFUSED",
        "refused",
        "retryWithAmazonPay",
        "Please choose a different card in Amazon Pay",
    ),
];

async fn as_the_shopper_sees(stack: &Stack, reference: &str) -> Answer {
    let path = format!("/orders/{reference}");
    stack.get(&path, &browser(reference)).await
}

#[tokio::test]
async fn every_documented_result_has_its_next_step() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    let check = |answer: Answer, row: (&str, &str, &str, &str, &str)| {
        let (result, _, status, next_step, message) = row;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["resultCode"], result, "{answer:?}");
        assert_eq!(answer.body["status"], status, "{answer:?}");
        assert_eq!(answer.body["nextStep"], next_step, "{answer:?}");
        let shown = answer.body["message"].as_str().unwrap();
        assert!(shown.contains(message), "{answer:?}");
        assert!(answer.body["pspReference"].is_string(), "{answer:?}");
    };
    for row in RESULTS {
        let (result, token, ..) = row;
        check(stack.pay(result, token).await, row);
        check(as_the_shopper_sees(&stack, result).await, row);
    }
    // An AUTHORISATION adds only the confirmation.
    stack.adyen().release_webhooks(Release::InOrder).await;
    for row in RESULTS {
        let order = as_the_shopper_sees(&stack, row.0).await;
        assert_eq!(order.body["confirmed"], row.0 == "Authorised", "{order:?}");
        check(order, row);
    }
}

/// Sends a webhook about the newest payment at Adyen.
fn report(stack: &Stack, event_code: &str, success: bool) {
    let made = stack.adyen().books().payments.last().unwrap().clone();
    let psp_reference = match event_code {
        "OFFER_CLOSED" => "THEOFFERSOWNNAME",
        _ => &made.psp_reference,
    };
    let event = Event {
        amount: Some(made.amount),
        success,
        ..Event::new(event_code, "ADYEN_MERCHANT_ACCOUNT", psp_reference, &made.reference)
    };
    stack.adyen().notify(&event).unwrap();
}

#[tokio::test]
async fn every_documented_webhook_decides_an_attempt_without_its_shopper() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    for (reference, event_code, success, status, next_step) in [
        ("ORDER-1", "AUTHORISATION", false, "refused", "retryWithAmazonPay"),
        ("ORDER-2", "AUTHORISATION", true, "authorised", "success"),
        ("ORDER-3", "OFFER_CLOSED", true, "expired", "startOver"),
        ("ORDER-4", "OFFER_CLOSED", false, "pending", "wait"),
    ] {
        let paid = stack.pay(reference, "160583287597AMZN-PENDING").await;
        assert_eq!(paid.body["status"], "pending", "{paid:?}");
        report(&stack, event_code, success);
        stack.adyen().release_webhooks(Release::InOrder).await;

        let order = stack.order(reference).await;
        let row = format!("{event_code} {success}: {order}");
        assert_eq!(order["status"], status, "{row}");
        assert_eq!(order["nextStep"], next_step, "{row}");
        assert_eq!(order["confirmed"], status == "authorised", "{row}");
        assert_eq!(order["needsAttention"], json!([]), "{row}");
        assert_eq!(order["events"].as_array().unwrap().len(), 1, "{row}");

        let webhook = *stack.adyen().books().webhooks.keys().last().unwrap();
        assert_eq!(stack.adyen().deliver(webhook).await, Some(200));
        assert_eq!(stack.order(reference).await, order, "a duplicate");
    }
}

#[tokio::test]
async fn webhook_overrides_an_earlier_answer() {
    let stack = Stack::start().await;
    stack.adyen().hold_webhooks();
    let paid = stack.pay("ORDER-1", "160583287597AMZN-LATE-FAIL").await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    stack.adyen().release_webhooks(Release::InOrder).await;
    let order = stack.order("ORDER-1").await;
    assert_eq!(order["status"], "refused", "{order}");
    assert_eq!(order["nextStep"], "retryWithAmazonPay", "{order}");
    assert_eq!(order["authorisedAmount"]["value"], 0, "{order}");
    assert!(order.get("resultCode").is_none(), "{order}");
}

#[tokio::test]
async fn payment_methods_contain_the_documented_entry() {
    let entry: Value = serde_json::from_str(ENTRY).unwrap();
    let query = json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}});
    let more = json!({
        "shopperLocale": "nl-NL",
        "channel": "Web",
        "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
    });
    for (token, body) in [
        (browser(ORDER), json!({})),
        (browser(ORDER), query.clone()),
        (browser_with(without_country()), json!({"countryCode": "NL"})),
        (backend(), query.clone()),
        (backend(), with(query.clone(), more)),
    ] {
        let stack = Stack::start().await;
        let answer = stack.post("/paymentMethods", &token, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, json!({"paymentMethods": [entry]}));
        assert_eq!(answer.headers["cache-control"], "no-store");

        let call = only_call(&stack);
        assert_eq!(call.path, "/v72/paymentMethods");
        let fixed = json!({
            "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
            "allowedPaymentMethods": ["amazonpay"],
        });
        assert_eq!(call.body, with(with(query.clone(), body), fixed));
    }
}

#[tokio::test]
async fn payment_methods_are_returned_unchanged() {
    let stack = Stack::with_variables(&[("KEEP_PAYMENT_METHODS", "false")]).await;
    let token = browser_with(without_country());
    let body = json!({"countryCode": "NL"});
    for (adyen_answer, handed_on) in [
        (
            r#"{"paymentMethods":[{"type":"amazonpay","configuration":{}},{"name":"?"},{"configuration":null,"fee":1.10}],"storedPaymentMethods":[{"id":"1"}]}"#,
            None,
        ),
        ("{}", Some(r#"{"paymentMethods":[]}"#)),
        (r#"{"paymentMethods":null,"a":{}}"#, Some(r#"{"a":{},"paymentMethods":[]}"#)),
    ] {
        let answer = AdyenAnswer::text(200, "application/json", adyen_answer);
        stack.adyen().inject(Fault::Instead(answer));
        let request = stack.request(Method::POST, "/paymentMethods");
        let answer = request.bearer_auth(&token).json(&body).send().await;
        let text = answer.unwrap().text().await.unwrap();
        assert_eq!(text, handed_on.unwrap_or(adyen_answer));
    }
}

#[tokio::test]
async fn payment_methods_need_no_body_from_a_browser() {
    let stack = Stack::start().await;
    let request = stack.request(Method::POST, "/paymentMethods").bearer_auth(browser(ORDER));
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["paymentMethods"][0]["type"], "amazonpay");
}

#[tokio::test]
async fn payment_methods_may_be_empty() {
    let stack = Stack::start().await;
    for (country, currency) in [("BR", "EUR"), ("NL", "JPY"), ("ZZ", "BRL")] {
        let amount = json!({"currency": currency, "value": 1000});
        let query = json!({"countryCode": country, "amount": amount});
        let claims = with(without_country(), query.clone());
        for (token, body) in [(backend(), query), (browser_with(claims), json!({}))] {
            let answer = stack.post("/paymentMethods", &token, &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body, json!({"paymentMethods": []}));
        }
    }
}

#[tokio::test]
async fn payment_methods_use_the_tokens_amount_and_country_by_default() {
    let stack = Stack::start().await;
    let mut body = payment(ORDER, "160583287597AMZN");
    for field in ["amount", "reference"] {
        body.as_object_mut().unwrap().remove(field);
    }
    let answer = stack.post("/payments", &browser(ORDER), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = only_call(&stack).body;
    assert_eq!(sent["amount"], json!({"currency": "EUR", "value": 1000}));
    assert_eq!(sent["reference"], ORDER);
    assert_eq!(sent["countryCode"], "NL");
}
