//! HMAC-SHA256 as Adyen signs its webhooks.
//!
//! A key is shown as hex in the Customer Area and used as the bytes that the hex
//! stands for. A signature is base64. Several keys may be valid at once, for rotation
//! and because each webhook endpoint has its own.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;

/// One HMAC key of a webhook. Prints as `[redacted]`.
#[derive(Clone)]
pub struct Key(hmac::Key);

/// How many bytes a key has. A shorter or longer one was cut or pasted twice, and would refuse every
/// webhook.
const KEY_BYTES: usize = 32;

/// The text is not an HMAC key of 32 bytes.
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

    /// The signature of `message`, in base64.
    pub fn sign(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(hmac::sign(&self.0, message))
    }

    /// Returns whether `signature` (base64) is this key's signature of `message`, in constant time.
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

/// The keys of which any may have signed a webhook.
#[derive(Debug, Clone)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// The position of the key that signed `message`, if one did.
    pub fn verify(&self, message: &[u8], signature: &str) -> Option<usize> {
        self.0.iter().position(|key| key.verify(message, signature))
    }
}

impl FromStr for Keys {
    type Err = InvalidKey;

    /// Reads keys separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        text.split(',').map(Key::from_hex).collect::<Result<_, _>>().map(Self)
    }
}
