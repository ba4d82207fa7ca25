//! The shopper's data in a charge are kept only for as long as the charge may be sent again.

use adyen_simulator::{Answer as AdyenAnswer, Fault, Release, coded};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, Stack, passing_time};

use crate::shop::{SHOPPER, Shop, assert_paid, assert_problem, charge, with};

const PERSONAL: [&str; 4] =
    ["jane.doe@example.com", "Doe-Winterbottom", "Kalverstraat", "+31612345678"];

impl Shop {
    async fn with_held_webhooks() -> (Self, String) {
        let (shop, id) = Self::with_token().await;
        shop.adyen().hold_webhooks();
        (shop, id)
    }

    /// Charges with all data of the shopper that the API accepts.
    async fn charge_of(&self, email: &str, reference: &str, id: &str, key: &str) -> Answer {
        let known = json!({
            "shopperEmail": email,
            "shopperName": {"firstName": "Jane", "lastName": PERSONAL[1]},
            "telephoneNumber": PERSONAL[3],
            "billingAddress": {
                "street": PERSONAL[2], "houseNumberOrName": "1", "city": "Amsterdam",
                "postalCode": "1012NX", "country": "NL",
            },
        });
        self.charge_with_key(&with(charge(SHOPPER, reference, id), known), key).await
    }

    async fn charge_of_jane(&self, reference: &str, id: &str, key: &str) -> Answer {
        self.charge_of(PERSONAL[0], reference, id, key).await
    }

    /// As [`Shop::charge_of_jane`], but Adyen's answer is lost.
    pub async fn lost_charge(&self, reference: &str, id: &str) {
        let lost = Fault::lost_answer();
        self.adyen().inject(lost.on("/payments"));
        let answer = self.charge_of_jane(reference, id, "K").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert!(self.keeps(reference, PERSONAL[0]).await, "it may be sent again");
    }

    /// The order's item as text.
    async fn item(&self, reference: &str) -> String {
        let key = AttributeValue::S(reference.to_owned());
        let dynamodb = self.stack.dynamodb();
        let item = dynamodb.get_item().table_name("orders").key("reference", key);
        let item = item.consistent_read(true).send().await.unwrap().item.unwrap();
        serde_dynamo::from_item::<_, Value>(item).unwrap().to_string()
    }

    async fn keeps(&self, reference: &str, text: &str) -> bool {
        self.item(reference).await.contains(text)
    }

    async fn assert_keeps_nothing(&self, reference: &str) {
        let item = self.item(reference).await;
        for text in PERSONAL {
            assert!(!item.contains(text), "{reference}: {text} in {item}");
        }
    }

    async fn pass(&self, reference: &str, time: SignedDuration) {
        passing_time::pass(&self.stack.dynamodb(), reference, time).await;
    }

    async fn run_schedule(&self) {
        self.stack.bundle.recover().await.unwrap();
    }
}

#[tokio::test]
async fn answered_or_rejected_charge_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    assert_paid(&shop.charge_of_jane("AUTHORISED", &id, "K").await, "authorised", 1);
    let refused = json!({"resultCode": "Refused", "refusalReasonCode": "2"});
    let pending = json!({"resultCode": "Received", "pspReference": "PENDING"});
    for (reference, said) in [("REFUSED", refused), ("RECEIVED", pending)] {
        shop.adyen().inject(Fault::Instead(AdyenAnswer::json(200, &said)));
        assert_eq!(shop.charge_of_jane(reference, &id, "K").await.status, 200);
    }
    for code in ["5_606", "702", "137", "800"] {
        shop.adyen().inject(Fault::Instead(coded(code)));
        let answer = shop.charge_of_jane(code, &id, "K").await;
        assert_problem(&answer, 422, "adyen_rejected");
        assert_eq!(shop.order(code).await["status"], "error");
        shop.assert_keeps_nothing(code).await;
    }
    for reference in ["AUTHORISED", "REFUSED", "RECEIVED"] {
        shop.assert_keeps_nothing(reference).await;
    }
}

#[tokio::test]
async fn charge_that_was_never_sent_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    for code in ["905", "000", "901"] {
        shop.adyen().inject(Fault::Instead(coded(code)));
        let answer = shop.charge_of_jane(code, &id, "K").await;
        assert_problem(&answer, 502, "adyen_configuration");
        shop.assert_keeps_nothing(code).await;
    }
}

#[tokio::test]
async fn charge_decided_by_a_webhook_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    shop.lost_charge("A", &id).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    assert_eq!(shop.order("A").await["status"], "authorised");
    shop.assert_keeps_nothing("A").await;

    // The same for a refused attempt, which the next one replaces.
    shop.adyen().hold_webhooks();
    shop.adyen().revoke_token(&id).unwrap();
    shop.lost_charge("B", &id).await;
    shop.adyen().release_webhooks(Release::InOrder).await;
    assert_eq!(shop.order("B").await["status"], "refused");
    shop.assert_keeps_nothing("B").await;
    // The webhook's reason disables the token, although the request was deleted.
    assert_eq!(shop.list(SHOPPER, "?status=all").await[0]["status"], "disabled");
}

#[tokio::test]
async fn charge_resolved_by_the_schedule_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    shop.lost_charge("A", &id).await;
    shop.pass("A", SignedDuration::from_mins(16)).await;
    // Adyen does not answer yet.
    shop.adyen().inject(Fault::Instead(coded("903")));
    shop.run_schedule().await;
    assert!(shop.keeps("A", PERSONAL[0]).await, "it is asked about once more");
    shop.pass("A", SignedDuration::from_mins(6)).await;
    shop.run_schedule().await;
    assert_eq!(shop.order("A").await["status"], "authorised");
    shop.assert_keeps_nothing("A").await;
}

#[tokio::test]
async fn charge_with_an_expired_key_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    let old = SignedDuration::from_hours(6 * 24);
    shop.lost_charge("A", &id).await;
    shop.pass("A", old).await;
    shop.run_schedule().await;
    assert_eq!(shop.order("A").await["needsAttention"], json!(["outcome_unknown"]));
    shop.assert_keeps_nothing("A").await;

    shop.lost_charge("B", &id).await;
    shop.pass("B", old).await;
    assert_eq!(shop.charge_of_jane("B", &id, "K").await.status, 202);
    shop.assert_keeps_nothing("B").await;
}

#[tokio::test]
async fn charge_of_another_account_leaves_no_personal_data() {
    let (shop, id) = Shop::with_held_webhooks().await;
    shop.lost_charge("A", &id).await;
    shop.pass("A", SignedDuration::from_mins(16)).await;
    let other = [
        ("ADYEN_MERCHANT_ACCOUNT", "ANOTHER_ACCOUNT"),
        ("AWS_ENDPOINT_URL_DYNAMODB", shop.stack.bundle.dynamodb_url()),
    ];
    let other = Stack::with_variables(&other).await;
    other.bundle.recover().await.unwrap();
    assert_eq!(other.adyen().books().calls, []);
    assert_eq!(shop.order("A").await["needsAttention"], json!(["outcome_unknown"]));
    shop.assert_keeps_nothing("A").await;
}

#[tokio::test]
async fn last_of_several_charge_requests_under_one_key_is_stored() {
    let (shop, id) = Shop::with_held_webhooks().await;
    shop.lost_charge("A", &id).await;
    shop.pass("A", SignedDuration::from_secs(31)).await;
    shop.adyen().inject(Fault::status(500));
    let answer = shop.charge_of("john@example.com", "A", &id, "K2").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(!shop.keeps("A", PERSONAL[0]).await && shop.keeps("A", "john@example.com").await);
    shop.run_schedule().await;
    shop.pass("A", SignedDuration::from_mins(16)).await;
    shop.run_schedule().await;
    assert!(!shop.keeps("A", "john@example.com").await);
    shop.assert_keeps_nothing("A").await;
}
