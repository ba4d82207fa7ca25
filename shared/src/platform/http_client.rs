//! The HTTP client of a process, for Adyen, Amazon Pay and the AWS SDK.
//!
//! It uses ring, compiled-in root certificates (native ones take milliseconds to load) and one
//! connection pool, because these shorten the cold start. It does not follow redirects, because
//! the API key would go to another host.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use reqwest::redirect::Policy;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::limits;
use crate::platform::observe::{self, Called};

/// Builds the client. `extra_roots` is the path of a file with PEM certificates, which are trusted
/// in addition to the built-in roots.
///
/// # Errors
/// The message of a failure to read the file, or to set up TLS.
pub fn build(extra_roots: Option<&str>) -> Result<reqwest::Client, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_roots {
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    let mut tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(limits::CONNECT)
        .build()
        .map_err(|error| error.to_string())
}

/// Adapts the client to the AWS SDK's interface.
#[derive(Debug, Clone)]
pub struct SdkHttpClient(reqwest::Client);

impl SdkHttpClient {
    pub fn new(client: reqwest::Client) -> Self {
        Self(client)
    }
}

impl HttpClient for SdkHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            client: self.0.clone(),
            timeout: settings.read_timeout(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    client: reqwest::Client,
    timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, timeout) = (self.client.clone(), self.timeout);
        HttpConnectorFuture::new(async move {
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // The bodies of calls to DynamoDB and Secrets Manager are never streams.
            let request =
                request.map(|body| reqwest::Body::from(body.bytes().unwrap_or_default().to_vec()));
            let mut request = reqwest::Request::try_from(request)
                .map_err(|error| ConnectorError::user(error.into()))?;
            *request.timeout_mut() = timeout;
            if let Some(trace) = observe::xray_header() {
                request.headers_mut().insert("x-amzn-trace-id", trace);
            }
            let target = request.headers().get("x-amz-target");
            let is_dynamodb = target.is_some_and(|it| it.as_bytes().starts_with(b"DynamoDB_"));
            let begun = Instant::now();
            let exchange = async {
                let response = client.execute(request).await?;
                let mut head = http::Response::builder().status(response.status());
                if let Some(headers) = head.headers_mut() {
                    *headers = response.headers().clone();
                }
                Ok((head, response.bytes().await?))
            };
            let exchanged = exchange.await.map_err(connector_error);
            if is_dynamodb {
                observe::called(Called::DynamoDb, begun.elapsed());
            }
            let (head, body) = exchanged?;
            let response = head
                .body(SdkBody::from(body))
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Describes a JSON error by its position only, because the message may quote the answer.
pub fn unreadable(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("unreadable answer: {:?} error at line {line} column {column}", error.classify())
}

/// Classifies an error for the SDK, which retries time-outs and I/O errors.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
