//! Export and erasure of a shopper's personal data.

mod afterwards;
mod export;
mod once;
mod pending;

use adyen_simulator::Amount;
use adyen_simulator::webhook::Event;
use local::keys;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tests::{Answer, backend, operator, payment};

use crate::shop::{SHOPPER, Shop, browser_of, with};

const OTHER: &str = "ANOTHER_SHOPPER_8fK2";

const ERASE: &str = include_str!("../../../../events/shoppers-erase.json");

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
