//! Each field of a payment has one owner: the checkout token, the merchant or the browser.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, payment};

use crate::jwt::{checkout, sign, with};
use crate::traces;

const TOKEN: &str = "160583287597AMZN";

/// The body of Adyen's page with these members; null removes a member.
fn body(members: Value) -> Value {
    with(payment("ORDER-1", TOKEN), members)
}

#[tokio::test]
async fn payment_that_differs_from_the_checkout_token_is_rejected() {
    let stack = Stack::start().await;
    let amount =
        |currency: &str, value: i64| json!({"amount": {"currency": currency, "value": value}});
    let nobody = sign(&with(checkout(), json!({"shopperReference": null})));
    let somebody = sign(&checkout());
    for (token, members, status, code, field) in [
        (&somebody, amount("EUR", 1), 422, "amount_mismatch", "amount"),
        (&somebody, amount("EUR", 999), 422, "amount_mismatch", "amount"),
        (&somebody, amount("EUR", 1001), 422, "amount_mismatch", "amount"),
        (&somebody, amount("HUF", 1000), 422, "amount_mismatch", "amount"),
        (&somebody, json!({"countryCode": "DE"}), 422, "country_mismatch", "countryCode"),
        (&somebody, json!({"reference": "ORDER-2"}), 403, "wrong_order", "reference"),
        (&somebody, json!({"reference": "order-1"}), 403, "wrong_order", "reference"),
        (
            &somebody,
            json!({"shopperReference": "shopper-2"}),
            403,
            "wrong_shopper",
            "shopperReference",
        ),
        (
            &nobody,
            json!({"shopperReference": "shopper-1", "storePaymentMethod": true}),
            403,
            "wrong_shopper",
            "shopperReference",
        ),
        (
            &somebody,
            json!({"merchantAccount": "Another"}),
            403,
            "wrong_merchant_account",
            "merchantAccount",
        ),
        (
            &somebody,
            json!({"merchantAccount": "adyen_merchant_account"}),
            403,
            "wrong_merchant_account",
            "merchantAccount",
        ),
    ] {
        let answer = stack.post("/payments", token, &body(members.clone())).await;
        let actual = (answer.status, answer.code(), answer.body["field"].as_str());
        assert_eq!(actual, (status, code, Some(field)), "{members}: {answer:?}");
        traces::nothing_sent(&stack, &members.to_string());
    }
    for (members, status, code) in [
        (amount("EUR", 1), 422, "amount_mismatch"),
        (json!({"countryCode": "DE"}), 422, "country_mismatch"),
        (json!({"merchantAccount": "Another"}), 403, "wrong_merchant_account"),
    ] {
        let answer = stack.post("/paymentMethods", &somebody, &members).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{members}");
        traces::nothing_sent(&stack, &members.to_string());
    }
}

#[tokio::test]
async fn payment_may_repeat_claims_of_the_checkout_token() {
    let token = sign(&checkout());
    let repeated = json!({
        "countryCode": "NL",
        "shopperReference": "shopper-1",
        "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
    });
    let silent = json!({"amount": null, "reference": null});
    let mut null = body(json!({}));
    for field in ["amount", "reference", "countryCode", "shopperReference"] {
        null[field] = Value::Null;
    }
    for request in [body(repeated), body(silent), null] {
        let stack = Stack::start().await;
        let answer = stack.post("/payments", &token, &request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let sent = stack.adyen().books().calls[0].body.clone();
        let expected = json!({
            "countryCode": "NL",
            "shopperReference": "shopper-1",
            "merchantAccount": "ADYEN_MERCHANT_ACCOUNT",
            "shopperIP": "127.0.0.1",
        });
        assert_eq!(sent, body(expected));
    }
}

#[tokio::test]
async fn payment_methods_request_may_repeat_claims_of_the_checkout_token() {
    let stack = Stack::start().await;
    let token = sign(&checkout());
    let ask = async |body: &Value| stack.post("/paymentMethods", &token, body).await;
    for field in ["reference", "shopperReference", "countryCode", "amount"] {
        let repeated = json!({ field: checkout()[field] });
        assert_eq!(ask(&repeated).await.status, 200, "{field}");
    }
    for (field, other, status, code) in [
        ("reference", "ORDER-2", 403, "wrong_order"),
        ("shopperReference", "shopper-2", 403, "wrong_shopper"),
        ("countryCode", "DE", 422, "country_mismatch"),
    ] {
        let answer = ask(&json!({ field: other })).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{field}");
    }
    // Adyen receives the shopper, so that it lists the stored payment methods, but no order.
    let calls = stack.adyen().books().calls;
    assert!(
        calls.iter().all(|call| call.body["shopperReference"] == checkout()["shopperReference"])
    );
    assert!(calls.iter().all(|call| call.body.get("reference").is_none()));
}

#[tokio::test]
async fn details_may_repeat_claims_of_the_checkout_token() {
    let stack = Stack::start().await;
    let token = sign(&checkout());
    stack.post("/payments", &token, &body(json!({}))).await;
    let details = json!({"details": {"redirectResult": "X"}});
    let bring = async |field: &str, value: &Value| {
        let body = with(details.clone(), json!({ field: value }));
        stack.post("/payments/details", &token, &body).await
    };
    for field in ["reference", "shopperReference", "countryCode", "amount"] {
        let answer = bring(field, &checkout()[field]).await;
        assert_eq!(answer.status, 200, "{field}: {answer:?}");
        let mut null = details.clone();
        null[field] = Value::Null;
        let answer = stack.post("/payments/details", &token, &null).await;
        assert_eq!(answer.status, 200, "{field}: {answer:?}");
    }
    for (field, other, status, code) in [
        ("reference", json!("ORDER-2"), 403, "wrong_order"),
        ("shopperReference", json!("shopper-2"), 403, "wrong_shopper"),
        ("countryCode", json!("DE"), 422, "country_mismatch"),
        ("amount", json!({"currency": "EUR", "value": 1}), 422, "amount_mismatch"),
    ] {
        let answer = bring(field, &other).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{field}");
    }
}

#[tokio::test]
async fn browser_sets_the_country_if_its_token_has_none() {
    let stack = Stack::start().await;
    let token = sign(&with(checkout(), json!({"countryCode": null})));
    let body = body(json!({"countryCode": "DE"}));
    assert_eq!(stack.post("/payments", &token, &body).await.status, 200);
    assert_eq!(stack.adyen().books().calls[0].body["countryCode"], "DE");
}

#[tokio::test]
async fn backend_sets_order_and_amount() {
    let stack = Stack::start().await;
    for (number, currency) in ["EUR", "GBP", "USD", "HUF"].into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        let body = body(json!({
            "reference": reference,
            "amount": {"currency": currency, "value": 100 + number},
            "shopperIP": "2001:db8::1",
        }));
        let request = stack.request(Method::POST, "/payments").bearer_auth(backend()).json(&body);
        assert_eq!(Answer::of(request).await.status, 200);
        let sent = stack.adyen().books().calls[number].body.clone();
        assert_eq!(sent["shopperIP"], "2001:db8::1");
        assert_eq!(stack.order(&reference).await["amount"], body["amount"]);
    }
}

/// The merchant's fields of a payment, as members of a body or a token.
fn terms() -> Value {
    json!({
        "authenticationData": {
            "attemptAuthentication": "always",
            "threeDSRequestData": {"dataOnly": "false", "threeDSVersion": "2.2.0"},
        },
        "merchantOrderReference": "BASKET-1",
        "metadata": {"shop": "12", "campaign": "spring"},
        "shopperStatement": "Your Company",
    })
}

/// Each of [`terms`] with its path and another value.
fn other_terms() -> [(&'static str, Value); 9] {
    let data = |members: Value| json!({"authenticationData": members});
    let three_ds = |members: Value| data(json!({"threeDSRequestData": members}));
    let never = "authenticationData.attemptAuthentication";
    [
        (never, data(json!({"attemptAuthentication": "never"}))),
        (
            "authenticationData.threeDSRequestData.dataOnly",
            three_ds(json!({"dataOnly": "true", "nativeThreeDS": "preferred"})),
        ),
        (
            "authenticationData.threeDSRequestData.threeDSVersion",
            three_ds(json!({"threeDSVersion": "2.1.0"})),
        ),
        ("metadata", json!({"metadata": {"shop": "13"}})),
        ("metadata", json!({"metadata": {"shop": "12"}})),
        ("metadata", json!({"metadata": {"shop": "12", "campaign": "spring", "vip": "yes"}})),
        ("merchantOrderReference", json!({"merchantOrderReference": "BASKET-2"})),
        ("shopperStatement", json!({"shopperStatement": "Another Company"})),
        ("shopperStatement", json!({"shopperStatement": "your company"})),
    ]
}

#[tokio::test]
async fn merchants_fields_from_a_browser_are_rejected() {
    let stack = Stack::start().await;
    let silent = sign(&checkout());
    let says = sign(&with(checkout(), terms()));
    for (field, members) in other_terms() {
        for token in [&silent, &says] {
            let answer = stack.post("/payments", token, &body(members.clone())).await;
            let actual = (answer.status, answer.code(), answer.body["field"].as_str());
            assert_eq!(actual, (403, "field_not_allowed", Some(field)), "{members}: {answer:?}");
            traces::nothing_sent(&stack, &members.to_string());
        }
    }
    // Without a claim, a browser may not send these fields, whatever their value.
    for (name, value) in terms().as_object().unwrap() {
        let members = json!({ name: value });
        let answer = stack.post("/payments", &silent, &body(members)).await;
        assert_eq!((answer.status, answer.code()), (403, "field_not_allowed"), "{name}");
    }
    traces::nothing_written(&stack).await;
}

#[tokio::test]
async fn merchants_fields_come_from_the_checkout_token_and_may_be_repeated() {
    let token = sign(&with(checkout(), terms()));
    let null = json!({
        "authenticationData": null,
        "merchantOrderReference": null,
        "metadata": null,
        "shopperStatement": null,
    });
    let mut silent = body(json!({}));
    silent.as_object_mut().unwrap().extend(null.as_object().unwrap().clone());
    let nulls_below = json!({"authenticationData": {
        "attemptAuthentication": null,
        "threeDSRequestData": {"dataOnly": null, "threeDSVersion": null},
    }});
    for request in [body(json!({})), silent, body(nulls_below), body(terms())] {
        let stack = Stack::start().await;
        let answer = stack.post("/payments", &token, &request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let sent = stack.adyen().books().calls[0].body.clone();
        for (name, value) in terms().as_object().unwrap() {
            assert_eq!(&sent[name], value, "{request}");
        }
    }
}

#[tokio::test]
async fn browser_sets_how_a_challenge_is_shown() {
    let stack = Stack::start().await;
    let page = json!({"nativeThreeDS": "preferred", "challengeWindowSize": "02"});
    let shown = json!({"authenticationData": {"threeDSRequestData": page}});
    let silent = sign(&checkout());
    assert_eq!(stack.post("/payments", &silent, &body(shown.clone())).await.status, 200);
    assert_eq!(
        stack.adyen().books().calls[0].body["authenticationData"],
        shown["authenticationData"]
    );

    // The page may add fields to the merchant's. If both set one, the page's value replaces the
    // claim's.
    let native = json!({"authenticationData": {
        "attemptAuthentication": "always",
        "threeDSRequestData": {"nativeThreeDS": "disabled", "challengeWindowSize": "05"},
    }});
    let claims = with(checkout(), with(native, json!({"reference": "ORDER-2"})));
    let size = json!({"authenticationData": {"threeDSRequestData": {"challengeWindowSize": "02"}}});
    let named = body(with(size, json!({"reference": "ORDER-2"})));
    assert_eq!(stack.post("/payments", &sign(&claims), &named).await.status, 200);
    assert_eq!(
        stack.adyen().books().calls[1].body["authenticationData"],
        json!({
            "attemptAuthentication": "always",
            "threeDSRequestData": {"nativeThreeDS": "disabled", "challengeWindowSize": "02"},
        })
    );
}

#[tokio::test]
async fn merchant_token_may_set_all_of_the_merchants_fields() {
    let stack = Stack::start().await;
    for (number, members) in other_terms().into_iter().map(|(_, members)| members).enumerate() {
        let reference = format!("ORDER-{number}");
        let named = with(body(members.clone()), json!({"reference": reference}));
        assert_eq!(stack.post("/payments", &backend(), &named).await.status, 200, "{members}");
        let sent = stack.adyen().books().calls[number].body.clone();
        for (name, value) in members.as_object().unwrap() {
            assert_eq!(&sent[name], value);
        }
    }
}

#[tokio::test]
async fn claims_about_the_payment_do_not_affect_other_routes() {
    let stack = Stack::start().await;
    let token = sign(&with(checkout(), terms()));
    assert_eq!(stack.post("/paymentMethods", &token, &json!({})).await.status, 200);
    let urls = json!({
        "checkoutReviewReturnUrl": "https://shop.example/review",
        "checkoutResultReturnUrl": "https://shop.example/result",
    });
    assert_eq!(stack.post("/checkoutSessions", &token, &urls).await.status, 200);
    stack.post("/payments", &token, &body(json!({}))).await;
    let details = json!({"details": {"redirectResult": "X"}});
    assert_eq!(stack.post("/payments/details", &token, &details).await.status, 200);
    assert_eq!(stack.get("/orders/ORDER-1", &token).await.status, 200);
}
