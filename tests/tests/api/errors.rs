//! Errors as a storefront and a backend receive them.

use adyen_simulator::{Answer as AdyenAnswer, Fault, coded};
use local::keys;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, payment};

use crate::shop::from_browser;

const TOKEN: &str = "160583287597AMZN";

#[tokio::test]
async fn gateway_answers_unknown_routes_with_404() {
    let stack = Stack::start().await;
    for (method, path) in [
        (Method::GET, "/payments"),
        (Method::PUT, "/payments"),
        (Method::POST, "/payments/"),
        (Method::POST, "/Payments"),
        (Method::POST, "/payments/details/more"),
        (Method::POST, "/v72/payments"),
        (Method::POST, "/orders"),
        (Method::GET, "/orders/"),
        (Method::DELETE, "/orders/ORDER-1"),
        (Method::GET, "/nowhere"),
    ] {
        let request = stack.request(method.clone(), path).bearer_auth(backend());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        assert_eq!(answer.body, json!({"message": "Not Found"}), "{path}");
    }
}

#[tokio::test]
async fn function_answers_another_functions_route_with_404() {
    let stack = Stack::start().await;
    for function in ["payment-methods", "payments", "orders"] {
        for (token, code) in [(backend(), "not_found"), (String::new(), "unauthorized")] {
            let event = json!({
                "version": "2.0",
                "routeKey": "PATCH /nowhere",
                "rawPath": "/nowhere",
                "rawQueryString": "",
                "headers": {"authorization": format!("Bearer {token}"), "host": "localhost"},
                "requestContext": {
                    "http": {
                        "method": "PATCH",
                        "path": "/nowhere",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.1",
                        "userAgent": "tests",
                    },
                    "routeKey": "PATCH /nowhere",
                    "stage": "$default",
                    "timeEpoch": 0,
                },
                "isBase64Encoded": false,
            });
            let response = stack.bundle.invoke(function, &event.to_string()).await.unwrap();
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["code"], code, "{function}: {body}");
        }
    }
}

/// Adyen's errorCode, and the response to it: status, code, and the shopper's next step.
const REJECTIONS: [(&str, u16, &str, &str); 12] = [
    ("5_602", 422, "adyen_rejected", "startOver"),
    ("5_603", 422, "adyen_rejected", "startOver"),
    ("5_606", 422, "adyen_rejected", "startOver"),
    ("5_604", 422, "adyen_rejected", "showError"),
    ("5_610", 422, "adyen_rejected", "tryAnotherMethod"),
    ("5_611", 422, "adyen_rejected", "retryWithAmazonPay"),
    ("702", 422, "adyen_rejected", "showError"),
    ("5_605", 502, "adyen_configuration", "showError"),
    ("5_616", 502, "adyen_configuration", "showError"),
    ("901", 502, "adyen_configuration", "showError"),
    ("905", 502, "adyen_configuration", "showError"),
    ("905_2", 502, "adyen_configuration", "showError"),
];

#[tokio::test]
async fn payment_that_adyen_rejects_ends_the_attempt() {
    let stack = Stack::start().await;
    for (error_code, status, code, next_step) in REJECTIONS {
        let reference = format!("ORDER-{error_code}");
        let token = format!("{TOKEN}-FAULT-{error_code}");
        let answer = stack.pay(&reference, &token).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
        assert_eq!(answer.body["errorCode"], error_code, "{answer:?}");
        assert_eq!(answer.body["reference"], reference, "{answer:?}");
        assert_eq!(answer.body["attempt"], 1, "{answer:?}");
        assert_eq!(answer.body["nextStep"], next_step, "{answer:?}");
        assert!(answer.body["message"].is_string(), "{answer:?}");
        // The shopper's own view of the order.
        let path = format!("/orders/{reference}");
        let seen = stack.get(&path, &browser(&reference)).await.body;
        assert_eq!(answer.body["order"], seen, "{answer:?}");

        let order = stack.order(&reference).await;
        assert_eq!(order["status"], "error", "{order}");
        assert_eq!(order["nextStep"], next_step, "{order}");
        assert_eq!(order["message"], answer.body["message"], "{order}");
        assert_eq!(order["attempts"][0]["errorCode"], error_code, "{order}");

        // A repeated request gets the same response without a call to Adyen.
        let calls = stack.adyen().books().calls.len();
        let again = stack.pay(&reference, &token).await;
        assert_eq!((again.status, &again.body), (answer.status, &answer.body));
        assert_eq!(stack.adyen().books().calls.len(), calls);

        let paid = stack.pay(&reference, TOKEN).await;
        assert_eq!(paid.body["resultCode"], "Authorised", "{paid:?}");
        assert_eq!(paid.body["attempt"], 2, "{paid:?}");
    }
}

#[tokio::test]
async fn rejected_details_show_the_order_as_far_as_each_viewer_may_see_it() {
    let stack = Stack::start().await;
    let body = from_browser("ORDER-1", "160583287597AMZN-3DS-REDIRECT");
    let first = stack.post("/payments", &browser("ORDER-1"), &body).await;
    assert_eq!(first.body["nextStep"], "handleAction", "{first:?}");
    for (error_code, status, code, next_step) in REJECTIONS {
        for token in [browser("ORDER-1"), backend()] {
            stack.adyen().inject(Fault::Instead(coded(error_code)).on("/payments/details"));
            let details = json!({"reference": "ORDER-1", "details": {"redirectResult": "x!y"}});
            let answer = stack.post("/payments/details", &token, &details).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
            let body = &answer.body;
            assert_eq!(body["errorCode"], error_code, "{answer:?}");
            assert_eq!((&body["reference"], &body["attempt"]), (&json!("ORDER-1"), &json!(1)));
            assert_eq!(body["nextStep"], next_step, "{answer:?}");
            assert!(body["message"].is_string(), "{answer:?}");
            assert_eq!(body["order"], stack.get("/orders/ORDER-1", &token).await.body);
            assert_eq!(body["order"]["nextStep"], "handleAction", "{answer:?}");
        }
    }
}

#[tokio::test]
async fn rejection_because_of_a_missing_field_names_the_field() {
    let stack = Stack::start().await;
    let browser_info = stack.pay("ORDER-1", "160583287597AMZN-3DS-REDIRECT").await;
    let mut body = from_browser("ORDER-2", "160583287597AMZN-3DS-CHALLENGE");
    body["channel"] = json!("Web");
    body.as_object_mut().unwrap().remove("origin");
    let origin = stack.post("/payments", &browser("ORDER-2"), &body).await;
    for (answer, error_code, field) in
        [(browser_info, "15_015", "browserInfo"), (origin, "14_035", "origin")]
    {
        assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"), "{answer:?}");
        assert_eq!(answer.body["errorCode"], error_code, "{answer:?}");
        assert_eq!(answer.body["field"], field, "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().starts_with(field), "{answer:?}");
    }
}

#[tokio::test]
async fn unknown_amazon_pay_token_must_start_over() {
    let stack = Stack::start().await;
    let answer = stack.pay("ORDER-1", "160583287597AMZN-UNKNOWN").await;
    assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"));
    assert_eq!(answer.body["errorCode"], "5_602");
    assert_eq!(answer.body["nextStep"], "startOver");
}

#[tokio::test]
async fn api_key_that_adyen_rejects_is_an_internal_error() {
    let stack = Stack::with_variables(&[("ADYEN_API_KEY", "another-api-key")]).await;
    for path in ["/payments", "/paymentMethods"] {
        for token in [browser("ORDER-1"), backend()] {
            let body = match path {
                "/payments" => payment("ORDER-1", TOKEN),
                _ => json!({"countryCode": "NL", "amount": {"currency": "EUR", "value": 1000}}),
            };
            let answer = stack.post(path, &token, &body).await;
            assert_eq!((answer.status, answer.code()), (502, "adyen_configuration"));
            let mut body = answer.body.clone();
            // The times of the order may contain these digits.
            body.as_object_mut().unwrap().remove("order");
            let text = body.to_string();
            for inside in ["another-api-key", keys::ADYEN_API_KEY, "127.0.0.1", "401", "v72"] {
                assert!(!text.contains(inside), "{inside}: {text}");
            }
        }
    }
    assert!(stack.adyen().books().payments.is_empty());
    assert_eq!(stack.order("ORDER-1").await["status"], "error");
}

#[tokio::test]
async fn adyens_error_message_is_logged_and_not_returned() {
    let stack = Stack::start().await;
    let words = "Secret of merchant account 4711 at /v72/payments";
    for path in ["/payments", "/paymentMethods"] {
        stack
            .adyen()
            .inject(Fault::Instead(adyen_simulator::errors::service_error(422, "702", words)));
        let body = match path {
            "/payments" => payment("ORDER-1", TOKEN),
            _ => json!({}),
        };
        let answer = stack.post(path, &browser("ORDER-1"), &body).await;
        assert_eq!((answer.status, answer.code()), (422, "adyen_rejected"));
        assert!(!answer.body.to_string().contains("Secret"), "{answer:?}");
    }
    let item = stack.dynamodb().scan().table_name("orders").send().await;
    assert!(!format!("{item:?}").contains("Secret"), "{item:?}");
}

#[tokio::test]
async fn payment_methods_return_an_error_if_adyen_is_unreachable() {
    let stack = Stack::with_variables(&[("KEEP_PAYMENT_METHODS", "false")]).await;
    let ask = async || stack.post("/paymentMethods", &browser("ORDER-1"), &json!({})).await;
    for fault in [
        Fault::status(500),
        Fault::status(502),
        Fault::Instead(AdyenAnswer::text(200, "text/html", "<html>")),
        Fault::Instead(AdyenAnswer::json(200, &json!(["no", "object"]))),
        Fault::Instead(AdyenAnswer::json(200, &json!({"paymentMethods": "none"}))),
    ] {
        stack.adyen().inject(fault.clone());
        let answer = ask().await;
        assert_eq!((answer.status, answer.code()), (502, "adyen_unavailable"), "{fault:?}");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    // Transient errors are retried first.
    for fault in
        [Fault::DropBefore, Fault::Truncated, Fault::Instead(coded("703")), Fault::status(429)]
    {
        stack.adyen().inject(fault.clone());
        let answer = ask().await;
        assert_eq!(answer.status, 200, "{fault:?}: {answer:?}");
    }
}

#[tokio::test]
async fn unreadable_answer_of_adyen_leaves_the_outcome_unknown() {
    let stack = Stack::start().await;
    for (number, fault) in [
        Fault::status(500),
        Fault::Instead(AdyenAnswer::text(200, "text/html", "<html>")),
        Fault::Instead(AdyenAnswer::json(200, &json!({"pspReference": "X"}))),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("ORDER-{number}");
        stack.adyen().inject(fault);
        let answer = stack.pay(&reference, TOKEN).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let expected = json!({
            "reference": reference,
            "status": "pending",
            "attempt": 1,
            "nextStep": "wait",
            "message": "Your payment is being processed. Please wait a moment.",
        });
        assert_eq!(answer.body, expected);
        let order = stack.order(&reference).await;
        assert_eq!((&order["status"], &order["nextStep"]), (&json!("pending"), &json!("wait")));
    }
}
