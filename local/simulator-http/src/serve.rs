//! Serving http and https on one port, because the libraries of Adyen and Amazon Pay speak https
//! only.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::{Answer, certificate};

/// The time that calls in progress have when the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// The first byte of a TLS connection, the type of a handshake's record.
const HANDSHAKE: u8 = 22;

/// Serves until `stop` changes. An error of the service cuts the connection.
pub async fn serve<S>(listener: TcpListener, mut stop: watch::Receiver<bool>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, stop.clone(), service.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            _ = stop.changed() => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} })
        .await;
}

/// An error means that one of the two sides cut the connection.
async fn connection<S>(
    stream: TcpStream,
    mut stop: watch::Receiver<bool>,
    service: S,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>> + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    stream.set_nodelay(true)?;
    let mut first = [0];
    tokio::select! {
        peeked = stream.peek(&mut first) => peeked?,
        _ = stop.changed() => return Ok(()),
    };
    if first == [HANDSHAKE] {
        let acceptor = TlsAcceptor::from(certificate::tls()?);
        respond(acceptor.accept(stream).await?, stop, service).await
    } else {
        respond(stream, stop, service).await
    }
}

async fn respond<I, S>(stream: I, mut stop: watch::Receiver<bool>, service: S) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = &service;
    let service = service_fn(async |request: Request<Incoming>| {
        if request.uri().path() == certificate::PATH {
            return Ok(match certificate::pem() {
                Ok(pem) => Answer::text(200, "application/x-pem-file", pem),
                Err(error) => Answer::text(500, "text/plain", error.to_string()),
            }
            .into_response());
        }
        service.call(request).await
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    tokio::select! {
        served = served.as_mut() => served,
        _ = stop.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    }
    .map_err(io::Error::other)
}
