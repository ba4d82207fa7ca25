use serde_json::{Value, json};

use crate::world::{World, payment, payment_in_browser, reply, with};

async fn refused(world: &World, members: Value, status: u16, code: &str) {
    let body = with(payment_in_browser("A"), &members);
    let reply = world.post("/payments", None, &body).await;
    assert!(reply.is_error(status, code), "{members} {reply:?}");
}

#[tokio::test]
async fn missing_required_fields_are_rejected() {
    let world = World::new().await;
    for (name, code) in [
        ("amount", "100"),
        ("reference", "130"),
        ("paymentMethod", "14_006"),
        ("returnUrl", "14_030"),
    ] {
        refused(&world, json!({name: null}), 422, code).await;
    }
    assert!(world.adyen.books().payments.is_empty());
}

#[tokio::test]
async fn amounts_that_amazon_pay_does_not_support_are_rejected() {
    let world = World::new().await;
    for (currency, value, status, code) in [
        ("EUR", json!(0), 422, "137"),
        ("EUR", json!(-1), 422, "137"),
        ("EUR", json!("1000"), 400, "702"),
        ("EUR", json!(10.5), 400, "702"),
        ("EUR", json!(null), 400, "702"),
        ("XYZ", json!(1000), 422, "138"),
        ("eur", json!(1000), 422, "138"),
        ("JPY", json!(1000), 500, "905"),
    ] {
        let amount = json!({"amount": {"currency": currency, "value": value}});
        refused(&world, amount, status, code).await;
    }
}

#[tokio::test]
async fn lengths_and_forms_are_checked_as_in_version_72() {
    let world = World::new().await;
    let ok = with(payment("A"), json!({"reference": "r".repeat(80)}));
    assert_eq!(world.post("/payments", None, &ok).await.status, 200);
    for (members, code) in [
        (json!({"reference": "r".repeat(81)}), "29_001"),
        (json!({"returnUrl": format!("https://a.example/{}", "r".repeat(1024))}), "29_001"),
        (json!({"returnUrl": "/checkout"}), "702"),
        (json!({"returnUrl": "https://a.example/é"}), "702"),
        (json!({"origin": "https://a.example/"}), "14_035"),
        (json!({"origin": "https://a.example/shop"}), "14_035"),
        (json!({"channel": "Fax"}), "14_036"),
        (json!({"shopperEmail": "nobody"}), "702"),
        (json!({"shopperEmail": "a@.example"}), "702"),
        (json!({"shopperReference": "ab"}), "702"),
        (json!({"metadata": {"k".repeat(21): "v"}}), "29_001"),
        (json!({"billingAddress": {"city": "Amsterdam"}}), "702"),
        (json!({"captureDelayHours": 673}), "702"),
        (json!({"unheardOf": 1}), "702"),
    ] {
        refused(&world, members, 422, code).await;
    }
}

#[tokio::test]
async fn incomplete_browser_info_is_rejected() {
    let world = World::new().await;
    let browser = payment_in_browser("A")["browserInfo"].clone();
    for name in [
        "acceptHeader",
        "colorDepth",
        "javaEnabled",
        "language",
        "screenHeight",
        "screenWidth",
        "timeZoneOffset",
        "userAgent",
    ] {
        let browser = with(browser.clone(), json!({name: null}));
        refused(&world, json!({"browserInfo": browser}), 422, "15_015").await;
    }
    let odd = with(browser, json!({"colorDepth": 10}));
    refused(&world, json!({"browserInfo": odd}), 422, "15_018").await;
}

#[tokio::test]
async fn missing_or_malformed_amazon_pay_token_is_rejected() {
    let world = World::new().await;
    for (method, status, code) in [
        (json!({"type": "amazonpay"}), 422, "5_602"),
        (json!({"type": "amazonpay", "amazonPayToken": ""}), 422, "5_602"),
        (json!({"type": "amazonpay", "amazonPayToken": "a b"}), 422, "5_604"),
        (json!({"type": "amazonpay", "amazonPayToken": "a", "token": "b"}), 422, "702"),
        (json!({"type": "scheme"}), 422, "14_004"),
        (json!({"type": ""}), 500, "905"),
        (json!({"amazonPayToken": 1, "type": "amazonpay"}), 400, "702"),
        (json!("amazonpay"), 400, "702"),
    ] {
        refused(&world, json!({"paymentMethod": method}), status, code).await;
    }
}

#[tokio::test]
async fn call_without_the_api_key_is_rejected() {
    let world = World::new().await;
    let url = format!("{}/payments", world.adyen.checkout_url());
    for key in ["", "wrong"] {
        let call = world.client.post(&url).header("x-api-key", key).json(&payment("A"));
        assert!(reply(call).await.unwrap().is_error(401, "000"));
    }
    refused(&world, json!({"merchantAccount": "Other"}), 403, "901").await;
    refused(&world, json!({"merchantAccount": null}), 403, "901").await;
    assert!(world.adyen.books().payments.is_empty());
}

#[tokio::test]
async fn malformed_json_and_unknown_paths_are_errors() {
    let world = World::new().await;
    let call = world.request("POST", "/payments").body("{\"amount\":");
    assert!(reply(call).await.unwrap().is_error(400, "702"));
    let call = world.request("POST", "/nothing").json(&payment("A"));
    assert!(reply(call).await.unwrap().is_error(404, "000"));
    let old = format!("{}/v1/payments", world.adyen.checkout_url().trim_end_matches("/v72"));
    let call = world.client.post(old).json(&payment("A"));
    assert!(reply(call).await.unwrap().is_error(404, "000"));
}
