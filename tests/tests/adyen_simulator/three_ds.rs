use adyen_simulator::{challenge_result, fingerprint_result, redirect_result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::world::{World, payment, payment_in_browser, with};

async fn redirected(world: &World) -> Value {
    let reply = world.post("/payments", None, &payment_in_browser("X-3DS-REDIRECT")).await;
    assert_eq!(reply.body["resultCode"], "RedirectShopper");
    assert!(reply.body["pspReference"].is_null());
    assert_eq!(reply.body["action"]["type"], "redirect");
    assert_eq!(reply.body["action"]["method"], "GET");
    reply.body["action"].clone()
}

#[tokio::test]
async fn redirect_page_returns_a_redirect_result() {
    let world = World::new().await;
    let action = redirected(&world).await;
    let url = action["url"].as_str().unwrap();
    let page = world.client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("?result=approved") && page.contains("?result=refused"));
    let back = world.client.get(format!("{url}?result=approved")).send().await.unwrap();
    assert_eq!(back.status(), 303);
    let location: url::Url = back.headers()["location"].to_str().unwrap().parse().unwrap();
    let query: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    assert_eq!(query[0], ("shopperOrder".into(), "12xy..".into()));
    assert_eq!(query[1], ("redirectResult".into(), redirect_result(&action, "approved")));
    let reply = world.details("redirectResult", &query[1].1).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
    assert_eq!(reply.body["merchantReference"], "ORDER-1");
    world.recover().await;
    assert_eq!(world.inbox.received()[0].item()["pspReference"], reply.body["pspReference"]);
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
    assert_eq!(world.client.get(url).send().await.unwrap().status(), 410);
}

#[tokio::test]
async fn minimal_answer_has_the_fields_of_adyens_example() {
    let world = World::new().await;
    world.adyen.name_merchant_reference(false);
    let result = redirect_result(&redirected(&world).await, "approved");
    let reply = world.details("redirectResult", &result).await;
    let psp_reference = world.adyen.books().payments[0].psp_reference.clone();
    assert_eq!(reply.body, json!({"resultCode": "Authorised", "pspReference": psp_reference}));
    world.recover().await;
    // The webhook names the order, even if the answer does not.
    assert_eq!(world.inbox.received()[0].item()["merchantReference"], "ORDER-1");
}

#[tokio::test]
async fn the_shopper_may_decline_or_cancel() {
    let world = World::new().await;
    for (outcome, result, code) in [("refused", "Refused", "11"), ("cancelled", "Cancelled", "16")]
    {
        let action = redirected(&world).await;
        let reply = world.details("redirectResult", &redirect_result(&action, outcome)).await;
        assert_eq!(reply.body["resultCode"], result);
        assert_eq!(reply.body["refusalReasonCode"], code);
    }
    world.recover().await;
    assert!(world.inbox.received().iter().all(|received| received.item()["success"] == "false"));
}

#[tokio::test]
async fn repeated_details_are_an_error_without_the_key_and_the_same_answer_with_it() {
    let world = World::new().await;
    let result = redirect_result(&redirected(&world).await, "approved");
    let body = json!({"details": {"redirectResult": result}});
    let first = world.post("/payments/details", Some("k"), &body).await;
    let again = world.post("/payments/details", Some("k"), &body).await;
    assert_eq!(first.body, again.body);
    assert!(world.details("redirectResult", &result).await.is_error(422, "704"));
    assert_eq!(world.adyen.books().authorisations("ORDER-1"), 1);
}

#[tokio::test]
async fn native_payment_is_identified_challenged_and_decided() {
    for (approved, result) in [(true, "Authorised"), (false, "Refused")] {
        let world = World::new().await;
        let first = world.post("/payments", None, &payment_in_browser("X-3DS-CHALLENGE")).await;
        assert_eq!(first.body["resultCode"], "IdentifyShopper");
        assert!(first.body["pspReference"].is_null());
        let action = &first.body["action"];
        assert_eq!(
            (&action["type"], &action["subtype"]),
            (&json!("threeDS2"), &json!("fingerprint"))
        );
        let early = world.details("threeDSResult", &challenge_result(action, true)).await;
        assert!(early.is_error(422, "702"));
        let second = world.details("threeDSResult", &fingerprint_result(action)).await;
        assert_eq!(second.body["resultCode"], "ChallengeShopper");
        let again = world.details("threeDSResult", &fingerprint_result(action)).await;
        assert!(again.is_error(422, "704"));
        let action = &second.body["action"];
        assert_eq!(action["subtype"], "challenge");
        let third = world.details("threeDSResult", &challenge_result(action, approved)).await;
        assert_eq!(third.body["resultCode"], result);
        assert_eq!(third.psp_reference().len(), 16);
        world.recover().await;
        assert_eq!(world.inbox.events(), ["AUTHORISATION"]);
        assert_eq!(world.adyen.books().authorisations("ORDER-1"), usize::from(approved));
    }
}

#[tokio::test]
async fn older_names_of_results_need_payment_data() {
    let world = World::new().await;
    let reply = world.post("/payments", None, &payment_in_browser("X-3DS-CHALLENGE")).await;
    let data = &reply.body["action"]["paymentData"];
    let encoded = |value: Value| BASE64_STANDARD.encode(value.to_string());
    let fingerprint = encoded(json!({"threeDSCompInd": "Y"}));
    let body = json!({"details": {"threeds2.fingerprint": fingerprint}, "paymentData": data});
    let reply = world.post("/payments/details", None, &body).await;
    assert_eq!(reply.body["resultCode"], "ChallengeShopper");
    let challenge = encoded(json!({"transStatus": "Y"}));
    let body = json!({"details": {"threeds2.challengeResult": challenge}, "paymentData": data});
    let reply = world.post("/payments/details", None, &body).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
}

#[tokio::test]
async fn three_d_secure_without_browser_info_is_rejected() {
    let world = World::new().await;
    for token in ["X-3DS-REDIRECT", "X-3DS-CHALLENGE", "X-OFFER-CLOSED"] {
        assert!(world.pay(token).await.is_error(422, "15_015"), "{token}");
    }
    for (without, code) in [("channel", "14_036"), ("origin", "14_035")] {
        let body = with(payment_in_browser("X-3DS-CHALLENGE"), json!({without: null}));
        assert!(world.post("/payments", None, &body).await.is_error(422, code), "{without}");
    }
    assert_ne!(payment("A"), payment_in_browser("A"));
}

#[tokio::test]
async fn malformed_details_are_rejected() {
    let world = World::new().await;
    let action = redirected(&world).await;
    for (name, result) in [
        ("redirectResult", "X6XtfGC3!Y".to_owned()),
        ("redirectResult", "garbage".to_owned()),
        ("redirectResult", redirect_result(&action, "perhaps")),
        ("threeDSResult", "%%%".to_owned()),
        ("threeDSResult", challenge_result(&action, true)),
        ("threeDSResult", "eyJ0cmFuc1N0YXR1cyI6IlkifQ==".to_owned()),
        ("payload", "x".to_owned()),
    ] {
        assert!(world.details(name, &result).await.is_error(422, "702"), "{name} {result}");
    }
    for body in [json!({}), json!({"details": {"nonsense": "x"}}), json!({"details": {}, "a": 1})] {
        assert!(world.post("/payments/details", None, &body).await.is_error(422, "702"));
    }
    let reply = world.details("redirectResult", &redirect_result(&action, "approved")).await;
    assert_eq!(reply.body["resultCode"], "Authorised");
}
