//! Stored payment methods, order events, and the sessions of Amazon Pay.

use serde_json::json;

use crate::world::Bench;

#[tokio::test]
async fn order_events_are_those_that_a_deployment_would_send() {
    let bench = Bench::start().await;
    bench.paid("ORDER-1").await;

    let events = bench.get("order-events").await["orderEvents"].clone();

    let changes: Vec<_> =
        events.as_array().unwrap().iter().map(|event| &event["detail"]["changes"]).collect();
    assert_eq!(changes, [&json!(["confirmed"]), &json!(["authorised"]), &json!(["pending"])]);
    assert_eq!(events[0]["detail-type"], "OrderChanged");
    assert_eq!(events[0]["source"], "amazon-pay.orders");
    assert_eq!(events[0]["detail"]["reference"], "ORDER-1");
}

#[tokio::test]
async fn stored_payment_methods_have_their_status() {
    let bench = Bench::start().await;
    let token = |event: &str| json!({"event": event, "shopperReference": "SHOPPER-1", "storedPaymentMethodId": "TOKEN-1"});
    bench.post("webhooks", token("recurring.token.created")).await;
    let stored = bench.get("stored-payment-methods").await["storedPaymentMethods"].clone();

    bench.post("webhooks", token("recurring.token.disabled")).await;

    assert_eq!(stored[0]["shopperReference"], "SHOPPER-1");
    assert_eq!(stored[0]["status"], "active");
    let stored = bench.get("stored-payment-methods").await["storedPaymentMethods"].clone();
    assert_eq!(stored[0]["status"], "disabled");
}

#[tokio::test]
async fn sessions_have_state_amount_and_order() {
    let bench = Bench::start().await;
    let amazon = bench.stack.bundle.amazon().unwrap();
    amazon.confirmed_for("ORDER-1", "S-1", "10.00", "EUR");

    let sessions = bench.get("sessions").await["sessions"].clone();

    assert_eq!(sessions[0]["checkoutSessionId"], "S-1");
    assert_eq!(sessions[0]["state"], "Open");
    assert_eq!(sessions[0]["reference"], "ORDER-1");
    assert_eq!(sessions[0]["amount"], "EUR 10.00");
    assert_eq!(sessions[0]["confirmed"], true);
}
