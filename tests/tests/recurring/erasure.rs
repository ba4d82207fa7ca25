//! Export and erasure of a shopper's personal data.

use adyen_simulator::Amount;
use adyen_simulator::webhook::Event;
use adyen_simulator::{Answer as AdyenAnswer, Fault, Release, TokenState, coded};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Context, Request, RequestExt};
use local::keys;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tests::{
    Answer, backend, browser, faulty_dynamodb, in_browser, operator, passing_time, payment,
};

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, browser_of, charge, with};

const OTHER: &str = "ANOTHER_SHOPPER_8fK2";

const ERASE: &str = include_str!("../../../events/shoppers-erase.json");

/// The shopper's strings that the tables may hold. The digits of the card have colons around them,
/// because digests and times may have the same digits.
const PERSONAL: [&str; 6] =
    [SHOPPER, "jane.doe@example.com", "Doe-Winterbottom", "Kalverstraat", "+31612345678", ":4321:"];

impl Shop {
    async fn export(&self, shopper: &str, cursor: Option<&str>) -> Value {
        let mut parameters = vec![("shopperReference", shopper)];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let answer = self.call(Method::GET, &backend(), &parameters).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    async fn erase(&self, shopper: &str) -> Answer {
        self.call(Method::DELETE, &backend(), &[("shopperReference", shopper)]).await
    }

    async fn call(&self, method: Method, token: &str, parameters: &[(&str, &str)]) -> Answer {
        let url = Url::parse_with_params("http://any/", parameters).unwrap();
        let path = format!("/shoppers?{}", url.query().unwrap_or_default());
        Answer::of(self.request(method, &path).bearer_auth(token)).await
    }

    async fn erase_all(&self, shopper: &str, orders: u64, methods: u64) {
        let answer = self.erase(shopper).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["finished"], true, "{answer:?}");
        assert_eq!(answer.body["erased"]["orders"], orders, "{answer:?}");
        assert_eq!(answer.body["erased"]["storedPaymentMethods"], methods, "{answer:?}");
        let nothing = json!({"orders": [], "storedPaymentMethods": [], "deadLetters": []});
        assert_eq!(answer.body["remaining"], nothing);
    }

    /// Every item of a table as text.
    async fn items(&self, table: &str) -> Vec<String> {
        let scan = self.dynamodb().scan().table_name(table).consistent_read(true).send().await;
        let items = scan.unwrap().items.unwrap().into_iter();
        items.map(|item| serde_dynamo::from_item::<_, Value>(item).unwrap().to_string()).collect()
    }

    async fn occurs(&self, text: &str) -> Option<String> {
        let items = [self.items("orders").await, self.items("tokens").await].concat();
        items.into_iter().find(|item| item.contains(text))
    }

    async fn assert_no_trace(&self, ids: &[&str]) {
        for text in PERSONAL.iter().chain(ids) {
            let found = self.occurs(text).await;
            assert!(found.is_none(), "{text} in {found:?}");
        }
    }

    /// Stores another payment method of the shopper. Returns its id.
    async fn stored_another(&self, reference: &str) -> String {
        let known = self.ids(SHOPPER, "?status=all").await;
        self.pay_and_store(SHOPPER, reference, "ANOTHER-CARD").await;
        self.webhooks_delivered().await;
        let ids = self.ids(SHOPPER, "?status=all").await;
        ids.into_iter().find(|id| !known.contains(id)).unwrap()
    }

    /// A person's statement about an order. Returns the order in the answer.
    async fn state(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, &operator("anna"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    async fn return_to(&self, reference: &str, result: &str) -> Answer {
        let body = json!({"details": {"redirectResult": result}});
        self.post("/payments/details", &browser_of(SHOPPER, reference), &body).await
    }

    async fn pay_as(&self, shopper: &str, reference: &str, token: &str) -> Answer {
        self.post("/payments", &browser_of(shopper, reference), &payment(reference, token)).await
    }

    /// Sends an event about an order's payment, with the shopper's data in unsigned members.
    async fn webhook(&self, code: &str, psp_reference: &str, reference: &str) {
        let mut event = Event::new(code, keys::MERCHANT_ACCOUNT, psp_reference, reference);
        event.amount = Some(Amount { currency: "EUR".into(), value: 1000 });
        event.reason = Some(format!("033899{}03/2030", PERSONAL[5]));
        // Dates have whole seconds, and only a later report replaces the simulator's own.
        event.event_date += jiff::SignedDuration::from_secs(2);
        event.additional_data.insert("shopperReference".into(), SHOPPER.into());
        event.additional_data.insert("shopperEmail".into(), PERSONAL[1].into());
        self.adyen().notify(&event).unwrap();
        self.webhooks_delivered().await;
    }

    async fn token_webhook(&self, kind: &str, event_id: &str, id: &str) {
        let kind = format!("recurring.token.{kind}");
        let mut event = Event::new(&kind, keys::MERCHANT_ACCOUNT, event_id, "");
        event.shopper_reference = SHOPPER.into();
        event.stored_payment_method_id = id.into();
        self.adyen().notify(&event).unwrap();
        self.webhooks_delivered().await;
    }
}

/// What an order shows apart from the erasure itself.
fn money(order: &Value) -> Value {
    let order =
        with(order.clone(), json!({"shopperReference": null, "erasedAt": null, "updatedAt": null}));
    let mut order = order;
    for event in order["events"].as_array_mut().unwrap() {
        event.as_object_mut().unwrap().remove("reason");
    }
    for attempt in order["attempts"].as_array_mut().unwrap() {
        attempt.as_object_mut().unwrap().remove("refusalReason");
    }
    order
}

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
async fn erasure_leaves_no_personal_data_and_keeps_the_money() {
    let (shop, id) = Shop::with_token().await;
    let others = shop.stored(OTHER, "OTHERS").await;
    assert_paid(&shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await, "authorised", 1);
    let refused = json!({
        "resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom", "refusalReasonCode": "2",
    });
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &refused)));
    assert_eq!(shop.pay_as(SHOPPER, "REFUSED", "AMZN-R").await.body["status"], "refused");
    shop.webhooks_delivered().await;
    let paid = shop.order("FIRST").await;
    let payment = paid["pspReference"].as_str().unwrap();
    let refund = json!({"amount": {"currency": "EUR", "value": 300}});
    let answer = shop.post_with_key("/orders/FIRST/refunds", &backend(), "R", &refund).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    shop.webhooks_delivered().await;
    shop.webhook("AUTHORISATION", payment, "FIRST").await;
    assert!(shop.occurs(PERSONAL[5]).await.is_some(), "the digits of the card are stored");
    // Two payments, and a person's note about the shopper.
    shop.webhook("AUTHORISATION", "SECOND0000000001", "FIRST").await;
    let note = json!({"note": format!("Phoned {}.", PERSONAL[4])});
    let path = "/orders/FIRST/needsAttention/paid_twice/acknowledge";
    assert_eq!(shop.post(path, &operator("anna"), &note).await.status, 200);

    let references = ["FIRST", "MONTH-1", "REFUSED"];
    let mut before = Vec::new();
    for reference in references {
        before.push(shop.order(reference).await);
    }
    let others_before = (shop.order("OTHERS").await, shop.token(OTHER, &others).await);
    shop.erase_all(SHOPPER, 3, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    for (reference, before) in references.iter().zip(&before) {
        let after = shop.order(reference).await;
        assert!(after["erasedAt"].is_string() && after["shopperReference"].is_null(), "{after}");
        let note = json!({"note": "erased"});
        let mut before = money(before);
        if let Some(known) = before["acknowledged"].get_mut(0) {
            *known = with(known.clone(), note);
        }
        assert_eq!(money(&after), before);
    }
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
    assert_eq!(shop.adyen().books().tokens[&others].state, TokenState::Active);
    assert_eq!((shop.order("OTHERS").await, shop.token(OTHER, &others).await), others_before);
    assert!(shop.ids(SHOPPER, "?refresh=true&status=all").await.is_empty());
    // Money can still be moved.
    let refund =
        json!({"amount": {"currency": "EUR", "value": 200}, "paymentPspReference": payment});
    let answer = shop.post_with_key("/orders/FIRST/refunds", &backend(), "R2", &refund).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn repeated_erasure_erases_nothing_and_calls_no_removal() {
    let (shop, _) = Shop::with_token().await;
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.webhooks_delivered().await;
    let before = [shop.items("orders").await, shop.items("tokens").await];
    shop.erase_all(SHOPPER, 0, 0).await;
    shop.erase_all("nobody-knows-this-one", 0, 0).await;
    assert_eq!([shop.items("orders").await, shop.items("tokens").await], before);
    let removals = shop.adyen().books().calls.iter().filter(|it| it.method == "DELETE").count();
    assert_eq!(removals, 1);
}

#[tokio::test]
async fn erasure_without_adyens_answer_is_finished_by_a_repetition() {
    let (shop, first) = Shop::with_token().await;
    let second = shop.stored_another("SECOND").await;
    // They are removed in the order of their ids.
    let (first, second) = (&first.clone().min(second.clone()), &first.max(second));
    let cases = [
        (Fault::status(500).on("listRecurringDetails"), "adyen_unavailable"),
        (Fault::status(500).on(first), "adyen_unavailable"),
        (Fault::status(404).on(first), "adyen_unavailable"),
        (Fault::Instead(coded("901")).on(first), "adyen_configuration"),
    ];
    for (at, (fault, code)) in cases.into_iter().enumerate() {
        shop.adyen().inject(fault);
        let answer = shop.erase(SHOPPER).await;
        assert_problem(&answer, 502, code);
        let erasure = &answer.body["erasure"];
        assert_eq!(erasure["finished"], false);
        assert_eq!(erasure["erased"]["orders"], if at == 0 { 2 } else { 0 }, "{answer:?}");
        let left = erasure["remaining"]["storedPaymentMethods"].as_array().unwrap();
        assert_eq!(left.len(), 2, "{answer:?}");
        assert_eq!(shop.ids(SHOPPER, "").await.len(), 2, "a method is known until it is removed");
    }
    // Only the second one fails.
    shop.adyen().inject(Fault::status(500).on(second));
    let answer = shop.erase(SHOPPER).await;
    assert_problem(&answer, 502, "adyen_unavailable");
    assert_eq!(answer.body["erasure"]["remaining"]["storedPaymentMethods"], json!([second]));
    assert_eq!(shop.ids(SHOPPER, "").await, [&**second]);
    // It is removed, and the answer is lost.
    shop.adyen().inject(Fault::DropAfter.on(second));
    shop.erase_all(SHOPPER, 0, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[first, second]).await;
}

#[tokio::test]
async fn methods_that_only_adyen_knows_or_has_removed_are_erased() {
    let shop = Shop::open().await;
    let unheard = shop.stored_without_webhook(SHOPPER, "FIRST").await;
    let gone = shop.stored(SHOPPER, "SECOND").await;
    shop.removed_without_webhook(&gone);
    let disabled = shop.stored(SHOPPER, "THIRD").await;
    assert_eq!(shop.remove(SHOPPER, &disabled).await.status, 204);
    shop.erase_all(SHOPPER, 3, 3).await;
    assert_eq!(shop.adyen().books().tokens[&unheard].state, TokenState::Disabled);
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&unheard, &gone, &disabled]).await;
}

#[tokio::test]
async fn late_webhooks_bring_nothing_back() {
    let shop = Shop::open().await;
    shop.adyen().hold_webhooks();
    let answer = shop.pay_and_store(SHOPPER, "FIRST", "AMZN").await;
    assert_eq!(answer.body["resultCode"], "Authorised", "{answer:?}");
    let payment = answer.body["pspReference"].as_str().unwrap();
    let id = shop.adyen().books().tokens.keys().next().unwrap().clone();
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("FIRST").await["confirmed"], true, "the payment's webhook counts");
    shop.assert_no_trace(&[&id]).await;
    for kind in ["created", "updated", "alreadyExisting", "disabled"] {
        shop.token_webhook(kind, payment, &id).await;
        shop.token_webhook(kind, "CAUSE00000000001", &id).await;
    }
    // A method of the erased payment that Adyen did not list yet.
    shop.token_webhook("created", payment, "UNLISTED00000001").await;
    for kind in ["updated", "disabled"] {
        shop.token_webhook(kind, "CAUSE00000000002", "UNLISTED00000001").await;
    }
    shop.webhook("AUTHORISATION", payment, "FIRST").await;
    shop.assert_no_trace(&[&id, "UNLISTED00000001"]).await;
    // Neither does a charge, for which Adyen is asked.
    let answer = shop.charge(&charge(SHOPPER, "MONTH-1", &id)).await;
    assert_problem(&answer, 422, "stored_payment_method_unknown");
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn erased_method_that_adyen_still_lists_is_not_stored_again() {
    let (shop, id) = Shop::with_token().await;
    // Adyen answers that it is gone, and lists it all the same.
    let gone = adyen_simulator::errors::service_error(422, "803", "gone");
    shop.adyen().inject(Fault::Instead(gone).on(&id));
    shop.erase_all(SHOPPER, 1, 1).await;
    assert!(shop.ids(SHOPPER, "?refresh=true").await.is_empty());
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(SHOPPER, 0, 1).await;
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
}

#[tokio::test]
async fn order_with_an_open_outcome_is_erased_once_it_is_concluded() {
    let (shop, id) = Shop::with_token().await;
    let unrelated = shop.stored_another("SECOND").await;
    shop.adyen().hold_webhooks();
    shop.lost_charge("MONTH-1", &id).await;
    let answer = shop.erase(SHOPPER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let expected = json!({
        "erased": {"orders": 2, "storedPaymentMethods": 1, "deadLetters": 0},
        "finished": false,
        "remaining": {"orders": ["MONTH-1"], "storedPaymentMethods": [id], "deadLetters": []},
    });
    assert_eq!(answer.body, expected);
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Active);
    assert_eq!(shop.adyen().books().tokens[&unrelated].state, TokenState::Disabled);
    // The schedule needs what is left.
    passing_time::pass(&shop.dynamodb(), "MONTH-1", SignedDuration::from_mins(16)).await;
    shop.bundle.recover().await.unwrap();
    assert_eq!(shop.order("MONTH-1").await["status"], "authorised");
    assert_eq!(shop.processed("MONTH-1"), 1);
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.assert_no_trace(&[&id, &unrelated]).await;
}

#[tokio::test]
async fn order_that_waits_for_its_shopper_is_erased_and_can_be_paid() {
    let shop = Shop::open().await;
    let stored = json!({"storePaymentMethod": true, "recurringProcessingModel": "CardOnFile"});
    let body = with(in_browser("CHALLENGE", "AMZN-3DS-REDIRECT"), stored);
    let answer = shop.post("/payments", &browser_of(SHOPPER, "CHALLENGE"), &body).await;
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    let result = adyen_simulator::redirect_result(&answer.body["action"], "approved");
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.assert_no_trace(&[]).await;
    let paid = shop.return_to("CHALLENGE", &result).await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("CHALLENGE").await["confirmed"], true);
    assert_eq!(shop.processed("CHALLENGE"), 1);
    // Adyen stored the payment method, which the next erasure removes.
    let id = shop.adyen().books().tokens.keys().next().unwrap().clone();
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(SHOPPER, 0, 1).await;
    assert_eq!(shop.adyen().books().tokens[&id].state, TokenState::Disabled);
}

#[tokio::test]
async fn order_that_is_pending_at_adyen_is_erased_and_concluded_by_its_webhook() {
    let shop = Shop::open().await;
    let answer = shop.pay_as(SHOPPER, "PENDING", "AMZN-PENDING").await;
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    shop.erase_all(SHOPPER, 1, 0).await;
    let repeated = shop.pay_as(SHOPPER, "PENDING", "AMZN-PENDING").await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    assert_eq!(shop.processed("PENDING"), 1);
    shop.assert_no_trace(&[]).await;
    let payment =
        shop.adyen().with_books(|books| books.payments_of("PENDING")[0].psp_reference.clone());
    shop.webhook("AUTHORISATION", &payment, "PENDING").await;
    let order = shop.order("PENDING").await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
    shop.assert_no_trace(&[]).await;
}

#[tokio::test]
async fn order_whose_details_have_no_answer_remains_until_a_person_ends_the_doubt() {
    let shop = Shop::open().await;
    let body = in_browser("CHALLENGE", "AMZN-3DS-REDIRECT");
    let answer = shop.post("/payments", &browser_of(SHOPPER, "CHALLENGE"), &body).await;
    let result = adyen_simulator::redirect_result(&answer.body["action"], "approved");
    shop.adyen().hold_webhooks();
    shop.adyen().inject(Fault::lost_answer().on("/payments/details"));
    let answer = shop.return_to("CHALLENGE", &result).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = shop.erase(SHOPPER).await;
    assert_eq!((answer.status, &answer.body["remaining"]["orders"]), (202, &json!(["CHALLENGE"])));
    passing_time::pass(&shop.dynamodb(), "CHALLENGE", SignedDuration::from_mins(16)).await;
    let reason = json!({"reason": format!("Phoned {}.", PERSONAL[4])});
    shop.state("/orders/CHALLENGE/attempts/1/close", reason).await;
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("CHALLENGE").await["status"], "authorised");
    shop.assert_no_trace(&[]).await;
}

#[tokio::test]
async fn data_that_is_written_to_an_erased_order_is_not_stored() {
    let shop = Shop::open().await;
    let key = PERSONAL[1];
    let refused = json!({"resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom"});
    let refused = || AdyenAnswer::json(200, &refused);

    // Money, and a person's note about it.
    let paid = shop.pay_as(SHOPPER, "PAID", "TOKEN-A").await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
    shop.webhooks_delivered().await;
    shop.webhook("AUTHORISATION", "SECOND0000000001", "PAID").await;
    // An offer closed while the answer to the payment was lost.
    for reference in ["CLOSED", "LATE"] {
        shop.adyen().inject(Fault::status(500).on("/payments"));
        assert_eq!(shop.pay_as(SHOPPER, reference, "TOKEN-B").await.status, 202);
        shop.webhook("OFFER_CLOSED", &format!("OFFER-{reference}"), reference).await;
        assert_eq!(shop.order(reference).await["status"], "expired");
    }
    shop.erase_all(SHOPPER, 3, 0).await;

    let note = format!("Phoned {}.", PERSONAL[4]);
    let path = "/orders/PAID/needsAttention/paid_twice/acknowledge";
    let order = shop.state(path, json!({"note": note})).await;
    assert_eq!(order["acknowledged"][0]["note"], "erased", "{order}");
    let payment = &paid.body["pspReference"];
    let refund =
        json!({"amount": {"currency": "EUR", "value": 300}, "paymentPspReference": payment});
    let refunded = shop.post_with_key("/orders/PAID/refunds", &backend(), key, &refund).await;
    let again = shop.post_with_key("/orders/PAID/refunds", &backend(), key, &refund).await;
    assert_eq!((refunded.status, again.status), (202, 202), "{refunded:?} {again:?}");
    assert_eq!(shop.order("PAID").await["modifications"].as_array().unwrap().len(), 1);
    passing_time::pass(&shop.dynamodb(), "CLOSED", SignedDuration::from_mins(16)).await;
    shop.state("/orders/CLOSED/attempts/1/close", json!({"reason": note})).await;
    shop.adyen().inject(Fault::Instead(refused()).on("/payments"));
    assert_eq!(shop.pay_as(SHOPPER, "LATE", "TOKEN-B").await.body["status"], "refused");
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[]).await;
    shop.erase_all(SHOPPER, 0, 0).await;
}

#[tokio::test]
async fn guest_pays_an_erased_order_and_learns_of_a_rejection() {
    let shop = Shop::open().await;
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"}))));
    assert_eq!(shop.pay_as(SHOPPER, "ORDER", "TOKEN-A").await.body["status"], "refused");
    shop.erase_all(SHOPPER, 1, 0).await;
    let pay = async |token: &str| {
        let body = payment("ORDER", token);
        shop.post_with_key("/payments", &browser("ORDER"), PERSONAL[1], &body).await
    };
    let rejection = adyen_simulator::errors::service_error(422, "800", "Contract not found");
    shop.adyen().inject(Fault::Instead(rejection).on("/payments"));
    assert_eq!(pay("TOKEN-B").await.status, 422);
    assert_eq!(shop.order("ORDER").await["status"], "error");
    assert_problem(&pay("TOKEN-C").await, 422, "idempotency_key_reused");
    shop.assert_no_trace(&[]).await;
    let paid = shop.pay("ORDER", "TOKEN-C").await;
    assert_eq!(paid.body["status"], "authorised", "{paid:?}");
}

#[tokio::test]
async fn parked_event_leaves_its_payment_with_the_order_that_claims_it() {
    let shop = Shop::open().await;
    let payment = "PARKED0000000001";
    shop.webhook("AUTHORISATION", payment, "LATER").await;
    assert!(shop.occurs(PERSONAL[5]).await.is_some(), "the digits of the card are parked");
    let answer = json!({
        "resultCode": "Authorised", "pspReference": payment, "merchantReference": "LATER",
    });
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &answer)).on("/payments"));
    assert_eq!(shop.pay_as(SHOPPER, "LATER", "AMZN").await.body["status"], "authorised");
    assert_eq!(shop.order("LATER").await["confirmed"], true);
    shop.erase_all(SHOPPER, 1, 0).await;
    shop.assert_no_trace(&[]).await;
}

#[tokio::test]
async fn erasure_without_time_is_unfinished_and_continued_by_a_repetition() {
    let (shop, _) = Shop::with_token().await;
    let variables = [
        ("ADYEN_API_KEY", "any".to_owned()),
        ("ADYEN_CHECKOUT_URL", shop.adyen().checkout_url()),
        ("ADYEN_MERCHANT_ACCOUNT", keys::MERCHANT_ACCOUNT.to_owned()),
        ("ADYEN_RECURRING_URL", shop.adyen().recurring_url()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", shop.bundle.dynamodb_url().to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("CHECKOUT_TOKEN_KEYS", keys::CHECKOUT_TOKEN_KEY.to_owned()),
        ("MERCHANT_TOKEN_KEYS", keys::MERCHANT_TOKEN_KEY.to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let state = tokens::State::start(&variables.into_iter().collect()).await.unwrap();
    let mut event: Value = serde_json::from_str(ERASE).unwrap();
    event["headers"]["authorization"] = json!(format!("Bearer {}", backend()));
    event["queryStringParameters"]["shopperReference"] = json!(SHOPPER);
    event["rawQueryString"] = json!(format!("shopperReference={SHOPPER}"));
    let request: Request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let mut context = Context::default();
    context.deadline = (Timestamp::now() + SignedDuration::from_secs(5)).as_millisecond() as u64;
    let answer = Box::pin(tokens::handle(&state, request.with_lambda_context(context))).await;
    assert_eq!(answer.status(), 202);
    let Body::Text(body) = answer.body() else { panic!("{answer:?}") };
    let nothing = |key: &str| (key.to_owned(), json!(0));
    let erased: Value =
        ["orders", "storedPaymentMethods", "deadLetters"].map(nothing).into_iter().collect();
    let erasure: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&erasure["finished"], &erasure["erased"]), (&json!(false), &erased));
    shop.erase_all(SHOPPER, 1, 1).await;
}

#[tokio::test]
async fn dead_letter_remains_until_a_person_handled_it() {
    let (shop, id) = Shop::with_token().await;
    // One names the shopper, the other one the shopper's order.
    shop.webhook("AUTHORISATION", "A:B", "UNKNOWN").await;
    let mut event = Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "C:D", "FIRST");
    event.additional_data.insert("shopperEmail".into(), PERSONAL[1].into());
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    let exported = shop.export(SHOPPER, None).await;
    let letters = exported["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 2, "{exported}");
    for letter in letters {
        let item = &letter["event"]["NotificationRequestItem"];
        assert_eq!(item["additionalData"]["shopperEmail"], PERSONAL[1]);
    }
    let answer = shop.erase(SHOPPER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let left = answer.body["remaining"]["deadLetters"].as_array().unwrap();
    assert_eq!(left.len(), 2, "{answer:?}");
    for id in left {
        let path = format!("/deadLetters/{}/discard", id.as_str().unwrap());
        let discarded = shop.post(&path, &operator("anna"), &json!({"note": "Booked."})).await;
        assert_eq!(discarded.status, 200, "{discarded:?}");
    }
    let answer = shop.erase(SHOPPER).await;
    assert_eq!((answer.status, &answer.body["erased"]["deadLetters"]), (200, &json!(2)));
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn dead_letter_names_its_shopper_although_the_order_was_unreadable_for_a_moment() {
    let (shop, dynamodb) = Shop::behind_a_faulty_dynamodb().await;
    shop.stored(SHOPPER, "FIRST").await;
    // As often as the SDK tries.
    let mut left = 3;
    dynamodb.begin(move |call| {
        let is_throttled = call.name == "GetItem" && left > 0;
        left -= i32::from(is_throttled);
        is_throttled.then(faulty_dynamodb::throttled)
    });
    let event = Event::new("AUTHORISATION", keys::MERCHANT_ACCOUNT, "C:D", "FIRST");
    shop.adyen().notify(&event).unwrap();
    shop.webhooks_delivered().await;
    let answer = shop.erase(SHOPPER).await;
    let left = &answer.body["remaining"]["deadLetters"];
    assert_eq!((answer.status, left.as_array().unwrap().len()), (202, 1), "{answer:?}");
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
async fn payment_after_an_erasure_is_that_of_a_new_shopper() {
    let (shop, id) = Shop::with_token().await;
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"}))));
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S1").await.body["status"], "refused");
    let charged = charge(SHOPPER, "MONTH-1", &id);
    assert_paid(&shop.charge_with_key(&charged, "K").await, "authorised", 1);
    shop.webhooks_delivered().await;
    shop.erase_all(SHOPPER, 3, 1).await;
    // Repeated requests are recognised, and name nobody.
    let repeated = shop.pay_and_store(SHOPPER, "FIRST", "AMZN").await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    assert_paid(&shop.charge_with_key(&charged, "K").await, "authorised", 1);
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S1").await.body["attempt"], 1);
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    assert_eq!((shop.processed("FIRST"), shop.processed("MONTH-1")), (1, 1));
    // A new attempt and a new order.
    assert_eq!(shop.pay_as(SHOPPER, "SECOND", "AMZN-S2").await.body["attempt"], 2);
    let fresh = shop.stored(SHOPPER, "THIRD").await;
    assert_ne!(fresh, id);
    let exported = shop.export(SHOPPER, None).await;
    assert_eq!(exported["orders"].as_array().unwrap().len(), 2, "{exported}");
    assert_eq!(exported["storedPaymentMethods"][0]["storedPaymentMethodId"], json!(fresh));
    shop.erase_all(SHOPPER, 2, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id, &fresh]).await;
}

#[tokio::test]
async fn callers_keys_are_recognised_after_an_erasure_and_name_nobody() {
    let (shop, id) = Shop::with_token().await;
    // Also a key that looks as if it was erased.
    let key = format!("erased#{SHOPPER}-2026-11");
    let charged = charge(SHOPPER, "MONTH-1", &id);
    assert_paid(&shop.charge_with_key(&charged, &key).await, "authorised", 1);
    shop.webhooks_delivered().await;
    let refund = json!({"amount": {"currency": "EUR", "value": 300}});
    let refunds = "/orders/MONTH-1/refunds";
    // Its outcome is unknown, which needs no personal data.
    shop.adyen().inject(Fault::lost_answer().on("/refunds"));
    shop.adyen().hold_webhooks();
    let refunded = shop.post_with_key(refunds, &backend(), &key, &refund).await;
    assert_eq!(refunded.status, 202, "{refunded:?}");
    for _ in 0..2 {
        let answer = shop.erase(SHOPPER).await;
        assert_eq!((answer.status, &answer.body["finished"]), (200, &json!(true)), "{answer:?}");
    }
    assert!(shop.occurs(SHOPPER).await.is_none());
    passing_time::pass(&shop.dynamodb(), "MONTH-1", SignedDuration::from_mins(16)).await;
    shop.bundle.recover().await.unwrap();
    shop.adyen().release_webhooks(Release::InOrder).await;
    assert_eq!(shop.order("MONTH-1").await["modifications"][0]["state"], "succeeded");

    let repeated = shop.post_with_key(refunds, &backend(), &key, &refund).await;
    assert_eq!(
        repeated.body["pspReference"],
        shop.order("MONTH-1").await["modifications"][0]["pspReference"]
    );
    let other = json!({"amount": {"currency": "EUR", "value": 400}});
    let other = shop.post_with_key(refunds, &backend(), &key, &other).await;
    assert_problem(&other, 422, "idempotency_key_reused");
    let repeated = shop.charge_with_key(&charged, &key).await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(1)), "{repeated:?}");
    let other = with(charged, json!({"shopperEmail": PERSONAL[1]}));
    assert_problem(&shop.charge_with_key(&other, &key).await, 422, "idempotency_key_reused");
    assert_eq!(shop.order("MONTH-1").await["modifications"].as_array().unwrap().len(), 1);
    shop.assert_no_trace(&[&id]).await;
}

#[tokio::test]
async fn order_is_of_the_shopper_of_its_latest_attempt() {
    let (shop, id) = Shop::with_token().await;
    shop.webhooks_delivered().await;
    let refused = || Fault::Instead(AdyenAnswer::json(200, &json!({"resultCode": "Refused"})));
    // A guest, then the shopper, then another one.
    shop.adyen().inject(refused());
    shop.pay("ORDER", "AMZN-GUEST").await;
    assert!(shop.order("ORDER").await["shopperReference"].is_null());
    let reason = json!({"resultCode": "Refused", "refusalReason": "Ask Doe-Winterbottom"});
    shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &reason)));
    let charged = charge(SHOPPER, "ORDER", &id);
    shop.charge_with_key(&charged, PERSONAL[1]).await;
    assert_eq!(shop.export(SHOPPER, None).await["orders"].as_array().unwrap().len(), 2);
    assert_eq!(shop.pay_as(OTHER, "ORDER", "AMZN-OTHER").await.body["attempt"], 3);
    shop.webhooks_delivered().await;
    assert_eq!(shop.order("ORDER").await["shopperReference"], OTHER);
    assert_eq!(shop.export(SHOPPER, None).await["orders"].as_array().unwrap().len(), 1);
    let exported = shop.export(OTHER, None).await;
    assert_eq!(exported["orders"][0]["order"]["reference"], "ORDER");
    for text in PERSONAL.iter().chain([&&*id]) {
        assert!(!exported.to_string().contains(text), "{text} in {exported}");
    }
    let repeated = shop.charge_with_key(&charged, PERSONAL[1]).await;
    assert_eq!((repeated.status, &repeated.body["attempt"]), (200, &json!(2)), "{repeated:?}");
    shop.erase_all(SHOPPER, 1, 1).await;
    shop.webhooks_delivered().await;
    shop.assert_no_trace(&[&id]).await;
    shop.erase_all(OTHER, 1, 0).await;
    assert!(shop.occurs(OTHER).await.is_none());
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
