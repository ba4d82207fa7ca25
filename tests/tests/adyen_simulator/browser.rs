//! The calls of Adyen's library in a browser, and the bank that it shows in the merchant's page.

use std::sync::Arc;

use adyen_simulator::{AmazonPay, Amount, Options};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use local::keys;
use serde_json::{Value, json};
use url::Url;

use crate::world::{Reply, World, payment, payment_in_browser, quick, reply, with};

const SUBMIT: &str = "/checkoutshopper/v1/submitThreeDS2Fingerprint?token=";
const SIGN: &str = "/checkoutshopper/v1/AmazonPayUtility/signString?clientKey=";
const UPDATE: &str = "/checkoutshopper/v1/AmazonPayUtility/updateCheckoutSession?clientKey=";
const DETAILS: &str = "/checkoutshopper/v1/AmazonPayUtility/getCheckoutDetails?clientKey=";
const ANALYTICS: &str = "/checkoutanalytics/v3/analytics?clientKey=";

/// An Amazon Pay with one session of EUR 10.00.
struct OneSession;

impl AmazonPay for OneSession {
    fn configuration(&self) -> Value {
        json!({"merchantId": "M1"})
    }

    fn sign(&self, payload: &str) -> String {
        format!("signed {payload}")
    }

    fn update(&self, session: &str, amount: &Amount, return_url: &Url) -> Option<String> {
        let page = format!("https://amazon.example.com/{}?{return_url}", amount.value);
        (session == "S1").then_some(page)
    }

    fn token(&self, session: &str, amount: &Amount) -> Option<String> {
        (session == "S1" && amount.value == 1000).then(|| "160583287597AMZN".to_owned())
    }

    fn page(&self, session: &str) -> Option<String> {
        (session == "S1").then(|| "https://amazon.example.com/S1".to_owned())
    }
}

async fn with_amazon_pay() -> World {
    World::with(Options { amazon_pay: Some(Arc::new(OneSession)), ..quick() }).await
}

fn host(world: &World) -> String {
    world.adyen.checkout_url().trim_end_matches("/v72").to_owned()
}

/// Posts JSON as Adyen's library does, with this key.
async fn post(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    reply(world.client.post(format!("{}{path}{key}", host(world))).json(body)).await.unwrap()
}

/// Posts a form as the browser does, and returns the status and the page.
async fn post_form(world: &World, url: &str, name: &str, message: &Value) -> (u16, String) {
    let text = BASE64_URL_SAFE_NO_PAD.encode(message.to_string());
    let request =
        world.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    let reply = reply(request.body(format!("{name}={text}"))).await.unwrap();
    (reply.status, reply.body.as_str().unwrap_or_default().to_owned())
}

/// A payment that identifies the browser, and its action.
async fn identified(world: &World, token: &str) -> Value {
    let reply = world.post("/payments", None, &payment_in_browser(token)).await;
    assert_eq!(reply.body["resultCode"], "IdentifyShopper", "{reply:?}");
    reply.body["action"].clone()
}

/// The token of an action, decoded.
fn token(action: &Value) -> Value {
    let json = BASE64_STANDARD.decode(action["token"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn fingerprint(action: &Value) -> Value {
    let result = BASE64_STANDARD.encode(json!({"threeDSCompInd": "Y"}).to_string());
    json!({"fingerprintResult": result, "paymentData": action["paymentData"]})
}

/// The action of a challenge.
async fn challenged(world: &World) -> Value {
    let action = identified(world, "X-3DS-CHALLENGE").await;
    let reply = post(world, SUBMIT, keys::CLIENT_KEY, &fingerprint(&action)).await;
    assert_eq!(reply.body["type"], "action", "{reply:?}");
    reply.body["action"].clone()
}

fn creq(token: &Value) -> Value {
    json!({
        "acsTransID": token["acsTransID"],
        "messageVersion": token["messageVersion"],
        "threeDSServerTransID": token["threeDSServerTransID"],
        "messageType": "CReq",
        "challengeWindowSize": "02",
    })
}

/// The values of a page's hidden field, decoded.
fn messages(page: &str, name: &str) -> Vec<Value> {
    let field = format!("name={name} value=\"");
    let values = page.split(&field).skip(1).map(|rest| rest.split('"').next().unwrap());
    values
        .map(|text| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn fingerprint_is_taken_at_the_bank_and_leads_to_a_challenge() {
    let world = World::new().await;
    let action = identified(&world, "X-3DS-CHALLENGE").await;
    let token = token(&action);
    let (method, notification) =
        (&token["threeDSMethodUrl"], &token["threeDSMethodNotificationURL"]);
    let data = json!({
        "threeDSServerTransID": token["threeDSServerTransID"],
        "threeDSMethodNotificationURL": notification,
    });
    let (status, page) =
        post_form(&world, method.as_str().unwrap(), "threeDSMethodData", &data).await;
    assert_eq!(status, 200);
    assert!(page.contains(&format!("action=\"{}\"", notification.as_str().unwrap())), "{page}");
    let [answered] = messages(&page, "threeDSMethodData").try_into().unwrap();
    let (status, page) =
        post_form(&world, notification.as_str().unwrap(), "threeDSMethodData", &answered).await;
    assert_eq!(status, 200);
    assert!(page.contains("fingerPrintResult") && page.contains("parent.postMessage"), "{page}");
    let origin = payment_in_browser("X")["origin"].as_str().unwrap().to_owned();
    assert!(
        page.contains(&format!(", \"{origin}\")")),
        "only the merchant's page reads it: {page}"
    );

    let reply = post(&world, SUBMIT, keys::CLIENT_KEY, &fingerprint(&action)).await;

    assert_eq!((reply.status, &reply.body["type"]), (200, &json!("action")));
    assert_eq!(reply.body["action"]["subtype"], "challenge");
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    let again = post(&world, SUBMIT, keys::CLIENT_KEY, &fingerprint(&action)).await;
    assert!(again.is_error(422, "704"));
}

#[tokio::test]
async fn challenge_is_answered_at_the_bank() {
    for (button, status, result) in [(0, "Y", "Authorised"), (1, "N", "Refused")] {
        let world = World::new().await;
        let action = challenged(&world).await;
        let token = token(&action);
        let (code, page) =
            post_form(&world, token["acsURL"].as_str().unwrap(), "creq", &creq(&token)).await;
        assert_eq!(code, 200, "{page}");
        let cres = messages(&page, "cres")[button].clone();
        assert_eq!((&cres["messageType"], &cres["transStatus"]), (&json!("CRes"), &json!(status)));
        let notification = token["threeDSNotificationURL"].as_str().unwrap();
        let (code, page) = post_form(&world, notification, "cres", &cres).await;
        assert_eq!(code, 200);
        assert!(page.contains("challengeResult"), "{page}");
        assert!(page.contains(&format!(r#"\"transStatus\":\"{status}\""#)), "{page}");

        let data =
            json!({"transStatus": status, "authorisationToken": action["authorisationToken"]});
        let details = BASE64_STANDARD.encode(data.to_string());
        let reply = world.details("threeDSResult", &details).await;

        assert_eq!(reply.body["resultCode"], result);
        let (code, _) = post_form(&world, notification, "cres", &cres).await;
        assert_eq!(code, 410, "the payment is complete");
    }
}

#[tokio::test]
async fn frictionless_fingerprint_completes_without_a_challenge() {
    let world = World::new().await;
    let action = identified(&world, "X-3DS-FRICTIONLESS").await;

    let reply = post(&world, SUBMIT, keys::CLIENT_KEY, &fingerprint(&action)).await;

    assert_eq!(reply.body["type"], "completed", "{reply:?}");
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 0, "until the details are posted");
    let result = reply.body["details"]["threeDSResult"].as_str().unwrap();
    let reply = world.details("threeDSResult", result).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
    world.recover().await;
    assert_eq!(world.inbox.events(), ["AUTHORISATION"]);
}

#[tokio::test]
async fn frictionless_payment_without_adyens_library_is_authorised_by_its_fingerprint() {
    let world = World::new().await;
    let action = identified(&world, "X-3DS-FRICTIONLESS").await;

    let result = adyen_simulator::fingerprint_result(&action);
    let reply = world.details("threeDSResult", &result).await;

    assert_eq!(reply.body["resultCode"], "Authorised");
}

#[tokio::test]
async fn malformed_fingerprint_is_rejected_and_changes_nothing() {
    let world = World::new().await;
    let action = identified(&world, "X-3DS-CHALLENGE").await;
    let valid = fingerprint(&action);
    for (wrong, status) in [
        (json!({"fingerprintResult": "%%%"}), 422),
        (json!({"fingerprintResult": "e30="}), 422),
        (json!({"fingerprintResult": null}), 422),
        (json!({"fingerprintResult": 1}), 400),
        (json!({"paymentData": "unknown"}), 422),
        (json!({"paymentData": null}), 422),
        (json!({"surprise": 1}), 422),
    ] {
        let reply =
            post(&world, SUBMIT, keys::CLIENT_KEY, &with(valid.clone(), wrong.clone())).await;
        assert!(reply.is_error(status, "702"), "{wrong} {reply:?}");
    }
    let url = format!("{}{SUBMIT}{}", host(&world), keys::CLIENT_KEY);
    let broken = reply(world.client.post(url).body("{")).await.unwrap();
    assert!(broken.is_error(400, "702"));
    let reply = post(&world, SUBMIT, keys::CLIENT_KEY, &valid).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn bank_rejects_messages_of_another_payment() {
    let world = World::new().await;
    let action = challenged(&world).await;
    let token = token(&action);
    let acs = token["acsURL"].as_str().unwrap();
    for wrong in [
        json!({"acsTransID": "another"}),
        json!({"threeDSServerTransID": "another"}),
        json!({"messageType": "CRes"}),
        json!({"messageVersion": "1.0.2"}),
        json!({"challengeWindowSize": "06"}),
    ] {
        let (status, _) = post_form(&world, acs, "creq", &with(creq(&token), wrong.clone())).await;
        assert_eq!(status, 400, "{wrong}");
    }
    assert_eq!(post_form(&world, acs, "cres", &creq(&token)).await.0, 400, "another field");
    assert_eq!(world.client.get(acs).send().await.unwrap().status(), 404, "it needs a message");
    let method = acs.replace("/challenge", "/method");
    assert_eq!(post_form(&world, &method, "threeDSMethodData", &json!({})).await.0, 410);
    let unknown = format!("{}/threeds/unknown/challenge", host(&world));
    assert_eq!(post_form(&world, &unknown, "creq", &creq(&token)).await.0, 404);
    let notification = token["threeDSNotificationURL"].as_str().unwrap();
    let cres = with(creq(&token), json!({"messageType": "CRes", "transStatus": "maybe"}));
    assert_eq!(post_form(&world, notification, "cres", &cres).await.0, 400);
}

#[tokio::test]
async fn call_without_the_client_key_is_rejected() {
    let world = with_amazon_pay().await;
    for path in [SUBMIT, SIGN, UPDATE, DETAILS, ANALYTICS] {
        for key in ["", "test_another", keys::ADYEN_API_KEY] {
            let reply = post(&world, path, key, &json!({})).await;
            assert!(reply.is_error(401, "000"), "{path} {key} {reply:?}");
        }
    }
}

#[tokio::test]
async fn page_of_any_origin_may_call() {
    let world = World::new().await;
    let url = format!("{}{SUBMIT}{}", host(&world), keys::CLIENT_KEY);
    let asked = world.client.request(reqwest::Method::OPTIONS, url).send().await.unwrap();
    assert_eq!(asked.status(), 204);
    assert_eq!(asked.headers()["access-control-allow-origin"], "*");
    assert_eq!(asked.headers()["access-control-allow-headers"], "content-type");
    assert!(asked.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn visit_gets_an_id_and_its_events_are_accepted() {
    let world = World::new().await;
    let reply = post(&world, ANALYTICS, keys::CLIENT_KEY, &json!({"channel": "web"})).await;
    let id = reply.body["checkoutAttemptId"].as_str().unwrap();
    let events = format!("/checkoutanalytics/v3/analytics/{id}?clientKey=");
    assert_eq!(post(&world, &events, keys::CLIENT_KEY, &json!({"info": []})).await.status, 200);
}

#[tokio::test]
async fn button_of_amazon_pay_is_signed_for_the_merchant() {
    let world = with_amazon_pay().await;
    let reply = post(&world, SIGN, keys::CLIENT_KEY, &json!({"stringToSign": "{}"})).await;
    assert_eq!(reply.body, json!({"signature": "signed {}"}));
    for wrong in [json!({}), json!({"stringToSign": ""}), json!({"stringToSign": "{}", "a": 1})] {
        let reply = post(&world, SIGN, keys::CLIENT_KEY, &wrong).await;
        assert!(reply.is_error(422, "702"), "{wrong} {reply:?}");
    }
    let without = World::new().await;
    let reply = post(&without, SIGN, keys::CLIENT_KEY, &json!({"stringToSign": "{}"})).await;
    assert!(reply.is_error(422, "5_605"), "{reply:?}");
}

#[tokio::test]
async fn details_of_a_session_name_the_page_for_another_card() {
    let world = with_amazon_pay().await;
    let ask = json!({"checkoutSessionId": "S1", "getDeclineFlowUrl": true, "publicKeyId": "K"});
    let reply = post(&world, DETAILS, keys::CLIENT_KEY, &ask).await;
    assert_eq!(reply.body, json!({"declineFlowUrl": "https://amazon.example.com/S1"}));
    let ask = json!({"checkoutSessionId": "S1", "getDeliveryAddress": true});
    assert_eq!(post(&world, DETAILS, keys::CLIENT_KEY, &ask).await.body, json!({}));
    for (wrong, code) in [
        (json!({"checkoutSessionId": "S2"}), "5_602"),
        (json!({"getDeclineFlowUrl": true}), "702"),
        (json!({"checkoutSessionId": "S1", "a": 1}), "702"),
    ] {
        let reply = post(&world, DETAILS, keys::CLIENT_KEY, &wrong).await;
        assert!(reply.is_error(422, code), "{wrong} {reply:?}");
    }
}

#[tokio::test]
async fn session_is_updated_with_the_amount_and_confirmed_at_amazon_pay() {
    let world = with_amazon_pay().await;
    let update = json!({
        "amount": {"currency": "EUR", "value": 1000},
        "checkoutResultReturnUrl": "https://shop.example/",
        "checkoutSessionId": "S1",
    });

    let reply = post(&world, UPDATE, keys::CLIENT_KEY, &update).await;

    let page = "https://amazon.example.com/1000?https://shop.example/";
    assert_eq!(reply.body, json!({"action": {"type": "redirect", "url": page}}));
    for (wrong, code) in [
        (json!({"checkoutSessionId": "S2"}), "5_602"),
        (json!({"checkoutSessionId": null}), "702"),
        (json!({"checkoutResultReturnUrl": "shop"}), "702"),
        (json!({"amount": {"currency": "EUR", "value": 0}}), "137"),
        (json!({"a": 1}), "702"),
    ] {
        let reply =
            post(&world, UPDATE, keys::CLIENT_KEY, &with(update.clone(), wrong.clone())).await;
        assert!(reply.is_error(422, code), "{wrong} {reply:?}");
    }
}

#[tokio::test]
async fn session_is_paid_if_the_shopper_confirmed_its_amount() {
    let world = with_amazon_pay().await;
    let session = |id: &str, value: i64| {
        let method = json!({"type": "amazonpay", "checkoutSessionId": id});
        let amount = json!({"currency": "EUR", "value": value});
        with(payment("X"), json!({"paymentMethod": method, "amount": amount}))
    };
    for (id, value) in [("S2", 1000), ("S1", 1)] {
        let reply = world.post("/payments", None, &session(id, value)).await;
        assert!(reply.is_error(422, "5_602"), "{reply:?}");
    }

    let reply = world.post("/payments", None, &session("S1", 1000)).await;

    assert_eq!(reply.body["resultCode"], "Authorised");
    let without = World::new().await;
    let reply = without.post("/payments", None, &session("S1", 1000)).await;
    assert!(reply.is_error(422, "5_602"), "{reply:?}");
}
