//! Stored amounts are read leniently, and amounts of a request strictly.

use adyen_simulator::Amount;
use adyen_simulator::webhook::Event;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use tests::{Stack, backend};

/// Stores an order's amount in another way.
async fn store_amount(stack: &Stack, members: &[(&str, &str)]) {
    let amount = members
        .iter()
        .map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).to_owned())))
        .chain([("value".to_owned(), AttributeValue::N("1000".to_owned()))]);
    let stored = stack
        .dynamodb()
        .update_item()
        .table_name("orders")
        .key("reference", AttributeValue::S("ORDER-1".to_owned()))
        .update_expression("SET #amount = :amount")
        .expression_attribute_names("#amount", "amount")
        .expression_attribute_values(":amount", AttributeValue::M(amount.collect()));
    stored.send().await.unwrap();
}

#[tokio::test]
async fn order_with_a_currency_outside_iso_4217_stays_readable() {
    // Codes that ISO 4217 does not have, or no longer has, and a member of a newer version.
    for members in [&[("currency", "XQZ")][..], &[("currency", "XQZ"), ("newer", "member")]] {
        let stack = Stack::start().await;
        let paid = stack.pay("ORDER-1", "160583287597AMZN-NO-WEBHOOK").await;
        let payment = paid.body["pspReference"].as_str().unwrap();
        store_amount(&stack, members).await;

        let order = stack.order("ORDER-1").await;
        assert_eq!(order["amount"], json!({"currency": "XQZ", "value": 1000}));
        let mut event = Event::new("AUTHORISATION", "ADYEN_MERCHANT_ACCOUNT", payment, "ORDER-1");
        event.amount = Some(Amount { currency: "XQZ".to_owned(), value: 1000 });
        stack.adyen().notify(&event).unwrap();
        let order = stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
        assert_eq!(order["needsAttention"], json!([]));
        let path = "/orders/ORDER-1/refunds";
        stack.adyen().inject(adyen_simulator::Fault::DropBefore.on("/refunds"));
        stack.post(path, &backend(), &json!({})).await;
        let books = stack.adyen().books();
        let refund = books.calls_to("/refunds").last().unwrap().body.clone();
        assert_eq!(refund["amount"], json!({"currency": "XQZ", "value": 1000}));
    }
}

#[tokio::test]
async fn request_with_an_unknown_currency_is_rejected() {
    let stack = Stack::start().await;
    stack.pay("ORDER-1", "160583287597AMZN").await;
    stack.order_once("ORDER-1", |order| order["confirmed"] == true).await;
    for (amount, code, field) in [
        (json!({"currency": "XQZ", "value": 1}), "invalid_field", "amount.currency"),
        (json!({"currency": "eur", "value": 1}), "invalid_field", "amount.currency"),
        (json!({"currency": "EUR", "value": 1, "newer": 1}), "unknown_field", "amount.newer"),
    ] {
        let body = json!({ "amount": amount });
        for path in ["/orders/ORDER-1/refunds", "/payments", "/paymentMethods"] {
            let mut body = body.clone();
            if path == "/paymentMethods" {
                body["countryCode"] = json!("NL");
            }
            if path == "/payments" {
                body["reference"] = json!("ORDER-2");
                body["paymentMethod"] = json!({"type": "amazonpay", "amazonPayToken": "T"});
            }
            let answer = stack.post_with_key(path, &backend(), "key", &body).await;
            assert_eq!((answer.status, answer.code()), (422, code), "{path} {body}");
            assert_eq!(answer.body["field"], field, "{path} {body}");
        }
    }
}
