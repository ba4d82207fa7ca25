//! The certificate of this process. All its simulators share it, so that a client trusts one file.

use std::io;
use std::sync::{Arc, LazyLock};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// The path at which every simulator serves the certificate, in PEM.
pub(crate) const PATH: &str = "/certificate.pem";

/// The hosts of this machine; a container calls the last one.
const HOSTS: [&str; 4] = ["127.0.0.1", "::1", "localhost", "host.docker.internal"];

/// Generated when the first client asks for it, because most processes serve http only.
static GENERATED: LazyLock<Result<Generated, String>> = LazyLock::new(generate);

struct Generated {
    pem: String,
    tls: Arc<ServerConfig>,
}

/// The certificate, to be trusted by clients.
pub(crate) fn pem() -> io::Result<&'static str> {
    generated().map(|generated| generated.pem.as_str())
}

pub(crate) fn tls() -> io::Result<Arc<ServerConfig>> {
    generated().map(|generated| generated.tls.clone())
}

fn generated() -> io::Result<&'static Generated> {
    GENERATED.as_ref().map_err(|problem| io::Error::other(problem.as_str()))
}

fn generate() -> Result<Generated, String> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(HOSTS.map(str::to_owned)).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)
        })
        .map_err(|error| error.to_string())?;
    Ok(Generated { pem: cert.pem(), tls: Arc::new(tls) })
}
