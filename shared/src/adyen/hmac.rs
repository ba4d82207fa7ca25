//! HMAC-SHA256 as Adyen signs its webhooks.
//!
//! The Customer Area shows a key in hex; its bytes sign. A signature is base64. Several keys may
//! be valid at once, for rotation and because each webhook endpoint has its own.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;

/// The HMAC key of a webhook endpoint. Its `Debug` form is `[redacted]`.
#[derive(Clone)]
pub struct Key(hmac::Key);

/// A key of another length was truncated or pasted twice. With it, every webhook would fail
/// verification.
const KEY_BYTES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an HMAC key has 64 hexadecimal digits, as the Customer Area shows it")]
pub struct InvalidKey;

impl Key {
    /// Reads a key as the Customer Area shows it.
    ///
    /// # Errors
    /// [`InvalidKey`] for anything but 64 hexadecimal digits.
    pub fn from_hex(hex_key: &str) -> Result<Self, InvalidKey> {
        match hex::decode(hex_key.trim()) {
            Ok(bytes) if bytes.len() == KEY_BYTES => {
                Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
            }
            _ => Err(InvalidKey),
        }
    }

    pub fn sign(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(hmac::sign(&self.0, message))
    }

    /// Verifies `signature` (base64) in constant time.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        BASE64_STANDARD
            .decode(signature)
            .is_ok_and(|tag| hmac::verify(&self.0, message, &tag).is_ok())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The accepted keys. Any of them may have signed a webhook.
#[derive(Debug, Clone)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// The position of the key that signed `message`.
    pub fn verify(&self, message: &[u8], signature: &str) -> Option<usize> {
        self.0.iter().position(|key| key.verify(message, signature))
    }
}

/// Keys are separated by commas.
impl FromStr for Keys {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        text.split(',').map(Key::from_hex).collect::<Result<_, _>>().map(Self)
    }
}
