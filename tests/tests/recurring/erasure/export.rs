//! Exports of a shopper's personal data.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};
use tests::backend;

use super::{OTHER, PERSONAL};
use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, browser_of, charge};

#[tokio::test]
async fn export_has_everything_that_is_stored() {
    let (shop, id) = Shop::with_token().await;
    shop.stored(OTHER, "OTHERS").await;
    assert_paid(&shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await, "authorised", 1);
    shop.adyen().hold_webhooks();
    shop.lost_charge("MONTH-2", &id).await;
    let exported = shop.export(SHOPPER, None).await;
    assert_eq!(exported["shopperReference"], SHOPPER);
    let methods = exported["storedPaymentMethods"].as_array().unwrap();
    assert_eq!(methods.len(), 1, "{exported}");
    assert_eq!(
        (&methods[0]["storedPaymentMethodId"], &methods[0]["status"]),
        (&json!(id), &json!("active"))
    );
    assert_eq!(methods[0]["events"][0]["type"], "recurring.token.created");
    let orders = exported["orders"].as_array().unwrap();
    let references: Vec<&Value> = orders.iter().map(|it| &it["order"]["reference"]).collect();
    assert_eq!(references, ["MONTH-2", "MONTH-1", "FIRST"], "the latest first");
    for exported in orders {
        let shown = shop.order(exported["order"]["reference"].as_str().unwrap()).await;
        assert_eq!(exported["order"], shown);
        assert_eq!(exported["stored"]["shopperReference"], SHOPPER);
    }
    let request = &orders[0]["stored"]["attempts"][0]["submissions"][0]["request"];
    for text in &PERSONAL[..5] {
        assert!(request.as_str().unwrap().contains(text), "{text}");
    }
    assert_eq!(exported["deadLetters"], json!([]));
    assert!(exported["nextCursor"].is_null());
    assert!(!exported.to_string().contains(OTHER));
    let unknown = shop.export("nobody-knows-this-one", None).await;
    let nothing = json!({
        "shopperReference": "nobody-knows-this-one",
        "storedPaymentMethods": [], "orders": [], "deadLetters": [], "unreadable": [],
    });
    assert_eq!(unknown, nothing);
}

#[tokio::test]
async fn many_orders_are_exported_in_pages_and_erased_in_one_request() {
    let (shop, id) = Shop::with_token().await;
    for number in 0..29 {
        let answer = shop.charge(&charge(SHOPPER, &format!("MONTH-{number}"), &id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    shop.webhooks_delivered().await;
    let first = shop.export(SHOPPER, None).await;
    assert_eq!(first["orders"].as_array().unwrap().len(), 25);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = shop.export(SHOPPER, Some(cursor)).await;
    assert_eq!(second["orders"].as_array().unwrap().len(), 5);
    assert_eq!(second["storedPaymentMethods"], json!([]), "they are on the first page");
    assert!(second["nextCursor"].is_null());
    assert_eq!(second["orders"][4]["order"]["reference"], "FIRST");
    shop.erase_all(SHOPPER, 30, 1).await;
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn unreadable_order_remains_and_is_named_in_the_export() {
    let (shop, _) = Shop::with_token().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = shop.dynamodb().put_item().table_name("orders").item("reference", text("BROKEN"));
    let put = put.item("shopperReference", text(SHOPPER));
    let put = put.item("shopperPosition", text("2026-01-01T00:00:00.000000000Z#BROKEN"));
    put.send().await.unwrap();
    let put = shop.dynamodb().put_item().table_name("orders").item("reference", text("dead#A#B"));
    let put = put.item("shopperReference", text(SHOPPER));
    let put = put.item("shopperPosition", text("2026-01-01T00:00:00.000000000Z#A"));
    put.send().await.unwrap();
    let exported = shop.export(SHOPPER, None).await;
    let letter = shared::store::Letter::id("dead#A#B");
    assert_eq!(exported["unreadable"], json!(["BROKEN", letter]));
    assert_eq!(exported["orders"][0]["order"]["reference"], "FIRST", "the others are exported");
    let answer = shop.erase(SHOPPER).await;
    assert_eq!((answer.status, &answer.body["remaining"]["orders"]), (202, &json!(["BROKEN"])));
    assert_eq!(answer.body["erased"]["orders"], 1, "the others are erased");
}

#[tokio::test]
async fn any_shopper_reference_is_exported_and_erased() {
    let shop = Shop::open().await;
    let longest = "é".repeat(256);
    let references = ["Zoë Müller+1 100%", "a#b?c&d=e:f,g", "a/b", "psp#dead#", " x ", &longest];
    for (at, shopper) in references.into_iter().enumerate() {
        let reference = format!("ORDER-{at}");
        let id = shop.stored(shopper, &reference).await;
        let exported = shop.export(shopper, None).await;
        assert_eq!(exported["shopperReference"], shopper);
        assert_eq!(exported["orders"][0]["order"]["reference"], reference);
        shop.erase_all(shopper, 1, 1).await;
        shop.webhooks_delivered().await;
        assert!(shop.occurs(shopper).await.is_none() && shop.occurs(&id).await.is_none());
    }
}

#[tokio::test]
async fn browser_and_malformed_requests_are_rejected() {
    let (shop, id) = Shop::with_token().await;
    let own = ("shopperReference", SHOPPER);
    for method in [Method::GET, Method::DELETE] {
        let call = |token: String, parameters: Vec<(&'static str, &'static str)>| {
            let (shop, method) = (&shop, method.clone());
            async move { shop.call(method, &token, &parameters).await }
        };
        let browser = call(browser_of(SHOPPER, "FIRST"), vec![own]).await;
        assert_problem(&browser, 403, "merchant_token_required");
        assert_problem(&call("nonsense".into(), vec![own]).await, 401, "unauthorized");
        for (parameters, code, field) in [
            (vec![], "missing_field", "shopperReference"),
            (vec![("shopperReference", "ab")], "invalid_field", "shopperReference"),
            (vec![own, ("all", "true")], "unknown_field", "all"),
        ] {
            let answer = call(backend(), parameters).await;
            assert_problem(&answer, 422, code);
            assert_eq!(answer.body["field"], field, "{answer:?}");
        }
    }
    let answer = shop.call(Method::GET, &backend(), &[own, ("cursor", "x")]).await;
    assert_problem(&answer, 422, "invalid_field");
    assert_eq!(shop.ids(SHOPPER, "?refresh=true").await, [id]);
    assert_eq!(shop.order("FIRST").await["shopperReference"], SHOPPER);
}

#[tokio::test]
async fn page_of_large_orders_ends_early() {
    let (shop, id) = Shop::with_token().await;
    for number in 0..25 {
        assert_eq!(
            shop.charge(&charge(SHOPPER, &format!("MONTH-{number}"), &id)).await.status,
            200
        );
    }
    shop.webhooks_delivered().await;
    // A member of a newer version makes the orders large.
    for number in 0..25 {
        let key = AttributeValue::S(format!("MONTH-{number}"));
        let update = shop.dynamodb().update_item().table_name("orders").key("reference", key);
        let update = update.update_expression("SET later = :later");
        let update =
            update.expression_attribute_values(":later", AttributeValue::S("x".repeat(300_000)));
        update.send().await.unwrap();
    }
    let (mut orders, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = shop.export(SHOPPER, cursor.as_deref()).await;
        assert!(page.to_string().len() < 6_000_000);
        let of_page = page["orders"].as_array().unwrap().clone();
        assert!(!of_page.is_empty());
        orders.extend(of_page.iter().map(|it| it["order"]["reference"].to_string()));
        cursor = page["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let count = orders.len();
    orders.sort();
    orders.dedup();
    assert_eq!((count, orders.len()), (26, 26));
}
