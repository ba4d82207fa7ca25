//! The list of stored payment methods.

use std::time::Duration;

use adyen_simulator::webhook::Event;
use adyen_simulator::{Answer, Fault, coded};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use local::keys;
use reqwest::Method;
use serde_json::json;
use shared::domain::token::Token;
use shared::store::StoreError;
use tests::{backend, browser, until};

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, browser_of, charge, key, path};

#[tokio::test]
async fn browser_lists_only_its_shoppers_tokens_with_few_fields() {
    let (shop, id) = Shop::with_token().await;
    let own = browser_of(SHOPPER, "ORDER");
    let answer = shop.stack.get(&path(SHOPPER), &own).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let created_at = &answer.body["storedPaymentMethods"][0]["createdAt"];
    assert!(created_at.as_str().unwrap().parse::<Timestamp>().is_ok());
    let expected = json!({
        "shopperReference": SHOPPER,
        "storedPaymentMethods": [{
            "storedPaymentMethodId": id,
            "status": "active",
            "type": "visa_amazonpay",
            "createdAt": created_at,
        }],
    });
    assert_eq!(answer.body, expected);

    for token in [browser("ORDER"), browser_of("another-shopper", "ORDER")] {
        let answer = shop.stack.get(&path(SHOPPER), &token).await;
        assert_problem(&answer, 403, "wrong_shopper");
    }
    let all = format!("{}?status=all", path(SHOPPER));
    let answer = shop.stack.get(&all, &own).await;
    assert_problem(&answer, 403, "merchant_token_required");
    let refresh = format!("{}?refresh=true", path(SHOPPER));
    assert_eq!(shop.stack.get(&refresh, &own).await.body, expected);
}

#[tokio::test]
async fn list_without_a_token_is_unauthorised() {
    let shop = Shop::open().await;
    for method in [Method::GET, Method::DELETE] {
        let path = match method {
            Method::GET => path(SHOPPER),
            _ => format!("{}/ID", path(SHOPPER)),
        };
        let request = shop.stack.request(method.clone(), &path);
        assert_problem(&tests::Answer::of(request).await, 401, "unauthorized");
        let request = shop.stack.request(method, &path).bearer_auth(backend());
        let request = request.header("origin", "https://your-company.example.com");
        let answer = tests::Answer::of(request).await;
        assert_problem(&answer, 403, "merchant_token_in_browser");
    }
}

#[tokio::test]
async fn malformed_list_query_is_rejected() {
    let shop = Shop::open().await;
    let long = "s".repeat(256);
    for (shopper, query, code, field) in [
        ("ab", "", "invalid_field", "shopperReference"),
        (&*format!("{long}s"), "", "invalid_field", "shopperReference"),
        (SHOPPER, "?refresh=yes", "invalid_field", "refresh"),
        (SHOPPER, "?refresh", "invalid_field", "refresh"),
        (SHOPPER, "?status=disabled", "invalid_field", "status"),
        (SHOPPER, "?refrsh=true", "unknown_field", "refrsh"),
    ] {
        let answer = shop.try_list(shopper, query).await;
        assert_problem(&answer, 422, code);
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    for (shopper, query) in [("abc", ""), (&*long, "?refresh=false&status=active")] {
        assert!(shop.list(shopper, query).await.is_empty());
    }
    assert_eq!(shop.calls("/listRecurringDetails"), 0);
}

#[tokio::test]
async fn shopper_reference_is_percent_decoded() {
    let shop = Shop::open().await;
    for (at, (shopper, written)) in [
        ("a shopper", "a%20shopper"),
        ("100%", "100%25"),
        ("a+b&c=d", "a+b&c=d"),
        ("a+b&c=d,e", "a%2Bb%26c%3Dd%2Ce"),
        ("zoë@example", "zo%C3%AB@example"),
        ("%41%41%41", "%2541%2541%2541"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = shop.stored(shopper, &format!("FIRST-{at}")).await;
        for query in ["", "?refresh=true"] {
            let answer = shop.try_list(written, query).await;
            assert_eq!(answer.body["shopperReference"], shopper, "{answer:?}");
            let listed = &answer.body["storedPaymentMethods"];
            assert_eq!(listed[0]["storedPaymentMethodId"], id, "{answer:?}");
            assert_eq!(listed.as_array().unwrap().len(), 1);
        }
        assert_eq!(shop.remove(written, &id).await.status, 204);
        assert!(shop.try_list(written, "").await.body["storedPaymentMethods"][0].is_null());
        shop.webhooks_delivered().await;
        assert!(shop.adyen().books().tokens[&id].state != adyen_simulator::TokenState::Active);
    }
}

#[tokio::test]
async fn tokens_are_listed_oldest_first() {
    let shop = Shop::open().await;
    for (id, hours) in [("B", 1), ("C", 3), ("A", 2)] {
        token_webhook(&shop, "created", id, SignedDuration::from_hours(hours)).await;
    }
    assert_eq!(shop.ids(SHOPPER, "").await, ["C", "A", "B"]);
}

#[tokio::test]
async fn refresh_lists_a_token_whose_webhook_was_lost() {
    let shop = Shop::open().await;
    let id = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    assert!(shop.ids(SHOPPER, "").await.is_empty());
    let listed = shop.list(SHOPPER, "?refresh=true").await;
    let first = shop.order("FIRST").await;
    assert_eq!(listed[0]["storedPaymentMethodId"], id);
    assert_eq!(listed[0]["type"], "visa_amazonpay");
    assert_eq!(listed[0]["pspReference"], first["pspReference"]);
    assert_eq!(shop.list(SHOPPER, "").await, listed);

    // A late webhook about the same token only adds the order.
    let psp_reference = first["pspReference"].as_str().unwrap();
    let mut event =
        Event::new("recurring.token.created", keys::MERCHANT_ACCOUNT, psp_reference, "");
    event.shopper_reference = SHOPPER.into();
    event.stored_payment_method_id = id.clone();
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    assert_eq!(shop.token(SHOPPER, &id).await.unwrap().events.len(), 1);
    assert_eq!(shop.list(SHOPPER, "").await[0]["reference"], "FIRST");
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_paid(&answer, "authorised", 1);
}

#[tokio::test]
async fn refresh_never_removes_a_token() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    let own = browser_of(SHOPPER, "ORDER");
    let refresh = format!("{}?refresh=true", path(SHOPPER));
    let shown = shop.stack.get(&path(SHOPPER), &own).await.body;

    // Adyen answers so if the API key lacks the role, or the account is another one.
    for nothing in [json!({}), json!({"details": []}), json!({"details": null})] {
        let nothing = Answer::json(200, &nothing);
        shop.adyen().inject(Fault::Instead(nothing).on("/listRecurringDetails"));
        assert_eq!(shop.stack.get(&refresh, &own).await.body, shown);
    }
    shop.adyen().inject(Fault::Instead(coded("800")).on("/listRecurringDetails"));
    assert_eq!(shop.stack.get(&refresh, &own).await.body, shown);

    assert_eq!(shop.stack.get(&path(SHOPPER), &own).await.body, shown);
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_paid(&answer, "authorised", 1);
}

#[tokio::test]
async fn missing_since_is_set_when_adyen_no_longer_lists_a_token() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    let other = shop.stored_without_webhook(SHOPPER, "SECOND").await;
    shop.removed_without_webhook(&id);
    let begun = Timestamp::now();
    assert_eq!(shop.ids(SHOPPER, "?refresh=true").await, [&*id, &*other]);
    let listed = shop.list(SHOPPER, "").await;
    let since = listed[0]["unlistedSince"].as_str().unwrap();
    assert!(since.parse::<Timestamp>().unwrap() >= begun, "{listed:?}");
    assert_eq!(listed[0]["status"], "active");
    assert!(listed[1].get("unlistedSince").is_none(), "{listed:?}");
    assert_eq!(shop.list(SHOPPER, "?refresh=true").await, listed, "since the first time");
    let own = browser_of(SHOPPER, "ORDER");
    let shown = shop.stack.get(&path(SHOPPER), &own).await.body;
    assert!(shown["storedPaymentMethods"][0].get("unlistedSince").is_none(), "{shown}");

    // An unlisted token is still charged; Adyen's rejection then disables it.
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "adyen_rejected");
    assert_eq!(answer.body["errorCode"], "803");
    let answer = shop.charge(&charge(SHOPPER, "MONTH-2", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_disabled");
    let all = shop.list(SHOPPER, "?status=all").await;
    assert_eq!(all[0]["status"], "disabled");
    assert!(all[0].get("unlistedSince").is_none(), "{all:?}");
    let before = shop.token(SHOPPER, &id).await;
    shop.list(SHOPPER, "?refresh=true").await;
    assert_eq!(shop.token(SHOPPER, &id).await, before, "what has ended is not written again");
}

#[tokio::test]
async fn new_token_may_be_missing_from_adyens_list_for_an_hour() {
    let shop = Shop::open().await;
    token_webhook(&shop, "created", "OLD", SignedDuration::from_mins(61)).await;
    token_webhook(&shop, "created", "YOUNG", SignedDuration::from_mins(59)).await;
    token_webhook(&shop, "created", "UPDATED", SignedDuration::from_hours(9)).await;
    token_webhook(&shop, "updated", "UPDATED", SignedDuration::from_mins(59)).await;
    // Adyen dates its events to the second.
    token_webhook(&shop, "created", "NEW", SignedDuration::from_secs(-2)).await;
    let listed = shop.list(SHOPPER, "?refresh=true").await;
    let unlisted = listed.iter().filter(|it| it["unlistedSince"].is_string());
    let ids: Vec<_> = unlisted.map(|it| &it["storedPaymentMethodId"]).collect();
    assert_eq!(ids, ["OLD"]);
    assert_eq!(listed.len(), 4);
}

#[tokio::test]
async fn late_list_does_not_change_newer_tokens() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    let late = Fault::AnswerLate(Duration::from_millis(800));
    shop.adyen().inject(late.on("/listRecurringDetails"));
    let older = shop.list(SHOPPER, "?refresh=true");
    let newer = async {
        until(|| shop.calls("/listRecurringDetails") > 0).await;
        shop.removed_without_webhook(&id);
        shop.list(SHOPPER, "?refresh=true").await
    };
    let (older, newer) = tokio::join!(older, newer);
    assert!(newer[0]["unlistedSince"].is_string(), "{newer:?}");
    assert_eq!(older, newer);
}

#[tokio::test]
async fn incomplete_list_entry_does_not_hide_the_others() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    let known = json!({"RecurringDetail": {"recurringDetailReference": "8415698462516992"}});
    for odd in [
        json!({"RecurringDetail": {"variant": "visa"}}),
        json!({"RecurringDetail": {"recurringDetailReference": null}}),
        json!({"RecurringDetail": {"recurringDetailReference": ""}}),
        json!({"RecurringDetail": null}),
        json!({}),
        json!(null),
    ] {
        let listed = Answer::json(200, &json!({"details": [odd, known]}));
        shop.adyen().inject(Fault::Instead(listed).on("/listRecurringDetails"));
        let listed = shop.list(SHOPPER, "?refresh=true").await;
        let known = |it: &serde_json::Value| it["storedPaymentMethodId"] == "8415698462516992";
        assert!(listed.iter().any(known), "{odd}");
        // The unreadable entry may be this token, so it is not marked as unlisted.
        let ours = listed.iter().find(|it| it["storedPaymentMethodId"] == id).unwrap();
        assert!(ours.get("unlistedSince").is_none(), "{odd}");
    }
}

#[tokio::test]
async fn token_disabled_by_a_webhook_stays_disabled_after_a_refresh() {
    let (shop, id) = Shop::with_token().await;
    token_webhook(&shop, "disabled", &id, SignedDuration::ZERO).await;
    // Adyen's list still has it.
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
    token_webhook(&shop, "created", &id, SignedDuration::ZERO).await;
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
}

#[tokio::test]
async fn later_of_two_lists_counts() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    let unlisted = async |query: &str| {
        let listed = shop.list(SHOPPER, query).await;
        assert_eq!(listed[0]["status"], "active", "{listed:?}");
        listed[0]["unlistedSince"].is_string()
    };
    let nothing = || Fault::Instead(Answer::json(200, &json!({}))).on("/listRecurringDetails");
    shop.adyen().inject(nothing());
    assert!(unlisted("?refresh=true").await);
    assert!(!unlisted("?refresh=true").await);
    assert!(!unlisted("").await);
    // A webhook later than the list proves that the token exists; an earlier one does not.
    shop.adyen().inject(nothing());
    assert!(unlisted("?refresh=true").await);
    token_webhook(&shop, "updated", &id, SignedDuration::from_hours(1)).await;
    assert!(unlisted("").await);
    token_webhook(&shop, "alreadyExisting", &id, SignedDuration::from_secs(-2)).await;
    assert!(!unlisted("").await);
}

#[tokio::test]
async fn failed_refresh_changes_nothing() {
    let (shop, id) = Shop::with_token().await;
    ages(&shop, &id, SignedDuration::from_hours(2)).await;
    shop.removed_without_webhook(&id);
    let before = shop.token(SHOPPER, &id).await;
    for (fault, code) in [
        (Fault::status(500), "adyen_unavailable"),
        (Fault::Instead(coded("010")), "adyen_configuration"),
        (Fault::Instead(Answer::json(200, &json!({"details": {}}))), "adyen_unavailable"),
        (Fault::Instead(Answer::text(200, "text/html", "<html></html>")), "adyen_unavailable"),
    ] {
        shop.adyen().inject(fault.on("/listRecurringDetails"));
        let answer = shop.try_list(SHOPPER, "?refresh=true").await;
        assert_problem(&answer, 502, code);
    }
    assert_eq!(shop.token(SHOPPER, &id).await, before);
    assert_eq!(shop.ids(SHOPPER, "").await, [&*id]);
    // Transient failures are retried.
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::Instead(coded("703"))] {
        shop.adyen().inject(fault.on("/listRecurringDetails"));
    }
    let listed = shop.list(SHOPPER, "?refresh=true").await;
    assert!(listed[0]["unlistedSince"].is_string(), "{listed:?}");
}

#[tokio::test]
async fn adyens_list_is_read_leniently() {
    let shop = Shop::open().await;
    let listed = json!({
        "creationDate": "2026-01-01T10:00:00+01:00",
        "lastKnownShopperEmail": "s@example.com",
        "shopperReference": SHOPPER,
        "details": [
            {"RecurringDetail": {"recurringDetailReference": "8415698462516992", "variant": "visa"}},
            {"RecurringDetail": {
                "recurringDetailReference": "8415698462516993",
                "variant": "mc", "paymentMethodVariant": "mcdebit", "alias": "H1", "card": {},
                "creationDate": "2026-02-01T10:00:00+01:00", "firstPspReference": "PSP",
            }},
        ],
    });
    shop.adyen().inject(Fault::Instead(Answer::json(200, &listed)).on("/listRecurringDetails"));
    let mut all = shop.list(SHOPPER, "?refresh=true").await;
    let call = shop.adyen().books().calls.pop().unwrap();
    let account = keys::MERCHANT_ACCOUNT;
    assert_eq!(call.body, json!({"merchantAccount": account, "shopperReference": SHOPPER}));
    assert_eq!(
        all[0],
        json!({
            "storedPaymentMethodId": "8415698462516993",
            "status": "active",
            "type": "mcdebit",
            "createdAt": "2026-02-01T09:00:00Z",
            "pspReference": "PSP",
        })
    );
    all[1].as_object_mut().unwrap().remove("createdAt").unwrap();
    assert_eq!(
        all[1],
        json!({"storedPaymentMethodId": "8415698462516992", "status": "active", "type": "visa"})
    );
}

#[tokio::test]
async fn concurrent_refreshes_and_webhooks_agree() {
    let shop = Shop::open().await;
    let mut ids: Vec<String> = Vec::new();
    for at in 0..4 {
        ids.push(shop.stored_without_webhook(SHOPPER, &format!("FIRST-{at}")).await);
    }
    let webhooks = async {
        for id in &ids {
            token_webhook(&shop, "created", id, SignedDuration::ZERO).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let refreshes = join_all((0..8).map(|_| shop.ids(SHOPPER, "?refresh=true")));
    let ((), refreshes) = tokio::join!(webhooks, refreshes);
    ids.sort();
    for mut seen in refreshes {
        seen.sort();
        assert_eq!(seen, ids);
    }
}

/// Makes this much time pass for a token.
async fn ages(shop: &Shop, id: &str, time: SignedDuration) {
    let age = |token: &mut Option<Token>| {
        for event in &mut token.as_mut().unwrap().events {
            event.created_at = event.created_at.map(|at| at - time);
            event.received_at -= time;
        }
        Ok::<_, StoreError>(())
    };
    shop.tokens.change(&key(SHOPPER, id), age).await.unwrap();
}

/// Sends a token webhook that is dated this long ago.
async fn token_webhook(shop: &Shop, kind: &str, id: &str, ago: SignedDuration) {
    let mut event = Event::new(
        &format!("recurring.token.{kind}"),
        keys::MERCHANT_ACCOUNT,
        "QBQQ9DLNRHHKGK38",
        "",
    );
    event.shopper_reference = SHOPPER.into();
    event.stored_payment_method_id = id.into();
    event.event_date = Timestamp::now() - ago;
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
}
