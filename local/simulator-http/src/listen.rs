//! Ports: one that was asked for, one that is preferred, or any.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

/// Which port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one or none.
    Exactly(u16),
    /// This one, or any when it is taken.
    Preferably(u16),
    /// Any free one.
    Any,
}

/// Listens on `host` at the port that was asked for.
pub async fn listen(host: IpAddr, port: Port) -> io::Result<TcpListener> {
    let any = SocketAddr::new(host, 0);
    match port {
        Port::Exactly(port) => TcpListener::bind(SocketAddr::new(host, port)).await,
        Port::Preferably(port) => match TcpListener::bind(SocketAddr::new(host, port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(any).await,
        },
        Port::Any => TcpListener::bind(any).await,
    }
}

/// Where this machine reaches a listener: one that listens on every address is
/// reached at loopback.
pub fn url(listener: &TcpListener) -> io::Result<String> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{address}"))
}
