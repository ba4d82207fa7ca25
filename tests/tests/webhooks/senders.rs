//! Webhooks are accepted with any of several keys and the configured credentials.

use base64::{Engine, prelude::BASE64_STANDARD};
use local::keys;
use tests::Answer;

use crate::world::{World, accepted, item, key, signed_by, standard, token_notification};

const OLD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NEW: &str = "FEDCBA9876543210FEDCBA9876543210FEDCBA9876543210FEDCBA9876543210";

#[tokio::test]
async fn signature_by_any_of_several_keys_is_accepted() {
    let several = format!("{OLD}, {NEW},{}", keys::TOKEN_HMAC_KEY);
    let world = World::with([("ADYEN_HMAC_KEYS", several.as_str())]).await;
    let payment = world.paid("rotation", "AMZN").await;
    for (number, (hex, known)) in [
        (OLD, true),
        (NEW, true),
        (keys::TOKEN_HMAC_KEY, true),
        (keys::STANDARD_HMAC_KEY, false),
        (&format!("{}00", &OLD[2..]), false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut refund = item("REFUND", &format!("REFUND{number:010}"), "rotation");
        refund["originalReference"] = payment.clone().into();
        let answer = world.deliver(standard(&[signed_by(&refund, hex)]).to_string()).await;
        let token = token_notification("created", &payment, "shopper", &format!("TOKEN{number}"));
        let token = token.to_string();
        let signature = key(hex).sign(token.as_bytes());
        let token = world.post(token).header("hmacsignature", signature);
        for answer in [answer, Answer::of(token).await] {
            if known {
                accepted(&answer);
            } else {
                assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{hex}");
            }
        }
    }
    assert_eq!(world.order("rotation").await.events.len(), 3);
    assert_eq!(world.count("tokens").await, 3);
}

#[tokio::test]
async fn two_items_may_be_signed_with_two_keys() {
    let several = format!("{OLD},{NEW}");
    let world = World::with([("ADYEN_HMAC_KEYS", several.as_str())]).await;
    let payment = world.paid("queued", "AMZN").await;
    let item = item("AUTHORISATION", &payment, "queued");
    let items = [signed_by(&item, OLD), signed_by(&item, NEW)];
    accepted(&world.deliver(standard(&items).to_string()).await);
    assert_eq!(world.order("queued").await.events.len(), 1);
}

#[tokio::test]
async fn basic_auth_is_required_if_configured() {
    let world = World::with([("WEBHOOK_BASIC_AUTH", "adyen:pass:wörd")]).await;
    let payment = world.paid("basic", "AMZN").await;
    let item = signed_by(&item("AUTHORISATION", &payment, "basic"), keys::STANDARD_HMAC_KEY);
    let body = standard(&[item]).to_string();
    let basic = |credentials: &str| format!("Basic {}", BASE64_STANDARD.encode(credentials));
    world.dynamodb.begin(|_| None);
    for wrong in [
        None,
        Some(String::new()),
        Some("Basic".to_owned()),
        Some("Basic ".to_owned()),
        Some("Basic %%%".to_owned()),
        Some("Basic adyen:pass:wörd".to_owned()),
        Some(basic("")),
        Some(basic(":")),
        Some(basic("adyen:pass:word")),
        Some(basic("adyen:pass")),
        Some(basic("adyen:pass:wörd ")),
        Some(basic("Adyen:pass:wörd")),
        Some(basic(&"adyen:pass:wörd".repeat(2))),
        Some(basic("adyen:pass:wörd").replace("Basic", "Bearer")),
    ] {
        let mut request = world.post(body.clone());
        if let Some(wrong) = &wrong {
            request = request.header("authorization", wrong.as_bytes());
        }
        let answer = Answer::of(request).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{wrong:?}");
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"webhooks\"");
    }
    assert!(world.dynamodb.calls().is_empty());

    // Credentials alone are not enough.
    let unsigned = body.replace("hmacSignature", "hmacSignatura");
    let right = basic("adyen:pass:wörd");
    let answer = Answer::of(world.post(unsigned).header("authorization", &right)).await;
    assert_eq!(answer.status, 401);
    for right in [right.clone(), right.replace("Basic", "basic")] {
        accepted(&Answer::of(world.post(body.clone()).header("authorization", right)).await);
    }
    assert_eq!(world.order("basic").await.events.len(), 1);
}
