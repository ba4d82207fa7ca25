//! Charges of stored payment methods are retried by the schedule, and never made twice.

use adyen_simulator::{Fault, coded};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, backend, payment};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown};

/// After this time an unknown outcome needs attention.
const OPEN: SignedDuration = SignedDuration::from_mins(16);

impl Shop {
    /// Stores a payment method of shopper-1 and returns its id.
    async fn token(&self) -> String {
        let mut body = payment("FIRST", "T");
        body["storePaymentMethod"] = json!(true);
        body["shopperReference"] = json!("shopper-1");
        body["recurringProcessingModel"] = json!("Subscription");
        let answer = self.stack.post("/payments", &backend(), &body).await;
        assert_paid(&answer, "authorised", 1, "success");
        self.webhooks_delivered().await;
        self.simulator().with_books(|books| books.tokens.keys().next().unwrap().clone())
    }

    async fn charge(&self, reference: &str, token: &str, key: &str) -> Answer {
        let body: Value = json!({
            "amount": {"currency": "EUR", "value": 1000},
            "reference": reference,
            "paymentMethod": {"storedPaymentMethodId": token},
            "shopperReference": "shopper-1",
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "Subscription",
        });
        let backend = backend();
        let post = self.stack.post_with_key("/payments", &backend, key, &body);
        post.await
    }
}

#[tokio::test]
async fn charge_whose_answer_was_lost_is_retried_without_a_second_charge() {
    let shop = Shop::open().await;
    let token = shop.token().await;
    shop.simulator().hold_webhooks();
    shop.simulator().inject(Fault::lost_answer());
    assert_unknown(&shop.charge("A", &token, "january").await);
    shop.pass("A", OPEN).await;
    let report = shop.stack.bundle.recover().await.unwrap();
    assert_eq!((report.resolved, report.failed), (1, 0));
    assert_eq!(shop.order("A").await["status"], "authorised");
    assert_eq!((shop.authorisations("A"), shop.processed("A")), (1, 1));
    assert_paid(&shop.charge("A", &token, "january").await, "authorised", 1, "success");
}

#[tokio::test]
async fn charge_of_unknown_outcome_is_not_ended_by_an_error_of_recovery() {
    let shop = Shop::open().await;
    let token = shop.token().await;
    shop.simulator().hold_webhooks();
    for (reference, code) in [("A", "000"), ("B", "903")] {
        shop.simulator().inject(Fault::lost_answer());
        assert_unknown(&shop.charge(reference, &token, "january").await);
        shop.pass(reference, OPEN).await;
        shop.simulator().inject(Fault::Instead(coded(code)));
        shop.stack.bundle.recover().await.unwrap();
        assert_eq!(shop.order(reference).await["status"], "pending", "{code}");
        let other = shop.charge(reference, &token, "again").await;
        assert_problem(&other, 409, "payment_in_progress");
        assert_paid(&shop.charge(reference, &token, "january").await, "authorised", 1, "success");
        assert_eq!((shop.authorisations(reference), shop.processed(reference)), (1, 1));
    }
}
