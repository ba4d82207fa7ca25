//! Feeds JWTs: any text, and signed ones with any claims. Only a signed one is accepted, and what
//! is accepted has a life.
#![no_main]

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use shared::http::jwt::JwtKeys;
use shared::platform::config::{Env, Settings};
use tokio::runtime::Runtime;

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct World {
    runtime: Runtime,
    keys: JwtKeys,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let env = [("CHECKOUT_TOKEN_KEYS", KEY), ("MERCHANT_TOKEN_KEYS", "f0123456789abcdef0123456789abcde")];
    let env: Env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let keys = runtime.block_on(async {
        let mut settings = Settings::load(&env, &JwtKeys::SECRETS).await.unwrap();
        let keys = JwtKeys::read(&mut settings);
        settings.finish(keys).unwrap()
    });
    World { runtime, keys }
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    assert!(!is_accepted(input), "not signed");
    if is_accepted(&signed(input)) {
        let claims: Value = serde_json::from_slice(input).unwrap();
        assert_eq!(claims["aud"], "checkout");
        assert!(claims["exp"].is_number() && claims["iat"].is_number());
    }
});

fn is_accepted(token: &[u8]) -> bool {
    let bearer = [b"Bearer ", token].concat();
    let Ok(bearer) = HeaderValue::from_bytes(&bearer) else { return false };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    WORLD.runtime.block_on(WORLD.keys.caller(&headers)).is_ok()
}

/// A token with these claims.
fn signed(claims: &[u8]) -> Vec<u8> {
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let content = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes());
    let signature = ring::hmac::sign(&key, content.as_bytes());
    format!("{content}.{}", encode(signature.as_ref())).into_bytes()
}
