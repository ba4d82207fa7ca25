//! The private key that signs requests and buttons for Amazon Pay.

use ring::{
    rand::SystemRandom,
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};

/// An RSA key of 2048 to 4096 bits. Its `Debug` form is `[redacted]`.
pub struct PrivateKey {
    pair: RsaKeyPair,
    random: SystemRandom,
}

impl PrivateKey {
    /// Reads PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`). Line breaks
    /// may be written as `\n`, because some tools allow only one line in a variable.
    ///
    /// # Errors
    /// A message that does not contain the key.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a private key as PEM, BEGIN PRIVATE KEY or BEGIN RSA \
                                PRIVATE KEY, without a passphrase";
        let pem = text.replace("\\n", "\n");
        // Drop the error, because it would quote the text.
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| EXPECTED)?;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(EXPECTED.to_owned()),
        }
        .map_err(|reason| format!("expected an RSA key of 2048 to 4096 bits ({reason})"))?;
        Ok(Self { pair, random: SystemRandom::new() })
    }

    /// Signs with RSASSA-PSS, SHA-256 and a random salt of 32 bytes.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PSS_SHA256, &self.random, message, &mut signature)?;
        Ok(signature)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
