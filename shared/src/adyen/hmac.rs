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

    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }
}

/// Keys are separated by commas.
impl FromStr for Keys {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        text.split(',').map(Key::from_hex).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const KEY: &str = "9F1C6A2E0B7D4538AA10C3E5F7264B8D3E5A90C1D2F4B6871029384756ABCDEF";

    fn keys(hex: &str) -> Keys {
        hex.parse().unwrap()
    }

    #[test]
    fn known_signature_of_a_body_verifies() {
        let body = concat!(
            "{ \"type\":\"recurring.token.created\",\n  \"eventId\":\"KHQC5N7G84BLNK43\", ",
            "\"data\":{\"shopperReference\":\"Zoë \\u00eb:7\"} }\r\n",
        );
        let signature = "fgl0r+agN4YGO8N0+7sYHgd2g8ZsgM+mvsBkdlnJG+I=";
        assert_eq!(keys(KEY).verify(body.as_bytes(), signature), Some(0));
        // The same JSON with other white space.
        assert_eq!(keys(KEY).verify(body.trim().as_bytes(), signature), None);
    }

    #[test]
    fn malformed_hmac_key_is_rejected() {
        let other = |key: &str| format!("{KEY},{key}");
        for wrong in ["", "abc", "xy", "0x00", "0 0", "00"] {
            assert!(wrong.parse::<Keys>().is_err(), "{wrong}");
            assert!(other(wrong).parse::<Keys>().is_err(), "{wrong}");
        }
        // Adyen's keys have 32 bytes; a key of another length was truncated or pasted twice.
        for digits in [0, 2, 62, 63, 65, 66, 128] {
            assert!("0".repeat(digits).parse::<Keys>().is_err(), "{digits}");
            assert!(other(&"0".repeat(digits)).parse::<Keys>().is_err(), "{digits}");
        }
        assert!("g".repeat(64).parse::<Keys>().is_err());
        assert!(other(&"0".repeat(64)).parse::<Keys>().is_ok());
        assert_eq!(format!("{:?}", keys(KEY)), "Keys([[redacted]])");
    }
}
