//! A stored payment method's whole life.

use serde_json::json;

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, charge};

#[tokio::test]
async fn stored_payment_method_is_created_charged_refused_and_disabled() {
    let shop = Shop::open().await;

    // Created, announced by a webhook, and listed.
    let id = shop.stored(SHOPPER, "FIRST").await;
    let first = shop.order("FIRST").await;
    let listed = shop.list(SHOPPER, "").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let expected = json!({
        "storedPaymentMethodId": id,
        "status": "active",
        "type": "visa_amazonpay",
        "createdAt": listed[0]["createdAt"],
        "pspReference": first["pspReference"],
        "reference": "FIRST",
    });
    assert_eq!(listed[0], expected);

    // Charged.
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_paid(&answer, "authorised", 1);
    assert_eq!(answer.body["nextStep"], "success");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("MONTH-1").await["confirmed"], true);

    // Refused, because it was revoked.
    assert!(shop.adyen().revoke_token(&id).unwrap());
    let answer = shop.charge(&charge(SHOPPER, "MONTH-2", &id)).await;
    assert_paid(&answer, "refused", 1);
    assert_eq!(answer.body["refusalReasonCode"], "50");
    let refused = answer.body["pspReference"].as_str().unwrap();

    // Disabled because of the refusal.
    assert_eq!(shop.list(SHOPPER, "").await, Vec::<serde_json::Value>::new());
    let listed = shop.list(SHOPPER, "?status=all").await;
    assert_eq!(listed[0]["status"], "disabled", "{listed:?}");
    assert!(listed[0]["disabledAt"].is_string());
    let token = shop.token(SHOPPER, &id).await.unwrap();
    let end = token.events.last().unwrap();
    assert_eq!(end.event_id, refused);
    assert_eq!(end.reference, Some("MONTH-2".parse().unwrap()));

    // No longer charged, even with a new attempt.
    let calls = shop.calls("/payments");
    let answer = shop.charge_with_key(&charge(SHOPPER, "MONTH-2", &id), "again").await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");
    let answer = shop.charge(&charge(SHOPPER, "MONTH-3", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");
    assert!(shop.order_is_unknown("MONTH-3").await);
    assert_eq!(shop.order("MONTH-2").await["attempt"], 1);
    assert_eq!(shop.calls("/payments"), calls);
}

#[tokio::test]
async fn disabling_webhook_ends_charging() {
    let (shop, id) = Shop::with_token().await;
    assert!(shop.adyen().disable_token(&id).unwrap());
    shop.webhooks_delivered().await;
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");
    assert_eq!(shop.processed("MONTH-1"), 0);
}

#[tokio::test]
async fn charge_that_adyen_rejects_as_gone_disables_the_token() {
    let (shop, id) = Shop::with_token().await;
    shop.removed_without_webhook(&id);
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "adyen_rejected");
    assert_eq!(answer.body["errorCode"], "803");
    let answer = shop.charge(&charge(SHOPPER, "MONTH-2", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");
    assert_eq!(shop.calls("/payments"), 2);
}

#[tokio::test]
async fn refusal_reason_of_a_revoked_token_disables_it() {
    let shop = Shop::open().await;
    for (number, reason) in ["Token Revoked", "TOKEN REVOKED"].into_iter().enumerate() {
        let shopper = format!("shopper-{number}");
        let id = shop.stored(&shopper, &format!("FIRST-{number}")).await;
        let refused =
            json!({"pspReference": "PSP", "resultCode": "Refused", "refusalReason": reason});
        let refused = adyen_simulator::Answer::json(200, &refused);
        shop.adyen().inject(adyen_simulator::Fault::Instead(refused).on("/payments"));
        let body = charge(&shopper, &format!("MONTH-{number}"), &id);
        assert_paid(&shop.charge(&body).await, "refused", 1);
        assert!(shop.ids(&shopper, "").await.is_empty());
    }
}

#[tokio::test]
async fn charge_refused_for_another_reason_disables_no_token() {
    let (shop, id) = Shop::with_token().await;
    let refused = adyen_simulator::Answer::json(
        200,
        &json!({"pspReference": "PSP", "resultCode": "Refused", "refusalReasonCode": "12"}),
    );
    shop.adyen().inject(adyen_simulator::Fault::Instead(refused).on("/payments"));
    let body = charge(SHOPPER, "MONTH-1", &id);
    assert_paid(&shop.charge(&body).await, "refused", 1);
    assert_paid(&shop.charge_with_key(&body, "later").await, "authorised", 2);
}
