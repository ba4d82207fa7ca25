//! The simulator rejects the calls that Amazon Pay rejects.

use std::collections::BTreeMap;
use std::time::Duration;

use amazon_pay_simulator::{Options, PRIVATE_KEY, PUBLIC_KEY_ID, Simulator};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use rsa::Pss;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::{Digest, Sha256};
use serde_json::json;
use shared::amazon_pay::signing::Signer;
use shared::amazon_pay::{PrivateKey, Region};
use url::Url;

use crate::world::send;

const UPDATE: &str = r#"{"paymentDetails":{"paymentIntent":"Confirm","chargeAmount":{"amount":"10.00","currencyCode":"EUR"}}}"#;

/// A signed request. Tests change it after the signature was made.
#[derive(Clone)]
struct Signed {
    method: Method,
    url: Url,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Signed {
    fn request(&self) -> RequestBuilder {
        let client = shared::platform::http_client::build(None).unwrap();
        let mut request = client.request(self.method.clone(), self.url.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone())
    }

    /// The status, after asserting that every error has an explanation.
    async fn send(&self) -> u16 {
        let (status, body) = send(self.request()).await;
        if status != 200 {
            assert!(body["reasonCode"].is_string() && body["message"].is_string(), "{body}");
        }
        status
    }
}

fn signed(amazon: &Simulator, method: Method, path: &str, body: &str) -> Signed {
    signed_at(amazon, method, path, body, Timestamp::now())
}

fn signed_at(amazon: &Simulator, method: Method, path: &str, body: &str, at: Timestamp) -> Signed {
    let key = PrivateKey::from_pem(PRIVATE_KEY).unwrap();
    let signer = Signer { key: &key, public_key_id: PUBLIC_KEY_ID, region: Region::Eu };
    let url: Url = format!("{}{path}", amazon.url()).parse().unwrap();
    let idempotency_key = (!body.is_empty()).then_some("key-1");
    let headers =
        signer.headers(method.as_str(), &url, body.as_bytes(), idempotency_key, at).unwrap();
    Signed {
        method,
        url,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: body.to_owned(),
    }
}

async fn amazon() -> Simulator {
    let amazon = Simulator::start(Options::default()).await.unwrap();
    amazon.open("S1");
    amazon.open("S2");
    amazon
}

#[tokio::test]
async fn signed_call_is_accepted() {
    let amazon = amazon().await;
    let path = "/v2/checkoutSessions/S1";
    assert_eq!(signed(&amazon, Method::GET, path, "").send().await, 200);
    assert_eq!(signed(&amazon, Method::PATCH, path, UPDATE).send().await, 200);
    let query = format!("{path}?b=%C3%BC%20*&a=1&a=0");
    assert_eq!(signed(&amazon, Method::GET, &query, "").send().await, 200);
    assert!(amazon.books().calls.iter().all(|call| call.verified));
}

#[tokio::test]
async fn call_with_one_changed_byte_is_rejected() {
    let amazon = amazon().await;
    let original = signed(&amazon, Method::PATCH, "/v2/checkoutSessions/S1?a=1", UPDATE);
    assert_eq!(original.send().await, 200);

    let mut changed: Vec<(String, Signed)> = Vec::new();
    let mut change = |what: &str, change: &dyn Fn(&mut Signed)| {
        let mut request = original.clone();
        change(&mut request);
        changed.push((what.to_owned(), request));
    };
    change("method", &|request| request.method = Method::GET);
    change("path", &|request| request.url.set_path("/v2/checkoutSessions/S2"));
    change("query", &|request| request.url.set_query(Some("a=2")));
    change("no query", &|request| request.url.set_query(None));
    for at in 0..UPDATE.len() {
        change("body", &|request| {
            let mut bytes = UPDATE.as_bytes().to_vec();
            bytes[at] ^= 1;
            request.body = String::from_utf8(bytes).unwrap();
        });
    }
    change("longer body", &|request| request.body.push(' '));
    change("no body", &|request| request.body.clear());
    for name in original.headers.keys() {
        change(&format!("no {name}"), &|request| {
            request.headers.remove(name);
        });
        let value = &original.headers[name];
        // Change every character of the signature, but only the last one of other headers: base64
        // has padding at its end.
        let places = match name.as_str() {
            "authorization" => 0..value.len() - 3,
            _ => value.len() - 1..value.len(),
        };
        for at in places {
            change(&format!("{name} at {at}"), &|request| {
                let mut bytes = value.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                request.headers.insert(name.clone(), String::from_utf8(bytes).unwrap());
            });
        }
    }

    for (what, request) in changed {
        if request.headers == original.headers
            && request.body == original.body
            && request.url == original.url
            && request.method == original.method
        {
            continue;
        }
        let status = request.send().await;
        assert!(matches!(status, 400 | 403), "{what}: {status}");
    }
    let accepted = amazon.books().calls.iter().filter(|call| call.verified).count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn old_signature_is_rejected() {
    let amazon = amazon().await;
    for minutes in [-16, 16] {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        let old = signed_at(&amazon, Method::GET, "/v2/checkoutSessions/S1", "", at);
        assert_eq!(old.send().await, 400);
    }
}

/// A GET request that is signed with that algorithm, salt and date.
fn signed_with(amazon: &Simulator, algorithm: &str, salt: usize, date: &str) -> Signed {
    let mut request = signed(amazon, Method::GET, "/v2/checkoutSessions/S1", "");
    request.headers.remove("authorization");
    request.headers.insert("x-amz-pay-date".to_owned(), date.to_owned());
    let names: Vec<_> = request.headers.keys().map(String::as_str).collect();
    let names = names.join(";");
    let lines: String =
        request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let hash = |text: &str| hex::encode(Sha256::digest(text));
    let path = request.url.path();
    let canonical = format!("GET\n{path}\n\n{lines}\n{names}\n{}", hash(""));
    let digest = Sha256::digest(format!("{algorithm}\n{}", hash(&canonical)));
    let key = rsa::PrivateKey::from_pkcs8_pem(PRIVATE_KEY).unwrap();
    let signature = key.sign(Pss::<Sha256>::new_with_salt(salt), &digest).unwrap();
    let signature = BASE64_STANDARD.encode(signature);
    request.headers.insert(
        "authorization".to_owned(),
        format!(
            "{algorithm} PublicKeyId={PUBLIC_KEY_ID}, SignedHeaders={names}, Signature={signature}"
        ),
    );
    request
}

const ALGORITHMS: [(&str, usize); 2] =
    [("AMZN-PAY-RSASSA-PSS", 20), ("AMZN-PAY-RSASSA-PSS-V2", 32)];

#[tokio::test]
async fn signature_is_accepted_only_with_the_salt_of_its_algorithm() {
    let amazon = amazon().await;
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for (algorithm, salt) in ALGORITHMS {
        for length in [0, 20, 32] {
            let status = signed_with(&amazon, algorithm, length, &now).send().await;
            let expected = if length == salt { 200 } else { 403 };
            assert_eq!(status, expected, "{algorithm} with a salt of {length}");
        }
    }
    assert_eq!(signed_with(&amazon, "AMZN-PAY-RSASSA-PSS-V3", 32, &now).send().await, 403);
}

#[tokio::test]
async fn changed_signature_is_rejected_with_each_algorithm() {
    let amazon = amazon().await;
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for (algorithm, salt) in ALGORITHMS {
        let original = signed_with(&amazon, algorithm, salt, &now);
        let mut moved = original.clone();
        moved.url.set_path("/v2/checkoutSessions/S2");
        let mut renamed = original.clone();
        let authorization = renamed.headers.get_mut("authorization").unwrap();
        let (other, _) = ALGORITHMS.iter().find(|(name, _)| *name != algorithm).unwrap();
        *authorization = authorization.replacen(algorithm, other, 1);
        assert_eq!(moved.send().await, 403, "{algorithm}");
        assert_eq!(renamed.send().await, 403, "{algorithm}");
        assert_eq!(original.send().await, 200, "{algorithm}");
    }
}

#[tokio::test]
async fn date_is_accepted_in_both_formats_of_iso_8601_and_only_if_it_is_now() {
    let amazon = amazon().await;
    let (algorithm, salt) = ALGORITHMS[0];
    for format in ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"] {
        for (minutes, status) in [(0, 200), (14, 200), (16, 400), (-16, 400)] {
            let at = Timestamp::now() + SignedDuration::from_mins(minutes);
            let date = at.strftime(format).to_string();
            let got = signed_with(&amazon, algorithm, salt, &date).send().await;
            assert_eq!(got, status, "{date}");
        }
    }
    assert_eq!(signed_with(&amazon, algorithm, salt, "now").send().await, 400);
}

#[tokio::test]
async fn session_is_created_once_for_each_idempotency_key_and_only_for_the_own_store() {
    let amazon = amazon().await;
    let payload = |store: &str| {
        let details = json!({"checkoutReviewReturnUrl": "https://shop.example/review"});
        json!({"webCheckoutDetails": details, "storeId": store}).to_string()
    };
    let own = payload(&Options::default().store_id);
    let create = signed(&amazon, Method::POST, "/v2/checkoutSessions", &own);
    let (status, first) = send(create.request()).await;
    assert_eq!((status, &first["statusDetails"]["state"]), (201, &json!("Open")));
    assert_eq!(send(create.request()).await.1["checkoutSessionId"], first["checkoutSessionId"]);

    let other = payload("another");
    for (body, without) in [(&other, ""), (&own, "x-amz-pay-idempotency-key")] {
        let mut create = signed(&amazon, Method::POST, "/v2/checkoutSessions", body);
        create.headers.remove(without);
        assert!(matches!(create.send().await, 400 | 403), "{body}");
    }
    assert_eq!(amazon.books().sessions.len(), 3, "S1, S2 and the created one");
}

#[tokio::test]
async fn call_to_complete_a_session_is_rejected_and_recorded() {
    let amazon = amazon().await;
    let complete = signed(&amazon, Method::POST, "/v2/checkoutSessions/S1/complete", "{}");
    assert_eq!(complete.send().await, 405);
    assert_eq!(amazon.books().completions(), 1);
}

#[tokio::test]
async fn malformed_session_update_is_rejected() {
    let amazon = amazon().await;
    let charge = |amount: &str, currency: &str| json!({"paymentDetails": {"chargeAmount": {"amount": amount, "currencyCode": currency}}});
    for wrong in [
        json!({"paymentDetail": {}}),
        json!({"paymentDetails": {"paymentIntent": "confirm"}}),
        json!({"paymentDetails": {"chargeAmount": {"amount": 10, "currencyCode": "EUR"}}}),
        json!({"merchantMetadata": {"merchantReferenceId": "x".repeat(257)}}),
        charge("10.001", "EUR"),
        charge("10.", "EUR"),
        charge("0.00", "EUR"),
        charge("-1", "EUR"),
        charge("10.00", "USD"),
    ] {
        let update = signed(&amazon, Method::PATCH, "/v2/checkoutSessions/S1", &wrong.to_string());
        assert_eq!(update.send().await, 400, "{wrong}");
    }
    assert_eq!(amazon.books().sessions["S1"].charge_amount, None);
}

#[tokio::test]
async fn idempotency_key_with_another_content_is_rejected() {
    let amazon = amazon().await;
    let path = "/v2/checkoutSessions/S1";
    for (path, body, status) in [
        (path, UPDATE, 200),
        (path, UPDATE, 200),
        (path, "{}", 400),
        ("/v2/checkoutSessions/S2", UPDATE, 400),
    ] {
        let update = signed(&amazon, Method::PATCH, path, body);
        assert_eq!(update.send().await, status, "{path} {body}");
    }
}

#[tokio::test]
async fn repeated_session_update_changes_nothing_and_returns_the_same_answer() {
    let amazon = amazon().await;
    let update = signed(&amazon, Method::PATCH, "/v2/checkoutSessions/S1", UPDATE);
    let first = send(update.request()).await;
    amazon.confirmed("S1", "99.00", "EUR");

    assert_eq!(send(update.request()).await, first);

    let session = amazon.books().sessions["S1"].clone();
    assert!(session.confirmed, "the update was not made again");
    assert_eq!(session.charge_amount.unwrap().amount, "99.00");
}

#[tokio::test]
async fn simulated_script_draws_the_button() {
    let amazon = amazon().await;
    let client = shared::platform::http_client::build(None).unwrap();
    let script = client.get(format!("{}/checkout.js", amazon.url()));
    let answer = script.timeout(Duration::from_secs(5)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/javascript");
    assert!(answer.text().await.unwrap().contains("renderButton"));
}
