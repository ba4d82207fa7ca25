//! A changed configuration or a newer release changes neither the keys at Adyen nor the
//! recognition of repeated requests.

use adyen_simulator::{Fault, redirect_result};
use jiff::SignedDuration;
use local::keys;
use serde_json::{Value, json};
use tests::{Answer, Stack, backend, browser, payment};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown, in_browser};

/// After this time an unknown outcome needs attention.
const OPEN: SignedDuration = SignedDuration::from_mins(16);

impl Shop {
    /// Two deployments on the same tables: one with another merchant account, one with another
    /// host.
    async fn other_deployments(&self) -> [Stack; 2] {
        let port = self.adyen.url().rsplit(':').next().unwrap();
        let host = format!("http://localhost:{port}/v72");
        [
            self.second_process_with([("ADYEN_MERCHANT_ACCOUNT", "ANOTHER_ACCOUNT")]).await,
            self.second_process_with([("ADYEN_CHECKOUT_URL", &host)]).await,
        ]
    }
}

/// Pays without `merchantAccount`.
async fn pay(stack: &Stack, reference: &str, token: &str) -> Answer {
    stack.post("/payments", &browser(reference), &in_browser(reference, token)).await
}

#[tokio::test]
async fn attempt_of_unknown_outcome_is_not_retried_at_another_account_or_endpoint() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    for (number, other) in shop.other_deployments().await.into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.pay(&reference, "1").await);
        let calls = shop.calls("/payments");
        assert_unknown(&pay(&other, &reference, "1").await);
        shop.pass(&reference, OPEN).await;
        assert_unknown(&pay(&other, &reference, "2").await);
        assert_eq!(shop.calls("/payments"), calls, "{number}");
        let order = shop.order(&reference).await;
        assert_eq!(order["needsAttention"], json!(["outcome_unknown"]));
        assert_eq!(order["attempts"].as_array().unwrap().len(), 1);

        // The original deployment sends the request again with the same key.
        assert_paid(&shop.pay(&reference, "1").await, "authorised", 1, "success");
        assert_eq!((shop.authorisations(&reference), shop.processed(&reference)), (1, 1));
        assert_eq!(shop.order(&reference).await["needsAttention"], json!([]));
    }
}

#[tokio::test]
async fn action_is_not_fetched_from_another_account_or_endpoint() {
    let shop = Shop::open().await;
    for (number, other) in shop.other_deployments().await.into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        let first = shop.pay(&reference, "1-3DS-REDIRECT").await;
        let calls = (shop.calls("/payments"), shop.calls("/payments/details"));
        assert_unknown(&pay(&other, &reference, "1-3DS-REDIRECT").await);
        let result = redirect_result(&first.body["action"], "approved");
        let body = json!({"attempt": 1, "details": {"redirectResult": result}});
        let token = browser(&reference);
        assert_unknown(&other.post("/payments/details", &token, &body).await);
        assert_eq!((shop.calls("/payments"), shop.calls("/payments/details")), calls);

        let answer = shop.details(&reference, 1, "redirectResult", &result).await;
        assert_paid(&answer, "authorised", 1, "success");
    }
}

#[tokio::test]
async fn ended_attempt_is_followed_by_one_at_another_endpoint() {
    let shop = Shop::open().await;
    let [_, other] = shop.other_deployments().await;
    assert_paid(&shop.pay("A", "1-REFUSED").await, "refused", 1, "retryWithAmazonPay");
    assert_paid(&pay(&other, "A", "2").await, "authorised", 2, "success");
    let attempts = shop.item("A").await["attempts"].clone();
    assert_eq!(attempts[0]["endpoint"], "127.0.0.1");
    assert_eq!(attempts[1]["endpoint"], "localhost");
}

#[tokio::test]
async fn refund_of_unknown_outcome_is_not_retried_at_another_account_or_endpoint() {
    let shop = Shop::open().await;
    let body = json!({"amount": {"currency": "EUR", "value": 400}});
    for (number, other) in shop.other_deployments().await.into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        let path = format!("/orders/{reference}/refunds");
        shop.pay(&reference, "1").await;
        shop.stack.order_once(&reference, |order| order["confirmed"] == true).await;
        shop.simulator().hold_webhooks();
        shop.simulator().inject(Fault::lost_answer().on("/refunds"));
        let refund = async |stack: &Stack| stack.post_with_key(&path, &backend(), "K", &body).await;
        assert_eq!(refund(&shop.stack).await.body["state"], "requested");
        let calls = shop.calls("/refunds");
        assert_problem(&refund(&other).await, 409, "modification_unknown");
        shop.pass(&reference, OPEN).await;
        other.bundle.recover().await.unwrap();
        assert_eq!(shop.calls("/refunds"), calls, "{number}");
        let again = refund(&shop.stack).await;
        assert_eq!((again.status, &again.body["state"]), (202, &json!("received")));
        let refunded =
            |books: &adyen_simulator::Books| books.payments_of(&reference)[0].money.refunded;
        assert_eq!(shop.simulator().with_books(refunded), 400);
        shop.simulator().release_webhooks(adyen_simulator::Release::InOrder).await;
    }
}

#[tokio::test]
async fn repeated_request_is_recognised_under_another_default_return_url() {
    let shop = Shop::open().await;
    let other =
        shop.second_process_with([("DEFAULT_RETURN_URL", "https://other.example.com/")]).await;
    let mut body = payment("A", "1");
    body.as_object_mut().unwrap().remove("returnUrl");
    let token = browser("A");
    let first = shop.stack.post_with_key("/payments", &token, "K", &body).await;
    assert_paid(&first, "authorised", 1, "success");
    let again = other.post_with_key("/payments", &token, "K", &body).await;
    assert_eq!((again.status, &again.body), (200, &first.body));

    // The key still belongs to one request.
    body["returnUrl"] = json!("https://your-company.example.com/");
    let reused = shop.stack.post_with_key("/payments", &token, "K", &body).await;
    assert_problem(&reused, 422, "idempotency_key_reused");
}

#[tokio::test]
async fn repeated_request_is_recognised_however_its_json_is_written() {
    let shop = Shop::open().await;
    let body = payment("A", "1");
    let post = async |token: &str, body: &Value| {
        shop.stack.post_with_key("/payments", token, "K", body).await
    };
    let first = post(&browser("A"), &body).await;
    let mut with_null = body.clone();
    with_null["shopperEmail"] = json!(null);
    let mut with_account = body.clone();
    with_account["merchantAccount"] = json!(keys::MERCHANT_ACCOUNT);
    let mut with_country = body.clone();
    with_country["countryCode"] = json!("NL");
    let mut less = body.clone();
    // A caller may leave out the fields that its token fixes.
    less.as_object_mut().unwrap().retain(|name, _| name != "amount" && name != "reference");
    for same in [body, with_null, with_account, with_country, less] {
        let again = post(&browser("A"), &same).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{same}");
    }
}

/// Keys and digests are fixed here, because a release that changed them would charge payments in
/// flight again, or reject repeated requests.
#[tokio::test]
async fn keys_and_digests_match_known_values() {
    let shop = Shop::open().await;
    let token = browser("GOLDEN-1");
    let body = payment("GOLDEN-1", "160583287597AMZN");
    let answer = shop.stack.post_with_key("/payments", &token, "payment-1", &body).await;
    assert_paid(&answer, "authorised", 1, "success");
    shop.stack.order_once("GOLDEN-1", |order| order["confirmed"] == true).await;
    let refund =
        json!({"amount": {"currency": "EUR", "value": 400}, "merchantRefundReason": "RETURN"});
    let path = "/orders/GOLDEN-1/refunds";
    let answer = shop.stack.post_with_key(path, &backend(), "refund-1", &refund).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    shop.pay("GOLDEN-2", "1-3DS-REDIRECT").await;
    shop.details("GOLDEN-2", 1, "redirectResult", "X6XtfGC3!Y...").await;

    let order = shop.item("GOLDEN-1").await;
    let attempt = &order["attempts"][0];
    let key = "1000929310298ec983e97d4023abd6441fefa3ce9e46ff48009a41d178c1cabf";
    assert_eq!(attempt["key"], key);
    assert_eq!(attempt["merchantAccount"], keys::MERCHANT_ACCOUNT);
    assert_eq!(attempt["endpoint"], "127.0.0.1");
    let instrument = "df762cc4cb450d44589683027c7e668a7c28268ec144a87de23be034b5d75256";
    assert_eq!(attempt["submissions"][0]["instrument"], instrument);
    let caller_body = "b7f2beac1d7980931dcc888438a8e485633d76d62979e7fc96ad1f46cb3fab54";
    assert_eq!(attempt["submissions"][0]["callerBody"], caller_body);

    let modification = &order["modifications"][0];
    let refund_key = "8aa61e31eb2fbe2e99eaa0db13c0b01187ecdc6c0b795dc7688c1d57b14db235";
    assert_eq!(modification["key"], refund_key);
    assert_eq!(modification["merchantAccount"], keys::MERCHANT_ACCOUNT);
    assert_eq!(modification["endpoint"], "127.0.0.1");
    let content = "901f9b0ec79033abd6ee5c958d9afb3254701f531bf20343942f449a8aac5cd7";
    assert_eq!(modification["content"], content);

    let sent = |ending: &str| {
        let key =
            |books: &adyen_simulator::Books| books.calls_to(ending)[0].idempotency_key.clone();
        shop.simulator().with_books(key).unwrap()
    };
    assert_eq!(sent("/payments"), key);
    assert_eq!(sent("/refunds"), refund_key);
    let details_key = "809ecaaae467e730418dc64947aa1004235567c4465c4504871df73ef61d2060";
    assert_eq!(sent("/payments/details"), details_key);
}
