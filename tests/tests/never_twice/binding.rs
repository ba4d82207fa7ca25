//! The answer to details concludes only the payment that it names.

use adyen_simulator::{
    Answer as AdyenAnswer, Fault, Options, Release, challenge_result, fingerprint_result,
    redirect_result,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Answer, browser};

use crate::shop::{Shop, assert_paid, assert_problem, assert_unknown, quick};
use crate::shopper::{Flow, Shopper};

const REDIRECT: &str = "1-3DS-REDIRECT";
const LATER: SignedDuration = SignedDuration::from_secs(31);

/// Answers with resultCode and pspReference only, as in Adyen's example.
async fn minimal_adyen() -> Shop {
    Shop::with(Options { merchant_reference: false, ..quick() }).await
}

impl Shop {
    /// Begins an attempt that waits for its shopper, with or without a pspReference.
    async fn begin_attempt(&self, reference: &str, token: &str, psp_reference: Option<&str>) {
        let mut adyen_answer = json!({
            "resultCode": "RedirectShopper",
            "action": {"type": "redirect", "method": "GET", "url": "https://bank.example.com/"},
        });
        if let Some(psp_reference) = psp_reference {
            adyen_answer["pspReference"] = json!(psp_reference);
        }
        self.simulator()
            .inject(Fault::Instead(AdyenAnswer::json(200, &adyen_answer)).on("/payments"));
        let answer = self.pay(reference, token).await;
        assert_eq!(answer.body["nextStep"], "handleAction", "{answer:?}");
    }

    /// Posts a result, to which Adyen answers that.
    async fn post_details(&self, reference: &str, result: &str, adyen_answer: &Value) -> Answer {
        let fault = Fault::Instead(AdyenAnswer::json(200, adyen_answer)).on("/payments/details");
        self.simulator().inject(fault);
        let body = json!({"details": {"redirectResult": result}});
        self.stack.post("/payments/details", &browser(reference), &body).await
    }

    async fn attempts(&self, reference: &str) -> Value {
        self.order(reference).await["attempts"].clone()
    }
}

#[tokio::test]
async fn details_of_another_order_pay_nothing_if_the_answer_names_no_order() {
    let shop = minimal_adyen().await;
    shop.simulator().hold_webhooks();
    let a = shop.pay("A", REDIRECT).await;
    let b = shop.pay("B", "2-3DS-REDIRECT").await;
    let of_b = redirect_result(&b.body["action"], "approved");
    assert_unknown(&shop.details("A", 1, "redirectResult", &of_b).await);
    let order = shop.order("A").await;
    assert_eq!((&order["status"], order.get("pspReference")), (&json!("pending"), None));
    assert_eq!(order["authorisedAmount"]["value"], 0);
    // Repeated details change nothing either.
    assert_unknown(&shop.details("A", 1, "redirectResult", &of_b).await);

    shop.simulator().release_webhooks(Release::InOrder).await;
    shop.webhooks_delivered().await;
    shop.assert_paid_once("B", "B").await;
    assert_eq!(shop.order("A").await["status"], "pending");
    // B's payment has a pointer to B, so its events find B.
    let of_a = redirect_result(&a.body["action"], "approved");
    assert_problem(
        &shop.details("A", 1, "redirectResult", &of_a).await,
        409,
        "payment_in_progress",
    );
    shop.pass("A", LATER).await;
    let answer = shop.details("A", 1, "redirectResult", &of_a).await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    shop.webhooks_delivered().await;
    for reference in ["A", "B"] {
        shop.assert_paid_once(reference, reference).await;
    }
}

#[tokio::test]
async fn answer_without_a_reference_waits_for_its_webhook() {
    let shop = minimal_adyen().await;
    for (reference, outcome, status, next_step) in [
        ("A", "approved", "authorised", "success"),
        ("B", "refused", "refused", "retryWithAmazonPay"),
    ] {
        shop.simulator().hold_webhooks();
        let first = shop.pay(reference, REDIRECT).await;
        let result = redirect_result(&first.body["action"], outcome);
        for _ in 0..2 {
            assert_unknown(&shop.details(reference, 1, "redirectResult", &result).await);
        }
        let order = shop.order(reference).await;
        assert_eq!((&order["status"], &order["nextStep"]), (&json!("pending"), &json!("wait")));
        assert_problem(&shop.pay(reference, "2").await, 409, "payment_in_progress");

        shop.simulator().release_webhooks(Release::InOrder).await;
        let answer = shop.details(reference, 1, "redirectResult", &result).await;
        assert_paid(&answer, status, 1, next_step);
        assert!(answer.body["pspReference"].is_string(), "{answer:?}");
        let order = shop.order(reference).await;
        assert_eq!(order["status"], status);
        assert_eq!(order["needsAttention"], json!([]));
    }
}

#[tokio::test]
async fn webhook_ends_its_own_attempt_beside_a_superseded_one() {
    let shop = minimal_adyen().await;
    shop.pay("A", REDIRECT).await;
    let second = shop.pay("A", "2-3DS-REDIRECT").await;
    shop.simulator().hold_webhooks();
    let declined = redirect_result(&second.body["action"], "refused");
    assert_unknown(&shop.details("A", 2, "redirectResult", &declined).await);
    shop.simulator().release_webhooks(Release::InOrder).await;
    let answer = shop.details("A", 2, "redirectResult", &declined).await;
    assert_paid(&answer, "refused", 2, "retryWithAmazonPay");
    assert_paid(&shop.pay("A", "3").await, "authorised", 3, "success");
    shop.webhooks_delivered().await;
    shop.assert_paid_once("A", "A").await;
}

#[tokio::test]
async fn further_challenge_is_shown_with_any_psp_reference() {
    let shop = minimal_adyen().await;
    let first = shop.pay("A", "1-3DS-CHALLENGE").await;
    let fingerprint = fingerprint_result(&first.body["action"]);
    let second = shop.details("A", 1, "threeDSResult", &fingerprint).await;
    assert_paid(&second, "pending", 1, "handleAction");
    assert_eq!(second.body["resultCode"], "ChallengeShopper");
    let challenge = challenge_result(&second.body["action"], true);
    shop.details("A", 1, "threeDSResult", &challenge).await;
    shop.webhooks_delivered().await;
    shop.assert_paid_once("A", "A").await;

    // The pspReference of an unbound answer is not stored.
    shop.begin_attempt("B", "1", None).await;
    let challenge = json!({
        "resultCode": "ChallengeShopper", "pspReference": "SOMEBODYS",
        "action": {"type": "threeDS2", "subtype": "challenge"},
    });
    let answer = shop.post_details("B", "result", &challenge).await;
    assert_paid(&answer, "pending", 1, "handleAction");
    assert_eq!(answer.body["action"], challenge["action"]);
    assert_eq!(shop.attempts("B").await[0].get("pspReference"), None);
}

#[tokio::test]
async fn answer_concludes_the_attempt_that_it_names() {
    let eur = |value: Value| json!({"currency": "EUR", "value": value});
    let authorised = |rest: Value| {
        let mut adyen_answer = json!({"resultCode": "Authorised"});
        adyen_answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        adyen_answer
    };
    // The pspReference of the attempt, the answer, and whether the answer is bound to the attempt.
    let table = [
        (None, json!({"merchantReference": "X"}), true),
        (None, json!({"merchantReference": "X", "pspReference": "NEW"}), true),
        (Some("KNOWN"), json!({"pspReference": "KNOWN"}), true),
        (Some("KNOWN"), json!({"merchantReference": "X"}), true),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": eur(json!(1000))}), true),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": eur(json!("1000"))}), true),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": eur(json!({}))}), true),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": "10.00"}), true),
        (None, json!({}), false),
        (None, json!({"pspReference": "NEW"}), false),
        (None, json!({"merchantReference": "", "pspReference": "NEW"}), false),
        (Some("KNOWN"), json!({}), false),
        (Some("KNOWN"), json!({"pspReference": "OTHER"}), false),
        (Some("KNOWN"), json!({"merchantReference": "X", "pspReference": "OTHER"}), false),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": eur(json!(1))}), false),
        (Some("KNOWN"), json!({"pspReference": "KNOWN", "amount": eur(json!("999"))}), false),
        (None, json!({"merchantReference": "X", "amount": eur(json!(1001))}), false),
        (
            None,
            json!({"merchantReference": "X", "amount": {"currency": "USD", "value": 1000}}),
            false,
        ),
        (None, json!({"merchantReference": "X", "amount": {"currency": "USD"}}), false),
    ];
    let shop = Shop::open().await;
    for (number, (known, adyen_answer, bound)) in table.into_iter().enumerate() {
        let reference = format!("ORDER-{number}");
        let mine = |text: Value| match text.as_str() {
            Some("X") => json!(reference),
            Some("KNOWN" | "NEW" | "OTHER") => json!(format!("{}{number}", text.as_str().unwrap())),
            _ => text,
        };
        let adyen_answer: serde_json::Map<_, _> = adyen_answer
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .map(|(name, it)| (name, mine(it)))
            .collect();
        let known = known.map(|known| format!("{known}{number}"));
        shop.begin_attempt(&reference, "1", known.as_deref()).await;
        let answer = shop
            .post_details(&reference, "result", &authorised(Value::Object(adyen_answer.clone())))
            .await;
        let attempt = shop.attempts(&reference).await[0].clone();
        if bound {
            assert_paid(&answer, "authorised", 1, "success");
            let named = known.map(Value::from).or(adyen_answer.get("pspReference").cloned());
            assert_eq!(attempt.get("pspReference"), named.as_ref(), "{adyen_answer:?}");
        } else {
            assert_unknown(&answer);
            assert_eq!(
                shop.order(&reference).await["authorisedAmount"]["value"],
                0,
                "{adyen_answer:?}"
            );
            assert_eq!(
                attempt.get("pspReference"),
                known.map(Value::from).as_ref(),
                "{adyen_answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn details_of_another_attempt_conclude_that_attempt() {
    let shop = Shop::open().await;
    shop.begin_attempt("A", "1", Some("FIRST")).await;
    shop.begin_attempt("A", "2", Some("SECOND")).await;
    let refused = json!({
        "resultCode": "Refused", "pspReference": "FIRST", "merchantReference": "A",
    });
    let answer = shop.post_details("A", "of the first page", &refused).await;
    assert_eq!((answer.status, &answer.body["attempt"]), (200, &json!(1)), "{answer:?}");
    let attempts = shop.attempts("A").await;
    let result_of =
        |at: usize| (attempts[at]["pspReference"].clone(), attempts[at]["resultCode"].clone());
    assert_eq!(result_of(0), (json!("FIRST"), json!("Refused")));
    assert_eq!(result_of(1), (json!("SECOND"), json!("RedirectShopper")));
    // The second attempt still waits for its shopper.
    assert_eq!(shop.order("A").await["nextStep"], "handleAction");
    let paid = json!({"resultCode": "Authorised", "pspReference": "SECOND"});
    assert_paid(
        &shop.post_details("A", "of the second page", &paid).await,
        "authorised",
        2,
        "success",
    );
}

#[tokio::test]
async fn binding_rules_apply_to_the_other_order_too() {
    let shop = Shop::open().await;
    let eur = |value: i64| json!({"currency": "EUR", "value": value});
    for (number, (adyen_answer, status)) in [
        (json!({"pspReference": "B"}), "authorised"),
        (json!({"pspReference": "OTHER"}), "pending"),
        (json!({"pspReference": "B", "amount": eur(1)}), "pending"),
        (json!({"pspReference": "B", "amount": eur(1000)}), "authorised"),
    ]
    .into_iter()
    .enumerate()
    {
        let (a, b) = (format!("A-{number}"), format!("B-{number}"));
        shop.begin_attempt(&a, "1", None).await;
        shop.begin_attempt(&b, "2", Some(&format!("B{number}"))).await;
        let mut adyen_answer = adyen_answer;
        adyen_answer["resultCode"] = json!("Authorised");
        adyen_answer["merchantReference"] = json!(b);
        adyen_answer["pspReference"] =
            json!(format!("{}{number}", adyen_answer["pspReference"].as_str().unwrap()));
        assert_problem(&shop.post_details(&a, "result", &adyen_answer).await, 403, "wrong_order");
        assert_eq!(shop.order(&a).await["nextStep"], "handleAction");
        let order = shop.order(&b).await;
        assert_eq!(order["status"], status, "{adyen_answer}");
        assert_eq!(order["attempts"][0]["pspReference"], format!("B{number}"), "{adyen_answer}");
    }
}

#[tokio::test]
async fn payment_known_to_two_orders_is_contested() {
    let shop = Shop::open().await;
    shop.simulator().hold_webhooks();
    let payment = shop.pay("B", "1").await.body["pspReference"].clone();
    let contested = json!([format!("payment_of_another_order: {}", payment.as_str().unwrap())]);
    // Adyen names A with B's pspReference, first in an answer to details, then in one to a payment.
    shop.begin_attempt("A", "1", None).await;
    let adyen_answer = json!({
        "resultCode": "Authorised", "pspReference": payment, "merchantReference": "A",
    });
    shop.post_details("A", "result", &adyen_answer).await;
    assert_eq!(shop.order("A").await["needsAttention"], contested);
    assert_eq!(shop.order("B").await["needsAttention"], contested);

    let payment = shop.pay("D", "1").await.body["pspReference"].clone();
    let contested = json!([format!("payment_of_another_order: {}", payment.as_str().unwrap())]);
    let adyen_answer = json!({"resultCode": "Authorised", "pspReference": payment});
    shop.simulator().inject(Fault::Instead(AdyenAnswer::json(200, &adyen_answer)));
    shop.pay("C", "1").await;
    assert_eq!(shop.order("C").await["needsAttention"], contested);
    assert_eq!(shop.order("D").await["needsAttention"], contested);
    // The payment's pointer still leads to its first order.
    assert_eq!(shop.order("D").await["pspReference"], payment);
}

#[tokio::test]
async fn answer_without_a_reference_and_its_webhook_are_one_payment() {
    let shop = Shop::open().await;
    let authorised = json!({"resultCode": "Authorised"});
    let nameless = |path: &str| Fault::Afterwards(AdyenAnswer::json(200, &authorised)).on(path);
    for (reference, waits, details) in
        [("A", false, false), ("B", true, false), ("C", false, true), ("D", true, true)]
    {
        if waits {
            // A superseded attempt without a pspReference.
            shop.pay(reference, REDIRECT).await;
        }
        shop.simulator().hold_webhooks();
        let attempt = 1 + u64::from(waits);
        let answer = if details {
            let first = shop.pay(reference, "2-3DS-REDIRECT").await;
            let result = redirect_result(&first.body["action"], "approved");
            let adyen_answer = json!({"resultCode": "Authorised", "merchantReference": reference});
            let adyen_answer = Fault::Afterwards(AdyenAnswer::json(200, &adyen_answer));
            shop.simulator().inject(adyen_answer.on("/payments/details"));
            shop.details(reference, attempt, "redirectResult", &result).await
        } else {
            shop.simulator().inject(nameless("/payments"));
            shop.pay(reference, "2").await
        };
        assert_paid(&answer, "authorised", attempt, "success");
        // A refund needs the pspReference, which is not known yet.
        let path = format!("/orders/{reference}/refunds");
        let refund = json!({});
        let early = shop.stack.post_with_key(&path, &tests::backend(), "early", &refund).await;
        assert_problem(&early, 409, "wrong_state");

        shop.simulator().release_webhooks(Release::InOrder).await;
        shop.webhooks_delivered().await;
        shop.assert_paid_once(reference, reference).await;
        assert_eq!(shop.order(reference).await["attempt"], attempt);
        let answer = shop.stack.post_with_key(&path, &tests::backend(), "K", &refund).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

#[tokio::test]
async fn every_flow_is_paid_once_if_answers_name_no_order() {
    let shop = minimal_adyen().await;
    for flow in Flow::ALL {
        let reference = format!("{flow:?}");
        Shopper::new(&shop.stack, &reference, flow).pay().await;
        shop.webhooks_delivered().await;
        shop.assert_paid_once(&reference, &reference).await;
    }
}
