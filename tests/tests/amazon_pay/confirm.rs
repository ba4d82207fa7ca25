use std::{collections::BTreeSet, time::Duration};

use amazon_pay_simulator::{Fault, Options, Price, SessionState, error};
use serde_json::{Value, json};
use tests::{Answer, backend, browser, browser_with};

use crate::world::{RESULT, REVIEW, Shop, location, session_id};

/// Asserts the members of a problem that a storefront reads.
fn is_problem(answer: &Answer, status: u16, code: &str, next_step: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    assert_eq!(answer.body["nextStep"], next_step, "{answer:?}");
    assert!(answer.body["message"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn session_leads_from_the_button_to_a_token() {
    let shop = Shop::open().await;
    let token = browser("ORDER-1");
    let id = shop.pick("ORDER-1", "-REFUSED").await;

    let answer = shop.confirm(&id, &token, None).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    let redirect = answer.body["amazonPayRedirectUrl"].as_str().unwrap();
    assert_eq!(
        answer.body,
        json!({"checkoutSessionId": id, "reference": "ORDER-1", "amazonPayRedirectUrl": redirect})
    );
    let page = shop.visit(redirect).await.text().await.unwrap();
    assert!(page.contains("Pay <b>EUR 10.00</b> for ORDER-1?"), "{page}");
    assert_eq!(shop.session(&id).amazon_pay_token(), None, "not confirmed yet");
    let back = location(&shop.visit(&format!("{redirect}?answer=pay")).await);
    assert!(back.starts_with(RESULT));
    assert_eq!(session_id(&back), id);
    let session = shop.session(&id);
    assert_eq!(session.state, SessionState::Open);
    assert!(session.amazon_pay_token().unwrap().ends_with("AMZN-REFUSED"));
}

#[tokio::test]
async fn session_update_contains_only_the_fields_an_acquirer_needs() {
    let shop = Shop::open().await;
    let id = shop.pick("ORDER-1", "").await;
    shop.confirm(&id, &browser("ORDER-1"), None).await;

    let books = shop.books();
    let updates = books.calls_with("PATCH");
    let [update] = updates.as_slice() else { panic!("{books:?}") };
    assert!(update.verified);
    assert_eq!(update.path, format!("/v2/checkoutSessions/{id}"));
    assert_eq!(
        update.body,
        json!({
            "paymentDetails": {
                "paymentIntent": "Confirm",
                "chargeAmount": {"amount": "10.00", "currencyCode": "EUR"},
            },
            "merchantMetadata": {"merchantReferenceId": "ORDER-1"},
        })
    );
}

#[tokio::test]
async fn shopper_pays_the_amount_of_the_last_update() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    let order =
        |value| json!({"reference": "ORDER-1", "amount": {"currency": "EUR", "value": value}});
    for (value, amount) in [(1000, "10.00"), (1001, "10.01"), (1000, "10.00")] {
        let answer = shop.confirm("S1", &backend(), Some(&order(value))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(shop.session("S1").charge_amount.unwrap().amount, amount);
    }
    let books = shop.books();
    let updates = books.calls_with("PATCH");
    let keys: BTreeSet<_> = updates.iter().map(|call| call.idempotency_key().unwrap()).collect();
    assert_eq!(keys.len(), 3);
    for key in keys {
        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|c| c.is_ascii_alphanumeric()));
    }
}

#[tokio::test]
async fn browser_cannot_change_the_price() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    let cheap = json!({"amount": {"currency": "EUR", "value": 1}});
    let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&cheap)).await;
    assert_eq!((answer.status, answer.code()), (422, "amount_mismatch"));
    let other = json!({"reference": "ORDER-2"});
    let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&other)).await;
    assert_eq!((answer.status, answer.code()), (403, "wrong_order"));
    let abroad = json!({"countryCode": "DE"});
    let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&abroad)).await;
    assert_eq!((answer.status, answer.code()), (422, "country_mismatch"));
    let theirs = json!({"shopperReference": "shopper-2"});
    let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&theirs)).await;
    assert_eq!((answer.status, answer.code()), (403, "wrong_shopper"));
    for forged in [
        json!({"chargeAmount": {"amount": "0.01", "currencyCode": "EUR"}}),
        json!({"paymentDetails": {"chargeAmount": {"amount": "0.01", "currencyCode": "EUR"}}}),
        json!({"paymentIntent": "Authorize"}),
    ] {
        let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&forged)).await;
        assert_eq!((answer.status, answer.code()), (422, "unknown_field"));
    }
    assert!(shop.books().calls.is_empty(), "Amazon Pay was not called");

    let repeated = json!({"reference": "ORDER-1", "amount": {"currency": "EUR", "value": 1000}});
    let answer = shop.confirm("S1", &browser("ORDER-1"), Some(&repeated)).await;
    assert_eq!(answer.status, 200);
    let price = shop.session("S1").charge_amount.unwrap();
    assert_eq!(price.amount, "10.00");
}

#[tokio::test]
async fn backend_sets_order_and_amount_of_a_session() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    for (body, field) in [
        (None, "reference"),
        (Some(json!({"reference": "ORDER-1"})), "amount"),
        (Some(json!({"amount": {"currency": "EUR", "value": 1}})), "reference"),
    ] {
        let answer = shop.confirm("S1", &backend(), body.as_ref()).await;
        assert_eq!((answer.status, answer.code()), (422, "missing_field"));
        assert_eq!(answer.body["field"], field);
    }
    let order = json!({"reference": "ORDER-9", "amount": {"currency": "EUR", "value": 99}});
    assert_eq!(shop.confirm("S1", &backend(), Some(&order)).await.status, 200);
    let session = shop.session("S1");
    assert_eq!(session.merchant_reference_id.as_deref(), Some("ORDER-9"));
    assert_eq!(session.charge_amount.unwrap().amount, "0.99");
}

#[tokio::test]
async fn amounts_have_their_currencys_decimals() {
    for (currency, value, amount) in [
        ("JPY", 10, "10"),
        ("GBP", 5, "0.05"),
        ("EUR", 1000, "10.00"),
        ("ISK", 1000, "10.00"),
        ("IDR", 1000, "1000"),
    ] {
        let options = Options { ledger_currency: currency.into(), ..Options::default() };
        let shop = Shop::simulating(options, &[]).await;
        shop.amazon().open("S1");
        let token = browser_with(json!({
            "reference": "ORDER-1",
            "amount": {"currency": currency, "value": value},
        }));
        let answer = shop.confirm("S1", &token, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            shop.session("S1").charge_amount,
            Some(Price { amount: amount.into(), currency_code: currency.into() })
        );
    }
}

#[tokio::test]
async fn currency_without_payout_is_rejected_before_any_call() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    let token = browser_with(json!({
        "reference": "ORDER-1",
        "amount": {"currency": "USD", "value": 1000},
    }));
    let answer = shop.confirm("S1", &token, None).await;
    assert_eq!((answer.status, answer.code()), (422, "currency_mismatch"));
    assert_eq!(answer.body["field"], "amount.currency");
    assert!(shop.books().calls.is_empty());
}

#[tokio::test]
async fn session_id_with_path_characters_is_rejected() {
    let shop = Shop::open().await;
    for wrong in ["S1%23x", "S1.x", "S%201", "%E2%82%AC", &"S".repeat(65)] {
        let answer = shop.confirm(wrong, &browser("ORDER-1"), None).await;
        is_problem(&answer, 404, "checkout_session_not_found", "startOver");
    }
    assert!(shop.books().calls.is_empty(), "Amazon Pay was not called");
}

#[tokio::test]
async fn completed_or_cancelled_session_must_start_over() {
    let shop = Shop::open().await;
    for (id, state, reason, code) in [
        ("S1", SessionState::Canceled, Some("BuyerCanceled"), "checkout_session_canceled"),
        ("S2", SessionState::Canceled, Some("Declined"), "checkout_session_canceled"),
        ("S3", SessionState::Canceled, Some("AmazonCanceled"), "checkout_session_canceled"),
        ("S4", SessionState::Canceled, Some("Expired"), "checkout_session_expired"),
        ("S5", SessionState::Completed, None, "checkout_session_completed"),
    ] {
        shop.amazon().open(id);
        shop.amazon().end(id, state, reason);
        let answer = shop.confirm(id, &browser("ORDER-1"), None).await;
        is_problem(&answer, 409, code, "startOver");
        if code == "checkout_session_canceled" {
            assert_eq!(answer.body["reasonCode"], json!(reason));
        }
    }
}

#[tokio::test]
async fn expired_session_must_start_over() {
    let options = Options { session_life: Duration::ZERO, ..Options::default() };
    let shop = Shop::simulating(options, &[]).await;
    shop.amazon().open("S1");
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 409, "checkout_session_expired", "startOver");
}

#[tokio::test]
async fn unknown_session_must_start_over() {
    let shop = Shop::open().await;
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 404, "checkout_session_not_found", "startOver");
    assert_eq!(shop.books().calls.len(), 1, "called once");
}

#[tokio::test]
async fn transient_failures_of_amazon_pay_are_retried() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let shop = Shop::open().await;
        shop.amazon().open("S1");
        let looked_at = json!({"statusDetails": {"state": "Open"}});
        shop.amazon().inject(Fault::Instead(amazon_pay_simulator::Answer::json(200, &looked_at)));
        shop.amazon().inject(Fault::status(status));
        shop.amazon().inject(Fault::status(status));
        let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
        assert_eq!(answer.status, 200, "{status}: {answer:?}");
        let books = shop.books();
        let updates = books.calls_with("PATCH");
        let keys: Vec<_> = updates.iter().map(|call| call.idempotency_key().unwrap()).collect();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    shop.amazon().inject(Fault::DropBefore);
    shop.amazon().inject(Fault::DropAfter);
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn amazon_pay_is_retried_twice_at_most() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    for _ in 0..4 {
        shop.amazon().inject(Fault::status(503));
    }
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 502, "amazon_pay_unavailable", "showError");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(shop.books().calls.len(), 3);
}

#[tokio::test]
async fn unreachable_amazon_pay_has_its_own_problem_code() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let shop = Shop::with(&[("AMAZON_PAY_URL", &url)]).await;
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 502, "amazon_pay_unavailable", "showError");
    let text = answer.body.to_string();
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn permanent_failures_of_amazon_pay_are_not_retried() {
    for (status, reason, answered, code) in [
        (400, "InvalidParameterValue", 422, "amazon_pay_rejected"),
        (400, "DuplicateIdempotencyKey", 422, "amazon_pay_rejected"),
        (401, "UnauthorizedAccess", 502, "amazon_pay_configuration"),
        (403, "InvalidRequestSignature", 502, "amazon_pay_configuration"),
        (403, "InvalidAccountStatus", 502, "amazon_pay_configuration"),
        (301, "", 502, "amazon_pay_unavailable"),
    ] {
        let shop = Shop::open().await;
        shop.amazon().open("S1");
        shop.amazon().inject(Fault::Instead(error(status, reason, "")));
        let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
        is_problem(&answer, answered, code, "showError");
        assert_eq!(shop.books().calls.len(), 1, "{reason}");
        let shown = if code == "amazon_pay_rejected" { json!(reason) } else { Value::Null };
        assert_eq!(answer.body["reasonCode"], shown);
    }
}

#[tokio::test]
async fn unreadable_answer_of_amazon_pay_is_a_failure() {
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    let odd = amazon_pay_simulator::Answer::json(200, &json!({"statusDetails": {"state": "Odd"}}));
    shop.amazon().inject(Fault::Instead(odd));
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 502, "amazon_pay_unavailable", "showError");
}

#[tokio::test]
async fn key_that_amazon_pay_rejects_is_a_configuration_error() {
    let shop = Shop::with(&[("AMAZON_PAY_PUBLIC_KEY_ID", "SANDBOX-ANOTHER")]).await;
    shop.amazon().open("S1");
    let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
    is_problem(&answer, 502, "amazon_pay_configuration", "showError");
    let books = shop.books();
    assert_eq!(books.calls.len(), 1);
    assert!(!books.calls[0].verified);
}

#[tokio::test]
async fn session_ends_when_the_shopper_leaves_or_declines() {
    let shop = Shop::open().await;
    let button = shop
        .create(
            &browser("ORDER-1"),
            &json!({
                "checkoutReviewReturnUrl": REVIEW,
                "checkoutResultReturnUrl": RESULT,
                "checkoutCancelUrl": "https://shop.example/basket",
            }),
        )
        .await;
    let page = location(&shop.press(&button.body).await);
    let id = page.rsplit_once('/').unwrap().1.to_owned();
    let away = location(&shop.visit(&format!("{page}?leave")).await);
    assert_eq!(away, "https://shop.example/basket");
    let answer = shop.confirm(&id, &browser("ORDER-1"), None).await;
    is_problem(&answer, 409, "checkout_session_canceled", "startOver");
    assert_eq!(answer.body["reasonCode"], "BuyerCanceled");

    let id = shop.pick("ORDER-2", "").await;
    let answer = shop.confirm(&id, &browser("ORDER-2"), None).await;
    let redirect = answer.body["amazonPayRedirectUrl"].as_str().unwrap();
    let back = location(&shop.visit(&format!("{redirect}?answer=decline")).await);
    assert_eq!(session_id(&back), id);
    let answer = shop.confirm(&id, &browser("ORDER-2"), None).await;
    is_problem(&answer, 409, "checkout_session_canceled", "startOver");
    assert_eq!(answer.body["reasonCode"], "Declined");
}

#[tokio::test]
async fn session_of_another_order_is_not_updated() {
    let shop = Shop::open().await;
    let id = shop.pick("ORDER-1", "").await;
    assert_eq!(shop.confirm(&id, &browser("ORDER-1"), None).await.status, 200);
    let before = shop.books().calls_with("PATCH").len();

    let order = json!({"reference": "ORDER-2", "amount": {"currency": "EUR", "value": 1000}});
    for (token, body) in [(browser("ORDER-2"), None), (backend(), Some(&order))] {
        let answer = shop.confirm(&id, &token, body).await;
        is_problem(&answer, 409, "checkout_session_wrong_order", "startOver");
        assert!(!answer.body.to_string().contains("ORDER-1"), "{answer:?}");
    }

    assert_eq!(shop.books().calls_with("PATCH").len(), before, "nothing was set");
    let session = shop.session(&id);
    assert_eq!(session.merchant_reference_id.as_deref(), Some("ORDER-1"));
    // The order's amount may still change.
    let cheaper = browser_with(json!({
        "reference": "ORDER-1",
        "amount": {"currency": "EUR", "value": 900},
    }));
    assert_eq!(shop.confirm(&id, &cheaper, None).await.status, 200);
    assert_eq!(shop.session(&id).charge_amount.unwrap().amount, "9.00");
}

#[tokio::test]
async fn session_that_names_another_order_after_its_update_is_rejected() {
    let session = |reference: &str| {
        json!({
            "statusDetails": {"state": "Open"},
            "webCheckoutDetails": {"amazonPayRedirectUrl": "https://pay.example/confirm/S1"},
            "merchantMetadata": {"merchantReferenceId": reference},
        })
    };
    let answers =
        |bodies: [Value; 3]| bodies.map(|body| amazon_pay_simulator::Answer::json(200, &body));
    for (row, answered) in [
        ("in the answer", [session(""), session("ORDER-2"), session("ORDER-1")]),
        ("in the second answer", [session(""), session("ORDER-1"), session("ORDER-2")]),
        ("not at all", [session(""), session(""), session("")]),
    ] {
        let shop = Shop::open().await;
        shop.amazon().open("S1");
        for answer in answers(answered) {
            shop.amazon().inject(Fault::Instead(answer));
        }
        let answer = shop.confirm("S1", &browser("ORDER-1"), None).await;
        assert_eq!(answer.code(), "checkout_session_wrong_order", "{row}: {answer:?}");
    }
    // An answer without metadata does not name an order, so the session is read again.
    let shop = Shop::open().await;
    shop.amazon().open("S1");
    let mut silent = session("");
    silent.as_object_mut().unwrap().remove("merchantMetadata");
    for answer in answers([silent.clone(), silent, session("ORDER-1")]) {
        shop.amazon().inject(Fault::Instead(answer));
    }
    assert_eq!(shop.confirm("S1", &browser("ORDER-1"), None).await.status, 200);
}
